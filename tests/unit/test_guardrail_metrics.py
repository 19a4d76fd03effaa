"""A guardrail's figures in CloudWatch: nothing counted twice, whichever dimensions there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services import clients, guardrail_metrics
from services.clients import Identity
from services.guardrail_metrics import NAMESPACE, SPANS, rate, rates

ARN = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/abc"
OTHER = ARN.replace("abc", "xyz")
IDENTITY = Identity("aws", "team", "eu-west-1")
T1 = datetime(2025, 1, 1, 10, tzinfo=UTC)
T2 = datetime(2025, 1, 1, 11, tzinfo=UTC)


class CloudWatch:
    """Metrics in memory: (name, dimensions) to the points of the statistic Sum; SampleCount is 2 each."""

    def __init__(self) -> None:
        self.metrics: dict[tuple[str, frozenset[tuple[str, str]]], dict[datetime, float]] = {}
        self.asked: list[dict[str, Any]] = []
        self.refused = False

    def put(self, name: str, points: dict[datetime, float], **dimensions: str) -> None:
        named = {f"Guardrail{key}" if key != "Operation" else key: value for key, value in dimensions.items()}
        self.metrics[name, frozenset(named.items())] = points

    def get_paginator(self, name: str) -> Any:
        class Paginator:
            paginate = staticmethod(getattr(self, name))

        return Paginator()

    def list_metrics(self, Namespace: str, Dimensions: list[dict[str, str]]) -> Iterator[Any]:  # noqa: N803
        if self.refused:
            error: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
            raise ClientError(error, "ListMetrics")
        assert Namespace == NAMESPACE
        wanted = {(each["Name"], each["Value"]) for each in Dimensions}
        for name, dimensions in self.metrics:
            if wanted <= dimensions:
                row = [{"Name": key, "Value": value} for key, value in dimensions]
                yield {"Metrics": [{"MetricName": name, "Dimensions": row}]}

    def get_metric_data(self, **arguments: Any) -> Iterator[Any]:
        self.asked.append(arguments)
        for query in arguments["MetricDataQueries"]:
            metric, stat = query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]
            key = frozenset((each["Name"], each["Value"]) for each in metric["Dimensions"])
            points = self.metrics[metric["MetricName"], key]
            values = [2.0 for _ in points] if stat == "SampleCount" else list(points.values())
            yield {"MetricDataResults": [{"Id": "q", "Timestamps": list(points), "Values": values}]}


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> CloudWatch:
    fake = CloudWatch()
    monkeypatch.setattr(clients, "client", lambda service, identity: fake)
    guardrail_metrics.refresh()
    for version, count in (("DRAFT", 10.0), ("1", 30.0)):
        own = {"Arn": ARN, "Version": version}
        fake.put("Invocations", {T1: count, T2: 4}, **own)
        fake.put("InvocationsIntervened", {T1: 5}, **own)
        fake.put("InvocationLatency", {T1: 400}, **own)
        fake.put("TextUnitCount", {T1: 7}, **own)
        fake.put("Invocations", {T1: count}, **own, ContentSource="Input")
        fake.put("InvocationsIntervened", {T1: 5}, **own, ContentSource="Input")
    fake.put("Invocations", {T1: 1000}, Arn=OTHER, Version="DRAFT")
    fake.put("Invocations", {T1: 1040}, Operation="ApplyGuardrail")
    return fake


def test_versions_are_added_up_and_nothing_is_counted_twice(cloudwatch: CloudWatch) -> None:
    for version in ("DRAFT", "1"):
        own = {"Arn": ARN, "Version": version}
        cloudwatch.put("InvocationsIntervened", {T1: 2}, **own, PolicyType="TopicPolicy")
        cloudwatch.put(
            "InvocationsIntervened", {T1: 2}, **own, PolicyType="TopicPolicy", ContentSource="Input"
        )
    found = rates(IDENTITY, ARN, SPANS[0])
    assert found.problem is None
    assert found.invocations == {T1: 40, T2: 8}
    assert found.intervened == {T1: 10}
    assert found.latency_ms == {T1: 200}
    assert found.text_units == 14
    assert found.policies == {"TopicPolicy": {T1: 4}}
    assert not found.policies_of_account
    assert rate(found.policies["TopicPolicy"], found.policy_base) == {T1: 0.1, T2: 0}
    assert found.sources == {"Input": {T1: 10}}
    assert found.source_base == {"Input": {T1: 40}}


def test_policies_that_are_there_for_the_account_alone_are_rated_on_the_account(
    cloudwatch: CloudWatch,
) -> None:
    cloudwatch.put("InvocationsIntervened", {T1: 104}, Operation="ApplyGuardrail", PolicyType="WordPolicy")
    found = rates(IDENTITY, ARN, SPANS[0])
    assert found.policies_of_account
    assert rate(found.policies["WordPolicy"], found.policy_base) == {T1: 0.1}


def test_figures_are_kept_per_identity_and_refusals_are_not(cloudwatch: CloudWatch) -> None:
    cloudwatch.refused = True
    assert rates(IDENTITY, ARN, SPANS[0]).problem
    cloudwatch.refused = False
    assert rates(IDENTITY, ARN, SPANS[0]).problem is None
    asked = len(cloudwatch.asked)
    rates(IDENTITY, ARN, SPANS[0])
    assert len(cloudwatch.asked) == asked
    rates(replace(IDENTITY, profile="other"), ARN, SPANS[0])
    assert len(cloudwatch.asked) == 2 * asked
