"""Guardrails on Converse and ConverseStream: what is guarded of a request, and the trace of an answer.

Where messages hold ``guardContent`` only that is guarded of them, else their texts, of all turns. Of the
system prompt only ``guardContent`` is. Tool results and documents are not.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.guardrails.guarded import Guard, guard_for
from localbedrock.guardrails.streams import Mode
from localbedrock.guardrails.values import Content


def begin(ctx: Context, params: dict[str, Any]) -> tuple[Guard | None, dict[str, Any]]:
    """The guardrail of a request, its input checked, and the request as the model is to see it."""
    config = params.get("guardrailConfig", {})
    if not config.get("guardrailIdentifier"):
        return None, params
    if not config.get("guardrailVersion"):
        raise validation("A guardrail needs its version. Add guardrailVersion, and retry your request.")
    guard = guard_for(
        ctx, config["guardrailIdentifier"], config["guardrailVersion"], config.get("trace", "disabled")
    )
    params = copy.deepcopy(params)
    blocks = list(_guarded(params))
    masked = guard.check_input([_content(block) for block in blocks])
    for block, text in zip(blocks, masked, strict=True):
        _put(block, text)
    return guard, params


def mode(params: dict[str, Any]) -> Mode:
    """How the stream is processed: ``sync`` unless the request says otherwise."""
    wanted = params.get("guardrailConfig", {}).get("streamProcessingMode")
    return "async" if wanted == "async" else "sync"


def trace(guard: Guard, model_output: str) -> dict[str, Any]:
    """The answer's ``trace``, {} where none is wanted. ``model_output`` is what the model said, if it did."""
    if guard.trace == "disabled":
        return {}
    found: dict[str, Any] = {"modelOutput": [model_output]} if model_output else {}
    before, after = guard.assessments()
    if before is not None:
        found["inputAssessment"] = {guard.id: before}
    if after is not None:
        found["outputAssessments"] = {guard.id: [after]}
    return {"trace": {"guardrail": found | {"actionReason": guard.reason}}}


def _guarded(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (block for block in params.get("system", []) if _is_guard_content(block))
    blocks = [block for message in params.get("messages", []) for block in message["content"]]
    marked = [block for block in blocks if _is_guard_content(block)]
    yield from marked or [block for block in blocks if "text" in block]


def _is_guard_content(block: dict[str, Any]) -> bool:
    return "text" in block.get("guardContent", {})


def _content(block: dict[str, Any]) -> Content:
    if "text" in block:
        return Content(block["text"], frozenset({"guard_content"}))
    marked = block["guardContent"]["text"]
    return Content(marked["text"], frozenset(marked.get("qualifiers") or {"guard_content"}))


def _put(block: dict[str, Any], text: str) -> None:
    if "text" in block:
        block["text"] = text
    else:
        block["guardContent"]["text"]["text"] = text
