"""What a guardrail made of a text: the answer of ApplyGuardrail, said in one way for verdicts and suites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.clients import Identity
from services.guardrail_traces import Finding, findings_of
from services.guardrails import DRAFT
from services.runs import Call, Run

JsonDict = dict[str, Any]
TextSource = Literal["INPUT", "OUTPUT"]
Outcome = Literal["blocked", "masked", "passed", "failed"]
"""`failed`: the call had no answer; the run's problem says why."""

KIND = "guardrail"
"""The kind of the runs of guardrail checks."""


@dataclass(frozen=True)
class Grounding:
    """What an answer is to rest on, and what was asked. The text under test is the answer (OUTPUT)."""

    source: str = ""
    query: str = ""


@dataclass(frozen=True)
class GuardrailResult:
    """One check. `findings` hold what was acted on and, with outputScope FULL, what was looked for in vain.

    `outputs` are the texts that take the given one's place: () where nothing was done. `text` is the text
    that was checked. `units` are AWS's text units by policy; `latency_ms` is the guardrail's own time.
    """

    text: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    outputs: tuple[str, ...] = ()
    reason: str = ""
    units: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, Any] = field(default_factory=dict)
    latency_ms: float | None = None


def apply_call(
    text: str,
    identifier: str,
    identity: Identity,
    *,
    version: str = DRAFT,
    source: TextSource = "INPUT",
    grounding: Grounding | None = None,
    full: bool = True,
    user: str = "local",
) -> Call:
    """The ApplyGuardrail call of a text. `full` asks for what did not fire, too (outputScope FULL)."""
    content: list[JsonDict] = []
    if grounding and (grounding.source or grounding.query):
        content.append({"text": {"text": grounding.source, "qualifiers": ["grounding_source"]}})
        content.append({"text": {"text": grounding.query, "qualifiers": ["query"]}})
        content.append({"text": {"text": text, "qualifiers": ["guard_content"]}})
    else:
        content.append({"text": {"text": text}})
    request: JsonDict = {
        "guardrailIdentifier": identifier,
        "guardrailVersion": version or DRAFT,
        "source": source,
        "content": content,
    }
    if full:
        request["outputScope"] = "FULL"
    return Call(operation="ApplyGuardrail", request=request, identity=identity, kind=KIND, user=user)


def result_of(run: Run) -> GuardrailResult:
    """What a run of ApplyGuardrail says."""
    text = text_of(run.call)
    answer = run.response or {}
    if run.problem or not answer:
        return GuardrailResult(text, "failed")
    assessments = [each for each in answer.get("assessments") or [] if isinstance(each, dict)]
    source = str(run.call.request.get("source"))
    findings = tuple(
        finding
        for assessment in assessments
        for finding in findings_of("prompt" if source == "INPUT" else "reply", assessment)
    )
    latencies = [
        (assessment.get("invocationMetrics") or {}).get("guardrailProcessingLatency")
        for assessment in assessments
    ]
    known = [float(latency) for latency in latencies if isinstance(latency, int | float)]
    return GuardrailResult(
        text=text,
        outcome=_outcome(answer, findings),
        findings=findings,
        outputs=tuple(str(output.get("text") or "") for output in answer.get("outputs") or []),
        reason=str(answer.get("actionReason") or ""),
        units={name: int(value) for name, value in (answer.get("usage") or {}).items() if value},
        coverage=answer.get("guardrailCoverage") or {},
        latency_ms=sum(known) if known else None,
    )


def text_of(call: Call) -> str:
    """The text that an ApplyGuardrail call has checked, without the grounding source and the query."""
    texts = [part.get("text") or {} for part in call.request.get("content") or [] if isinstance(part, dict)]
    guarded = [
        each for each in texts if not {"grounding_source", "query"} & set(each.get("qualifiers") or ())
    ]
    return "\n".join(str(each.get("text") or "") for each in guarded)


def _outcome(answer: JsonDict, findings: Sequence[Finding]) -> Outcome:
    if answer.get("action") != "GUARDRAIL_INTERVENED":
        return "passed"
    if any(finding.action == "blocked" for finding in findings):
        return "blocked"
    return "masked" if any(finding.action == "masked" for finding in findings) else "blocked"
