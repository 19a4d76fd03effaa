"""Amazon Titan Text: `inputText` in, `results` out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.runtime.bodies import Field, check
from localbedrock.runtime.families import prompts
from localbedrock.text.engine import ChatRequest, Event, Finish, FinishReason, Reply, TextDelta

_FIELDS = {"inputText": Field(str, required=True), "textGenerationConfig": Field(dict)}
_CONFIG = {
    "maxTokenCount": Field(int, minimum=0, maximum=8192),
    "stopSequences": Field(list),
    "temperature": Field(float, minimum=0, maximum=1),
    "topP": Field(float, minimum=0, maximum=1),
}
_DEFAULT_TOKENS = 512
_REASONS: dict[FinishReason, str] = {
    "max_tokens": "LENGTH",
    "context_window": "LENGTH",
    "stop_sequence": "STOP_CRITERIA_MET",
    "content_filtered": "CONTENT_FILTERED",
}


def parse(_model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    check(body, _FIELDS)
    config = body.get("textGenerationConfig") or {}
    check(config, _CONFIG, "#/textGenerationConfig")
    return replace(
        prompts.titan(body["inputText"]),
        max_tokens=config.get("maxTokenCount") or _DEFAULT_TOKENS,
        temperature=config.get("temperature"),
        top_p=config.get("topP"),
        stop=tuple(config.get("stopSequences") or ()),
    )


def answer(_model: FoundationModel, _body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    result = {
        "tokenCount": reply.end.output_tokens,
        "outputText": reply.text,
        "completionReason": _reason(reply.end),
    }
    return {"inputTextTokenCount": reply.end.input_tokens, "results": [result]}


def stream(
    _model: FoundationModel, _body: dict[str, Any], input_tokens: int, events: Iterator[Event]
) -> Iterator[dict[str, Any]]:
    """The chunks of a reply while it is decoded."""
    for event in events:
        if isinstance(event, TextDelta):
            yield _chunk(event.text, None, None, input_tokens)
        elif isinstance(event, Finish):
            yield _chunk("", event.output_tokens, _reason(event), event.input_tokens)


def _chunk(text: str, output_tokens: int | None, reason: str | None, input_tokens: int) -> dict[str, Any]:
    return {
        "outputText": text,
        "index": 0,
        "totalOutputTextTokenCount": output_tokens,
        "completionReason": reason,
        "inputTextTokenCount": input_tokens,
    }


def _reason(finish: Finish) -> str:
    return _REASONS.get(finish.reason, "FINISH")
