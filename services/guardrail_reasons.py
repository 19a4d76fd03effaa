"""Why a guardrail decided as it did: each item of ApplyGuardrail's assessments, what acted first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.guardrail_highlights import Tone
from services.guardrail_results import result_of
from services.guardrail_traces import Finding
from services.runs import Run

Rank = Literal["acted", "near", "clear"]

UNIT_WORDS = {
    "topicPolicyUnits": "denied topics",
    "contentPolicyUnits": "content filters",
    "wordPolicyUnits": "words",
    "sensitiveInformationPolicyUnits": "sensitive information",
    "sensitiveInformationPolicyFreeUnits": "regexes (free)",
    "contextualGroundingPolicyUnits": "grounding",
    "contentPolicyImageUnits": "images",
    "automatedReasoningPolicyUnits": "automated reasoning",
    "automatedReasoningPolicies": "automated reasoning policies",
}
"""AWS's counters of text units, in words."""

_FROM_CONFIDENCE = {"LOW": "high", "MEDIUM": "medium", "HIGH": "low"}
_ORDER: dict[Rank, int] = {"acted": 0, "near": 1, "clear": 2}


@dataclass(frozen=True)
class Reason:
    """One item that a guardrail looked for.

    `rank`: it `acted`; it came `near` (found, but below its strength, or with no action set); or the text is
    `clear` of it.
    """

    finding: Finding
    rank: Rank

    @property
    def measure(self) -> str:
        """How sure the guardrail was, and from where on it acts."""
        confidence, strength = self.finding.raw.get("confidence"), self.finding.raw.get("filterStrength")
        if confidence and strength:
            start = _FROM_CONFIDENCE.get(str(strength))
            acts = f"acts from confidence {start} on" if start else "never acts"
            return f"confidence {str(confidence).lower()}, filter strength {str(strength).lower()} ({acts})"
        return self.finding.detail

    @property
    def tone(self) -> Tone:
        """How its match is marked in the text."""
        tones: dict[str, Tone] = {"blocked": "blocked", "masked": "masked"}
        return tones.get(self.finding.action, "reported")


@dataclass(frozen=True)
class Gauge:
    """A score that a threshold decides on; below it the text is blocked, if the filter acts."""

    name: str
    score: float
    threshold: float
    acted: bool

    @property
    def passes(self) -> bool:
        """Whether the score reaches its threshold."""
        return self.score >= self.threshold


def reasons_of(run: Run) -> tuple[Reason, ...]:
    """Why a run of ApplyGuardrail came out as it did: what blocked first; () without an answer."""
    reasons = [Reason(finding, _rank(finding)) for finding in result_of(run).findings]
    return tuple(sorted(reasons, key=lambda reason: (_ORDER[reason.rank], reason.tone != "blocked")))


def gauges_of(reasons: Sequence[Reason]) -> tuple[Gauge, ...]:
    """The scores among the reasons."""
    return tuple(gauge for reason in reasons if (gauge := _gauge(reason.finding)))


def differences(checks: Sequence[Sequence[Reason]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What several guardrails did differently on one text: (what was looked for, what each did about it)."""
    columns = [_by_item(reasons) for reasons in checks]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, tuple(column.get(name, "not looked for") for column in columns)) for name in names]
    return tuple((name, cells) for name, cells in rows if len(set(cells)) > 1)


def _by_item(reasons: Sequence[Reason]) -> dict[str, str]:
    """What was done about each item; an item that was found twice has the stronger of both."""
    done: dict[str, str] = {}
    for reason in reasons:  # what acted comes first
        finding = reason.finding
        match = f" “{finding.match}”" if finding.match else ""
        words = "not found" if reason.rank == "clear" else finding.action
        measure = f" ({reason.measure})" if reason.rank != "clear" and reason.measure else ""
        named = finding.item if finding.item != "custom word" else f"custom word{match}"
        done.setdefault(f"{finding.policy} → {named}", f"{words}{measure}")
    return done


def _rank(finding: Finding) -> Rank:
    if finding.acted:
        return "acted"
    unsure = str(finding.raw.get("confidence") or "NONE") != "NONE"
    return "near" if finding.detected or unsure else "clear"


def _gauge(finding: Finding) -> Gauge | None:
    score, threshold = finding.raw.get("score"), finding.raw.get("threshold")
    if not isinstance(score, int | float) or not isinstance(threshold, int | float):
        return None
    return Gauge(finding.item, float(score), float(threshold), finding.acted)
