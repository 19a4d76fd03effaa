"""Anthropic Claude: the Messages API, and the text completions before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.converse import join, tool_input
from services.families.family import Event, Family, Json, converse, without

_TOOL_TYPES = ("tool_use", "server_tool_use", "mcp_tool_use")


def fold(chunks: Sequence[Json]) -> Json:
    """The message that the events of a Messages stream spell."""
    body: Json = {}
    blocks: dict[int, tuple[Json, list[Json]]] = {}
    for chunk in chunks:
        match chunk:
            case {"type": "message_start", "message": dict(message)}:
                body.update(message)
            case {"type": "content_block_start", "index": int(index), "content_block": dict(start)}:
                blocks[index] = (start, [])
            case {"type": "content_block_delta", "index": int(index), "delta": dict(delta)}:
                blocks.setdefault(index, ({}, []))[1].append(delta)
            case {"type": "message_delta", "delta": dict(delta)}:
                usage = {**(body.get("usage") or {}), **(chunk.get("usage") or {})}
                body.update({**without(chunk, "type", "delta"), **delta, "usage": usage})
            case _:
                body.update(without(chunk, "type", "index"))
    body["content"] = [_block(start, deltas) for start, deltas in blocks.values()]
    return body


def _block(start: Json, deltas: Sequence[Json]) -> Json:
    block = dict(start)
    citations = [delta["citation"] for delta in deltas if "citation" in delta]
    joined = join([without(delta, "type", "citation") for delta in deltas]) or {}
    if partial := joined.pop("partial_json", ""):
        block["input"] = tool_input(partial)
    for name, value in joined.items():
        block[name] = join([block[name], value]) if name in block else value
    if citations:
        block["citations"] = [*(block.get("citations") or []), *citations]
    return block


def events(chunk: Json) -> Iterator[Event]:
    """The block events of one Messages event."""
    match chunk:
        case {"type": "content_block_start", "index": index, "content_block": {"type": kind} as block}:
            if kind in _TOOL_TYPES:
                yield "contentBlockStart", {"contentBlockIndex": index, "start": _tool(block)}
            elif kind == "text" and block.get("text"):
                yield "contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": block["text"]}}
            elif kind not in ("text", "thinking"):
                yield "contentBlockStart", {"contentBlockIndex": index, "start": _content(block)}
        case {"type": "content_block_delta", "index": index, "delta": dict(delta)}:
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": _delta(delta)}
        case {"type": "content_block_stop", "index": index}:
            yield "contentBlockStop", {"contentBlockIndex": index}


def _delta(delta: Json) -> Json:
    match delta:
        case {"partial_json": str(text)}:
            return {"toolUse": {"input": text}}
        case {"thinking": str(text)}:
            return {"reasoningContent": {"text": text}}
        case {"signature": str(text)}:
            return {"reasoningContent": {"signature": text}}
        case _:
            return without(delta, "type")


def to_converse(body: Json) -> Json:
    """A Messages body as Converse's response."""
    usage = body.get("usage") or {}
    one_hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens")
    counts = {
        "inputTokens": usage.get("input_tokens"),
        "outputTokens": usage.get("output_tokens"),
        "cacheReadInputTokens": usage.get("cache_read_input_tokens"),
        "cacheWriteInputTokens": usage.get("cache_creation_input_tokens"),
        "cacheDetails": [{"ttl": "1h", "inputTokens": one_hour}] if one_hour else None,
    }
    content = [_content(block) for block in body.get("content") or []]
    return converse(content, body.get("stop_reason"), counts)


def _content(block: Json) -> Json:
    """A Claude content block as Converse's; one that Converse does not have, under its own type."""
    match block:
        case {"type": "text", "text": str(text), "citations": [*citations]} if citations:
            return {"citationsContent": {"content": [{"text": text}], "citations": citations}}
        case {"text": str(text)}:
            return {"text": text}
        case {"thinking": str(text)}:
            signature = {"signature": block["signature"]} if block.get("signature") else {}
            return {"reasoningContent": {"reasoningText": {"text": text, **signature}}}
        case {"type": "redacted_thinking", "data": str(data)}:
            return {"reasoningContent": {"redactedContent": data.encode()}}
        case {"type": kind} if kind in _TOOL_TYPES:
            return {"toolUse": {**_tool(block)["toolUse"], "input": block.get("input", {})}}
        case _:
            return {str(block.get("type", "unknown")): block}


def _tool(block: Json) -> Json:
    return {"toolUse": {"toolUseId": block.get("id", ""), "name": block.get("name", "")}}


MESSAGES = Family(
    chunk_members=frozenset({"type"}),
    body_members=frozenset({"content"}),
    fold=fold,
    events=events,
    converse=to_converse,
)
