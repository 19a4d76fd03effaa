"""What ApplyGuardrail answered, read: AWS's own answers, and such as it may give one day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.guardrail_reasons import Reason, differences, gauges_of, reasons_of
from services.guardrail_results import Grounding, apply_call, result_of
from services.problems import Problem
from services.runs import Call, Run
from tests.recorded import read

IDENTITY = Identity("local", None, "us-east-1")


def run(response: dict[str, Any] | None, *, problem: Problem | None = None, source: str = "INPUT") -> Run:
    content = [{"text": {"text": "the text"}}]
    call = Call(operation="ApplyGuardrail", request={"source": source, "content": content}, identity=IDENTITY)
    return Run(
        id="r",
        call=call,
        started_at=datetime.now(UTC),
        state="failed" if problem else "done",
        latency_ms=20.0,
        response=response,
        problem=problem,
    )


def answered(assessment: Any, action: str = "NONE", **more: Any) -> Run:
    return run({"action": action, "assessments": [assessment], "outputs": [], **more})


def filtered(confidence: str, strength: str, action: str = "NONE") -> dict[str, Any]:
    item = {"type": "HATE", "confidence": confidence, "filterStrength": strength, "action": action}
    return {"contentPolicy": {"filters": [item]}}


def ranked(run: Run, rank: str) -> list[Reason]:
    return [reason for reason in reasons_of(run) if reason.rank == rank]


@pytest.mark.recordings
class TestRecordings:
    def recorded(self, recordings: Path, name: str) -> Run:
        (one,) = [
            recording
            for recording in read(recordings, f"openinference/{name}.yaml")
            if recording.operation == "ApplyGuardrail"
        ]
        return run(one.decoded.parsed)

    def test_a_text_that_was_blocked(self, recordings: Path) -> None:
        blocked = self.recorded(recordings, "test_apply_guardrails")
        result = result_of(blocked)
        assert result.outcome == "blocked"
        assert result.outputs == ("Sorry, the model cannot answer this question.",)
        assert result.units == {
            "topicPolicyUnits": 1,
            "contentPolicyUnits": 1,
            "sensitiveInformationPolicyUnits": 1,
        }
        assert result.latency_ms
        assert reasons_of(blocked)[:2] == tuple(ranked(blocked, "acted"))
        acted = [one.finding for one in ranked(blocked, "acted")]
        assert [(finding.item, finding.match, finding.action) for finding in acted] == [
            ("InvestmentObjectives", "", "blocked"),
            ("Email", "abc@pqrt.com", "blocked"),
        ]
        assert len(ranked(blocked, "clear")) == 7
        assert not ranked(blocked, "near")

    def test_a_text_that_passed(self, recordings: Path) -> None:
        passed = self.recorded(recordings, "test_apply_success_guardrails")
        result, reasons = result_of(passed), reasons_of(passed)
        assert (result.outcome, result.reason, result.outputs) == ("passed", "No action.", ())
        assert result.latency_ms == 352
        assert {one.rank for one in reasons} == {"clear"}


class TestCalls:
    def test_grounding_puts_the_text_under_test_last(self) -> None:
        call = apply_call(
            "Nine.", "gr1", IDENTITY, source="OUTPUT", grounding=Grounding("Four.", "How many?")
        )
        assert [part["text"]["qualifiers"] for part in call.request["content"]] == [
            ["grounding_source"],
            ["query"],
            ["guard_content"],
        ]
        assert call.kind == "guardrail"

    def test_a_call_without_an_answer_failed(self) -> None:
        problem = Problem("X", "Refused", "why", "do")
        assert result_of(run(None, problem=problem)).outcome == "failed"
        assert reasons_of(run(None, problem=problem)) == ()


class TestReasons:
    @pytest.mark.parametrize(
        ("confidence", "action", "rank"),
        [("HIGH", "BLOCKED", "acted"), ("LOW", "NONE", "near"), ("NONE", "NONE", "clear")],
    )
    def test_a_filter_acted_came_near_or_found_nothing(self, confidence: str, action: str, rank: str) -> None:
        (only,) = reasons_of(answered(filtered(confidence, "MEDIUM", action)))
        assert only.rank == rank

    def test_confidence_is_said_against_strength(self) -> None:
        (only,) = reasons_of(answered(filtered("LOW", "MEDIUM")))
        assert only.measure == "confidence low, filter strength medium (acts from confidence medium on)"

    def test_what_was_detected_and_only_reported_is_a_near_miss(self) -> None:
        entity = {"type": "NAME", "match": "Jo", "action": "NONE", "detected": True}
        (only,) = reasons_of(answered({"sensitiveInformationPolicy": {"piiEntities": [entity]}}))
        assert (only.rank, only.tone) == ("near", "reported")

    def test_scores_are_gauges(self) -> None:
        item = {"type": "RELEVANCE", "score": 0.4, "threshold": 0.5, "action": "NONE", "detected": True}
        (gauge,) = gauges_of(reasons_of(answered({"contextualGroundingPolicy": {"filters": [item]}})))
        assert (gauge.name, gauge.passes, gauge.acted) == ("Relevance", False, False)

    def test_what_is_not_known_is_told_as_the_service_says_it(self) -> None:
        assessment = {"newPolicy": {"things": [{"a": 1}]}, "invocationMetrics": {}}
        (only,) = reasons_of(answered(assessment))
        assert (only.rank, only.finding.policy, only.measure) == ("near", "New policy", '{"a": 1}')

    @pytest.mark.parametrize("assessment", [None, "x", {}, {"contentPolicy": None}])
    def test_shapes_that_nobody_expects_break_nothing(self, assessment: Any) -> None:
        assert not reasons_of(answered(assessment))

    def test_only_what_differs_between_guardrails_is_told(self) -> None:
        same = {"topicPolicy": {"topics": [{"name": "Money", "type": "DENY", "action": "BLOCKED"}]}}
        more = {**same, **filtered("HIGH", "LOW", "BLOCKED")}
        checks = [reasons_of(answered(more)), reasons_of(answered(same))]
        assert differences(checks) == (
            (
                "Content filter → Hate",
                (
                    "blocked (confidence high, filter strength low (acts from confidence high on))",
                    "not looked for",
                ),
            ),
        )
