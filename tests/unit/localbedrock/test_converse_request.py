"""Converse requests that AWS refuses, in AWS's words; and what becomes of those it takes."""

from __future__ import annotations

from typing import Any

import pytest

from localbedrock.catalogue import _FIXED, FoundationModel
from localbedrock.errors import AwsError
from localbedrock.runtime.converse_request import parse
from localbedrock.text.engine import Text, ToolCall, ToolResult


def _model(model_id: str) -> FoundationModel:
    return next(model for model in _FIXED if model.model_id == model_id)


CLAUDE = _model("anthropic.claude-3-haiku-20240307-v1:0")
NOVA = _model("amazon.nova-micro-v1:0")
TITAN = _model("amazon.titan-text-lite-v1")
LLAMA = _model("meta.llama3-8b-instruct-v1:0")
SONNET_45 = _model("anthropic.claude-sonnet-4-5-20250929-v1:0")

USER = {"role": "user", "content": [{"text": "Hi"}]}
CALL = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "a", "name": "t", "input": {"x": 1}}}]}
RESULT = {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [{"json": {"y": 2}}]}}]}
TOOL_CONFIG = {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}]}


def _user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def _document(name: str = "Report", **source: Any) -> dict[str, Any]:
    return {"document": {"name": name, "format": "txt", "source": source or {"bytes": b"text"}}}


REFUSED: list[tuple[str, FoundationModel, dict[str, Any], str]] = [
    ("no message", CLAUDE, {"messages": []}, "A conversation must start with a user message."),
    ("assistant first", CLAUDE, {"messages": [CALL]}, "A conversation must start with a user message."),
    ("two users", CLAUDE, {"messages": [USER, USER]}, "must alternate between user and assistant roles"),
    (
        "system role",
        CLAUDE,
        {"messages": [USER, {"role": "system", "content": [{"text": "x"}]}]},
        "Value 'system' at 'messages.2.member.role' failed to satisfy constraint",
    ),
    (
        "prefill where the model takes none",
        NOVA,
        {"messages": [USER, {"role": "assistant", "content": [{"text": "Well"}]}]},
        "requires the last turn in the conversation to be a user message",
    ),
    (
        "blank text",
        CLAUDE,
        _user({"text": "a"}, {"text": " \n"}),
        "The text field in the ContentBlock object at messages.0.content.1 is blank.",
    ),
    ("no content", CLAUDE, _user(), "is empty"),
    (
        "image",
        CLAUDE,
        _user({"image": {"format": "png", "source": {"bytes": b"x"}}}),
        "This model doesn't support the image content block that you provided.",
    ),
    (
        "video",
        CLAUDE,
        _user({"video": {"format": "mp4", "source": {"bytes": b"x"}}}),
        "This model doesn't support the video content block that you provided.",
    ),
    (
        "pdf",
        CLAUDE,
        _user({"text": "Read"}, {"document": {"name": "a", "format": "pdf", "source": {"bytes": b"%PDF"}}}),
        "This model doesn't support the document content block that you provided.",
    ),
    ("document alone", CLAUDE, _user(_document()), "A text block must be included when using documents."),
    (
        "document name",
        CLAUDE,
        _user({"text": "Read"}, _document("report.pdf")),
        "The document file name can only contain alphanumeric characters",
    ),
    (
        "two spaces in a name",
        CLAUDE,
        _user({"text": "Read"}, _document("a  b")),
        "can't contain more than one consecutive whitespace character",
    ),
    ("name twice", CLAUDE, _user({"text": "Read"}, _document(), _document()), "unique names"),
    (
        "six documents",
        CLAUDE,
        _user({"text": "Read"}, *[_document(f"d{number}") for number in range(6)]),
        "at most 5 documents",
    ),
    ("binary text", CLAUDE, _user({"text": "Read"}, _document(bytes=b"\xff\xfe\x00")), "is not UTF-8 text"),
    (
        "s3 document",
        CLAUDE,
        _user({"text": "Read"}, _document(s3Location={"uri": "s3://b/k"})),
        "This model doesn't support the s3Uri field.",
    ),
    (
        "system prompt",
        TITAN,
        {"messages": [USER], "system": [{"text": "x"}]},
        "doesn't support system messages",
    ),
    ("tools", TITAN, {"messages": [USER], "toolConfig": TOOL_CONFIG}, "doesn't support tool use"),
    (
        "cache point",
        CLAUDE,
        _user({"text": "Hi"}, {"cachePoint": {"type": "default"}}),
        "doesn't support the cachePoint field",
    ),
    (
        "tool blocks without toolConfig",
        CLAUDE,
        {"messages": [USER, CALL, RESULT]},
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    ),
    (
        "unanswered call",
        CLAUDE,
        {"messages": [USER, CALL, USER], "toolConfig": TOOL_CONFIG},
        "Expected toolResult blocks at messages.2.content for the following Ids: a",
    ),
    (
        "answer without a call",
        CLAUDE,
        {"messages": [RESULT], "toolConfig": TOOL_CONFIG},
        "The number of toolResult blocks at messages.0.content exceeds the number of toolUse blocks",
    ),
    (
        "unknown forced tool",
        CLAUDE,
        {"messages": [USER], "toolConfig": TOOL_CONFIG | {"toolChoice": {"tool": {"name": "other"}}}},
        "Tool 'other' not found in provided tools",
    ),
    (
        "tool schema that is none",
        CLAUDE,
        {
            "messages": [USER],
            "toolConfig": {
                "tools": [
                    {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object", "required": 1}}}}
                ]
            },
        },
        "JSON schema is invalid",
    ),
    (
        "too many tokens",
        CLAUDE,
        {"messages": [USER], "inferenceConfig": {"maxTokens": 4097}},
        "The maximum tokens you requested exceeds the model limit of 4096.",
    ),
    (
        "stop sequences of Llama",
        LLAMA,
        {"messages": [USER], "inferenceConfig": {"stopSequences": ["x"]}},
        "doesn't support the stopSequences field",
    ),
    (
        "five stop sequences of Nova",
        NOVA,
        {"messages": [USER], "inferenceConfig": {"stopSequences": list("abcde")}},
        "expected maximum item count: 4, found: 5",
    ),
    (
        "stop sequence of Titan",
        TITAN,
        {"messages": [USER], "inferenceConfig": {"stopSequences": ["</stop>"]}},
        "string [</stop>] does not match pattern",
    ),
    (
        "temperature with topP",
        SONNET_45,
        {"messages": [USER], "inferenceConfig": {"temperature": 0.5, "topP": 0.5}},
        "`temperature` and `top_p` cannot both be specified for this model.",
    ),
    (
        "unknown field of Claude",
        CLAUDE,
        {"messages": [USER], "additionalModelRequestFields": {"topK": 5}},
        "topK: Extra inputs are not permitted",
    ),
    (
        "unknown field of Llama",
        LLAMA,
        {"messages": [USER], "additionalModelRequestFields": {"top_k": 5}},
        "extraneous key [top_k] is not permitted",
    ),
    (
        "top_k out of bounds",
        CLAUDE,
        {"messages": [USER], "additionalModelRequestFields": {"top_k": 501}},
        "top_k: Input should be from 0 to 500",
    ),
    (
        "an embedding model",
        _model("amazon.titan-embed-text-v2:0"),
        {"messages": [USER]},
        "This action doesn't support the model that you provided.",
    ),
    (
        "output schema that is no JSON",
        CLAUDE,
        {
            "messages": [USER],
            "outputConfig": {
                "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{"}}}
            },
        },
        "is not a JSON Schema",
    ),
]


@pytest.mark.parametrize(
    ("model", "params", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused_in_awss_words(model: FoundationModel, params: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError) as caught:
        parse(model, params)
    assert caught.value.code == "ValidationException"
    assert words in caught.value.message


def test_everything_a_request_can_say_arrives() -> None:
    request = parse(
        CLAUDE,
        {
            "messages": [USER, CALL, RESULT],
            "system": [{"text": "A"}, {"text": "B"}],
            "inferenceConfig": {"maxTokens": 7, "temperature": 0.5, "topP": 0.25, "stopSequences": ["x"]},
            "additionalModelRequestFields": {"top_k": 3},
            "toolConfig": TOOL_CONFIG | {"toolChoice": {"any": {}}},
        },
    )
    assert request.system == "A\n\nB"
    assert (request.max_tokens, request.temperature, request.top_p, request.top_k) == (7, 0.5, 0.25, 3)
    assert (request.stop, request.force_tool, request.tools[0].name) == (("x",), "*", "t")
    assert request.messages[1].parts == (ToolCall("a", "t", {"x": 1}),)
    assert request.messages[2].parts == (ToolResult("a", '{"y": 2}'),)


def test_text_documents_are_read_and_reasoning_of_old_turns_is_let_pass() -> None:
    history = {
        "role": "assistant",
        "content": [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "ok"}],
    }
    request = parse(CLAUDE, {"messages": [*_user({"text": "Read"}, _document())["messages"], history, USER]})
    assert request.messages[0].parts[1] == Text('<document name="Report">\ntext\n</document>')
    assert request.messages[1].parts == (Text("ok"),)


def test_novas_top_k_has_a_place_of_its_own() -> None:
    fields = {"inferenceConfig": {"topK": 9}}
    assert parse(NOVA, {"messages": [USER], "additionalModelRequestFields": fields}).top_k == 9


def test_the_limit_is_that_of_the_model_stood_in_for() -> None:
    """Code that asks Claude Sonnet 4.5 for 64,000 tokens runs unchanged."""
    wanted = {"messages": [USER], "inferenceConfig": {"maxTokens": 64_000}}
    assert parse(SONNET_45, wanted).max_tokens == 64_000
