"""Cohere Command (prompt in, generations out) and Command R (chat)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.families.family import Event, Family, Json, columns, converse, merged, without


def fold_command(chunks: Sequence[Json]) -> Json:
    """Command's body. The last chunk of a whole stream carries it as `response`."""
    if whole := _response(chunks):
        return without(whole, "finish_reason")
    if generations := columns(chunks, "generations"):
        return {**merged(chunks, ""), "generations": [merged(parts, "text") for parts in generations]}
    joined = merged(chunks, "text")
    generation = {name: joined.pop(name) for name in ("text", "finish_reason") if name in joined}
    return {**without(joined, "is_finished", "index"), "generations": [generation]}


def command_events(chunk: Json) -> Iterator[Event]:
    """The text of a chunk; the `response` at the end would only say it again."""
    text = chunk.get("text") or "".join(
        generation.get("text") or "" for generation in chunk.get("generations") or []
    )
    if text:
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}


def command_to_converse(body: Json) -> Json:
    """Command's body as Converse's response; it counts no tokens."""
    generations = [item for item in body.get("generations") or [] if "text" in item]
    stop_reason = generations[0].get("finish_reason") if generations else None
    return converse([{"text": item["text"]} for item in generations], stop_reason)


def fold_command_r(chunks: Sequence[Json]) -> Json:
    """Command R's body. The `stream-end` event of a whole stream carries it as `response`."""
    if whole := _response(chunks):
        return whole
    return without(merged(chunks, "text"), "event_type", "is_finished")


def command_r_events(chunk: Json) -> Iterator[Event]:
    """The text and the tool calls of a chunk."""
    if text := chunk.get("text"):
        yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}
    for index, call in enumerate(chunk.get("tool_calls") or [], start=1):
        yield "contentBlockStop", {"contentBlockIndex": index - 1}
        yield "contentBlockStart", {"contentBlockIndex": index, "start": _tool(call)}


def command_r_to_converse(body: Json) -> Json:
    """Command R's body as Converse's response. It counts no tokens, and its tool calls have no ids."""
    text = [{"text": body["text"]}] if body.get("text") else []
    tools = [
        {"toolUse": {**_tool(call)["toolUse"], "input": call.get("parameters", {})}}
        for call in body.get("tool_calls") or []
    ]
    return converse([*text, *tools], body.get("finish_reason"))


def _response(chunks: Sequence[Json]) -> Json | None:
    for chunk in reversed(chunks):
        if isinstance(chunk.get("response"), dict):
            around = without(chunk, "response", "event_type", "is_finished", "index")
            return {**around, **chunk["response"]}
    return None


def _tool(call: Json) -> Json:
    return {"toolUse": {"toolUseId": "", "name": call.get("name") or ""}}


COMMAND_R = Family(
    chunk_members=frozenset({"event_type"}),
    body_members=frozenset({"chat_history", "generation_id", "response_id"}),
    fold=fold_command_r,
    events=command_r_events,
    converse=command_r_to_converse,
)
COMMAND = Family(
    chunk_members=frozenset({"is_finished", "generations"}),
    body_members=frozenset({"generations"}),
    fold=fold_command,
    events=command_events,
    converse=command_to_converse,
)
