"""Hate, insults, sexual content, violence, misconduct and prompt attacks (contentPolicy).

A small classifier (:mod:`classifier`) and, for prompt attacks, known phrases (:mod:`attack_patterns`). It
catches what is said plainly in English. It knows nothing of context, irony, hints and other languages, where
AWS's models do; see docs/guardrails.md for how often it is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.guardrails import attack_patterns, classifier
from localbedrock.guardrails.plain_text import hidden, plain
from localbedrock.guardrails.sides import action_of, is_enabled
from localbedrock.guardrails.values import Found, Source

PROMPT_ATTACK = "PROMPT_ATTACK"
ATTACKS = ("JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE")
LEVELS = ("NONE", "LOW", "MEDIUM", "HIGH")

_LOW, _MEDIUM, _HIGH = 0.35, 0.55, 0.75
"""The least score for a confidence, chosen on tests/unit/localbedrock/content_cases.py."""
_PHRASE = 0.95
"""The score of a text with a phrase of a known attack."""
_BLOCKS = {"NONE": (), "LOW": ("HIGH",), "MEDIUM": ("MEDIUM", "HIGH"), "HIGH": ("LOW", "MEDIUM", "HIGH")}
"""Which confidences a strength blocks, as AWS documents it."""


def assess(policy: Mapping[str, Any], text: str, source: Source, embedder: Embedder) -> list[Found]:
    """Every filter of the policy that looks at this side, with its confidence.

    A prompt attack is looked for in what a user says alone. ``detected`` says that the strength covers
    the confidence; the action is BLOCKED where the filter then blocks. A confidence below that is told.
    """
    found = []
    for each in policy.get("filters", ()):
        kind, strength = each["type"], each[f"{source.lower()}Strength"]
        if not is_enabled(each, source) or (kind == PROMPT_ATTACK and source == "OUTPUT"):
            continue
        confidence = confidence_of(score(text, kind, embedder)) if strength != "NONE" else "NONE"
        over = confidence in _BLOCKS[strength]
        item = {
            "type": kind,
            "confidence": confidence,
            "filterStrength": strength,
            "action": action_of(each, source) if over else "NONE",
            "detected": over,
        }
        found.append(Found("filters", item))
    return found


def confidence_of(value: float) -> str:
    """A score from 0 to 1 as NONE, LOW, MEDIUM or HIGH."""
    return LEVELS[sum(value >= least for least in (_LOW, _MEDIUM, _HIGH))]


def score(text: str, category: str, embedder: Embedder) -> float:
    """How surely a text is of a category, from 0 to 1.

    ``category`` is one of the six of a content filter, or JAILBREAK, PROMPT_INJECTION or PROMPT_LEAKAGE;
    PROMPT_ATTACK is the highest of these three.
    """
    if category == PROMPT_ATTACK:
        return max(score(text, kind, embedder) for kind in ATTACKS)
    learned = classifier.probabilities(text, embedder)[category]
    if category not in ATTACKS:
        return learned
    seen = f"{plain(text)}\n{plain(hidden(text))}"
    return max(learned, _PHRASE) if attack_patterns.matches(seen, category) else learned
