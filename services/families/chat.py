"""Chat completions as OpenAI made them: Mistral Large, AI21 Jamba, DeepSeek, Qwen, gpt-oss, imported ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.converse import tool_input
from services.families.family import Event, Family, Json, columns, converse, merged, without

_REASONING, _TEXT, _FIRST_TOOL = 0, 1, 2
"""Block numbers: chunks have none, and a piece of text may stand beside the start of a tool call."""


def fold(chunks: Sequence[Json]) -> Json:
    """The completion that the chunks spell, choice by choice."""
    body = merged(chunks, "")
    body["choices"] = [_choice(parts) for parts in columns(chunks, "choices")]
    if body.get("object") == "chat.completion.chunk":
        body["object"] = "chat.completion"
    return body


def _choice(parts: Sequence[Json]) -> Json:
    choice = without(merged(parts, "text"), "delta", "message")
    if messages := [said for part in parts if (said := _message(part))]:
        message = merged(messages, "content")
        for name in ("reasoning_content", "reasoning"):
            if name in message:
                message[name] = "".join(part.get(name) or "" for part in messages)
        if calls := columns(messages, "tool_calls"):
            message["tool_calls"] = [_tool_call(pieces) for pieces in calls]
        choice["message"] = message
    return choice


def _tool_call(pieces: Sequence[Json]) -> Json:
    functions = [piece.get("function") or {} for piece in pieces]
    return {**without(merged(pieces, ""), "index"), "function": merged(functions, "arguments")}


def _message(choice: Json) -> Json:
    return choice.get("delta") or choice.get("message") or {}


def events(chunk: Json) -> Iterator[Event]:
    """The block events of the first choice. Chunks say where a block begins; the one before it ends there."""
    choice: Json = next(iter(chunk.get("choices") or []), {})
    message = _message(choice)
    if reasoning := message.get("reasoning_content") or message.get("reasoning"):
        delta = {"reasoningContent": {"text": reasoning}}
        yield "contentBlockDelta", {"contentBlockIndex": _REASONING, "delta": delta}
    if text := message.get("content") or choice.get("text"):
        yield "contentBlockStop", {"contentBlockIndex": _REASONING}
        yield "contentBlockDelta", {"contentBlockIndex": _TEXT, "delta": {"text": text}}
    for place, call in enumerate(message.get("tool_calls") or []):
        yield from _tool_events(_FIRST_TOOL + call.get("index", place), call)


def _tool_events(index: int, call: Json) -> Iterator[Event]:
    function = call.get("function") or {}
    if function.get("name"):
        yield from (("contentBlockStop", {"contentBlockIndex": before}) for before in range(index))
        start = {"toolUse": {"toolUseId": call.get("id") or "", "name": function["name"]}}
        yield "contentBlockStart", {"contentBlockIndex": index, "start": start}
    if arguments := function.get("arguments"):
        yield "contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": arguments}}}


def to_converse(body: Json) -> Json:
    """The first choice as Converse's response. Converse does not count cached tokens among the prompt's."""
    choice: Json = next(iter(body.get("choices") or []), {})
    message = _message(choice)
    content: list[Json] = []
    if reasoning := message.get("reasoning_content") or message.get("reasoning"):
        content.append({"reasoningContent": {"reasoningText": {"text": reasoning}}})
    if text := message.get("content") or choice.get("text"):
        content.append({"text": text})
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        tool = {"toolUseId": call.get("id") or "", "name": function.get("name") or ""}
        content.append({"toolUse": {**tool, "input": tool_input(function.get("arguments") or "")}})
    usage = body.get("usage") or {}
    counts = {"inputTokens": usage.get("prompt_tokens"), "outputTokens": usage.get("completion_tokens")}
    if cached := (usage.get("prompt_tokens_details") or {}).get("cached_tokens"):
        counts |= {"inputTokens": usage["prompt_tokens"] - cached, "cacheReadInputTokens": cached}
    return converse(content, choice.get("finish_reason") or choice.get("stop_reason"), counts)


CHAT = Family(
    chunk_members=frozenset({"choices"}),
    body_members=frozenset({"choices"}),
    fold=fold,
    events=events,
    converse=to_converse,
)
