"""Health: every service is asked, a silent one holds nobody up, a failing one says why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.validate import ParamValidator

from services import clients, health
from services.clients import Caller, Identity

LOCAL = Identity("local", "localbedrock", "us-east-1", epoch=71)
AWS = Identity("aws", None, "eu-west-1", epoch=71)


class FakeClient:
    """Answers every operation with what was arranged for its service."""

    def __init__(self, answer: Any, calls: list[tuple[str, dict[str, Any]]]) -> None:
        self._answer = answer
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            self._calls.append((name, parameters))
            return self._answer()

        return call


class Services:
    """What each service does when it is asked; all answer unless told otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str, identity: Identity) -> FakeClient:
        return FakeClient(self.answers.get(service, dict), self.calls)


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    fake = Services()
    monkeypatch.setattr(clients, "client", fake.client)
    health.health.clear()
    yield fake
    health.health.clear()


def raising(error: Exception) -> Any:
    def answer() -> None:
        raise error

    return answer


@pytest.mark.parametrize("identity", [LOCAL, AWS])
def test_every_service_is_asked_once_and_nothing_is_billed_or_changed(services: Services, identity: Identity):
    found = health.health(identity)
    assert all(service.ok and service.problem is None for service in found)
    assert {service.name for service in found} == {
        "bedrock",
        "bedrock-runtime",
        "sts",
        "s3",
        "cloudwatch",
        "logs",
    }
    assert len(services.calls) == len(found)
    assert all(name.startswith(("list_", "get_", "describe_", "count_")) for name, _ in services.calls)


@pytest.mark.parametrize("identity", [LOCAL, AWS])
def test_every_probe_is_an_operation_that_takes_these_parameters(identity: Identity):
    for probe in health.probes(identity):
        model = botocore.session.get_session().get_service_model(probe.service)
        report = ParamValidator().validate(
            dict(probe.parameters), model.operation_model(probe.operation).input_shape
        )
        assert not report.has_errors(), report.generate_report()


def test_one_failing_service_says_why_and_the_others_are_well(services: Services):
    denied = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListFoundationModels"
    )
    services.answers["bedrock"] = raising(denied)
    services.answers["s3"] = raising(EndpointConnectionError(endpoint_url="https://s3"))
    found = {service.name: service for service in health.health(AWS)}
    assert {name for name, service in found.items() if not service.ok} == {"bedrock", "s3"}
    problem = found["bedrock"].problem
    assert problem is not None
    assert problem.code == "AccessDeniedException"
    assert problem.fix


def test_a_client_that_cannot_be_made_is_a_failing_service(
    services: Services, monkeypatch: pytest.MonkeyPatch
):
    def no_client(service: str, identity: Identity) -> FakeClient:
        raise clients.LocalEndpointError("not started")

    monkeypatch.setattr(clients, "client", no_client)
    assert not any(service.ok for service in health.health(LOCAL))


def test_a_silent_service_is_given_up_in_time(services: Services, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "ANSWER_WITHIN_S", 0.2)
    let_go = threading.Event()
    services.answers["logs"] = lambda: let_go.wait(30)
    try:
        started = time.monotonic()
        found = {service.name: service for service in health.health(AWS)}
        assert time.monotonic() - started < 5
    finally:
        let_go.set()
    assert {name for name, service in found.items() if not service.ok} == {"logs"}
    problem = found["logs"].problem
    assert problem is not None
    assert "DescribeLogGroups" in problem.cause


def test_services_are_asked_at_the_same_time(services: Services, monkeypatch: pytest.MonkeyPatch):
    together = threading.Barrier(len(health.probes(AWS)))
    for probe in health.probes(AWS):
        services.answers[probe.service] = lambda: together.wait(20)
    assert all(service.ok for service in health.health(AWS))


def test_an_answer_is_kept_until_it_is_asked_for_again(services: Services):
    health.health(AWS)
    health.health(AWS)
    asked = len(health.probes(AWS))
    assert len(services.calls) == asked
    health.health.clear(AWS)
    health.health(AWS)
    assert len(services.calls) == 2 * asked


class TestCallerLookup:
    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        health._lookup.clear()
        yield
        health._lookup.clear()

    def test_it_never_waits(self, monkeypatch: pytest.MonkeyPatch):
        let_go = threading.Event()
        who = Caller("123456789012", "prod", "arn:aws:iam::123456789012:user/ana")

        def slow(identity: Identity) -> Caller:
            let_go.wait(30)
            return who

        monkeypatch.setattr(clients, "caller", slow)
        lookup = health.caller_lookup(AWS)
        assert not lookup.done()
        assert health.caller_lookup(AWS) is lookup
        let_go.set()
        assert lookup.result(10) == who

    def test_a_failure_is_looked_up_again_later_and_an_answer_is_not(self, monkeypatch: pytest.MonkeyPatch):
        who = Caller("123456789012", None, "arn")
        outcomes: list[Any] = [EndpointConnectionError(endpoint_url="https://sts"), who]

        def outcome(identity: Identity) -> Caller:
            found = outcomes.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(clients, "caller", outcome)
        failed = health.caller_lookup(AWS)
        assert isinstance(failed.exception(10), EndpointConnectionError)
        assert health.caller_lookup(AWS) is failed, "not at once: a page asks at every click"
        monkeypatch.setattr(health, "KEEP_S", 0)
        assert health.caller_lookup(AWS).result(10) == who
        assert health.caller_lookup(AWS).result(10) == who
        assert not outcomes
