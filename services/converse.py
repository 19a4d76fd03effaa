"""The events of ConverseStream, folded into the response that Converse gives.

The shapes are those of botocore's `bedrock-runtime` model. Members that this module does not know are kept.
A stream that broke off folds into the part that arrived.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Literal

BlockKind = Literal["text", "reasoning", "tool", "other"]

UNPARSED = "$unparsed"
"""Marks a tool's input that is not JSON (cut off, or the model's mistake): `{"$unparsed": the text}`."""

_KINDS: dict[str, BlockKind] = {
    "text": "text",
    "citation": "text",
    "reasoningContent": "reasoning",
    "toolUse": "tool",
}


def block_kind(delta: dict[str, Any]) -> BlockKind:
    """The kind of block that a `delta` or `start` payload belongs to."""
    return next((_KINDS[name] for name in delta if name in _KINDS), "other")


def fold_converse(events: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Converse's response from (name, payload) pairs of ConverseStream."""
    message: dict[str, Any] = {"role": "assistant"}
    rest: dict[str, Any] = {}
    blocks = _Blocks()
    for name, data in events:
        match name:
            case "messageStart":
                message.update(data)
            case "contentBlockStart" | "contentBlockDelta":
                blocks.add(data)
            case "contentBlockStop":
                pass
            case "messageStop" | "metadata":
                rest.update(data)
            case _:
                rest[name] = data
    message["content"] = blocks.content()
    return {"output": {"message": message}, **rest}


def tool_input(text: str) -> Any:
    """A tool's input from its joined pieces: JSON, {} for none at all, else the text under `UNPARSED`."""
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {UNPARSED: text}


class _Blocks:
    """Content blocks in the order in which they appear.

    A block is told by index and kind: a few models send reasoning and text under one index.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[int, BlockKind], tuple[dict[str, Any], list[dict[str, Any]]]] = {}

    def add(self, data: dict[str, Any]) -> None:
        start, delta = data.get("start") or {}, data.get("delta") or {}
        key = (data.get("contentBlockIndex", 0), block_kind(start or delta))
        starts, deltas = self._parts.setdefault(key, ({}, []))
        starts.update(start)
        if delta:
            deltas.append(delta)

    def content(self) -> list[dict[str, Any]]:
        return [
            block
            for (_, kind), (start, deltas) in self._parts.items()
            for block in _content_blocks(kind, start, deltas)
        ]


def _content_blocks(
    kind: BlockKind, start: dict[str, Any], deltas: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    citations = [delta["citation"] for delta in deltas if "citation" in delta]
    joined = join([{name: v for name, v in delta.items() if name != "citation"} for delta in deltas]) or {}
    match kind:
        case "text" if citations:
            text = [{"text": joined["text"]}] if "text" in joined else []
            return [{"citationsContent": {"content": text, "citations": citations}}]
        case "reasoning":
            return _reasoning_blocks(join([start, joined])["reasoningContent"])
        case "tool":
            tool = {**start.get("toolUse", {}), **joined.get("toolUse", {})}
            return [{"toolUse": {**tool, "input": tool_input(tool.get("input", ""))}}]
        case "other" if "toolResult" in start:
            return [{"toolResult": {**start["toolResult"], "content": joined.get("toolResult", [])}}]
        case _:
            return [join([start, joined])]


def _reasoning_blocks(reasoning: dict[str, Any]) -> list[dict[str, Any]]:
    """Reasoning text with its signature, or redacted bytes: Converse has one or the other in a block."""
    text = {name: value for name, value in reasoning.items() if name != "redactedContent"}
    blocks: list[dict[str, Any]] = []
    if text:
        blocks.append({"reasoningContent": {"reasoningText": {"text": "", **text}}})
    if "redactedContent" in reasoning:
        blocks.append({"reasoningContent": {"redactedContent": reasoning["redactedContent"]}})
    return blocks


def join(values: Sequence[Any]) -> Any:
    """Pieces of one value, joined: strings, bytes and lists one after the other, objects member by member.

    Of anything else the last one counts.
    """
    kinds = {type(value) for value in values}
    if kinds == {dict}:
        names = dict.fromkeys(chain.from_iterable(values))
        return {name: join([value[name] for value in values if name in value]) for name in names}
    if kinds == {list}:
        return list(chain.from_iterable(values))
    if kinds == {str} or kinds == {bytes}:
        return values[0][:0].join(values)
    return values[-1] if values else None
