"""What an item of a policy does on a side: for what a user said (INPUT) and what a model said (OUTPUT)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localbedrock.guardrails.values import Action, Source

_DONE: dict[str, Action] = {"BLOCK": "BLOCKED", "ANONYMIZE": "ANONYMIZED", "NONE": "NONE"}


def is_enabled(item: Mapping[str, Any], source: Source) -> bool:
    """Whether the item is looked for on this side at all."""
    return bool(item.get("enabled", item.get("inputEnabled" if source == "INPUT" else "outputEnabled", True)))


def enabled_part(policy: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """A policy of GetGuardrail with the items alone that are looked for on this side; {} if none is."""
    part = {
        name: [item for item in items if is_enabled(item, source)]
        for name, items in policy.items()
        if isinstance(items, list)
    }
    return {**policy, **part} if any(part.values()) else {}


def action_of(item: Mapping[str, Any], source: Source) -> Action:
    """What is done on this side when the item is found."""
    own = item.get("inputAction" if source == "INPUT" else "outputAction")
    return _DONE[own or item.get("action") or "BLOCK"]
