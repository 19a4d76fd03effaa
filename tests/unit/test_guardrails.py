"""A guardrail goes into every kind of call, comes back from a run, and its trace is read in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services import clients, guardrails
from services.clients import Identity
from services.guardrail_traces import trace_of
from services.guardrails import GuardrailChoice, guardrail_of, put_guardrail, well_formed
from services.runs import Call, Run, RunEvent

IDENTITY = Identity("aws", "team", "eu-west-1")
CHOICE = GuardrailChoice("abc123", "2", "enabled_full", "async")


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            "ConverseStream",
            {
                "guardrailConfig": {
                    "guardrailIdentifier": "abc123",
                    "guardrailVersion": "2",
                    "trace": "enabled_full",
                    "streamProcessingMode": "async",
                }
            },
        ),
        (
            "Converse",
            {
                "guardrailConfig": {
                    "guardrailIdentifier": "abc123",
                    "guardrailVersion": "2",
                    "trace": "enabled_full",
                }
            },
        ),
        (
            "InvokeModelWithResponseStream",
            {
                "guardrailIdentifier": "abc123",
                "guardrailVersion": "2",
                "trace": "ENABLED_FULL",
                "body": {
                    "amazon-bedrock-guardrailConfig": {"streamProcessingMode": "ASYNCHRONOUS"},
                    "prompt": "Hi",
                },
            },
        ),
        (
            "InvokeModel",
            {
                "guardrailIdentifier": "abc123",
                "guardrailVersion": "2",
                "trace": "ENABLED_FULL",
                "body": {"prompt": "Hi"},
            },
        ),
    ],
)
def test_each_operation_names_the_guardrail_in_its_own_way(operation: str, expected: dict[str, Any]) -> None:
    request: dict[str, Any] = {"body": {"prompt": "Hi"}} if operation.startswith("Invoke") else {}
    put_guardrail(request, operation, CHOICE)
    assert request == expected
    found = guardrail_of(request)
    assert (found.identifier, found.version, found.trace) == ("abc123", "2", "enabled_full")
    assert found.stream_mode == ("async" if "Stream" in operation else "")


def test_without_a_guardrail_nothing_is_sent() -> None:
    request: dict[str, Any] = {}
    put_guardrail(request, "ConverseStream", GuardrailChoice())
    assert request == {}
    assert guardrail_of(request) == GuardrailChoice()


def test_a_body_that_says_how_to_stream_is_not_overruled() -> None:
    own = {"amazon-bedrock-guardrailConfig": {"tagSuffix": "x"}}
    request: dict[str, Any] = {"body": own}
    put_guardrail(request, "InvokeModelWithResponseStream", CHOICE)
    assert request["body"] == own


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("5zwrmdlsra2e", True),
        ("arn:aws:bedrock:us-east-1:123456789012:guardrail/5zwrmdlsra2e", True),
        ("", False),
        ("My guardrail", False),
        ("arn:aws:bedrock:us-east-1:1:guardrail/x", False),
    ],
)
def test_a_pasted_identifier_is_told_from_other_text(text: str, fits: bool) -> None:
    assert well_formed(text) is fits


class Bedrock:
    """ListGuardrails in two pages."""

    def __init__(self, rows: list[dict[str, Any]], error: Exception | None = None) -> None:
        self.rows, self.error, self.asked = rows, error, []  # type: ignore[var-annotated]

    def get_paginator(self, name: str) -> Bedrock:
        assert name == "list_guardrails"
        return self

    def paginate(self, **arguments: Any) -> list[dict[str, Any]]:
        self.asked.append(arguments)
        if self.error:
            raise self.error
        return [{"guardrails": self.rows[:1]}, {"guardrails": self.rows[1:]}]


@pytest.fixture
def fresh() -> Any:
    guardrails._list.clear()
    yield
    guardrails._list.clear()


def row(name: str, version: str) -> dict[str, Any]:
    return {"id": name, "arn": f"arn:{name}", "name": name.title(), "version": version, "status": "READY"}


@pytest.mark.usefixtures("fresh")
def test_guardrails_and_versions_are_listed_once_for_each_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    bedrock = Bedrock([row("b", "DRAFT"), row("a", "2"), row("a", "10")])
    monkeypatch.setattr(clients, "client", lambda service, identity: bedrock)
    assert [one.name for one in guardrails.guardrails(IDENTITY).summaries] == ["A", "A", "B"]
    assert [one.version for one in guardrails.versions(IDENTITY, "a").summaries] == ["10", "2", "DRAFT"]
    guardrails.guardrails(IDENTITY)
    assert bedrock.asked == [{}, {"guardrailIdentifier": "a"}]
    guardrails.guardrails(Identity("aws", "other", "eu-west-1"))
    assert len(bedrock.asked) == 3
    assert guardrails.versions(IDENTITY, "No ID").summaries == ()


@pytest.mark.usefixtures("fresh")
def test_a_list_that_is_refused_is_a_problem_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListGuardrails")
    bedrock = Bedrock([], denied)
    monkeypatch.setattr(clients, "client", lambda service, identity: bedrock)
    assert guardrails.guardrails(IDENTITY).problem
    assert guardrails.guardrails(IDENTITY).problem
    assert len(bedrock.asked) == 2


def run(operation: str, response: dict[str, Any], events: tuple[RunEvent, ...] = ()) -> Run:
    return Run(
        id="r",
        call=Call(operation=operation, request={}, identity=IDENTITY),
        started_at=datetime.now(UTC),
        state="done",
        latency_ms=1,
        response=response,
        events=events,
    )


ASSESSMENT = {
    "contentPolicy": {
        "filters": [
            {"type": "PROMPT_ATTACK", "confidence": "HIGH", "filterStrength": "LOW", "action": "BLOCKED"},
            {
                "type": "HATE",
                "confidence": "NONE",
                "filterStrength": "HIGH",
                "action": "NONE",
                "detected": False,
            },
        ]
    },
    "topicPolicy": {"topics": [{"name": "Investment advice", "type": "DENY", "action": "BLOCKED"}]},
    "wordPolicy": {
        "customWords": [{"match": "acme", "action": "BLOCKED"}],
        "managedWordLists": [{"match": "damn", "type": "PROFANITY", "action": "BLOCKED"}],
    },
    "sensitiveInformationPolicy": {
        "piiEntities": [
            {"match": "078-05-1120", "type": "US_SOCIAL_SECURITY_NUMBER", "action": "ANONYMIZED"}
        ],
        "regexes": [{"name": "Account", "match": "12", "regex": "\\d+", "action": "ANONYMIZED"}],
    },
    "contextualGroundingPolicy": {
        "filters": [{"type": "GROUNDING", "threshold": 0.75, "score": 0.1, "action": "BLOCKED"}]
    },
    "automatedReasoningPolicy": {"findings": [{"translationAmbiguous": {}}]},
    "invocationMetrics": {"guardrailProcessingLatency": 300},
}


def test_every_policy_is_read_in_words() -> None:
    trace = trace_of(run("Converse", {"trace": {"guardrail": {"inputAssessment": {"g1": ASSESSMENT}}}}))
    assert trace
    said = [(f.policy, f.item, f.detail, f.action, f.match) for f in trace.findings]
    assert said == [
        ("Content filter", "Prompt attack", "confidence high, filter strength low", "blocked", ""),
        ("Content filter", "Hate", "confidence none, filter strength high", "let through", ""),
        ("Denied topic", "Investment advice", "", "blocked", ""),
        ("Word filter", "custom word", "", "blocked", "acme"),
        ("Word filter", "Profanity", "", "blocked", "damn"),
        ("Sensitive information", "Us social security number", "", "masked", "078-05-1120"),
        ("Sensitive information", "Account", "pattern \\d+", "masked", "12"),
        ("Contextual grounding", "Grounding", "score 0.1, threshold 0.75", "blocked", ""),
        ("Automated reasoning", "Translation ambiguous", "", "reported", ""),
    ]
    assert {f.side for f in trace.findings} == {"prompt"}
    assert trace.guardrail_ids == ("g1",)
    assert trace.latency_ms == 300
    assert trace.intervened


def test_a_stream_of_invoke_model_has_its_trace_in_a_chunk() -> None:
    chunk = {"amazon-bedrock-trace": {"guardrail": {"outputs": [{"g1": ASSESSMENT}], "modelOutput": ["x"]}}}
    trace = trace_of(run("InvokeModelWithResponseStream", {}, (RunEvent(1, "chunk", chunk),)))
    assert trace
    assert {f.side for f in trace.findings} == {"reply"}
    assert trace.model_output == ("x",)


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"trace": None},
        {"trace": {"guardrail": None}},
        {"trace": {"guardrail": {"inputAssessment": {"g": 3}}}},
        {"trace": {"promptRouter": {}}},
    ],
)
def test_an_answer_without_a_readable_trace_has_none(response: dict[str, Any]) -> None:
    assert trace_of(run("Converse", response)) is None
