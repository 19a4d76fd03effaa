"""A pane that calls InvokeModel: its request, its replies as history, and the way back from a run."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.capabilities import Capabilities, capabilities_of
from services.clients import Identity
from services.conversations import RefusedError, Settings, Turn, converse_call, from_run, history
from services.guardrails import GuardrailChoice
from services.models import Model
from services.prompt_caching import CachePoints
from services.runs import Call, Run, from_json, to_json

IDENTITY = Identity("local", None, "us-east-1")
CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"
NOTES = {"document": {"format": "txt", "name": "notes", "source": {"bytes": b"Notes."}}}
PROMPT = [{"text": 'Say "hi"'}]
GUARDRAIL = GuardrailChoice("abc123", "1", "enabled", "async")


def model(base: str = CLAUDE, **changes: Any) -> Model:
    values: dict[str, Any] = {
        "arn": "",
        "name": base,
        "provider": "",
        "kind": "foundation",
        "base_model_id": base,
        "capabilities": capabilities_of(base),
    }
    return Model(model_id=base, **(values | changes))


def call(settings: Settings, model_: Model | None = None, turns: Any = (), prompt: Any = PROMPT) -> Call:
    settings = replace(settings, operation="InvokeModel")
    return converse_call(settings, model_ or model(), turns, prompt, identity=IDENTITY, user="ana", tags={})


def run(made: Call, response: dict[str, Any], state: Any = "done") -> Run:
    return Run(id="r1", call=made, started_at=datetime.now(UTC), state=state, latency_ms=1, response=response)


CLAUDE_REPLY = {"type": "message", "content": [{"type": "text", "text": "Hi!"}], "stop_reason": "end_turn"}


def test_the_generated_body_is_sent_with_the_settings_and_the_turns() -> None:
    first = call(Settings(system="Be brief.", parameters={"temperature": 0.5, "topK": 20}))
    assert first.operation == "InvokeModelWithResponseStream"
    body = first.request["body"]
    assert (body["system"], body["temperature"], body["top_k"]) == ("Be brief.", 0.5, 20)
    turns = [Turn(prompt=tuple(PROMPT), run=run(first, CLAUDE_REPLY))]
    texts = [m["content"][0]["text"] for m in call(Settings(), turns=turns).request["body"]["messages"]]
    assert texts == ['Say "hi"', "Hi!", 'Say "hi"']


def test_a_model_that_does_not_stream_is_invoked_at_once() -> None:
    still = model(capabilities=replace(capabilities_of(CLAUDE), streaming=False))
    assert call(Settings(), still).operation == "InvokeModel"


@pytest.mark.parametrize(
    ("operation", "response"),
    [
        ("InvokeModel", CLAUDE_REPLY),
        ("InvokeModelWithResponseStream", {"results": [{"outputText": "Hi!"}], "inputTextTokenCount": 1}),
        ("InvokeModel", {"choices": [{"message": {"role": "assistant", "content": "Hi!"}}]}),
    ],
)
def test_a_reply_of_any_family_is_history_for_converse(operation: str, response: dict[str, Any]) -> None:
    made = Call(operation=operation, request={}, identity=IDENTITY)
    messages = history([Turn(prompt=tuple(PROMPT), run=run(made, response))])
    assert messages[1] == {"role": "assistant", "content": [{"text": "Hi!"}]}


@pytest.mark.parametrize(
    "response", [{}, {"chunks": []}, {"content": 3}, {"content": ["x"]}, {"embedding": [1]}]
)
def test_a_reply_that_cannot_be_read_is_left_out(response: dict[str, Any]) -> None:
    made = Call(operation="InvokeModel", request={}, identity=IDENTITY)
    assert history([Turn(prompt=tuple(PROMPT), run=run(made, response))]) == []


def test_an_edited_body_is_sent_as_it_stands_with_the_prompt_in_its_place() -> None:
    text = '{"x": [1.50, "{{prompt}}"], "y": null}'
    made = call(Settings(body_json=text, system="not sent", parameters={"temperature": 1}))
    assert made.request["body"] == {"x": [1.5, 'Say "hi"'], "y": None}


@pytest.mark.parametrize(
    ("settings", "base", "prompt", "words"),
    [
        (Settings(body_json='{\n"a": }'), CLAUDE, PROMPT, "line 2, column 6"),
        (Settings(body_json="[]"), CLAUDE, PROMPT, "not an object"),
        (Settings(), "acme.talker-v1", PROMPT, "not known"),
        (Settings(body_json="{}"), CLAUDE, [*PROMPT, NOTES], "attachment (document)"),
        (Settings(), "amazon.titan-text-express-v1", [*PROMPT, NOTES], "document block"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_sentence(
    settings: Settings, base: str, prompt: Any, words: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        call(settings, model(base), prompt=prompt)
    assert words in refused.value.problem.cause


@pytest.mark.parametrize("edited", ["", '{"messages": [{"role": "user", "content": "{{prompt}}"}], "z": 1}'])
def test_a_run_opens_with_its_operation_body_and_guardrail_and_sends_the_same(edited: str) -> None:
    made = call(Settings(body_json=edited, system="S", guardrail=GUARDRAIL))
    stored = from_json(to_json(run(made, CLAUDE_REPLY)))
    opened = from_run(stored)
    assert opened.settings.operation == "InvokeModel"
    assert opened.settings.guardrail == GUARDRAIL
    assert opened.turns[0].prompt_text == 'Say "hi"'
    assert call(opened.settings).request == made.request
    assert history(opened.turns)[1]["content"] == [{"text": "Hi!"}]


def test_a_run_with_its_body_as_bytes_opens_too() -> None:
    body = json.dumps({"prompt": "Hi"}).encode()
    made = Call(operation="InvokeModel", request={"modelId": "m", "body": body}, identity=IDENTITY)
    opened = from_run(run(made, {}))
    assert json.loads(opened.settings.body_json) == {"prompt": "{{prompt}}"}


def test_a_run_without_a_prompt_in_its_body_opens_without_one() -> None:
    made = Call(operation="InvokeModel", request={"modelId": "m", "body": {"x": 1}}, identity=IDENTITY)
    opened = from_run(run(made, CLAUDE_REPLY))
    assert opened.turns[0].prompt == ()
    assert history(opened.turns) == []


def test_a_converse_run_opens_with_its_guardrail_and_cache_points() -> None:
    settings = Settings(
        model_id=CLAUDE,
        system="S",
        guardrail=GUARDRAIL,
        cache_points=CachePoints(system=True, messages=True, ttl="5m"),
    )
    turns = [Turn(prompt=({"text": "A"},), reply=({"text": "B"},))]
    made = converse_call(settings, model(), turns, PROMPT, identity=IDENTITY, user="ana", tags={})
    assert made.request["guardrailConfig"]["streamProcessingMode"] == "async"
    opened = from_run(run(made, {}))
    assert opened.settings == settings
    assert [turn.prompt for turn in opened.turns] == [({"text": "A"},), tuple(PROMPT)]


def test_a_body_of_a_model_that_caches_nothing_has_no_points() -> None:
    plain = model(capabilities=Capabilities(prompt_caching=False))
    made = call(Settings(system="S", cache_points=CachePoints(system=True, messages=True)), plain)
    assert "cache_control" not in json.dumps(made.request["body"])
    made = call(Settings(system="S", cache_points=CachePoints(system=True, messages=True)))
    assert json.dumps(made.request["body"]).count("cache_control") == 2
