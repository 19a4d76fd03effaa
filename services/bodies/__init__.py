"""The bodies of InvokeModel as they are sent: every model family has its own, and this package writes them.

`services.families` reads what comes back. Which format a model takes is told by its base model, so that an
inference profile has one too; a model whose base is not known has none, and its body is written by hand.
"""

from __future__ import annotations

import json
import re
from typing import Any

from services.bodies import formats
from services.bodies.check import GUARDRAIL_CONFIG, BodyProblem, check_body, read_body
from services.bodies.templates import last_question
from services.bodies.values import Ask, BodyError, BodyFormat, Json, merge, put
from services.capabilities import capabilities_of
from services.models import Model

__all__ = [
    "GUARDRAIL_CONFIG",
    "PLACEHOLDER",
    "Ask",
    "BodyError",
    "BodyFormat",
    "BodyProblem",
    "body_text",
    "build",
    "check_body",
    "edited",
    "format_of",
    "has_placeholder",
    "template_of",
]

PLACEHOLDER = "{{prompt}}"
"""Stands in an edited body for the prompt that is typed."""

_FORMATS: tuple[tuple[re.Pattern[str], BodyFormat], ...] = tuple(
    (re.compile(pattern), fmt)
    for pattern, fmt in (
        (r"anthropic\.claude", formats.CLAUDE),
        (r"amazon\.nova-(micro|lite|pro|premier|2-(lite|pro|omni))", formats.NOVA),
        (r"amazon\.titan-(text|tg1)", formats.TITAN),
        (r"meta\.llama2", formats.LLAMA2),
        (r"meta\.llama3", formats.LLAMA3),
        (r"meta\.llama4", formats.LLAMA4),
        (r"mistral\.(mistral-7b|mixtral|mistral-small-2402)", formats.MISTRAL),
        (r"mistral\.", formats.CHAT),
        (r"cohere\.command-r", formats.COMMAND_R),
        (r"cohere\.command-(text|light)", formats.COMMAND),
        (r"ai21\.jamba", formats.JAMBA),
        (r"openai\.gpt", formats.OPENAI),
        (r"(local|qwen|deepseek\.v3|writer\.palmyra-x)\b", formats.CHAT),
    )
)


def format_of(model: Model) -> BodyFormat | None:
    """The body format of a model; None where it is not known, and for what is no chat model."""
    base = model.base_model_id
    if capabilities_of(base).converse is False:
        return None
    return next((fmt for pattern, fmt in _FORMATS if pattern.match(base)), None)


def build(fmt: BodyFormat, ask: Ask) -> Json:
    """The body that says `ask`. Only what is given is in it. BodyError for content the format has not."""
    body = fmt.write(ask)
    stops = {"stopSequences": list(ask.stop_sequences)} if ask.stop_sequences else {}
    for name, value in {**ask.parameters, **stops}.items():
        if path := fmt.parameters.get(name):
            put(body, path, value)
    merge(body, ask.additional)
    return body


def edited(text: str, prompt: str) -> Json:
    """The body in an edited text, with the typed prompt where its placeholder stands, escaped as JSON.

    BodyError with the place in the text where it is not one JSON object, whatever the prompt.
    """
    read_body(text)
    return read_body(text.replace(PLACEHOLDER, json.dumps(prompt)[1:-1]))


def has_placeholder(text: str) -> bool:
    """Whether the typed prompt goes into this edited body."""
    return PLACEHOLDER in text


def body_text(body: Json) -> str:
    """A body as the text that is edited."""
    return json.dumps(body, indent=2, ensure_ascii=False)


def template_of(body: Any) -> tuple[str, str]:
    """A body that was sent, as a text to edit, and the typed prompt whose place the placeholder takes in it.

    A body in which no prompt is found stays as it is, and the prompt is "".
    """
    if not isinstance(body, dict):
        return "", ""
    for name in ("prompt", "inputText", "message"):
        if isinstance(text := body.get(name), str):
            start, end = last_question(text)
            return body_text({**body, name: text[:start] + PLACEHOLDER + text[end:]}), text[start:end]
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if isinstance(last, dict):
        content = last.get("content")
        if isinstance(content, str):
            return body_text(_with_last(body, PLACEHOLDER)), content
        if isinstance(content, list):
            for at in reversed(range(len(content))):
                block = content[at]
                if isinstance(block, dict) and isinstance(block.get("text"), str):
                    blocks = [*content[:at], {**block, "text": PLACEHOLDER}, *content[at + 1 :]]
                    return body_text(_with_last(body, blocks)), block["text"]
    return body_text(body), ""


def _with_last(body: Json, content: Any) -> Json:
    *before, last = body["messages"]
    return {**body, "messages": [*before, {**last, "content": content}]}
