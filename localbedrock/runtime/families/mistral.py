"""Mistral AI: a `[INST]` prompt in and `outputs` out, or, for the larger models, chat messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.runtime.bodies import Field, check
from localbedrock.runtime.families import chat, prompts
from localbedrock.text.engine import ChatRequest, Event, Finish, Reply, TextDelta

_DEFAULT_TOKENS = 512


def parse(model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    if "messages" in body and "system" in model.features:
        return chat.parse(model, body)
    fields = {
        "prompt": Field(str, required=True),
        "max_tokens": Field(int, minimum=1, maximum=model.accepts_max_tokens),
        "stop": Field(list, most=10),
        "temperature": Field(float, minimum=0, maximum=1),
        "top_p": Field(float, minimum=0, maximum=1),
        "top_k": Field(int, minimum=0, maximum=200),
    }
    check(body, fields)
    return replace(
        prompts.instructions(body["prompt"]),
        max_tokens=body.get("max_tokens") or _DEFAULT_TOKENS,
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        stop=tuple(body.get("stop") or ()),
    )


def answer(model: FoundationModel, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    if "messages" in body:
        return chat.answer(model, body, reply)
    return _outputs(reply.text, _reason(reply.end))


def stream(
    model: FoundationModel, body: dict[str, Any], input_tokens: int, events: Iterator[Event]
) -> Iterator[dict[str, Any]]:
    """The chunks of a reply while it is decoded."""
    if "messages" in body:
        yield from chat.stream(model, body, input_tokens, events)
        return
    for event in events:
        if isinstance(event, TextDelta):
            yield _outputs(event.text, None)
        elif isinstance(event, Finish):
            yield _outputs("", _reason(event))


def _outputs(text: str, reason: str | None) -> dict[str, Any]:
    return {"outputs": [{"text": text, "stop_reason": reason}]}


def _reason(finish: Finish) -> str:
    return "length" if finish.reason in {"max_tokens", "context_window"} else "stop"
