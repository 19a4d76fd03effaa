"""What the playground sends for tools and structured output, to the local endpoint over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.capabilities import Bound, Capabilities
from services.clients import Identity
from services.conversations import Settings, Turn, converse_call, from_run, waiting_calls
from services.models import Model
from services.runs import Call, Run
from services.structured_output import check_output, reply_text
from services.tools import EXAMPLE, EXAMPLE_MOCKS, mocked_results, result_blocks

LOCAL = "local.smollm2-135m-instruct-v1:0"
MODEL = Model(
    model_id=LOCAL,
    arn="",
    name="Local",
    provider="Local",
    kind="foundation",
    base_model_id=LOCAL,
    capabilities=Capabilities(streaming=True, bounds={"maxTokens": Bound(1, 4096)}),
)
SCHEMA = """{
  "type": "object",
  "properties": {"city": {"type": "string", "maxLength": 12}, "warm": {"type": "boolean"}},
  "required": ["city", "warm"],
  "additionalProperties": false
}"""


@pytest.fixture(scope="module")
def runtime(endpoint: Any) -> Any:
    return endpoint.client("bedrock-runtime", read_timeout=120)


def ask(runtime: Any, settings: Settings, turns: list[Turn], prompt: list[dict[str, Any]]) -> Turn:
    identity = Identity("local", None, "us-east-1")
    call = converse_call(settings, MODEL, turns, prompt, identity=identity, user="ana", tags={})
    return Turn(tuple(prompt), run=run_of(call, runtime.converse(**call.request)))


def run_of(call: Call, answer: dict[str, Any]) -> Run:
    return Run(
        id="r",
        call=call,
        started_at=datetime.now(UTC),
        state="done",
        latency_ms=1,
        response=answer,
        stop_reason=answer["stopReason"],
    )


def test_two_steps_of_tools_answered_from_mocks(runtime: Any) -> None:
    settings = Settings(
        model_id=LOCAL,
        parameters={"maxTokens": 120},
        tools_json=EXAMPLE,
        tool_choice="tool:get_weather",
        tool_mocks=EXAMPLE_MOCKS,
    )
    turns = [ask(runtime, settings, [], [{"text": "What is the weather in Paris?"}])]
    for _ in range(2):
        results = mocked_results(waiting_calls(turns), settings.tool_mocks)
        assert results
        turns.append(ask(runtime, settings, turns, result_blocks(results)))
    run = turns[-1].run
    assert run
    assert [message["role"] for message in run.call.request["messages"]] == ["user", "assistant"] * 2 + [
        "user"
    ]
    again = from_run(run)
    assert again.settings.tool_choice == "tool:get_weather"
    assert len(waiting_calls(again.turns)) == 1


def test_a_reply_in_the_form_of_the_output_schema(runtime: Any) -> None:
    settings = Settings(model_id=LOCAL, parameters={"maxTokens": 120}, output_schema=SCHEMA)
    turn = ask(runtime, settings, [], [{"text": "Is it warm in Rome?"}])
    assert turn.run
    assert turn.run.response
    content = turn.run.response["output"]["message"]["content"]
    check = check_output(reply_text(content), settings.output_schema)
    assert check
    assert check.valid, check.errors
