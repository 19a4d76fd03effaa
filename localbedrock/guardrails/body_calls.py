"""Guardrails on InvokeModel and its stream: members of the body in and out, whichever family it is.

Without tags the whole prompt is guarded. With ``tagSuffix`` in ``amazon-bedrock-guardrailConfig`` only what
stands between ``<amazon-bedrock-guardrails-guardContent_suffix>`` and its end is; the tags never reach the
model.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.guardrails.guarded import Guard, guard_for
from localbedrock.guardrails.streams import Mode
from localbedrock.guardrails.values import Content
from localbedrock.text.engine import ChatRequest, Part, Text

CONFIG = "amazon-bedrock-guardrailConfig"
_ACTION = "amazon-bedrock-guardrailAction"
_TRACE = "amazon-bedrock-trace"
_SUFFIX = re.compile(r"[A-Za-z0-9]{1,20}")


def take_config(params: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Takes the guardrail's configuration out of the body; AwsError where there is no guardrail for it."""
    config = body.pop(CONFIG, None)
    identifier, version = params.get("guardrailIdentifier"), params.get("guardrailVersion")
    if identifier and not version:
        raise validation("A guardrail needs its version. Add guardrailVersion, and retry your request.")
    if config is None:
        return {}
    if not identifier:
        raise validation(f"{CONFIG} needs a guardrail: add guardrailIdentifier and guardrailVersion.")
    if not isinstance(config, dict):
        raise validation(f"{CONFIG} must be an object.")
    suffix, mode = config.get("tagSuffix"), config.get("streamProcessingMode", "SYNCHRONOUS")
    if suffix is not None and not (isinstance(suffix, str) and _SUFFIX.fullmatch(suffix)):
        raise validation("The tagSuffix of a guardrail must have 1 to 20 letters and digits.")
    if mode not in {"SYNCHRONOUS", "ASYNCHRONOUS"}:
        raise validation("The streamProcessingMode of a guardrail must be SYNCHRONOUS or ASYNCHRONOUS.")
    return config


def begin(
    ctx: Context, params: dict[str, Any], config: dict[str, Any], request: ChatRequest
) -> tuple[Guard | None, ChatRequest]:
    """The guardrail of a call, its input checked, and the request as the model is to see it."""
    if not params.get("guardrailIdentifier"):
        return None, request
    guard = guard_for(
        ctx, params["guardrailIdentifier"], params["guardrailVersion"], params.get("trace", "disabled")
    )
    prompt = _Prompt(request, config.get("tagSuffix"))
    masked = guard.check_input([Content(text) for text in prompt.guarded])
    return guard, prompt.filled(list(masked))


def mode(config: dict[str, Any]) -> Mode:
    """How the stream is processed."""
    return "async" if config.get("streamProcessingMode") == "ASYNCHRONOUS" else "sync"


def action(guard: Guard) -> dict[str, Any]:
    """The member that every body of a guarded call has."""
    return {_ACTION: "INTERVENED" if guard.intervened else "NONE"}


def trace(guard: Guard, model_output: str) -> dict[str, Any]:
    """The member that tells what was found, {} where it is not wanted."""
    if guard.trace == "disabled":
        return {}
    found: dict[str, Any] = {"modelOutput": [model_output]} if model_output else {}
    before, after = guard.assessments()
    if before is not None:
        found["input"] = {guard.id: before}
    if after is not None:
        found["outputs"] = [{guard.id: after}]
    return {_TRACE: {"guardrail": found | {"actionReason": guard.reason}}}


class _Prompt:
    """A request whose texts are in pieces: those at odd places are guarded."""

    def __init__(self, request: ChatRequest, suffix: str | None) -> None:
        self._request = request
        tag = re.compile(rf"<(amazon-bedrock-guardrails-guardContent_{suffix})>(?P<text>.*?)</\1>", re.DOTALL)
        texts = [request.system] + [
            part.text for message in request.messages for part in message.parts if isinstance(part, Text)
        ]
        tagged = suffix is not None and any(tag.search(text) for text in texts)
        self._pieces = [_split(tag, text) if tagged else ["", text, ""] for text in texts]

    @property
    def guarded(self) -> list[str]:
        return [text for pieces in self._pieces for text in pieces[1::2] if text]

    def filled(self, masked: list[str]) -> ChatRequest:
        """The request with other texts in place of the guarded ones, without tags."""
        rest = iter(masked)
        texts = iter(
            [
                "".join(next(rest) if place % 2 and text else text for place, text in enumerate(pieces))
                for pieces in self._pieces
            ]
        )
        system = next(texts)

        def part(old: Part) -> Part:
            return Text(next(texts)) if isinstance(old, Text) else old

        messages = tuple(
            replace(message, parts=tuple(part(old) for old in message.parts))
            for message in self._request.messages
        )
        return replace(self._request, system=system, messages=messages)


def _split(tag: re.Pattern[str], text: str) -> list[str]:
    pieces, end = [], 0
    for found in tag.finditer(text):
        pieces += [text[end : found.start()], found["text"]]
        end = found.end()
    return [*pieces, text[end:]]
