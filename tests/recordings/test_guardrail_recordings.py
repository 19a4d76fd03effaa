"""Every real answer of a guardrail is shown completely: each item of each policy is a finding."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.guardrail_results import apply_call, result_of
from services.guardrail_traces import agent_trace, trace_of
from services.runs import Call
from services.runtime import call_once
from tests.recorded import decoder_of, read
from tests.recordings.conftest import Find
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.recordings

NOT_FINDINGS = ("invocationMetrics", "appliedGuardrailDetails")
APPLIED = {
    "test_apply_guardrails.yaml": ("blocked", {"InvestmentObjectives", "Email"}),
    "test_apply_guardrails_with_suppress_tracing.yaml": ("blocked", {"InvestmentObjectives", "Email"}),
    "test_apply_success_guardrails.yaml": ("passed", set()),
}


def items(node: Any) -> Iterator[dict[str, Any]]:
    """Every item of every policy anywhere in an answer, found by its `action` alone."""
    if isinstance(node, dict):
        members = {name: value for name, value in node.items() if name not in NOT_FINDINGS}
        if "action" in node and ("type" in node or "match" in node or "name" in node):
            yield node
            return
        for value in members.values():
            yield from items(value)
    elif isinstance(node, list):
        for value in node:
            yield from items(value)


def texts(found: Iterable[Any]) -> list[str]:
    """Items in an order of their own: policies are told in ours."""
    return sorted(json.dumps(each, sort_keys=True) for each in found)


def test_apply_guardrail_is_read_completely(
    recordings: Path, server: ScriptedServer, identity: Identity
) -> None:
    for name, (outcome, acted) in APPLIED.items():
        found = [
            each for each in read(recordings, f"openinference/{name}") if each.operation == "ApplyGuardrail"
        ]
        assert found, name
        for recording in found:
            server.play(recording.serve)
            run = call_once(apply_call("text", "abc123", identity))
            result = result_of(run)
            assert run.response
            wanted = list(items(run.response["assessments"]))
            assert wanted
            assert texts(finding.raw for finding in result.findings) == texts(wanted)
            assert result.outcome == outcome
            assert {finding.item for finding in result.findings if finding.acted} == acted
            assert {finding.item for finding in result.findings if finding.detected} == acted
            assert result.reason == run.response["actionReason"]
            assert result.outputs == tuple(each["text"] for each in run.response["outputs"])
            assert result.latency_ms
            assert result.units


@pytest.mark.parametrize(
    "operation", ["Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"]
)
def test_a_models_guardrail_is_read_completely(
    find: Find, server: ScriptedServer, identity: Identity, operation: str
) -> None:
    seen = 0
    for recording in find(operation):
        if "guardrailProcessingLatency" not in str(recording.decoded):
            continue
        server.play(recording.serve)
        request: dict[str, Any] = {"body": {}} if operation.startswith("Invoke") else {"messages": []}
        run = call_once(
            Call(operation=operation, request={"modelId": "m", **request}, identity=identity, model_id="m")
        )
        trace = trace_of(run)
        assert trace, recording.name
        answers: list[Any] = [run.response or {}]
        if operation == "InvokeModelWithResponseStream":
            answers = [event.data for event in run.events]
        wanted = [item for answer in answers for item in items(answer)]
        assert texts(finding.raw for finding in trace.findings) == texts(wanted), recording.name
        assert not trace.other, "a member of the trace that is not read"
        seen += 1
    assert seen


def test_an_agents_guardrail_is_read_completely(recordings: Path) -> None:
    """The agent's stream as botocore itself reads it."""
    decoder = decoder_of(recordings)
    path = recordings / "openinference" / "test_guardrail_intervention.yaml"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the decoder leaves files to the garbage collector
        answers = [decoder.decode(each) for each in decoder.interactions(path)]
    traces = [trace for each in answers for trace in guardrail_traces(each.events)]
    assert traces
    trace = agent_trace(traces)
    wanted = [item for each in traces for item in assessed(each)]
    assert texts(finding.raw for finding in trace.findings) == texts(wanted)
    finding = trace.findings[0]
    assert (finding.side, finding.policy, finding.item, finding.action) == (
        "prompt",
        "Content filter",
        "Prompt attack",
        "blocked",
    )
    assert "medium" in finding.detail
    assert trace.intervened
    assert trace.latency_ms == 274


def assessed(trace: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for member in ("inputAssessments", "outputAssessments"):
        yield from items(trace.get(member))


def guardrail_traces(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "guardrailTrace":
                yield value
            else:
                yield from guardrail_traces(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from guardrail_traces(value)
