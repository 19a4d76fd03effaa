"""Converse's messages in the shapes of the families that take messages, or as plain turns for the others."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from services.bodies.values import BodyError, Json


def claude_messages(messages: Iterable[Json]) -> list[Json]:
    """For Claude: blocks with a `type`."""
    return [{"role": message["role"], "content": claude_blocks(message["content"])} for message in messages]


def claude_blocks(blocks: Iterable[Json]) -> list[Json]:
    """Content blocks for Claude. A cache point marks the block before it."""
    out: list[Json] = []
    for block in blocks:
        if "cachePoint" in block:
            if out:
                ttl = block["cachePoint"].get("ttl")
                out[-1]["cache_control"] = {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
        else:
            out.append(_claude_block(block))
    return out


def _claude_block(block: Json) -> Json:
    match block:
        case {"text": str(text)}:
            return {"type": "text", "text": text}
        case {"image": {"format": kind, "source": {"bytes": bytes(data)}}}:
            return {"type": "image", "source": _base64(f"image/{kind}", data)}
        case {"document": {"format": "pdf", "source": {"bytes": bytes(data)}, **rest}}:
            source = _base64("application/pdf", data)
            return {"type": "document", "source": source, "title": rest.get("name", "document")}
        case {"toolUse": {"toolUseId": str(id_), "name": str(name), **rest}}:
            return {"type": "tool_use", "id": id_, "name": name, "input": rest.get("input", {})}
        case {"toolResult": {"toolUseId": str(id_), "content": [*content], **rest}}:
            failed = {"is_error": True} if rest.get("status") == "error" else {}
            text = "\n".join(part.get("text", json.dumps(part.get("json", part))) for part in content)
            return {"type": "tool_result", "tool_use_id": id_, "content": text, **failed}
        case {"reasoningContent": {"reasoningText": dict(reasoning)}}:
            signature = reasoning.get("signature", "")
            return {"type": "thinking", "thinking": reasoning.get("text", ""), "signature": signature}
        case {"reasoningContent": {"redactedContent": bytes(data)}}:
            return {"type": "redacted_thinking", "data": data.decode()}
        case {"citationsContent": {"content": [*parts]}}:
            return {"type": "text", "text": "".join(part.get("text", "") for part in parts)}
        case _:
            raise _not_taken(block, "Claude's Messages")


def _base64(media_type: str, data: bytes) -> Json:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}


def nova_messages(messages: Iterable[Json]) -> list[Json]:
    """For Nova: Converse's own shapes, with bytes in base64. Nova does not take its reasoning back."""
    return [
        {
            "role": message["role"],
            "content": [_plain(b) for b in message["content"] if "reasoningContent" not in b],
        }
        for message in messages
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def chat_messages(system: str, messages: Iterable[Json], format_name: str) -> list[Json]:
    """For chat completions: the system prompt is the first message; content is text, or parts with images."""
    out: list[Json] = [{"role": "system", "content": system}] if system else []
    for message in messages:
        parts = [part for block in message["content"] if (part := _chat_part(block, format_name))]
        words = [part["text"] for part in parts if part["type"] == "text"]
        only_words = len(words) == len(parts)
        out.append({"role": message["role"], "content": "\n\n".join(words) if only_words else parts})
    return out


def _chat_part(block: Json, format_name: str) -> Json | None:
    match block:
        case {"image": {"format": kind, "source": {"bytes": bytes(data)}}}:
            url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
            return {"type": "image_url", "image_url": {"url": url}}
        case _:
            text = _words(block, format_name)
            return {"type": "text", "text": text} if text else None


def turns(messages: Iterable[Json], format_name: str) -> list[tuple[str, str]]:
    """(role, text) of each message, for families that take text alone."""
    return [
        (
            message["role"],
            "\n\n".join(text for block in message["content"] if (text := _words(block, format_name))),
        )
        for message in messages
    ]


def _words(block: Json, format_name: str) -> str:
    """The text of a block; "" for what a model does not read again: its reasoning, cache points."""
    match block:
        case {"text": str(text)}:
            return text
        case {"citationsContent": {"content": [*parts]}}:
            return "".join(part.get("text", "") for part in parts)
        case {"reasoningContent": _} | {"cachePoint": _}:
            return ""
        case _:
            raise _not_taken(block, format_name)


def words(blocks: Sequence[Json]) -> str:
    """The text of system blocks."""
    return "\n\n".join(block["text"] for block in blocks if block.get("text", "").strip())


def _not_taken(block: Json, format_name: str) -> BodyError:
    kind = next(iter(block), "block")
    return BodyError(
        f"The conversation holds a {kind} block, which is not written in a {format_name} body here."
    )
