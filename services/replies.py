"""What a reply says, whatever the operation: text, reasoning, tool calls, stop reason, tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.citations import RAG_OPERATIONS, fold_rag
from services.converse import UNPARSED, fold_converse
from services.families import METRICS, MISSHAPEN, ChunkReader, fold_chunks, to_converse
from services.guardrail_results import text_of
from services.runs import Call, RunEvent, TokenUsage

CONVERSE_OPERATIONS = ("Converse", "ConverseStream")
INVOKE_OPERATIONS = ("InvokeModel", "InvokeModelWithResponseStream")

_COUNT_HEADER = "x-amzn-bedrock-{}-token-count"
_LATENCY_HEADER = "x-amzn-bedrock-invocation-latency"


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants to be called. `input` is JSON, or `{"$unparsed": text}`."""

    id: str
    name: str
    input: Any

    @property
    def parsed(self) -> bool:
        """False where the model's input is not JSON: cut off, or a mistake of the model."""
        return not (isinstance(self.input, dict) and UNPARSED in self.input)


@dataclass(frozen=True)
class Reply:
    """A reply in plain terms. `stop_reason` is the word of the operation or of the model's family."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    stop_reason: str | None = None
    usage: TokenUsage | None = None
    service_latency_ms: float | None = None


def fold(operation: str, events: Iterable[RunEvent]) -> dict[str, Any]:
    """The answer that the same call gives without streaming.

    ConverseStream gives Converse's response, InvokeModelWithResponseStream the family's InvokeModel body,
    RetrieveAndGenerateStream RetrieveAndGenerate's response, any other operation its one `response` event. No
    events give an empty answer of that shape.
    """
    pairs = [(event.name, event.data) for event in events]
    if operation == "ConverseStream":
        return fold_converse(pairs)
    if operation == "InvokeModelWithResponseStream":
        return fold_chunks([data for name, data in pairs if name == "chunk"])
    if operation == "RetrieveAndGenerateStream":
        return fold_rag(pairs)
    return next((data for name, data in reversed(pairs) if name == "response"), {})


def read(
    operation: str,
    response: dict[str, Any],
    *,
    events: Iterable[RunEvent] = (),
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """What an answer says.

    `response` as `fold` makes it. `events` and `headers` (boto3's HTTPHeaders) fill in the counts and the
    latency that an InvokeModel body leaves out. Operations that are no model calls read as an empty Reply.
    """
    try:
        return _read(operation, response, events, headers or {})
    except MISSHAPEN:
        return Reply()


def content_of(operation: str, response: dict[str, Any]) -> list[dict[str, Any]]:
    """The content blocks of an answer in Converse's shapes; [] where there are none that can be read.

    Converse's blocks are verbatim; those of an InvokeModel body are what Converse has for them.
    """
    try:
        content: Any = _content(to_converse(response) if operation in INVOKE_OPERATIONS else response)
    except MISSHAPEN:
        return []
    return [] if not isinstance(content, list) else [block for block in content if isinstance(block, dict)]


def _read(
    operation: str, response: dict[str, Any], events: Iterable[RunEvent], headers: Mapping[str, str]
) -> Reply:
    counts: Mapping[str, Any] = {}
    if operation in CONVERSE_OPERATIONS:
        said, latency_ms = response, (response.get("metrics") or {}).get("latencyMs")
    elif operation in INVOKE_OPERATIONS:
        said = to_converse(response)
        counts, latency_ms = _metering(events, headers)
    elif operation in RAG_OPERATIONS:
        return Reply(text=_rag_text(response))
    else:
        return Reply()
    content = _content(said)
    return Reply(
        text="".join(text for block in content for text in _texts(block)),
        reasoning="".join(_reasoning(block) for block in content),
        tool_calls=tuple(_tool_call(block["toolUse"]) for block in content if "toolUse" in block),
        stop_reason=said.get("stopReason"),
        usage=_usage(said.get("usage") or {}, counts),
        service_latency_ms=latency_ms,
    )


def prompt_of(call: Call) -> str:
    """The words of the last thing that was said to the model; "" where there are none."""
    request = call.request
    if call.operation in INVOKE_OPERATIONS:
        request = request["body"] if isinstance(request.get("body"), dict) else {}
    if call.operation == "ApplyGuardrail":
        return text_of(call)
    for name in ("prompt", "inputText", "message"):
        if isinstance(request.get(name), str):
            return str(request[name])
    for name in ("input", "retrievalQuery"):
        if isinstance(request.get(name), dict) and isinstance(request[name].get("text"), str):
            return str(request[name]["text"])
    try:
        content = request["messages"][-1]["content"]
        return (
            content if isinstance(content, str) else "\n".join(t for block in content for t in _texts(block))
        )
    except MISSHAPEN:
        return ""


class BlockEvents:
    """Says the events of any operation as ConverseStream's contentBlock events, for those who watch."""

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._chunks = ChunkReader()

    def of(self, name: str, data: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """The block events in one event of the operation; a whole reply counts as one event."""
        if name.startswith("contentBlock"):
            return [(name, data)]
        try:
            if name == "chunk":
                return self._chunks.events(data)
            if name == "output":
                return [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": data["text"]}})]
            if name == "response" and self._operation in RAG_OPERATIONS:
                return _said(0, {"text": _rag_text(data)})
            if name == "response" and self._operation in CONVERSE_OPERATIONS + INVOKE_OPERATIONS:
                said = data if self._operation in CONVERSE_OPERATIONS else to_converse(data)
                return [event for index, block in enumerate(_content(said)) for event in _said(index, block)]
        except MISSHAPEN:
            pass
        return []


def _said(index: int, block: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """One whole content block as the events that would have brought it."""
    start: dict[str, Any] = {}
    delta: dict[str, Any] = {}
    if "toolUse" in block:
        start = {"toolUse": {name: value for name, value in block["toolUse"].items() if name != "input"}}
        delta = {"toolUse": {"input": json.dumps(block["toolUse"].get("input"), ensure_ascii=False)}}
    elif "reasoningContent" in block:
        delta = {"reasoningContent": {"text": _reasoning(block)}}
    elif texts := _texts(block):
        delta = {"text": "".join(texts)}
    else:
        start = block
    events = []
    if start:
        events.append(("contentBlockStart", {"contentBlockIndex": index, "start": start}))
    if delta:
        events.append(("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}))
    return [*events, ("contentBlockStop", {"contentBlockIndex": index})]


def _rag_text(response: Mapping[str, Any]) -> str:
    return str((response.get("output") or {}).get("text") or "")


def _content(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    return ((said.get("output") or {}).get("message") or {}).get("content") or []


def _texts(block: Mapping[str, Any]) -> list[str]:
    if "citationsContent" in block:
        return [part.get("text") or "" for part in block["citationsContent"].get("content") or []]
    return [block["text"]] if isinstance(block.get("text"), str) else []


def _reasoning(block: Mapping[str, Any]) -> str:
    reasoning = block.get("reasoningContent") or {}
    return str((reasoning.get("reasoningText") or {}).get("text") or "")


def _tool_call(tool: Mapping[str, Any]) -> ToolCall:
    return ToolCall(tool.get("toolUseId") or "", tool.get("name") or "", tool.get("input"))


def _metering(events: Iterable[RunEvent], headers: Mapping[str, str]) -> tuple[dict[str, Any], float | None]:
    """Bedrock's own counts and latency: in the last chunk of a stream, else in the headers."""
    for event in reversed(tuple(events)):
        if metrics := event.data.get(METRICS):
            counts = {
                "inputTokens": metrics.get("inputTokenCount"),
                "outputTokens": metrics.get("outputTokenCount"),
                "cacheReadInputTokens": metrics.get("cacheReadInputTokenCount"),
                "cacheWriteInputTokens": metrics.get("cacheWriteInputTokenCount"),
            }
            return counts, metrics.get("invocationLatency")
    counts = {
        "inputTokens": headers.get(_COUNT_HEADER.format("input")),
        "outputTokens": headers.get(_COUNT_HEADER.format("output")),
        "cacheReadInputTokens": headers.get(_COUNT_HEADER.format("cache-read-input")),
        "cacheWriteInputTokens": headers.get(_COUNT_HEADER.format("cache-write-input")),
    }
    return counts, _number(headers.get(_LATENCY_HEADER))


def _usage(own: Mapping[str, Any], counts: Mapping[str, Any]) -> TokenUsage | None:
    """The answer's own counts, completed by Bedrock's. None where neither has any."""

    def count(name: str) -> int | None:
        found = own.get(name) if own.get(name) is not None else counts.get(name)
        number = _number(found)
        return None if number is None else int(number)

    inputs, outputs = count("inputTokens"), count("outputTokens")
    if inputs is None and outputs is None:
        return None
    one_hour = [
        item.get("inputTokens") or 0 for item in own.get("cacheDetails") or [] if item.get("ttl") == "1h"
    ]
    return TokenUsage(
        input_tokens=inputs or 0,
        output_tokens=outputs or 0,
        cache_read_tokens=count("cacheReadInputTokens") or 0,
        cache_write_tokens=count("cacheWriteInputTokens") or 0,
        cache_write_1h_tokens=sum(one_hour),
    )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
