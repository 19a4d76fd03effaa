"""Each family's own body in and out, whole and streamed, without any model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from localbedrock.catalogue import _FIXED, FoundationModel
from localbedrock.errors import AwsError
from localbedrock.runtime.families import chat_family
from localbedrock.text.engine import (
    ChatRequest,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolDelta,
    ToolResult,
    ToolStart,
    fold,
)

IDS = {
    "claude": "anthropic.claude-3-haiku-20240307-v1:0",
    "titan": "amazon.titan-text-express-v1",
    "llama": "meta.llama3-8b-instruct-v1:0",
    "mistral": "mistral.mistral-7b-instruct-v0:2",
    "mistral_chat": "mistral.mistral-large-2407-v1:0",
    "nova": "amazon.nova-lite-v1:0",
    "command_r": "cohere.command-r-v1:0",
    "command": "cohere.command-text-v14",
    "jamba": "ai21.jamba-1-5-mini-v1:0",
    "chat": "local.smollm2-135m-instruct-v1:0",
}
CHAT_BODY = {"messages": [{"role": "user", "content": "Hi"}]}
BODIES: dict[str, dict[str, Any]] = {
    "claude": CHAT_BODY | {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9},
    "titan": {"inputText": "Hi"},
    "llama": {"prompt": "Hi"},
    "mistral": {"prompt": "<s>[INST] Hi [/INST]"},
    "mistral_chat": CHAT_BODY,
    "nova": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
    "command_r": {"message": "Hi"},
    "command": {"prompt": "Hi"},
    "jamba": CHAT_BODY,
    "chat": CHAT_BODY,
}
TOOL_EVENTS: list[Event] = [
    TextDelta("Wait."),
    ToolStart("weather"),
    ToolDelta('{"city": '),
    ToolDelta('"Rome"}'),
    Finish("tool_use", 11, 7),
]


def _model(name: str) -> FoundationModel:
    return next(model for model in _FIXED if model.model_id == IDS[name])


def _read(name: str, **more: Any) -> ChatRequest:
    family = chat_family(_model(name))
    assert family is not None
    return family.read(_model(name), BODIES[name] | more)


def _answer(name: str, events: list[Event], **more: Any) -> dict[str, Any]:
    family = chat_family(_model(name))
    assert family is not None
    return family.answer(_model(name), BODIES[name] | more, fold(events))


def _chunks(name: str, events: list[Event], **more: Any) -> list[dict[str, Any]]:
    family = chat_family(_model(name))
    assert family is not None
    return list(family.stream(_model(name), BODIES[name] | more, 11, iter(events)))


def _text_events(reason: FinishReason = "end_turn", stop: str | None = None) -> list[Event]:
    return [TextDelta("Hello"), TextDelta(" you"), Finish(reason, 11, 2, stop)]


@pytest.mark.parametrize("name", IDS)
def test_the_question_arrives(name: str) -> None:
    request = _read(name)
    assert [(message.role, message.text) for message in request.messages] == [("user", "Hi")]


@pytest.mark.parametrize("name", IDS)
def test_a_body_without_its_question_is_refused(name: str) -> None:
    family = chat_family(_model(name))
    assert family is not None
    with pytest.raises(AwsError, match=r"Malformed input request: #: required key \["):
        family.read(_model(name), {})


@pytest.mark.parametrize("name", IDS)
def test_an_unknown_key_is_refused(name: str) -> None:
    with pytest.raises(AwsError, match=r"#: extraneous key \[nonsense\] is not permitted"):
        _read(name, nonsense=1)


@pytest.mark.parametrize(
    "messages",
    [[{"role": "user"}], [{}], ["Hi"], [{"role": "user", "content": [{"type": "text"}]}], [{"role": 1}]],
)
@pytest.mark.parametrize("name", ["claude", "nova", "jamba", "chat", "mistral_chat"])
def test_messages_of_the_wrong_shape_are_a_400(name: str, messages: list[Any]) -> None:
    with pytest.raises(AwsError) as caught:
        _read(name, messages=messages)
    assert caught.value.status == 400


SAMPLING: list[tuple[str, dict[str, Any]]] = [
    ("claude", {"max_tokens": 5, "temperature": 0.5, "top_p": 0.25, "stop_sequences": ["x"]}),
    (
        "titan",
        {
            "textGenerationConfig": {
                "maxTokenCount": 5,
                "temperature": 0.5,
                "topP": 0.25,
                "stopSequences": ["x"],
            }
        },
    ),
    ("mistral", {"max_tokens": 5, "temperature": 0.5, "top_p": 0.25, "stop": ["x"]}),
    ("mistral_chat", {"max_tokens": 5, "temperature": 0.5, "top_p": 0.25, "stop": ["x"]}),
    ("nova", {"inferenceConfig": {"maxTokens": 5, "temperature": 0.5, "topP": 0.25, "stopSequences": ["x"]}}),
    ("command_r", {"max_tokens": 5, "temperature": 0.5, "p": 0.25, "stop_sequences": ["x"]}),
    ("command", {"max_tokens": 5, "temperature": 0.5, "p": 0.25, "stop_sequences": ["x"]}),
    ("jamba", {"max_tokens": 5, "temperature": 0.5, "top_p": 0.25, "stop": ["x"]}),
    ("chat", {"max_tokens": 5, "temperature": 0.5, "top_p": 0.25, "stop": "x"}),
]


@pytest.mark.parametrize(("name", "more"), SAMPLING)
def test_sampling_parameters_arrive(name: str, more: dict[str, Any]) -> None:
    request = _read(name, **more)
    assert (request.max_tokens, request.temperature, request.top_p) == (5, 0.5, 0.25)
    assert request.stop == ("x",)


def test_llamas_sampling_parameters_arrive() -> None:
    request = _read("llama", max_gen_len=5, temperature=0.5, top_p=0.25)
    assert (request.max_tokens, request.temperature, request.top_p) == (5, 0.5, 0.25)


@pytest.mark.parametrize(
    ("name", "more", "fault"),
    [
        ("claude", {"temperature": 1.1}, "#/temperature: 1.1 is not less or equal to 1"),
        ("titan", {"textGenerationConfig": {"topP": 2}}, "#/textGenerationConfig/topP: 2 is not less"),
        ("llama", {"max_gen_len": 2049}, "#/max_gen_len: 2049 is not less or equal to 2048"),
        ("mistral", {"stop": list("abcdefghijk")}, "#/stop: expected maximum item count: 10"),
        (
            "nova",
            {"inferenceConfig": {"topK": 129}},
            "#/inferenceConfig/topK: 129 is not less or equal to 128",
        ),
        ("command_r", {"p": 1}, "#/p: 1 is not less or equal to 0.99"),
        ("command", {"temperature": 6}, "#/temperature: 6 is not less or equal to 5"),
        ("jamba", {"max_tokens": 5000}, "#/max_tokens: 5000 is not less or equal to 4096"),
    ],
)
def test_bounds_are_each_familys_own(name: str, more: dict[str, Any], fault: str) -> None:
    with pytest.raises(AwsError) as caught:
        _read(name, **more)
    assert fault in caught.value.message


TEXT_AND_REASON: dict[str, tuple[Any, Any, dict[FinishReason, str]]] = {
    "claude": (
        lambda body: body["content"][0]["text"],
        lambda body: body["stop_reason"],
        {"end_turn": "end_turn", "max_tokens": "max_tokens", "stop_sequence": "stop_sequence"},
    ),
    "titan": (
        lambda body: body["results"][0]["outputText"],
        lambda body: body["results"][0]["completionReason"],
        {"end_turn": "FINISH", "max_tokens": "LENGTH", "stop_sequence": "STOP_CRITERIA_MET"},
    ),
    "llama": (
        lambda body: body["generation"],
        lambda body: body["stop_reason"],
        {"end_turn": "stop", "max_tokens": "length"},
    ),
    "mistral": (
        lambda body: body["outputs"][0]["text"],
        lambda body: body["outputs"][0]["stop_reason"],
        {"end_turn": "stop", "max_tokens": "length", "stop_sequence": "stop"},
    ),
    "mistral_chat": (
        lambda body: body["choices"][0]["message"]["content"],
        lambda body: body["choices"][0]["stop_reason"],
        {"end_turn": "stop", "max_tokens": "length"},
    ),
    "nova": (
        lambda body: body["output"]["message"]["content"][0]["text"],
        lambda body: body["stopReason"],
        {
            "end_turn": "end_turn",
            "max_tokens": "max_tokens",
            "context_window": "model_context_window_exceeded",
        },
    ),
    "command_r": (
        lambda body: body["text"],
        lambda body: body["finish_reason"],
        {"end_turn": "COMPLETE", "max_tokens": "MAX_TOKENS", "stop_sequence": "STOP_SEQUENCE"},
    ),
    "command": (
        lambda body: body["generations"][0]["text"],
        lambda body: body["generations"][0]["finish_reason"],
        {"end_turn": "COMPLETE", "max_tokens": "MAX_TOKENS"},
    ),
    "jamba": (
        lambda body: body["choices"][0]["message"]["content"],
        lambda body: body["choices"][0]["finish_reason"],
        {"end_turn": "stop", "max_tokens": "length"},
    ),
    "chat": (
        lambda body: body["choices"][0]["message"]["content"],
        lambda body: body["choices"][0]["finish_reason"],
        {"end_turn": "stop", "content_filtered": "content_filter"},
    ),
}


@pytest.mark.parametrize("name", IDS)
def test_a_whole_answer(name: str) -> None:
    text, reason, reasons = TEXT_AND_REASON[name]
    for ours, theirs in reasons.items():
        body = _answer(name, _text_events(ours))
        assert text(body) == "Hello you"
        assert reason(body) == theirs
        json.dumps(body)


@pytest.mark.parametrize("name", IDS)
def test_a_chunk_leaves_with_each_event(name: str) -> None:
    """Nothing is held back: after each token there is a chunk to send before the next token is asked for."""
    asked: list[int] = []

    def events() -> Iterator[Event]:
        for number, event in enumerate(_text_events()):
            asked.append(number)
            yield event

    family = chat_family(_model(name))
    assert family is not None
    for chunk in family.stream(_model(name), BODIES[name], 11, events()):
        if "Hello" in json.dumps(chunk):
            break
    assert asked == [0]


@pytest.mark.parametrize("name", IDS)
def test_the_last_chunk_follows_the_last_token(name: str) -> None:
    chunks = _chunks(name, _text_events("max_tokens"))
    whole = json.dumps(chunks)
    assert whole.count("Hello") <= 3  # Cohere repeats the whole answer at the end
    assert any(word in json.dumps(chunks[-2:]).lower() for word in ("max_tokens", "length"))


def test_claudes_stream_is_anthropics() -> None:
    chunks = _chunks("claude", _text_events("stop_sequence", "END"))
    assert [chunk["type"] for chunk in chunks] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert chunks[0]["message"]["usage"] == {"input_tokens": 11, "output_tokens": 1}
    assert chunks[5]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert chunks[5]["usage"] == {"output_tokens": 2}


def test_claudes_tool_use_whole_and_streamed() -> None:
    body = _answer("claude", TOOL_EVENTS)
    assert body["stop_reason"] == "tool_use"
    assert body["content"][1]["input"] == {"city": "Rome"}
    assert body["content"][1]["id"].startswith("toolu_bdrk_01")
    chunks = _chunks("claude", TOOL_EVENTS)
    assert [chunk.get("index") for chunk in chunks[1:-2]] == [0, 0, 0, 1, 1, 1, 1]
    parts = [
        chunk["delta"]["partial_json"]
        for chunk in chunks
        if chunk["type"] == "content_block_delta" and chunk["index"] == 1
    ]
    assert json.loads("".join(parts)) == {"city": "Rome"}


def test_claudes_tools_and_history_arrive() -> None:
    request = _read(
        "claude",
        system=[{"type": "text", "text": "Be brief."}],
        tools=[{"name": "weather", "input_schema": {"type": "object"}}],
        tool_choice={"type": "tool", "name": "weather"},
        messages=[
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Rome"}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "sun"}]},
            {"role": "user", "content": "And?"},
        ],
    )
    assert (request.system, request.force_tool) == ("Be brief.", "weather")
    assert request.messages[1].parts == (ToolCall("1", "weather", {"city": "Rome"}),)
    assert request.messages[2].parts == (ToolResult("1", "sun"),)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"messages": []}, "at least one message is required"),
        ({"messages": [{"role": "user", "content": ""}]}, "text content blocks must be non-empty"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "Input tag 'image'"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
        ({"tools": [{"name": "t", "input_schema": {"type": "string"}}]}, "Input should be 'object'"),
        ({"tools": [{"name": "t", "input_schema": {"type": "object", "required": 1}}]}, "schema is invalid"),
        ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "should match the pattern"),
        ({"tools": [{"name": "t", "type": "bash_20250124"}]}, "bash_20250124 is not offered here"),
        ({"tool_choice": {"type": "tool", "name": "t"}}, "Tool 't' not found in provided tools"),
        ({"tool_choice": {"type": "any"}}, "not found in provided tools"),
    ],
)
def test_what_claudes_stand_in_cannot_take(more: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError) as caught:
        _read("claude", **more)
    assert caught.value.code == "ValidationException"
    assert words in caught.value.message


def test_novas_stream_is_converses() -> None:
    chunks = _chunks("nova", TOOL_EVENTS)
    assert [next(iter(chunk)) for chunk in chunks] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    assert chunks[-1]["metadata"]["usage"]["inputTokens"] == 11


def test_llamas_chunks_count_as_they_go() -> None:
    chunks = _chunks("llama", _text_events())
    assert [chunk["generation_token_count"] for chunk in chunks] == [1, 2, 2]
    assert [chunk["prompt_token_count"] for chunk in chunks] == [11, None, None]
    assert [chunk["stop_reason"] for chunk in chunks] == [None, None, "stop"]


def test_command_rs_history_documents_and_tools() -> None:
    request = _read(
        "command_r",
        preamble="Be kind.",
        chat_history=[{"role": "USER", "message": "A"}, {"role": "CHATBOT", "message": "B"}],
        documents=[{"title": "T", "snippet": "S"}],
        tools=[
            {
                "name": "weather",
                "description": "d",
                "parameter_definitions": {
                    "city": {"description": "where", "type": "str", "required": True},
                    "days": {"description": "how many", "type": "List[int]"},
                },
            }
        ],
    )
    assert request.system == "Be kind."
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert '"snippet": "S"' in request.messages[2].text
    assert request.tools[0].schema["properties"]["city"]["type"] == "string"
    assert request.tools[0].schema["properties"]["days"]["type"] == "array"
    assert request.tools[0].schema["required"] == ["city"]
    assert _answer("command_r", TOOL_EVENTS)["tool_calls"] == [
        {"name": "weather", "parameters": {"city": "Rome"}}
    ]


def test_chat_completions_tools_reasoning_and_json() -> None:
    request = _read(
        "chat",
        messages=[
            {"role": "system", "content": "S"},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "function": {"name": "t", "arguments": '{"a": 1}'}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "done"},
        ],
        tools=[{"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}],
        tool_choice="required",
        response_format={"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    )
    assert (request.system, request.force_tool, request.json_schema) == ("S", "*", {"type": "object"})
    assert request.messages[1].parts == (ToolCall("1", "t", {"a": 1}),)
    assert request.messages[2].parts == (ToolResult("1", "done"),)
    message = _answer("chat", [ReasoningDelta("hm"), *TOOL_EVENTS])["choices"][0]["message"]
    assert message["reasoning_content"] == "hm"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"city": "Rome"}


def test_a_call_that_was_cut_off_is_left_out() -> None:
    """Its arguments are no JSON: there is nothing that could be shown as the call's input."""
    events: list[Event] = [ToolStart("t"), ToolDelta('{"a": '), Finish("max_tokens", 1, 1)]
    assert _answer("claude", events)["content"] == []
    assert _answer("nova", events)["output"]["message"]["content"] == []
    assert "tool_calls" not in _answer("command_r", events)
