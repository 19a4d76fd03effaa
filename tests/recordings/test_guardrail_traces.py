"""The traces that real guardrails left in real answers, through the client, the fold and the reader."""

from __future__ import annotations

from typing import Any

import pytest

from services.clients import Identity
from services.guardrail_traces import trace_of
from services.runs import Call, from_json, to_json
from services.runtime import call_once
from tests.recordings.conftest import Find
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.recordings

MASKED_ADDRESSES = [("reply", "Address", "masked")] * 4
MASKED_ACCOUNT = [("reply", "Account Number", "masked")]
GROUNDED = [("reply", "Grounding", "let through"), ("reply", "Relevance", "let through")]
REPORTED = {
    "test_guardrail_converse.yaml": MASKED_ADDRESSES,
    "test_guardrail_invoke_stream.yaml": [("prompt", "topic-1", "blocked")],
    "test_nova_completion.yaml": MASKED_ACCOUNT,
    "test_nova_invoke_stream.yaml": MASKED_ACCOUNT,
    "test_nova_converse.yaml": [("reply", "Address", "masked"), *MASKED_ACCOUNT, *GROUNDED],
    "test_titan_invoke_model_guardrail.yaml": MASKED_ACCOUNT,
    "test_titan_invoke_stream_guardrail.yaml": MASKED_ACCOUNT,
}


@pytest.mark.parametrize(
    "operation", ["Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"]
)
def test_recorded_traces_are_read(
    find: Find, server: ScriptedServer, identity: Identity, operation: str
) -> None:
    seen = 0
    for recording in find(operation):
        name = recording.name.rpartition("/")[2].partition("[")[0]
        if b"invocationMetrics" not in recording.body and name not in REPORTED:
            continue
        server.play(recording.serve)
        request: dict[str, Any] = {"body": {}} if operation.startswith("Invoke") else {"messages": []}
        call = Call(operation=operation, request={"modelId": "m", **request}, identity=identity, model_id="m")
        run = call_once(call)
        trace = trace_of(run)
        assert trace_of(from_json(to_json(run))) == trace
        if name not in REPORTED:
            continue
        seen += 1
        assert trace, name
        assert trace.intervened
        assert [(f.side, f.item, f.action) for f in trace.findings] == REPORTED[name], name
        assert trace.latency_ms
        assert trace.guardrail_ids in (("5zwrmdlsra2e",), ("v9kpg6yrwhs2",))
    assert seen or operation == "ConverseStream"
