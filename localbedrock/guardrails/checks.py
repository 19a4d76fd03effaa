"""InvokeGuardrailChecks: single checks, without a guardrail. They say how surely, and do nothing about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from localbedrock.context import Context, Handler
from localbedrock.embeddings import Embedder
from localbedrock.errors import validation
from localbedrock.guardrails import content_filters, pii
from localbedrock.guardrails.engine import TEXT_UNIT

MOST_ENTITIES = 1_000
"""So many entities are answered, then ``truncated`` is true. AWS has a limit too and does not document it."""

_Message = Mapping[str, Any]


def invoke_guardrail_checks(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Scores of the wanted checks alone, over all messages of whatever role.

    A category's ``severityScore`` is that of its highest text, with two decimals; entities say in which
    message and block they stand, with offsets in code points. Each check counts the text units of all texts.
    ValidationException when no check is asked for or a block has no text.
    """
    checks: Mapping[str, Any] = params["checks"]
    if not checks:
        raise validation(
            "At least one check must be specified: contentFilter, promptAttack, sensitiveInformation."
        )
    messages: Sequence[_Message] = params["messages"]
    texts = list(_texts(messages))
    units = math.ceil(sum(len(text) for _, _, text in texts) / TEXT_UNIT)
    results = {name: _RUN[name](config, texts, ctx.models.embedder) for name, config in checks.items()}
    return {"results": results, "usage": {name: {"textUnits": units} for name in checks}}


_Texts = Sequence[tuple[int, int, str]]
"""Each text with its places: of the message, of the block in it."""


def _texts(messages: Sequence[_Message]) -> Iterator[tuple[int, int, str]]:
    for message_index, message in enumerate(messages):
        for content_index, block in enumerate(message["content"]):
            if not block.get("text"):
                raise validation("A content block to check must have a text of at least one character.")
            yield message_index, content_index, block["text"]


def _severities(config: Mapping[str, Any], texts: _Texts, embedder: Embedder) -> dict[str, Any]:
    wanted = dict.fromkeys(each["category"] for each in config["categories"])
    results = [
        {
            "category": category,
            "severityScore": max(
                round(content_filters.score(text, category, embedder), 2) for _, _, text in texts
            ),
        }
        for category in wanted
    ]
    return {"results": results}


def _entities(config: Mapping[str, Any], texts: _Texts, embedder: Embedder) -> dict[str, Any]:  # noqa: ARG001
    types = [each["type"] for each in config["entities"]]
    found = [
        {
            "type": entity.type,
            "confidenceScore": entity.confidence,
            "beginOffset": entity.start,
            "endOffset": entity.end,
            "messageIndex": message_index,
            "contentIndex": content_index,
        }
        for message_index, content_index, text in texts
        for entity in pii.find_entities(text, types)
    ]
    return {"results": found[:MOST_ENTITIES], "truncated": len(found) > MOST_ENTITIES}


_RUN: dict[str, Callable[[Mapping[str, Any], _Texts, Embedder], dict[str, Any]]] = {
    "contentFilter": _severities,
    "promptAttack": _severities,
    "sensitiveInformation": _entities,
}

HANDLERS: dict[str, Handler] = {"InvokeGuardrailChecks": invoke_guardrail_checks}
"""By operation."""
