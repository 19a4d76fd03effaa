"""A chat goes back to the service as the service wants it; an unsendable prompt is refused beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.capabilities import Bound, Capabilities, Conflict
from services.clients import Identity
from services.conversations import Pane, RefusedError, Settings, Turn, converse_call, from_run, history
from services.models import Model
from services.runs import Call, Run

IDENTITY = Identity("local", None, "us-east-1")
CAPABILITIES = Capabilities(
    streaming=True,
    bounds={
        "temperature": Bound(0, 1, step=0.1),
        "topP": Bound(0, 1, step=0.1),
        "topK": Bound(0, 500),
        "maxTokens": Bound(1, 4096),
    },
    additional_paths={"topK": ("inferenceConfig", "topK")},
)
MODEL = Model(
    model_id="local.test-v1:0",
    arn="",
    name="Test",
    provider="Local",
    kind="foundation",
    base_model_id="local.test-v1:0",
    capabilities=CAPABILITIES,
)
PROMPT = [{"text": "Hello"}]


def call(settings: Settings | None = None, model: Model = MODEL, turns: list[Turn] | None = None) -> Call:
    settings = settings or Settings()
    return converse_call(settings, model, turns or [], PROMPT, identity=IDENTITY, user="ana", tags={})


def run(content: list[dict[str, Any]], state: Any = "done", request: dict[str, Any] | None = None) -> Run:
    return Run(
        id="r1",
        call=Call(operation="ConverseStream", request=request or {}, identity=IDENTITY, model_id="m"),
        started_at=datetime.now(UTC),
        state=state,
        latency_ms=1,
        response={"output": {"message": {"role": "assistant", "content": content}}},
    )


def turn(content: list[dict[str, Any]], state: Any = "done") -> Turn:
    return Turn(prompt=({"text": "Q"},), run=run(content, state))


def test_what_is_not_set_is_not_sent() -> None:
    request = call().request
    assert request["modelId"] == "local.test-v1:0"
    assert request["messages"] == [{"role": "user", "content": PROMPT}]
    assert not {"system", "inferenceConfig", "additionalModelRequestFields"} & set(request)


def test_zero_is_sent() -> None:
    request = call(Settings(parameters={"temperature": 0.0})).request
    assert request["inferenceConfig"] == {"temperature": 0.0}


def test_a_provider_parameter_joins_the_additional_fields() -> None:
    settings = Settings(
        parameters={"topK": 40, "maxTokens": 9},
        stop_sequences=("END",),
        additional_json='{"inferenceConfig": {"other": 1}, "x": true}',
    )
    request = call(settings).request
    assert request["inferenceConfig"] == {"maxTokens": 9, "stopSequences": ["END"]}
    assert request["additionalModelRequestFields"] == {"inferenceConfig": {"other": 1, "topK": 40}, "x": True}


def test_a_parameter_that_the_model_refuses_stays_in_the_pane_and_is_not_sent() -> None:
    model = replace(MODEL, capabilities=replace(CAPABILITIES, refused={"topP": "Refused."}))
    assert call(Settings(parameters={"topP": 0.5}), model).request.get("inferenceConfig") is None


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "{'a': 1}", '{"a": 1,}'])
def test_bad_additional_fields_are_told_before_sending(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        call(Settings(additional_json=text))
    assert caught.value.problem.action == "edit_parameters"


def test_a_conflicting_pair_is_told_before_sending() -> None:
    conflict = Conflict(("temperature", "topP"), "This model takes one of the two.")
    model = replace(MODEL, capabilities=replace(CAPABILITIES, conflicts=(conflict,)))
    call(Settings(parameters={"temperature": 0.5}), model)
    with pytest.raises(RefusedError, match="temperature and topP"):
        call(Settings(parameters={"temperature": 0.5, "topP": 0.5}), model)


def test_a_model_that_needs_a_profile_names_it() -> None:
    model = replace(MODEL, callable=False, why_not="Only through a profile.", use_instead="us.test-v1:0")
    with pytest.raises(RefusedError) as caught:
        call(model=model)
    assert (caught.value.problem.action, caught.value.problem.suggestion) == (
        "use_inference_profile",
        "us.test-v1:0",
    )


def test_a_model_without_streaming_is_called_with_converse() -> None:
    model = replace(MODEL, capabilities=replace(CAPABILITIES, streaming=False))
    assert (call(model=model).operation, call().operation) == ("Converse", "ConverseStream")


def test_replies_go_back_verbatim() -> None:
    """A reasoning block without its signature, or in another place, makes the second turn a 400."""
    content: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": b"\x00\x01"}},
        {"text": "A"},
    ]
    assert history([turn(content)]) == [
        {"role": "user", "content": [{"text": "Q"}]},
        {"role": "assistant", "content": content},
    ]


def test_of_a_stopped_reply_only_the_text_goes_back() -> None:
    content: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": "hm"}}},
        {"text": "Par"},
    ]
    assert history([turn(content, "stopped")])[1]["content"] == [{"text": "Par"}]


@pytest.mark.parametrize("content", [[], [{"text": ""}], [{"text": " \n"}]])
def test_a_turn_without_a_reply_is_left_out_so_that_roles_alternate(content: list[dict[str, Any]]) -> None:
    messages = history([turn(content, "failed"), turn([{"text": "A"}])])
    assert [message["role"] for message in messages] == ["user", "assistant"]


def test_a_reply_that_waits_for_a_tool_cannot_be_continued_with_words() -> None:
    tool = {"toolUse": {"toolUseId": "t", "name": "add", "input": {}}}
    with pytest.raises(RefusedError, match="tool result"):
        call(turns=[turn([tool])])


def test_a_run_opens_as_the_pane_that_made_it() -> None:
    settings = Settings(
        model_id=MODEL.model_id,
        system="Be brief.",
        parameters={"maxTokens": 5},
        stop_sequences=("END",),
        additional_json='{"x": 1}',
    )
    made = call(settings, turns=[turn([{"text": "A"}])])
    opened = from_run(replace(run([{"text": "B"}]), call=made))
    assert replace(opened.settings, additional_json='{"x": 1}') == settings
    assert [t.prompt_text for t in opened.turns] == ["Q", "Hello"]
    again = converse_call(
        opened.settings, MODEL, opened.turns, PROMPT, identity=IDENTITY, user="ana", tags={}
    )
    assert [m["content"][0]["text"] for m in again.request["messages"]] == ["Q", "A", "Hello", "B", "Hello"]


def test_a_copied_pane_goes_its_own_way() -> None:
    pane = Pane(Settings(model_id="m"), [turn([{"text": "A"}]), Turn(prompt=({"text": "live"},))])
    copy = pane.copy()
    assert copy.key != pane.key
    assert len(copy.turns) == 1
    copy.turns.clear()
    assert len(pane.turns) == 2
