"""Recorded AWS traffic through the real clients, ReplyStream and the fold.

The recorded bytes are served over HTTP. What the workbench makes of them is compared with what botocore
itself parsed from the same bytes: text, reasoning, tool calls, stop reason and usage.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.replies import read
from services.runs import Call, Run, TokenUsage, from_json, to_json
from services.streaming import ReplyStream
from tests.eventstream import frame
from tests.recorded import Recording
from tests.recordings.conftest import Find
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.recordings

MESSAGES = [{"role": "user", "content": [{"text": "Hi"}]}]
METRICS = "amazon-bedrock-invocationMetrics"


def replay(recording: Recording, server: ScriptedServer, identity: Identity) -> tuple[ReplyStream, Run]:
    server.play(recording.serve)
    invoke = recording.operation.startswith("InvokeModel")
    request = {"body": {"prompt": "Hi"}} if invoke else {"messages": MESSAGES}
    call = Call(
        operation=recording.operation, request={"modelId": "m", **request}, identity=identity, model_id="m"
    )
    stream = ReplyStream(call)
    list(stream.blocks())
    assert stream.wait(20)
    return stream, stream.run()


def shown(stream: ReplyStream, kind: str) -> str:
    return "".join("".join(block.follow()) for block in stream.blocks() if block.kind == kind)


def tool_calls(run: Run) -> list[tuple[str, Any]]:
    reply = read(run.call.operation, run.response or {})
    return [(call.name, call.input) for call in reply.tool_calls]


def usage(counts: dict[str, Any]) -> TokenUsage:
    return TokenUsage(
        counts["inputTokens"],
        counts["outputTokens"],
        counts.get("cacheReadInputTokens", 0),
        counts.get("cacheWriteInputTokens", 0),
        sum(part["inputTokens"] for part in counts.get("cacheDetails", []) if part["ttl"] == "1h"),
    )


def parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return {"$unparsed": text}


class Spelled:
    """What a ConverseStream says, put together from botocore's events in the plainest way."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.text = self.reasoning = ""
        self.stop_reason: str | None = None
        self.usage: dict[str, Any] = {}
        names: dict[int, str] = {}
        inputs: dict[int, str] = {}
        for event in events:
            for name, data in event.items():
                if name == "contentBlockStart" and "toolUse" in data["start"]:
                    names[data["contentBlockIndex"]] = data["start"]["toolUse"]["name"]
                if name == "contentBlockDelta":
                    delta, index = data["delta"], data["contentBlockIndex"]
                    self.text += delta.get("text", "")
                    self.reasoning += delta.get("reasoningContent", {}).get("text", "")
                    inputs[index] = inputs.get(index, "") + delta.get("toolUse", {}).get("input", "")
                if name == "messageStop":
                    self.stop_reason = data["stopReason"]
                if name == "metadata":
                    self.usage = data["usage"]
        self.tool_calls = [(name, parsed(inputs.get(index, ""))) for index, name in names.items()]


def test_converse_stream(
    find: Find, server: ScriptedServer, identity: Identity, subtests: pytest.Subtests
) -> None:
    recordings = [recording for recording in find("ConverseStream") if recording.status < 300]
    assert len(recordings) >= 30
    for recording in recordings:
        with subtests.test(recording.name):
            stream, run = replay(recording, server, identity)
            said = Spelled(recording.decoded.events)
            assert (run.state, run.problem) == ("done", None)
            assert read("ConverseStream", run.response or {}).text == shown(stream, "text") == said.text
            assert (
                read("ConverseStream", run.response or {}).reasoning
                == shown(stream, "reasoning")
                == said.reasoning
            )
            assert tool_calls(run) == said.tool_calls
            assert run.stop_reason == said.stop_reason
            assert run.usage == usage(said.usage)
            assert run.ttft_ms is not None
            assert from_json(to_json(run)) == run


def test_converse(find: Find, server: ScriptedServer, identity: Identity, subtests: pytest.Subtests) -> None:
    recordings = [recording for recording in find("Converse") if recording.status < 300]
    assert len(recordings) >= 100
    for recording in recordings:
        with subtests.test(recording.name):
            stream, run = replay(recording, server, identity)
            answer = {
                name: value for name, value in recording.decoded.parsed.items() if name != "ResponseMetadata"
            }
            content = answer["output"]["message"]["content"]
            assert (run.state, run.problem) == ("done", None)
            assert run.response == answer
            plain = "".join(block.get("text", "") for block in content)
            cited = [
                part["text"]
                for block in content
                for part in block.get("citationsContent", {}).get("content", [])
            ]
            assert shown(stream, "text") == read("Converse", answer).text
            assert sorted(shown(stream, "text")) == sorted(plain + "".join(cited))
            tools = [block["toolUse"] for block in content if "toolUse" in block]
            assert tool_calls(run) == [(tool["name"], tool["input"]) for tool in tools]
            assert run.stop_reason == answer["stopReason"]
            assert run.usage == usage(answer["usage"])
            assert from_json(to_json(run)) == run


BODIES: dict[str, tuple[str, str]] = {
    "results": ("outputText", "completionReason"),
    "outputs": ("text", "stop_reason"),
    "generations": ("text", "finish_reason"),
    "choices": ("text", "finish_reason"),
    "generation": ("generation", "stop_reason"),
    "completion": ("completion", "stop_reason"),
    "text": ("text", "finish_reason"),
}


def body_says(body: dict[str, Any]) -> tuple[str, str | None]:
    """Text and stop reason of an InvokeModel body, read as each family's documentation says."""
    if "content" in body or "output" in body:
        content = body["content"] if "content" in body else body["output"]["message"]["content"]
        text = "".join(block.get("text", "") for block in content)
        return text, body.get("stop_reason", body.get("stopReason"))
    if "completions" in body:
        first = body["completions"][0]
        return first["data"]["text"], first["finishReason"]["reason"]
    for member, (text_name, reason_name) in BODIES.items():
        if member in body:
            said = body[member][0] if isinstance(body[member], list) else body
            return said[text_name], said.get(reason_name)
    return "", None


def body_calls(body: dict[str, Any]) -> list[tuple[str, Any]]:
    claude = [block for block in body.get("content", []) if block["type"] == "tool_use"]
    nova = (
        body.get("output", {}).get("message", {}).get("content", [])
        if isinstance(body.get("output"), dict)
        else []
    )
    tools = [*claude, *(block["toolUse"] for block in nova if "toolUse" in block)]
    return [(tool["name"], tool["input"]) for tool in tools]


def header_usage(headers: dict[str, str]) -> TokenUsage:
    def count(name: str) -> int:
        return int(headers.get(f"x-amzn-bedrock-{name}-token-count", 0))

    return TokenUsage(count("input"), count("output"), count("cache-read-input"), count("cache-write-input"))


def test_invoke_model(
    find: Find, server: ScriptedServer, identity: Identity, subtests: pytest.Subtests
) -> None:
    recordings = [recording for recording in find("InvokeModel") if recording.status < 300]
    assert len(recordings) >= 60
    for recording in recordings:
        with subtests.test(recording.name):
            stream, run = replay(recording, server, identity)
            body = recording.decoded.parsed["body"]
            assert (run.state, run.problem) == ("done", None)
            assert run.response == body
            text, stop_reason = body_says(body)
            assert shown(stream, "text") == text
            assert run.stop_reason == stop_reason
            assert tool_calls(run) == body_calls(body)
            assert run.usage == header_usage(recording.headers)
            assert run.service_latency_ms == float(recording.headers["x-amzn-bedrock-invocation-latency"])
            assert from_json(to_json(run)) == run


def chunks_say(chunks: list[dict[str, Any]]) -> tuple[str, list[tuple[str, Any]], str | None, TokenUsage]:
    """Text, tool calls, stop reason and usage that the chunks of a stream spell."""
    text, stop_reason, names, inputs = "", None, dict[int, str](), dict[int, str]()
    blocked: dict[str, Any] = {  # a guardrail's own words: Titan's counts, none of Bedrock's
        "inputTokenCount": chunks[0].get("inputTextTokenCount"),
        "outputTokenCount": chunks[0].get("totalOutputTextTokenCount"),
    }
    counts: dict[str, Any] = next((chunk[METRICS] for chunk in chunks if METRICS in chunk), blocked)
    output_tokens = counts["outputTokenCount"]
    for chunk in chunks:
        delta, nova = chunk.get("delta", {}), chunk.get("contentBlockDelta", {})
        text += chunk.get("outputText", "") + delta.get("text", "") + nova.get("delta", {}).get("text", "")
        partial = delta.get("partial_json", "") + nova.get("delta", {}).get("toolUse", {}).get("input", "")
        index = chunk.get("index", nova.get("contentBlockIndex", -1))
        inputs[index] = inputs.get(index, "") + partial
        nova_start = chunk.get("contentBlockStart", {})
        if "toolUse" in nova_start.get("start", {}):
            names[nova_start["contentBlockIndex"]] = nova_start["start"]["toolUse"]["name"]
        if chunk.get("content_block", {}).get("type") == "tool_use":
            names[chunk["index"]] = chunk["content_block"]["name"]
        stop_reason = (
            delta.get("stop_reason")
            or chunk.get("completionReason")
            or chunk.get("messageStop", {}).get("stopReason")
            or stop_reason
        )
        if chunk.get("type") == "message_delta":  # Claude's own count, which is the one in its body
            output_tokens = chunk["usage"]["output_tokens"]
    tools = [(name, parsed(inputs.get(index, ""))) for index, name in names.items()]
    cache = (counts.get("cacheReadInputTokenCount", 0), counts.get("cacheWriteInputTokenCount", 0))
    return text, tools, stop_reason, TokenUsage(counts["inputTokenCount"], output_tokens, *cache)


def test_invoke_model_with_response_stream(
    find: Find, server: ScriptedServer, identity: Identity, subtests: pytest.Subtests
) -> None:
    recordings = [recording for recording in find("InvokeModelWithResponseStream") if recording.status < 300]
    assert len(recordings) >= 25
    for recording in recordings:
        with subtests.test(recording.name):
            stream, run = replay(recording, server, identity)
            chunks = [json.loads(event["chunk"]["bytes"]) for event in recording.decoded.events]
            text, tools, stop_reason, counts = chunks_say(chunks)
            assert (run.state, run.problem) == ("done", None)
            assert [event.data for event in run.events] == chunks
            assert shown(stream, "text") == body_says(run.response or {})[0] == text
            assert tool_calls(run) == body_calls(run.response or {}) == tools
            assert run.stop_reason == stop_reason
            assert run.usage == counts
            assert run.ttft_ms is not None
            assert from_json(to_json(run)) == run


OPERATIONS = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")


def test_refusals(find: Find, server: ScriptedServer, identity: Identity, subtests: pytest.Subtests) -> None:
    """Every recorded error becomes a problem of its own kind, with AWS's own words in it."""
    recordings = [each for operation in OPERATIONS for each in find(operation) if each.status >= 300]
    assert len(recordings) >= 10
    for recording in recordings:
        with subtests.test(recording.name):
            _, run = replay(recording, server, identity)
            assert (run.state, run.response) == ("failed", None)
            assert run.problem is not None
            assert run.problem.message == recording.decoded.parsed["Error"]["Message"]
            assert run.problem.code == recording.decoded.error
            assert run.problem.kind not in ("", "unknown")
            assert run.problem.fix


def test_the_collected_errors(
    recordings: Path, server: ScriptedServer, identity: Identity, subtests: pytest.Subtests
) -> None:
    """Errors that others reported, before a stream and within one: problems of their own kind."""
    errors = [
        error
        for error in json.loads((recordings / "errors.json").read_text())
        if error["operation"] in OPERATIONS
    ]
    assert len(errors) >= 5
    for error in errors:
        with subtests.test(error["message"]):
            body = {"message": error["message"]}
            recording = Recording(
                name=error["message"],
                operation=error["operation"],
                status=error["status"],
                headers={"x-amzn-errortype": error["code"]},
                body=(
                    frame(error["code"], body, "exception")
                    if error["status"] == 200
                    else json.dumps(body).encode()
                ),
                decoded=None,
            )
            _, run = replay(recording, server, identity)
            assert run.state == "failed"
            assert run.problem is not None
            assert run.problem.message == error["message"]
            assert run.problem.kind not in ("", "unknown")


def test_a_recorded_stream_that_breaks_anywhere_keeps_what_had_arrived(
    find: Find, server: ScriptedServer, identity: Identity, subtests: pytest.Subtests
) -> None:
    """Each stream cut in the middle: once by an error frame between two frames, once within a frame."""
    recordings = [recording for recording in find("ConverseStream") if recording.status < 300]
    for recording in recordings:
        lengths = recording.frame_ends
        middle = lengths[len(lengths) // 2 - 1]
        said = Spelled(recording.decoded.events[: len(lengths) // 2])
        error = frame("modelStreamErrorException", {"message": "The model broke"}, "exception")
        for how, body in (("error", recording.body[:middle] + error), ("cut", recording.body[: middle + 20])):
            with subtests.test(recording.name, how=how):
                broken = Recording(recording.name, "ConverseStream", 200, recording.headers, body, None)
                stream, run = replay(broken, server, identity)
                assert run.state == "failed"
                assert run.problem is not None
                assert run.problem.kind not in ("", "unknown")
                assert shown(stream, "text") == read("ConverseStream", run.response or {}).text == said.text
                assert tool_calls(run) == said.tool_calls
                assert len(run.events) == len(lengths) // 2
