"""Anthropic's Messages API as Bedrock serves it: no `model`, no `stream`, but `anthropic_version`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.errors import AwsError, validation
from localbedrock.runtime.blocks import arguments_of, tool_use_id
from localbedrock.runtime.bodies import Field, check
from localbedrock.text.engine import (
    Block,
    ChatRequest,
    Event,
    Finish,
    FinishReason,
    Image,
    Message,
    Part,
    ReasoningDelta,
    Reply,
    Role,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolDelta,
    ToolResult,
    ToolStart,
)

_VERSIONS = ("bedrock-2023-05-31", "2026-10-21")  # the second one is what Anthropic's SDK 2.x sends
_FIELDS = {
    "anthropic_version": Field(str, required=True, choices=_VERSIONS),
    "anthropic_beta": Field(list),
    "max_tokens": Field(int, required=True, minimum=1),
    "messages": Field(list, required=True),
    "metadata": Field(dict),
    "stop_sequences": Field(list),
    "system": Field(),
    "temperature": Field(float, minimum=0, maximum=1),
    "thinking": Field(dict),
    "tool_choice": Field(dict),
    "tools": Field(list),
    "top_k": Field(int, minimum=0, maximum=500),
    "top_p": Field(float, minimum=0, maximum=1),
}
_REASONS: dict[FinishReason, str] = {
    "content_filtered": "refusal",
    "context_window": "model_context_window_exceeded",
}


def parse(model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    check(body, _FIELDS)
    if (body.get("thinking") or {}).get("type", "disabled") != "disabled":
        raise validation("thinking: the local model that stands in for this one can't show its reasoning")
    if not body["messages"]:
        raise validation("messages: at least one message is required")
    choice = body.get("tool_choice") or {}
    return ChatRequest(
        messages=tuple(_message(model, message, place) for place, message in enumerate(body["messages"])),
        system=_plain_text(body.get("system") or "", "system"),
        max_tokens=body["max_tokens"],
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        stop=tuple(body.get("stop_sequences") or ()),
        tools=() if choice.get("type") == "none" else tuple(map(_tool, body.get("tools") or ())),
        force_tool={"any": "*", "tool": choice.get("name", "")}.get(choice.get("type", ""), ""),
    )


def _message(model: FoundationModel, message: dict[str, Any], place: int) -> Message:
    roles: dict[str, Role] = {"user": "user", "assistant": "assistant"}
    if message["role"] not in roles:
        raise validation(f"messages.{place}.role: Input should be 'user' or 'assistant'")
    content, path = message["content"], f"messages.{place}.content"
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    found = (_part(model, block, f"{path}.{at}") for at, block in enumerate(blocks))
    parts = tuple(part for part in found if part is not None)
    if not parts:
        raise validation(f"messages.{place}: all messages must have non-empty content")
    return Message(roles[message["role"]], parts)


def _part(model: FoundationModel, block: dict[str, Any], path: str) -> Part | None:
    kind = block["type"]
    if kind == "text":
        if not block["text"].strip():
            raise validation("messages: text content blocks must be non-empty")
        return Text(block["text"])
    if kind == "image" and "images" in model.features:
        source = block["source"]
        return Image(source["media_type"].removeprefix("image/"), base64.b64decode(source["data"]))
    if kind == "tool_use":
        return ToolCall(block["id"], block["name"], block["input"])
    if kind == "tool_result":
        text = _plain_text(block.get("content") or "", path)
        return ToolResult(block["tool_use_id"], text, failed=bool(block.get("is_error")))
    if kind in {"thinking", "redacted_thinking"}:
        return None
    raise _not_taken(kind, path)


def _plain_text(content: str | list[dict[str, Any]], path: str) -> str:
    if isinstance(content, str):
        return content
    for at, block in enumerate(content):
        if block["type"] != "text":
            raise _not_taken(block["type"], f"{path}.{at}")
    return "\n\n".join(block["text"] for block in content)


def _not_taken(kind: str, path: str) -> AwsError:
    return validation(
        f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
        "'text', 'tool_use', 'tool_result'"
    )


def _tool(tool: dict[str, Any]) -> Tool:
    if "input_schema" not in tool:
        raise validation(
            f"tools: {tool.get('type', 'this kind of tool')} is not offered here; use a custom tool"
        )
    return Tool(tool["name"], tool.get("description") or "", tool["input_schema"])


def answer(model: FoundationModel, _body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    message = _envelope(model, [block for block in map(_block, reply.blocks) if block is not None])
    message |= _stop(reply.end)
    message["usage"] = _usage(model, reply.end.input_tokens, reply.end.output_tokens)
    return message


def stream(
    model: FoundationModel,
    _body: dict[str, Any],
    input_tokens: int,
    events: Iterator[Event],
) -> Iterator[dict[str, Any]]:
    """The chunks of a reply while it is decoded."""
    message = _envelope(model, []) | {"stop_reason": None, "stop_sequence": None}
    message["usage"] = _usage(model, input_tokens, 1)
    yield {"type": "message_start", "message": message}
    reply = Reply()
    for event in events:
        before = len(reply.blocks)
        reply.add(event)
        index = len(reply.blocks) - 1
        if before and (len(reply.blocks) > before or isinstance(event, Finish)):
            yield {"type": "content_block_stop", "index": before - 1}
        if len(reply.blocks) > before:
            yield {"type": "content_block_start", "index": index, "content_block": _empty(reply.blocks[-1])}
        if delta := _delta(event):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
    if reply.finish is not None:
        usage = {"output_tokens": reply.finish.output_tokens}
        yield {"type": "message_delta", "delta": _stop(reply.finish), "usage": usage}
        yield {"type": "message_stop"}


def _envelope(model: FoundationModel, content: list[dict[str, Any]]) -> dict[str, Any]:
    name = model.model_id.removeprefix("anthropic.").partition(":")[0]
    return {
        "id": tool_use_id("msg_bdrk_01"),
        "type": "message",
        "role": "assistant",
        "model": name.rpartition("-v")[0] or name,
        "content": content,
    }


def _usage(model: FoundationModel, input_tokens: int, output_tokens: int) -> dict[str, int]:
    cached = (
        {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0} if "cache" in model.features else {}
    )
    return {"input_tokens": input_tokens, **cached, "output_tokens": output_tokens}


def _stop(finish: Finish) -> dict[str, str | None]:
    reason = _REASONS.get(finish.reason, finish.reason)
    return {"stop_reason": reason, "stop_sequence": finish.stop_sequence}


def _block(block: Block) -> dict[str, Any] | None:
    if block.kind == "text":
        return {"type": "text", "text": block.text}
    if block.kind == "reasoning":
        return {"type": "thinking", "thinking": block.text, "signature": ""}
    arguments = arguments_of(block)
    return None if arguments is None else _empty(block) | {"input": arguments}


def _empty(block: Block) -> dict[str, Any]:
    if block.kind == "text":
        return {"type": "text", "text": ""}
    if block.kind == "reasoning":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "tool_use", "id": tool_use_id("toolu_bdrk_01"), "name": block.name, "input": {}}


def _delta(event: Event) -> dict[str, Any] | None:
    match event:
        case TextDelta(text):
            return {"type": "text_delta", "text": text}
        case ReasoningDelta(text):
            return {"type": "thinking_delta", "thinking": text}
        case ToolDelta(arguments):
            return {"type": "input_json_delta", "partial_json": arguments}
        case ToolStart() | Finish():
            return None
