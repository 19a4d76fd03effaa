"""Content blocks of a reply in Converse's shape, whole and as stream events. Nova's own format shares it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

from localbedrock.text.engine import (
    Block,
    Event,
    Finish,
    ReasoningDelta,
    Reply,
    TextDelta,
    ToolDelta,
    ToolStart,
)


def content(reply: Reply) -> list[dict[str, Any]]:
    """The content of the answer's message."""
    return [block for block in map(_block, reply.blocks) if block is not None]


def arguments_of(block: Block) -> dict[str, Any] | None:
    """The arguments of a call; None where the reply was cut off in the middle of them."""
    try:
        arguments: dict[str, Any] = json.loads(block.text or "{}")
    except ValueError:
        return None
    return arguments


def content_events(events: Iterator[Event], reply: Reply) -> Iterator[dict[str, Any]]:
    """The events contentBlockStart (tools only), Delta and Stop; the reply is folded on the way."""
    for event in events:
        before = len(reply.blocks)
        reply.add(event)
        index = len(reply.blocks) - 1
        if before and (len(reply.blocks) > before or isinstance(event, Finish)):
            yield {"contentBlockStop": {"contentBlockIndex": before - 1}}
        match event:
            case TextDelta(text):
                yield _delta(index, {"text": text})
            case ReasoningDelta(text):
                yield _delta(index, {"reasoningContent": {"text": text}})
            case ToolStart(name):
                start = {"toolUse": {"toolUseId": tool_use_id(), "name": name}}
                yield {"contentBlockStart": {"start": start, "contentBlockIndex": index}}
            case ToolDelta(arguments):
                yield _delta(index, {"toolUse": {"input": arguments}})


def stop_reason(finish: Finish) -> str:
    """Converse's name for the end of a reply."""
    return "model_context_window_exceeded" if finish.reason == "context_window" else finish.reason


def tool_use_id(prefix: str = "tooluse_") -> str:
    """A new id for a call."""
    return prefix + secrets.token_hex(11)


def _delta(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": delta, "contentBlockIndex": index}}


def _block(block: Block) -> dict[str, Any] | None:
    if block.kind == "text":
        return {"text": block.text}
    if block.kind == "reasoning":
        return {"reasoningContent": {"reasoningText": {"text": block.text}}}
    arguments = arguments_of(block)
    if arguments is None:
        return None
    return {"toolUse": {"toolUseId": tool_use_id(), "name": block.name, "input": arguments}}
