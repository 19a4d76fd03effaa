"""Cohere Command: a prompt in, `generations` out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.runtime.bodies import Field, check
from localbedrock.runtime.families import prompts
from localbedrock.text.engine import ChatRequest, Event, Finish, FinishReason, Reply, TextDelta

_FIELDS = {
    "prompt": Field(str, required=True),
    "max_tokens": Field(int, minimum=1, maximum=4096),
    "temperature": Field(float, minimum=0, maximum=5),
    "p": Field(float, minimum=0, maximum=1),
    "k": Field(int, minimum=0, maximum=500),
    "stop_sequences": Field(list, most=4),
    "return_likelihoods": Field(str, choices=("NONE",)),
    "stream": Field(bool),
    "num_generations": Field(int, minimum=1, maximum=1),
    "truncate": Field(str, choices=("NONE", "START", "END")),
}
_DEFAULT_TOKENS = 20
REASONS: dict[FinishReason, str] = {
    "max_tokens": "MAX_TOKENS",
    "context_window": "MAX_TOKENS",
    "stop_sequence": "STOP_SEQUENCE",
    "content_filtered": "ERROR_TOXIC",
}


def parse(_model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    check(body, _FIELDS)
    return replace(
        prompts.plain(body["prompt"]),
        max_tokens=body.get("max_tokens") or _DEFAULT_TOKENS,
        temperature=body.get("temperature"),
        top_p=body.get("p"),
        top_k=body.get("k"),
        stop=tuple(body.get("stop_sequences") or ()),
    )


def answer(_model: FoundationModel, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    generation = {"id": str(uuid.uuid4()), "text": reply.text, "finish_reason": reason(reply.end)}
    return {"id": str(uuid.uuid4()), "generations": [generation], "prompt": body["prompt"]}


def stream(
    _model: FoundationModel, body: dict[str, Any], _input_tokens: int, events: Iterator[Event]
) -> Iterator[dict[str, Any]]:
    """The chunks of a reply while it is decoded."""
    reply = Reply()
    for event in events:
        reply.add(event)
        if isinstance(event, TextDelta):
            yield {"text": event.text, "is_finished": False}
        elif isinstance(event, Finish):
            whole = answer(_model, body, reply)
            yield {"is_finished": True, "finish_reason": reason(event), "response": whole}


def reason(finish: Finish) -> str:
    """Cohere's name for the end of a reply."""
    return REASONS.get(finish.reason, "COMPLETE")
