"""Cohere Command R and R+: `message` and `chat_history` in, `text` and tool calls out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.runtime.blocks import arguments_of
from localbedrock.runtime.bodies import Field, check
from localbedrock.runtime.families.command import reason
from localbedrock.text.engine import (
    ChatRequest,
    Event,
    Finish,
    Message,
    Part,
    Reply,
    Role,
    Text,
    TextDelta,
    Tool,
    ToolResult,
)

_FIELDS = {
    "message": Field(str, required=True),
    "chat_history": Field(list),
    "documents": Field(list),
    "preamble": Field(str),
    "max_tokens": Field(int, minimum=1, maximum=4000),
    "temperature": Field(float, minimum=0, maximum=1),
    "p": Field(float, minimum=0.01, maximum=0.99),
    "k": Field(int, minimum=0, maximum=500),
    "seed": Field(int),
    "stop_sequences": Field(list, most=5),
    "tools": Field(list),
    "tool_results": Field(list),
    "prompt_truncation": Field(str, choices=("OFF", "AUTO_PRESERVE_ORDER")),
    "return_prompt": Field(bool),
}
_ROLES: dict[str, Role] = {"USER": "user", "CHATBOT": "assistant"}
_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
"""Cohere names the types of parameters as Python does."""


def parse(_model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    check(body, _FIELDS)
    history = body.get("chat_history") or []
    system = [body.get("preamble") or ""]
    system += [turn["message"] for turn in history if turn["role"] == "SYSTEM"]
    messages = [
        Message(_ROLES[turn["role"]], (Text(turn["message"]),))
        for turn in history
        if turn["role"] != "SYSTEM"
    ]
    messages.append(Message("user", _question(body)))
    return ChatRequest(
        messages=tuple(messages),
        system="\n\n".join(text for text in system if text),
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("p"),
        top_k=body.get("k"),
        seed=body.get("seed"),
        stop=tuple(body.get("stop_sequences") or ()),
        tools=tuple(map(_tool, body.get("tools") or ())),
    )


def _question(body: dict[str, Any]) -> tuple[Part, ...]:
    documents = [Text(f"<document>\n{json.dumps(one)}\n</document>") for one in body.get("documents") or ()]
    results = [
        ToolResult("", json.dumps(output))
        for result in body.get("tool_results") or ()
        for output in result["outputs"]
    ]
    question = [Text(body["message"])] if body["message"] else []
    return (*documents, *results, *question)


def _tool(tool: dict[str, Any]) -> Tool:
    parameters = tool.get("parameter_definitions") or {}
    properties = {
        name: {"description": one.get("description", "")} | _type(str(one["type"]))
        for name, one in parameters.items()
    }
    required = [name for name, one in parameters.items() if one.get("required")]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Tool(tool["name"], tool.get("description", ""), schema)


def _type(name: str) -> dict[str, Any]:
    """``List[str]`` and the like: the outer type is enough to keep the call well formed."""
    known = _TYPES.get(name.partition("[")[0].lower())
    return {"type": known} if known else {}


def answer(_model: FoundationModel, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    history = [*(body.get("chat_history") or ()), {"role": "USER", "message": body["message"]}]
    if reply.text:
        history.append({"role": "CHATBOT", "message": reply.text})
    whole: dict[str, Any] = {
        "response_id": str(uuid.uuid4()),
        "text": reply.text,
        "generation_id": str(uuid.uuid4()),
        "chat_history": history,
        "finish_reason": reason(reply.end),
    }
    if calls := _calls(reply):
        whole["tool_calls"] = calls
    return whole


def stream(
    model: FoundationModel, body: dict[str, Any], _input_tokens: int, events: Iterator[Event]
) -> Iterator[dict[str, Any]]:
    """The chunks of a reply while it is decoded."""
    reply = Reply()
    for event in events:
        reply.add(event)
        if isinstance(event, TextDelta):
            yield {"is_finished": False, "event_type": "text-generation", "text": event.text}
        elif isinstance(event, Finish):
            if calls := _calls(reply):
                yield {"is_finished": False, "event_type": "tool-calls-generation", "tool_calls": calls}
            end = {"is_finished": True, "event_type": "stream-end", "finish_reason": reason(event)}
            yield end | {"response": answer(model, body, reply)}


def _calls(reply: Reply) -> list[dict[str, Any]]:
    calls = ((block.name, arguments_of(block)) for block in reply.blocks if block.kind == "tool")
    return [{"name": name, "parameters": arguments} for name, arguments in calls if arguments is not None]
