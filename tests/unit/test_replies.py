"""Reading replies: the same questions answered for every operation."""

from __future__ import annotations

from typing import Any

import pytest

from services.clients import Identity
from services.families import METRICS
from services.replies import BlockEvents, ToolCall, fold, prompt_of, read
from services.runs import Call, RunEvent, TokenUsage


def events(*pairs: tuple[str, dict[str, Any]]) -> list[RunEvent]:
    return [RunEvent(float(at), name, data) for at, (name, data) in enumerate(pairs)]


def converse(*content: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"output": {"message": {"role": "assistant", "content": list(content)}}, **members}


def test_a_converse_reply() -> None:
    response = converse(
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": b"x"}},
        {"text": "a "},
        {"citationsContent": {"content": [{"text": "cited"}], "citations": []}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"q": 1}}},
        {"toolUse": {"toolUseId": "u", "name": "g", "input": {"$unparsed": "{"}}},
        stopReason="tool_use",
        usage={
            "inputTokens": 1,
            "outputTokens": 2,
            "totalTokens": 20,
            "cacheReadInputTokens": 3,
            "cacheWriteInputTokens": 14,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 10}, {"ttl": "5m", "inputTokens": 4}],
        },
        metrics={"latencyMs": 7},
    )
    reply = read("Converse", response)
    assert (reply.text, reply.reasoning, reply.stop_reason) == ("a cited", "hm", "tool_use")
    assert reply.usage == TokenUsage(1, 2, 3, 14, 10)
    assert reply.service_latency_ms == 7
    assert reply.tool_calls == (ToolCall("t", "f", {"q": 1}), ToolCall("u", "g", {"$unparsed": "{"}))
    assert [call.parsed for call in reply.tool_calls] == [True, False]


def test_the_counts_that_a_body_leaves_out_come_from_the_headers() -> None:
    headers = {
        "x-amzn-bedrock-input-token-count": "6",
        "x-amzn-bedrock-output-token-count": "10",
        "x-amzn-bedrock-cache-read-input-token-count": "2",
        "x-amzn-bedrock-cache-write-input-token-count": "1",
        "x-amzn-bedrock-invocation-latency": "219",
    }
    reply = read("InvokeModel", {"outputs": [{"text": "a", "stop_reason": "length"}]}, headers=headers)
    assert reply.usage == TokenUsage(6, 10, 2, 1)
    assert (reply.stop_reason, reply.service_latency_ms) == ("length", 219)
    own = read(
        "InvokeModel",
        {"generation": "a", "prompt_token_count": 4, "generation_token_count": 5},
        headers=headers,
    )
    assert own.usage is not None
    assert (own.usage.input_tokens, own.usage.output_tokens) == (4, 5), "the body's own counts come first"


def test_the_counts_of_a_stream_come_from_its_last_chunk() -> None:
    metrics = {
        "inputTokenCount": 5,
        "outputTokenCount": 3,
        "invocationLatency": 9,
        "cacheReadInputTokenCount": 1,
    }
    chunks = events(
        ("chunk", {"outputs": [{"text": "a"}]}), ("chunk", {"outputs": [{"text": "b"}], METRICS: metrics})
    )
    body = fold("InvokeModelWithResponseStream", chunks)
    reply = read("InvokeModelWithResponseStream", body, events=chunks)
    assert (reply.text, reply.usage, reply.service_latency_ms) == ("ab", TokenUsage(5, 3, 1), 9)


def test_a_stopped_claude_stream_has_the_usage_that_had_arrived() -> None:
    """`message_start` brings the count of the prompt: a stopped call is not free."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}
    body = fold("InvokeModelWithResponseStream", events(("chunk", start)))
    assert read("InvokeModelWithResponseStream", body).usage == TokenUsage(7, 1)


@pytest.mark.parametrize("operation", ["Converse", "InvokeModel", "InvokeAgent", ""])
def test_an_empty_answer_has_no_usage(operation: str) -> None:
    reply = read(operation, {})
    assert (reply.text, reply.usage, reply.stop_reason) == ("", None, None)


@pytest.mark.parametrize(
    "body",
    [
        {"output": "no object"},
        {"output": {"message": {"content": [{"reasoningContent": "x"}]}}},
        {"choices": [1]},
        {"content": "text", "usage": []},
        {"results": {"outputText": 1}},
        {"generation": 5},
    ],
)
def test_a_body_of_the_wrong_shape_breaks_nothing(body: dict[str, Any]) -> None:
    assert read("InvokeModel", body).text == ""
    assert BlockEvents("InvokeModel").of("response", body) == [] or "generation" in body


def test_folds_by_operation() -> None:
    delta = ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "a"}})
    assert fold("ConverseStream", events(delta))["output"]["message"]["content"] == [{"text": "a"}]
    assert fold("Converse", events(("response", {"x": 1}))) == {"x": 1}
    assert fold("Converse", []) == {}


def test_other_operations_have_no_blocks() -> None:
    assert BlockEvents("ListAgents").of("response", converse({"text": "a"})) == []


def asked(operation: str, request: dict[str, Any]) -> str:
    return prompt_of(
        Call(operation=operation, request=request, identity=Identity("local", None, "us-east-1"))
    )


@pytest.mark.parametrize(
    ("operation", "request_", "prompt"),
    [
        (
            "Converse",
            {"messages": [{"content": [{"text": "a"}]}, {"content": [{"text": "b"}, {"text": "c"}]}]},
            "b\nc",
        ),
        ("Converse", {"messages": []}, ""),
        ("Converse", {}, ""),
        ("InvokeModel", {"body": {"prompt": "p"}}, "p"),
        ("InvokeModel", {"body": {"inputText": "p"}}, "p"),
        ("InvokeModel", {"body": {"message": "p"}}, "p"),
        ("InvokeModel", {"body": {"messages": [{"role": "user", "content": "p"}]}}, "p"),
        ("InvokeModel", {"body": {"messages": [{"content": [{"type": "text", "text": "p"}]}]}}, "p"),
        ("InvokeModel", {"body": b"\x00"}, ""),
    ],
)
def test_what_was_asked(operation: str, request_: dict[str, Any], prompt: str) -> None:
    assert asked(operation, request_) == prompt
