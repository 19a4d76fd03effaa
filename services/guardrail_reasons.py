"""Why a guardrail decided as it did: each item of ApplyGuardrail's assessments, what acted first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.guardrail_highlights import Tone
from services.guardrail_traces import Finding, findings_of
from services.guardrails import GuardrailChoice
from services.runs import Run

JsonDict = dict[str, Any]
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

_MEASURES_OF_A_CALL = frozenset({"invocationMetrics", "appliedGuardrailDetails"})
_FROM_CONFIDENCE = {"LOW": "high", "MEDIUM": "medium", "HIGH": "low"}
_ORDER: dict[Rank, int] = {"acted": 0, "near": 1, "clear": 2}


@dataclass(frozen=True)
class Reason:
    """One item that a guardrail looked for. `raw` is AWS's own item.

    `rank`: it `acted`; it came `near` (found, but below its strength, or with no action set); or the text is
    `clear` of it.
    """

    finding: Finding
    raw: Mapping[str, Any]
    rank: Rank

    @property
    def measure(self) -> str:
        """How sure the guardrail was, and from where on it acts."""
        confidence, strength = self.raw.get("confidence"), self.raw.get("filterStrength")
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


@dataclass(frozen=True)
class Reasons:
    """Everything that the assessments of one answer say. `unknown` holds what this version cannot read."""

    reasons: tuple[Reason, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    unknown: Mapping[str, Any] = field(default_factory=dict)

    def of(self, rank: Rank) -> tuple[Reason, ...]:
        """The reasons of one rank."""
        return tuple(reason for reason in self.reasons if reason.rank == rank)


def reasons_of(run: Run) -> Reasons:
    """Why a run of ApplyGuardrail came out as it did; nothing for one that has no answer."""
    side: Literal["prompt", "reply"] = "prompt" if run.call.request.get("source") == "INPUT" else "reply"
    reasons: list[Reason] = []
    unknown: JsonDict = {}
    for assessment in (run.response or {}).get("assessments") or ():
        if not isinstance(assessment, dict):
            continue
        for policy, name, item in _items(assessment):
            found = _finding(side, policy, name, item)
            if found is None:
                unknown.setdefault(policy, {}).setdefault(name, []).append(item)
            else:
                reasons.append(Reason(found, item if isinstance(item, dict) else {}, _rank(found, item)))
    reasons.sort(key=lambda reason: _ORDER[reason.rank])
    gauges = tuple(gauge for reason in reasons if (gauge := _gauge(reason)))
    return Reasons(tuple(reasons), gauges, unknown)


def differences(
    checks: Sequence[tuple[GuardrailChoice, Reasons]],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What several guardrails did differently on one text: (what was looked for, what each did about it)."""
    columns = [_by_item(reasons) for _, reasons in checks]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, tuple(column.get(name, "not looked for") for column in columns)) for name in names]
    return tuple((name, cells) for name, cells in rows if len(set(cells)) > 1)


def _by_item(reasons: Reasons) -> dict[str, str]:
    """What was done about each item; an item that was found twice has the stronger of both."""
    done: dict[str, str] = {}
    for reason in reasons.reasons:  # what acted comes first
        finding = reason.finding
        match = f" “{finding.match}”" if finding.match else ""
        words = "not found" if reason.rank == "clear" else finding.action
        measure = f" ({reason.measure})" if reason.rank != "clear" and reason.measure else ""
        named = finding.item if finding.item != "custom word" else f"custom word{match}"
        done.setdefault(f"{finding.policy} → {named}", f"{words}{measure}")
    return done


def _items(assessment: JsonDict) -> Iterator[tuple[str, str, Any]]:
    """(policy, list, item) of an assessment; a member of another shape comes whole."""
    for policy, content in assessment.items():
        if policy in _MEASURES_OF_A_CALL:
            continue
        if not isinstance(content, dict):
            yield policy, "", content
            continue
        for name, items in content.items():
            for item in items if isinstance(items, list) else [items]:
                yield policy, name, item


def _finding(side: Literal["prompt", "reply"], policy: str, name: str, item: Any) -> Finding | None:
    try:
        return next(iter(findings_of(side, {policy: {name: [item]}})), None)
    except (AttributeError, TypeError, ValueError):
        return None


def _rank(finding: Finding, item: JsonDict) -> Rank:
    if finding.acted:
        return "acted"
    found = item.get("detected") is True or str(item.get("confidence") or "NONE") != "NONE"
    told = finding.action == "reported" or (item.get("detected") is None and bool(finding.match))
    return "near" if found or told else "clear"


def _gauge(reason: Reason) -> Gauge | None:
    score, threshold = reason.raw.get("score"), reason.raw.get("threshold")
    if not isinstance(score, int | float) or not isinstance(threshold, int | float):
        return None
    return Gauge(reason.finding.item, float(score), float(threshold), reason.finding.acted)
