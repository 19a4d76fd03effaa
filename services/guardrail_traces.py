"""What a guardrail did to a call: the trace in its answer, as findings that can be read.

Converse has it at `trace.guardrail` (`inputAssessment`, `outputAssessments`), InvokeModel at
`amazon-bedrock-trace.guardrail` (`input`, `outputs`), in a stream in one of the last chunks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.runs import Run

Side = Literal["prompt", "reply"]
JsonDict = dict[str, Any]

INVOKE_TRACE = "amazon-bedrock-trace"

# policy: (its name in words, the lists of its items)
_POLICIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "contentPolicy": ("Content filter", ("filters",)),
    "topicPolicy": ("Denied topic", ("topics",)),
    "wordPolicy": ("Word filter", ("customWords", "managedWordLists")),
    "sensitiveInformationPolicy": ("Sensitive information", ("piiEntities", "regexes")),
    "contextualGroundingPolicy": ("Contextual grounding", ("filters",)),
    "automatedReasoningPolicy": ("Automated reasoning", ("findings",)),
}
_ACTIONS = {"BLOCKED": "blocked", "ANONYMIZED": "masked", "NONE": "let through"}


@dataclass(frozen=True)
class Finding:
    """One thing that a guardrail looked for and reported.

    `item` is what was found, `detail` how sure it is or how strict the filter, `action` what was done, all in
    words. `match` is the text that was found: untrusted, and maybe personal. `acted` is False for what was
    only reported.
    """

    side: Side
    policy: str
    item: str
    detail: str
    action: str
    match: str
    acted: bool


@dataclass(frozen=True)
class GuardrailTrace:
    """What one call's guardrail reported. `model_output` is what the model said before it was changed."""

    guardrail_ids: tuple[str, ...]
    findings: tuple[Finding, ...]
    model_output: tuple[str, ...] = ()
    action_reason: str = ""
    latency_ms: float | None = None

    @property
    def intervened(self) -> bool:
        """Whether anything was blocked or masked."""
        return any(finding.acted for finding in self.findings)


def trace_of(run: Run) -> GuardrailTrace | None:
    """The guardrail's trace in a run's answer; None where there is none, or none that can be read."""
    if not (trace := _raw(run)):
        return None
    try:
        return _read(trace)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _raw(run: Run) -> JsonDict:
    """The trace member; the parts of it that a stream spreads over several chunks, put together."""
    answer = run.response or {}
    holders: list[Any] = [answer.get("trace"), answer.get(INVOKE_TRACE)]
    if run.call.operation == "InvokeModelWithResponseStream":
        holders += [event.data.get(INVOKE_TRACE) for event in run.events]
    found: JsonDict = {}
    for holder in holders:
        trace = holder.get("guardrail") if isinstance(holder, dict) else None
        if isinstance(trace, dict):
            found.update(trace)
    return found


def _read(trace: JsonDict) -> GuardrailTrace:
    prompt = list(_assessments(trace.get("inputAssessment") or trace.get("input") or {}))
    replies = trace.get("outputAssessments") or trace.get("outputs") or {}
    reply = [
        pair for part in (replies if isinstance(replies, list) else [replies]) for pair in _assessments(part)
    ]
    sides: list[tuple[Side, list[tuple[str, JsonDict]]]] = [("prompt", prompt), ("reply", reply)]
    latencies = [
        (assessment.get("invocationMetrics") or {}).get("guardrailProcessingLatency")
        for _, assessment in prompt + reply
    ]
    known = [float(latency) for latency in latencies if latency is not None]
    return GuardrailTrace(
        guardrail_ids=tuple(dict.fromkeys(name for name, _ in prompt + reply)),
        findings=tuple(
            finding
            for side, pairs in sides
            for _, assessment in pairs
            for finding in findings_of(side, assessment)
        ),
        model_output=tuple(text for text in trace.get("modelOutput") or () if isinstance(text, str)),
        action_reason=str(trace.get("actionReason") or ""),
        latency_ms=sum(known) if known else None,
    )


def _assessments(by_guardrail: Mapping[str, Any]) -> Iterator[tuple[str, JsonDict]]:
    """(guardrail's id, assessment): one for each guardrail, or a list of them."""
    for name, assessments in by_guardrail.items():
        for assessment in assessments if isinstance(assessments, list) else [assessments]:
            yield name, assessment


def findings_of(side: Side, assessment: JsonDict) -> Iterable[Finding]:
    """Everything that one assessment reports, in the order of the policies."""
    for key, (policy, lists) in _POLICIES.items():
        for name in lists:
            for item in (assessment.get(key) or {}).get(name) or ():
                yield _finding(side, policy, name, item)


def _finding(side: Side, policy: str, list_name: str, item: JsonDict) -> Finding:
    action = str(item.get("action") or "NONE")
    if list_name == "findings":  # automated reasoning only reports: {"invalid": {...}}
        return Finding(side, policy, _words(next(iter(item), "finding")), "", "reported", "", acted=False)
    label = item.get("name") or (
        _words(str(item["type"])) if item.get("type") and list_name != "customWords" else "custom word"
    )
    return Finding(
        side=side,
        policy=policy,
        item=str(label),
        detail=_detail(item),
        action=_ACTIONS.get(action, action.lower()),
        match=str(item.get("match") or ""),
        acted=action != "NONE",
    )


def _detail(item: JsonDict) -> str:
    """How sure the guardrail is, and from where on its filter acts."""
    parts = []
    if confidence := item.get("confidence"):
        parts.append(f"confidence {str(confidence).lower()}")
    if strength := item.get("filterStrength"):
        parts.append(f"filter strength {str(strength).lower()}")
    if (score := item.get("score")) is not None:
        parts.append(f"score {score:g}")
    if (threshold := item.get("threshold")) is not None:
        parts.append(f"threshold {threshold:g}")
    return ", ".join(parts)


def _words(name: str) -> str:
    """A name such as US_SOCIAL_SECURITY_NUMBER or translationAmbiguous, as one reads it."""
    spaced = name if "_" in name or name.isupper() else re.sub(r"(?=[A-Z])", " ", name)
    text = spaced.replace("_", " ").strip().lower()
    return text[:1].upper() + text[1:]
