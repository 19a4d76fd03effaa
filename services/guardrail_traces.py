"""What a guardrail did to a call: the trace in its answer, as findings that can be read.

Converse has it at `trace.guardrail` (`inputAssessment`, `outputAssessments`), InvokeModel at
`amazon-bedrock-trace.guardrail` (`input`, `outputs`), in a stream in one of the last chunks. An agent tells
it in its own traces (`guardrailTrace`), several of them in a turn. What AWS adds later is shown by its name
and as JSON, not dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
_NO_POLICIES = ("invocationMetrics", "appliedGuardrailDetails")
"""Members of an assessment that say how it was made."""
_TRACE_MEMBERS = [
    "inputAssessment",
    "outputAssessments",
    "input",
    "outputs",
    "inputAssessments",
    "modelOutput",
    "actionReason",
    "action",
    "metadata",
    "traceId",
]
_ITEM_MEMBERS = [
    "name",
    "type",
    "match",
    "regex",
    "action",
    "detected",
    "confidence",
    "filterStrength",
    "score",
    "threshold",
]
_ACTIONS = {"BLOCKED": "blocked", "ANONYMIZED": "masked", "NONE": "let through"}


@dataclass(frozen=True)
class Finding:
    """One thing that a guardrail looked for and reported.

    `item` is what was found, `detail` how sure it is or how strict the filter, `action` what was done, all in
    words. `match` is the text that was found: untrusted, and maybe personal. `acted` is False for what was
    only reported; `detected` is False for what was looked for in vain. `raw` is AWS's item.
    """

    side: Side
    policy: str
    item: str
    detail: str
    action: str
    match: str
    acted: bool
    detected: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class GuardrailTrace:
    """What one call's guardrail reported. `model_output` is what the model said before it was changed.

    `other` has the members of the trace that are not known here.
    """

    guardrail_ids: tuple[str, ...]
    findings: tuple[Finding, ...]
    model_output: tuple[str, ...] = ()
    action_reason: str = ""
    latency_ms: float | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    @property
    def intervened(self) -> bool:
        """Whether anything was blocked or masked."""
        return any(finding.acted for finding in self.findings)


def trace_of(run: Run) -> GuardrailTrace | None:
    """The guardrail's trace in a run's answer; None where there is none, or none that can be read."""
    agents = [raw for event in run.events if (raw := _of_agent(event.data))]
    if not (trace := _raw(run)) and not agents:
        return None
    try:
        return agent_trace(agents) if agents else _read(trace)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def agent_trace(traces: Iterable[JsonDict]) -> GuardrailTrace:
    """What an agent's `guardrailTrace` parts report together, in their order.

    They name no guardrail.
    """
    sides: tuple[tuple[str, Side], ...] = (("inputAssessments", "prompt"), ("outputAssessments", "reply"))
    findings: list[Finding] = []
    other: JsonDict = {}
    times_ms: list[float] = []
    for trace in traces:
        for member, side in sides:
            for assessment in trace.get(member) or ():
                findings += findings_of(side, assessment)
        other |= {name: value for name, value in trace.items() if name not in _TRACE_MEMBERS}
        if (time_ms := (trace.get("metadata") or {}).get("totalTimeMs")) is not None:
            times_ms.append(float(time_ms))
    return GuardrailTrace((), tuple(findings), latency_ms=sum(times_ms) if times_ms else None, other=other)


def _of_agent(event: Any) -> JsonDict | None:
    """The `guardrailTrace` in an event of an agent's stream."""
    part = event.get("trace") if isinstance(event, dict) else None
    if isinstance(part, dict) and isinstance(part.get("trace"), dict):
        part = part["trace"]  # the whole event: {"trace": {"agentId": ..., "trace": {...}}}
    found = part.get("guardrailTrace") if isinstance(part, dict) else None
    return found if isinstance(found, dict) else None


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
        other={name: value for name, value in trace.items() if name not in _TRACE_MEMBERS},
    )


def _assessments(by_guardrail: Mapping[str, Any]) -> Iterator[tuple[str, JsonDict]]:
    """(guardrail's id, assessment): one for each guardrail, or a list of them."""
    for name, assessments in by_guardrail.items():
        for assessment in assessments if isinstance(assessments, list) else [assessments]:
            yield name, assessment


def policy_in_words(name: str) -> str:
    """What findings call a policy, by its member of an assessment; also one that is not known here."""
    return _POLICIES[name][0] if name in _POLICIES else _words(name)


def findings_of(side: Side, assessment: JsonDict) -> Iterator[Finding]:
    """Everything that one assessment reports, in the order of the policies; unknown ones last."""
    known = [name for name in _POLICIES if name in assessment]
    others = [name for name in assessment if name not in _POLICIES and name not in _NO_POLICIES]
    for name in known + others:
        words, lists = policy_in_words(name), _POLICIES[name][1] if name in _POLICIES else ()
        policy = assessment[name]
        if not isinstance(policy, dict):
            if policy is not None:
                yield _unknown(side, words, words, policy)
            continue
        for member in (*lists, *(each for each in policy if each not in lists)):
            yield from _of_member(side, words, member, policy.get(member), known=member in lists)


def _of_member(side: Side, policy: str, name: str, value: Any, *, known: bool) -> Iterator[Finding]:
    """The findings in one member of a policy: a finding for each item of a list, one for anything else."""
    for item in value if isinstance(value, list) else [] if value is None else [value]:
        if not isinstance(item, dict):
            yield _unknown(side, policy, _words(name), item)
        elif known or {"name", "type", "match", "action"} & set(item):
            yield _finding(side, policy, name, item)
        else:
            yield _unknown(side, policy, _words(name), item)


def _unknown(side: Side, policy: str, item: str, value: Any) -> Finding:
    """What has no shape that we know, by its name and as JSON."""
    raw = value if isinstance(value, dict) else {"value": value}
    return Finding(side, policy, item, _json(value), "reported", "", acted=False, raw=raw)


def _finding(side: Side, policy: str, list_name: str, item: JsonDict) -> Finding:
    action = str(item.get("action") or "NONE")
    if list_name == "findings":  # automated reasoning only reports: {"invalid": {...}}
        kind = next(iter(item), "finding")
        said = _json(item[kind]) if item.get(kind) else ""
        return Finding(side, policy, _words(kind), said, "reported", "", acted=False, raw=item)
    label = item.get("name") or (
        _words(str(item["type"])) if item.get("type") and list_name != "customWords" else None
    )
    if label is None:
        label = "custom word" if list_name == "customWords" else _words(list_name)
    return Finding(
        side=side,
        policy=policy,
        item=str(label),
        detail=_detail(item),
        action=_ACTIONS.get(action, action.lower()),
        match=str(item.get("match") or ""),
        acted=action != "NONE",
        detected=_detected(item, action),
        raw=item,
    )


def _detected(item: JsonDict, action: str) -> bool:
    """AWS's own word where it says one; earlier answers, and an agent's, do not."""
    if isinstance(said := item.get("detected"), bool):
        return said
    score, threshold = item.get("score"), item.get("threshold")
    if isinstance(score, int | float) and isinstance(threshold, int | float):
        return action != "NONE" or score < threshold
    return action != "NONE" or item.get("confidence") != "NONE"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


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
    if pattern := item.get("regex"):
        parts.append(f"pattern {pattern}")
    parts += [f"{name} {_json(value)}" for name, value in item.items() if name not in _ITEM_MEMBERS]
    return ", ".join(parts)


def _words(name: str) -> str:
    """A name such as US_SOCIAL_SECURITY_NUMBER or translationAmbiguous, as one reads it."""
    spaced = name if "_" in name or name.isupper() else re.sub(r"(?=[A-Z])", " ", name)
    text = spaced.replace("_", " ").strip().lower()
    return text[:1].upper() + text[1:]
