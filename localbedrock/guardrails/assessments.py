"""What the policies found, as AWS's GuardrailAssessment has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from localbedrock.guardrails.values import Action, Found

_LISTS = {
    "topicPolicy": ("topics",),
    "contentPolicy": ("filters",),
    "wordPolicy": ("customWords", "managedWordLists"),
    "sensitiveInformationPolicy": ("piiEntities", "regexes"),
    "contextualGroundingPolicy": ("filters",),
}
"""The lists of every policy's assessment, in AWS's order."""

_OF_THE_WHOLE = {"topicPolicy": "name", "contentPolicy": "type"}
"""Policies that speak of a text as a whole, and what names their items: each is told once."""

_CONFIDENCE = ("NONE", "LOW", "MEDIUM", "HIGH")


def assessment_of(founds: Iterable[tuple[str, Found]], *, full: bool) -> dict[str, Any]:
    """An assessment from what was found in all texts, each with the name of its policy.

    Without ``full`` only what was detected is told, and of grounding every score, as AWS does. A policy with
    nothing to tell is left out; else each of its lists is there, as the service model has it.
    """
    by_policy: dict[str, list[Found]] = {name: [] for name in _LISTS}
    for policy, found in founds:
        by_policy[policy].append(found)
    assessment = {}
    for policy, lists in _LISTS.items():
        told = _merged(by_policy[policy], _OF_THE_WHOLE.get(policy))
        if not full and policy != "contextualGroundingPolicy":
            told = [each for each in told if _is_detected(each)]
        if told:
            assessment[policy] = {
                name: [dict(each.item) for each in told if each.group == name] for name in lists
            }
    return assessment


def is_done(founds: Iterable[tuple[str, Found]], action: Action) -> bool:
    """Whether that is done about anything that was found."""
    return any(found.action == action for _, found in founds)


def _is_detected(found: Found) -> bool:
    return found.action != "NONE" or bool(found.item.get("detected"))


def _merged(founds: Sequence[Found], name: str | None) -> list[Found]:
    """The strongest finding for each ``name``; without one every match, and what matched nowhere once."""
    strongest: dict[object, Found] = {}
    for place, each in enumerate(founds):
        key = each.item[name] if name else (place if _is_detected(each) else _kind(each))
        if key not in strongest or _strength(each) > _strength(strongest[key]):
            strongest[key] = each
    if name:
        return list(strongest.values())
    matched = {_kind(each) for each in founds if _is_detected(each)}
    return [each for each in strongest.values() if _is_detected(each) or _kind(each) not in matched]


def _kind(found: Found) -> tuple[str, str]:
    """What was looked for: a PII type, a regex, a filter."""
    return found.group, str(found.item.get("name") or found.item.get("type"))


def _strength(found: Found) -> tuple[bool, bool, int]:
    confidence = str(found.item.get("confidence", "NONE"))
    return found.action != "NONE", _is_detected(found), _CONFIDENCE.index(confidence)
