"""AI21 Jamba: chat completions with `documents`, and AI21's bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.runtime.bodies import Field, check
from localbedrock.runtime.families import chat
from localbedrock.text.engine import ChatRequest, Event, Reply

_FIELDS = {
    "messages": Field(list, required=True),
    "documents": Field(list),
    "max_tokens": Field(int, minimum=1, maximum=4096),
    "temperature": Field(float, minimum=0, maximum=2),
    "top_p": Field(float, minimum=0.01, maximum=1),
    "stop": Field(),
    "n": Field(int, minimum=1, maximum=1),
    "tools": Field(list),
    "response_format": Field(dict),
    "frequency_penalty": Field(float),
    "presence_penalty": Field(float),
}
_PASSED_ON = ("max_tokens", "temperature", "top_p", "stop", "tools", "response_format")


def parse(model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    check(body, _FIELDS)
    documents = [
        {"role": "system", "content": f"<document>\n{json.dumps(document)}\n</document>"}
        for document in body.get("documents") or ()
    ]
    passed_on = {name: body[name] for name in _PASSED_ON if name in body}
    return chat.parse(model, {"messages": documents + body["messages"]} | passed_on)


def answer(model: FoundationModel, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    return chat.answer(model, body, reply)


def stream(
    model: FoundationModel, body: dict[str, Any], input_tokens: int, events: Iterator[Event]
) -> Iterator[dict[str, Any]]:
    """The chunks of a reply while it is decoded."""
    return chat.stream(model, body, input_tokens, events)
