"""What AWS adds to guardrails later is shown by its name and as JSON; an agent's traces are read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.clients import Identity
from services.guardrail_traces import findings_of, trace_of
from services.runs import Call, Run, RunEvent

CALL = Call(operation="Converse", request={}, identity=Identity("aws", None, "us-east-1"))
RUN = Run(id="r", call=CALL, started_at=datetime(2025, 1, 1, tzinfo=UTC), state="done", latency_ms=1)


def test_future_policies_lists_and_members_are_not_dropped() -> None:
    assessment: dict[str, Any] = {
        "tonePolicy": {
            "tones": [{"name": "sarcasm", "action": "BLOCKED", "detected": True, "tone": 7}],
            "verdicts": [{"rating": 3}, "loose"],
            "mode": "strict",
        },
        "mood": 0.4,
        "emptyPolicy": None,
        "wordPolicy": {
            "customWords": [{"match": "secret", "action": "BLOCKED", "origin": "team"}],
            "spokenWords": [{"match": "uh", "action": "NONE"}],
        },
        "topicPolicy": {"topics": []},
        "invocationMetrics": {"guardrailProcessingLatency": 5},
        "appliedGuardrailDetails": {"guardrailId": "abc"},
    }
    found = list(findings_of("prompt", assessment))
    assert [(f.policy, f.item, f.detail, f.match, f.action) for f in found] == [
        ("Word filter", "custom word", 'origin "team"', "secret", "blocked"),
        ("Word filter", "Spoken words", "", "uh", "let through"),
        ("Tone policy", "sarcasm", "tone 7", "", "blocked"),
        ("Tone policy", "Verdicts", '{"rating": 3}', "", "reported"),
        ("Tone policy", "Verdicts", '"loose"', "", "reported"),
        ("Tone policy", "Mode", '"strict"', "", "reported"),
        ("Mood", "Mood", "0.4", "", "reported"),
    ]
    assert found[3].raw == {"rating": 3}


def test_what_was_found_and_what_was_looked_for_in_vain_are_told_apart() -> None:
    filters = [
        {"type": "HATE", "confidence": "LOW", "action": "NONE", "detected": True},
        {"type": "HATE", "confidence": "NONE", "action": "NONE", "detected": False},
        {"type": "HATE", "confidence": "NONE", "action": "NONE"},
        {"type": "GROUNDING", "score": 0.2, "threshold": 0.7, "action": "NONE"},
        {"type": "GROUNDING", "score": 0.9, "threshold": 0.7, "action": "NONE"},
    ]
    found = findings_of("reply", {"contentPolicy": {"filters": filters}})
    assert [finding.detected for finding in found] == [True, False, False, True, False]


def test_an_automated_reasoning_finding_tells_its_reasons() -> None:
    item = {"invalid": {"contradictingRules": [{"identifier": "R1"}]}}
    (finding,) = findings_of("reply", {"automatedReasoningPolicy": {"findings": [item]}})
    assert finding.item == "Invalid"
    assert '"R1"' in finding.detail


def test_all_guardrail_traces_of_an_agents_turn_are_put_together() -> None:
    def event(member: str, policy: dict[str, Any], **more: Any) -> RunEvent:
        trace = {"action": "INTERVENED", member: [policy], "metadata": {"totalTimeMs": 40}, **more}
        return RunEvent(1, "trace", {"agentId": "A", "trace": {"guardrailTrace": trace}})

    before = event("inputAssessments", {"topicPolicy": {"topics": [{"name": "stocks", "action": "BLOCKED"}]}})
    after = event(
        "outputAssessments",
        {
            "sensitiveInformationPolicy": {
                "regexes": [{"name": "id", "regex": "[0-9]+", "match": "12", "action": "ANONYMIZED"}]
            }
        },
        verdict="strict",
    )
    run = replace(RUN, events=(before, RunEvent(2, "chunk", {"bytes": "x"}), after))
    trace = trace_of(run)
    assert trace
    assert [(f.side, f.item, f.action, f.detail) for f in trace.findings] == [
        ("prompt", "stocks", "blocked", ""),
        ("reply", "id", "masked", "pattern [0-9]+"),
    ]
    assert trace.latency_ms == 80
    assert trace.other == {"verdict": "strict"}


def test_a_trace_of_another_shape_is_no_crash() -> None:
    broken: Any
    for broken in ("x", 3, [], {"guardrail": 4}, {"guardrail": {"inputAssessment": [1]}}):
        assert trace_of(replace(RUN, response={"trace": broken})) is None
