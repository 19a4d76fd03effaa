"""The prompt of the local model: ChatML, as in the chat template of SmolLM2.

A prompt is a list of token ids (the control tokens) and strings (what people and models wrote). The
strings are tokenized as plain text, so a message that contains ``<|im_end|>`` stays a message.
"""

from __future__ import annotations

import json
from itertools import groupby

from localbedrock.text.engine import ChatRequest, Message, Text, ToolCall, ToolResult
from localbedrock.text.tools import CALL_OPEN, instructions

START = 1  # <|im_start|>
END = 2  # <|im_end|>
DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

Piece = int | str


def render(request: ChatRequest) -> list[Piece]:
    """The whole prompt, ready to be tokenized; it ends where the assistant's words are to begin."""
    pieces = _turn("system", _system(request))
    for role, messages in groupby(request.messages, key=lambda message: message.role):
        pieces += _turn(role, "\n\n".join(_content(message) for message in messages))
    if request.messages[-1].role == "assistant":
        return pieces[:-2]  # continue its last message
    return [*pieces, START, "assistant\n"]


def _turn(role: str, content: str) -> list[Piece]:
    return [START, f"{role}\n{content}", END, "\n"]


def _system(request: ChatRequest) -> str:
    parts = [request.system or DEFAULT_SYSTEM]
    if request.tools:
        parts.append(instructions(request.tools))
    if request.json_schema is not None:
        parts.append(f"Answer with JSON that follows this JSON Schema: {json.dumps(request.json_schema)}")
    return "\n\n".join(parts)


def _content(message: Message) -> str:
    texts = []
    for part in message.parts:
        match part:
            case Text(text):
                texts.append(text)
            case ToolCall(_, name, arguments):
                call = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
                texts.append(f"{CALL_OPEN}{call}</tool_call>")
            case ToolResult(_, text, failed):
                texts.append(f"<tool_response>{'Error: ' if failed else ''}{text}</tool_response>")
    return "\n".join(texts)
