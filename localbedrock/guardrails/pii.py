"""Personal data (sensitiveInformationPolicy.piiEntities)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.personal_data import Entity, find_entities
from localbedrock.guardrails.values import Found, Source

__all__ = ["Entity", "assess", "find_entities"]

ACTIONS = {"BLOCK": "BLOCKED", "ANONYMIZE": "ANONYMIZED", "NONE": "NONE"}
"""What is configured, as an assessment words it."""


def assess(policy: Mapping[str, Any], text: str, source: Source, embedder: Embedder) -> list[Found]:  # noqa: ARG001
    """Every type of the policy with every match in the text, in the text's order; then the types that were
    looked for and not found. A type that is disabled for the side is not looked for, as on AWS.
    """
    side = source.lower()
    actions = {
        entity["type"]: ACTIONS[entity.get(f"{side}Action") or entity["action"]]
        for entity in policy.get("piiEntities", ())
        if entity.get(f"{side}Enabled", True)
    }
    entities = find_entities(text, actions)
    found = [
        Found(
            "piiEntities",
            _item(text[entity.start : entity.end], entity.type, actions[entity.type], detected=True),
            entity.start,
            entity.end,
            f"{{{entity.type}}}",
        )
        for entity in entities
    ]
    missing = [kind for kind in actions if kind not in {entity.type for entity in entities}]
    return found + [Found("piiEntities", _item("", kind, "NONE", detected=False)) for kind in missing]


def _item(match: str, kind: str, action: str, *, detected: bool) -> dict[str, Any]:
    return {"match": match, "type": kind, "action": action, "detected": detected}
