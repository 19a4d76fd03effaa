"""Meta Llama: a prompt with template tokens in, `generation` out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.runtime.bodies import Field, check
from localbedrock.runtime.families import prompts
from localbedrock.text.engine import ChatRequest, Event, Finish, Reply, TextDelta

_DEFAULT_TOKENS = 512


def parse(model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    fields = {
        "prompt": Field(str, required=True),
        "max_gen_len": Field(int, minimum=1, maximum=model.accepts_max_tokens),
        "temperature": Field(float, minimum=0, maximum=1),
        "top_p": Field(float, minimum=0, maximum=1),
    }
    check(body, fields)
    return replace(
        prompts.llama(body["prompt"]),
        max_tokens=body.get("max_gen_len") or _DEFAULT_TOKENS,
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
    )


def answer(_model: FoundationModel, _body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    return _body_of(reply.text, reply.end.input_tokens, reply.end.output_tokens, _reason(reply.end))


def stream(
    _model: FoundationModel, _body: dict[str, Any], input_tokens: int, events: Iterator[Event]
) -> Iterator[dict[str, Any]]:
    """One chunk per token, counted as it goes; only the first tells the size of the prompt."""
    count = 0
    for event in events:
        if isinstance(event, TextDelta):
            count += 1
            yield _body_of(event.text, input_tokens if count == 1 else None, count, None)
        elif isinstance(event, Finish):
            yield _body_of("", None if count else input_tokens, event.output_tokens, _reason(event))


def _body_of(text: str, input_tokens: int | None, output_tokens: int, reason: str | None) -> dict[str, Any]:
    return {
        "generation": text,
        "prompt_token_count": input_tokens,
        "generation_token_count": output_tokens,
        "stop_reason": reason,
    }


def _reason(finish: Finish) -> str:
    return "length" if finish.reason in {"max_tokens", "context_window"} else "stop"
