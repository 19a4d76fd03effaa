"""Tool use and JSON-schema output of the local model."""

from __future__ import annotations

import json
import time
from typing import Any

import jsonschema
import pytest
from botocore.exceptions import ClientError

LOCAL = "local.smollm2-135m-instruct-v1:0"
WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "days": {"type": "integer", "minimum": 1, "maximum": 5},
        "unit": {"enum": ["celsius", "fahrenheit"]},
    },
    "required": ["city", "days", "unit"],
    "additionalProperties": False,
}
CLOCK = {
    "type": "object",
    "properties": {"zone": {"type": "string", "maxLength": 9}},
    "required": ["zone"],
    "additionalProperties": False,
}
QUESTION = [{"role": "user", "content": [{"text": "What is the weather in Paris?"}]}]


@pytest.fixture(scope="module")
def runtime(endpoint: Any) -> Any:
    return endpoint.client("bedrock-runtime", read_timeout=120)


def _tools(**choice: Any) -> dict[str, Any]:
    specs = [
        {
            "name": "get_weather",
            "description": "Tells the weather of a city",
            "inputSchema": {"json": WEATHER},
        },
        {"name": "get_time", "description": "Tells the time", "inputSchema": {"json": CLOCK}},
    ]
    return {"tools": [{"toolSpec": spec} for spec in specs]} | ({"toolChoice": choice} if choice else {})


def _schema(name: str) -> dict[str, Any]:
    return {"get_weather": WEATHER, "get_time": CLOCK}[name]


@pytest.mark.parametrize(
    "choice", [{"any": {}}, {"tool": {"name": "get_weather"}}, {"tool": {"name": "get_time"}}]
)
def test_a_call_that_is_asked_for_comes_and_follows_its_schema(runtime: Any, choice: dict[str, Any]) -> None:
    answer = runtime.converse(
        modelId=LOCAL,
        messages=QUESTION,
        toolConfig=_tools(**choice),
        inferenceConfig={"maxTokens": 200, "temperature": 1},
    )
    (block,) = answer["output"]["message"]["content"]
    assert answer["stopReason"] == "tool_use"
    jsonschema.validate(block["toolUse"]["input"], _schema(block["toolUse"]["name"]))
    if "tool" in choice:
        assert block["toolUse"]["name"] == choice["tool"]["name"]


def test_the_stream_of_a_call(runtime: Any) -> None:
    events = list(
        runtime.converse_stream(
            modelId=LOCAL, messages=QUESTION, toolConfig=_tools(any={}), inferenceConfig={"maxTokens": 200}
        )["stream"]
    )
    names = [next(iter(event)) for event in events]
    assert names[:2] == ["messageStart", "contentBlockStart"]
    assert names[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    start = events[1]["contentBlockStart"]["start"]["toolUse"]
    pieces = [event["contentBlockDelta"]["delta"]["toolUse"]["input"] for event in events[2:-3]]
    assert len(pieces) > 3, "the arguments are streamed, not sent at once"
    jsonschema.validate(json.loads("".join(pieces)), _schema(start["name"]))
    assert events[-2]["messageStop"]["stopReason"] == "tool_use"


def test_the_model_decides_between_words_and_a_call(runtime: Any) -> None:
    """Whatever a small model makes of it: text without half a call in it, or a call that fits its schema."""
    for question in ("What is the weather in Paris?", "Say hello.", "get_weather Rome 3 celsius"):
        messages = [{"role": "user", "content": [{"text": question}]}]
        answer = runtime.converse(
            modelId=LOCAL,
            messages=messages,
            toolConfig=_tools(),
            inferenceConfig={"maxTokens": 60, "temperature": 1},
        )
        for block in answer["output"]["message"]["content"]:
            if "toolUse" in block:
                assert answer["stopReason"] == "tool_use"
                jsonschema.validate(block["toolUse"]["input"], _schema(block["toolUse"]["name"]))
            else:
                assert not block["text"].startswith("<tool_call>")


def test_a_result_is_answered(runtime: Any) -> None:
    called = runtime.converse(
        modelId=LOCAL, messages=QUESTION, toolConfig=_tools(any={}), inferenceConfig={"maxTokens": 200}
    )["output"]["message"]
    result = {
        "toolUseId": called["content"][0]["toolUse"]["toolUseId"],
        "content": [{"json": {"weather": "sunny"}}],
        "status": "success",
    }
    messages = [*QUESTION, called, {"role": "user", "content": [{"toolResult": result}]}]
    answer = runtime.converse(
        modelId=LOCAL, messages=messages, toolConfig=_tools(), inferenceConfig={"maxTokens": 200}
    )
    assert answer["output"]["message"]["content"]


@pytest.mark.parametrize(
    "schema",
    [
        WEATHER,
        {
            "type": "object",
            "properties": {
                "tags": {
                    "type": "array",
                    "items": {"enum": ["a", "b", "c"]},
                    "uniqueItems": True,
                    "maxItems": 3,
                }
            },
            "required": ["tags"],
            "additionalProperties": False,
        },
        {
            "$ref": "#/$defs/Point",
            "$defs": {
                "Point": {
                    "type": "object",
                    "properties": {"x": {"type": "integer"}},
                    "required": ["x"],
                    "additionalProperties": False,
                }
            },
        },
    ],
    ids=["plain", "more than a grammar can", "references"],
)
def test_json_output_follows_its_schema(runtime: Any, schema: dict[str, Any]) -> None:
    answer = runtime.converse(
        modelId=LOCAL,
        messages=[{"role": "user", "content": [{"text": "Describe Paris as JSON."}]}],
        outputConfig={
            "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}
        },
        inferenceConfig={"maxTokens": 300},
    )
    assert answer["stopReason"] == "end_turn"
    jsonschema.validate(json.loads(answer["output"]["message"]["content"][0]["text"]), schema)


def test_a_schema_that_nothing_can_follow_ends_in_an_error_not_in_rubbish(runtime: Any) -> None:
    always = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
    impossible = always | {"additionalProperties": False, "not": {"required": ["a"]}}
    spec = {"name": "t", "inputSchema": {"json": impossible}}
    with pytest.raises(ClientError) as caught:
        runtime.converse(
            modelId=LOCAL,
            messages=QUESTION,
            toolConfig={"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}},
            inferenceConfig={"maxTokens": 60},
        )
    assert "JSON Schema" in caught.value.response["Error"]["Message"]


def test_a_call_cut_off_by_max_tokens_is_not_handed_out(runtime: Any) -> None:
    answer = runtime.converse(
        modelId=LOCAL, messages=QUESTION, toolConfig=_tools(any={}), inferenceConfig={"maxTokens": 15}
    )
    assert answer["stopReason"] == "max_tokens"
    assert answer["output"]["message"]["content"] == []


def test_words_are_streamed_although_a_tools_schema_needs_a_check(runtime: Any) -> None:
    """Only calls are held back until they are whole."""
    schema = {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}}
    tool = {"toolSpec": {"name": "tag", "inputSchema": {"json": schema}}}
    events = runtime.converse_stream(
        modelId=LOCAL,
        messages=[{"role": "user", "content": [{"text": "Tell me a story about the sea."}]}],
        toolConfig={"tools": [tool]},
        inferenceConfig={"maxTokens": 40, "temperature": 0},
    )["stream"]
    started = time.monotonic()
    times = [time.monotonic() - started for event in events if "text" in str(event.get("contentBlockDelta"))]
    assert len(times) > 3
    assert times[-1] - times[0] > times[-1] / 5, "the words came all at once, at the end"
