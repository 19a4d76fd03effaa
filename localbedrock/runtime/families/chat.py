"""Chat completions, the format of OpenAI: the local models' own, and with small changes Mistral's and
AI21's.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.errors import validation
from localbedrock.runtime.blocks import tool_use_id
from localbedrock.runtime.bodies import Field, check, malformed
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

_FIELDS = {
    "messages": Field(list, required=True),
    "model": Field(str),
    "max_tokens": Field(int, minimum=1),
    "max_completion_tokens": Field(int, minimum=1),
    "temperature": Field(float, minimum=0, maximum=2),
    "top_p": Field(float, minimum=0, maximum=1),
    "top_k": Field(int, minimum=0),
    "seed": Field(int),
    "stop": Field(),
    "tools": Field(list),
    "tool_choice": Field(),
    "response_format": Field(dict),
    "stream": Field(bool),
    "stream_options": Field(dict),
    "n": Field(int, minimum=1, maximum=1),
}
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",
}
_REASONS: dict[FinishReason, str] = {
    "max_tokens": "length",
    "context_window": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
}
_DATA_URL = re.compile(r"data:image/(\w+);base64,(.*)", re.DOTALL)


def parse(model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    check(body, _FIELDS)
    messages = [_message(model, message) for message in body["messages"]]
    spoken = tuple(message for message in messages if message.role != "system")
    if not spoken:
        raise malformed("#/messages: expected minimum item count: 1, found: 0")
    stop = body.get("stop") or ()
    tools = () if body.get("tool_choice") == "none" else tuple(map(_tool, body.get("tools") or ()))
    return ChatRequest(
        messages=spoken,
        system="\n\n".join(message.text for message in messages if message.role == "system"),
        max_tokens=body.get("max_tokens") or body.get("max_completion_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        seed=body.get("seed"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        tools=tools,
        force_tool=_force(body.get("tool_choice")) if tools else "",
        json_schema=_json_schema(body.get("response_format") or {}),
    )


def _message(model: FoundationModel, message: dict[str, Any]) -> Message:
    role = _ROLES[message["role"]]
    content = (message.get("content") if "tool_calls" in message else message["content"]) or ""
    if message["role"] == "tool":
        return Message(role, (ToolResult(message.get("tool_call_id") or "", _text(content)),))
    items = [{"type": "text", "text": content}] if isinstance(content, str) else content
    parts = [_part(model, item) for item in items if item.get("text") != ""]
    for call in message.get("tool_calls") or ():
        arguments = call["function"]["arguments"]
        given = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
        parts.append(ToolCall(call.get("id") or "", call["function"]["name"], given))
    return Message(role, tuple(parts) or (Text(" "),))


def _part(model: FoundationModel, item: dict[str, Any]) -> Part:
    if item["type"] == "text":
        return Text(item["text"])
    picture = _DATA_URL.fullmatch(item["image_url"]["url"]) if item["type"] == "image_url" else None
    if picture is None or "images" not in model.features:
        raise validation(f"This model doesn't support content of the type {item['type']}.")
    return Image(picture[1], base64.b64decode(picture[2]))


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "\n".join(item["text"] for item in content)


def _tool(tool: dict[str, Any]) -> Tool:
    function = tool["function"]
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return Tool(function["name"], function.get("description") or "", schema)


def _force(choice: Any) -> str:
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    return "*" if choice in {"required", "any"} else ""


def _json_schema(wanted: dict[str, Any]) -> dict[str, Any] | None:
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    if wanted.get("type") != "json_schema":
        return None
    schema: dict[str, Any] = wanted["json_schema"]["schema"]
    return schema


def answer(model: FoundationModel, _body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    calls = [block for block in reply.blocks if block.kind == "tool"]
    if calls:
        message["tool_calls"] = [_call(block) for block in calls]
    thoughts = "".join(block.text for block in reply.blocks if block.kind == "reasoning")
    if thoughts:
        message["reasoning_content"] = thoughts
    choice = {"index": 0, "message": message} | _reasons(reply.end)
    return _envelope(model, "chat.completion", [choice]) | {"usage": _usage(reply.end)}


def stream(
    model: FoundationModel, _body: dict[str, Any], _input_tokens: int, events: Iterator[Event]
) -> Iterator[dict[str, Any]]:
    """The chunks of a reply while it is decoded."""
    envelope = _envelope(model, "chat.completion.chunk", [])
    reply = Reply()

    def chunk(delta: dict[str, Any], end: Finish | None = None) -> dict[str, Any]:
        reasons = _reasons(end) if end else {"finish_reason": None, "stop_reason": None}
        # Mistral's clients look for `message` where OpenAI's look for `delta`.
        return envelope | {"choices": [{"index": 0, "delta": delta, "message": delta} | reasons]}

    yield chunk({"role": "assistant", "content": ""})
    for event in events:
        reply.add(event)
        place = sum(block.kind == "tool" for block in reply.blocks) - 1
        match event:
            case TextDelta(text):
                yield chunk({"content": text})
            case ReasoningDelta(text):
                yield chunk({"reasoning_content": text})
            case ToolStart():
                yield chunk({"tool_calls": [_call(reply.blocks[-1]) | {"index": place}]})
            case ToolDelta(arguments):
                yield chunk({"tool_calls": [{"index": place, "function": {"arguments": arguments}}]})
            case Finish():
                yield chunk({}, event) | {"usage": _usage(event)}


def _envelope(model: FoundationModel, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": tool_use_id("chatcmpl-"),
        "object": kind,
        "created": int(time.time()),
        "model": model.model_id,
        "choices": choices,
    }


def _call(block: Block) -> dict[str, Any]:
    function = {"name": block.name, "arguments": block.text}
    return {"id": tool_use_id("call_"), "type": "function", "function": function}


def _reasons(finish: Finish) -> dict[str, str]:
    reason = _REASONS.get(finish.reason, "stop")
    return {"finish_reason": reason, "stop_reason": reason}


def _usage(finish: Finish) -> dict[str, int]:
    return {
        "prompt_tokens": finish.input_tokens,
        "completion_tokens": finish.output_tokens,
        "total_tokens": finish.input_tokens + finish.output_tokens,
    }
