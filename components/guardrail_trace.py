"""What a guardrail found in a prompt and its reply, and what it did about it."""

from __future__ import annotations

import json

import streamlit as st

from components.safe_markdown import plain
from services.guardrail_traces import Finding, GuardrailTrace, trace_of
from services.runs import Run

_SIDES = {"prompt": "In the prompt", "reply": "In the reply"}
_COLORS = {"blocked": "red", "masked": "orange"}
_SHOWN_FINDINGS = 30
_LONGEST_DETAIL = 300


def guardrail_trace(run: Run) -> None:
    """Draw the trace of a run's guardrail, folded; nothing where no guardrail did anything."""
    trace = trace_of(run)
    if trace is None:
        answer = run.response or {}
        if answer.get("amazon-bedrock-guardrailAction") == "INTERVENED":
            st.caption(
                "The guardrail intervened. Its trace was not asked for: set it in this pane's settings."
            )
        elif answer.get("guardrailAction") == "INTERVENED":  # RetrieveAndGenerate tells no more than that
            st.caption("The guardrail intervened.")
        return
    acted = sum(1 for finding in trace.findings if finding.acted)
    label = f"Guardrail: {acted} acted on" if acted else "Guardrail: nothing blocked or masked"
    with st.expander(label, icon=":material/shield:", type="compact"):
        _drawn(trace)


def _drawn(trace: GuardrailTrace) -> None:
    for side, heading in _SIDES.items():
        findings = [finding for finding in trace.findings if finding.side == side]
        if findings:
            st.markdown(f"**{heading}**\n" + "\n".join(_line(f) for f in findings[:_SHOWN_FINDINGS]))
        if len(findings) > _SHOWN_FINDINGS:
            st.caption(f"And {len(findings) - _SHOWN_FINDINGS} more: Details has the whole trace.")
    for name, value in trace.other.items():
        st.caption(f"{plain(name)}: {plain(_short(json.dumps(value, ensure_ascii=False, default=str)))}")
    if not trace.findings:
        st.caption("It found nothing that its policies name.")
    if trace.intervened and trace.model_output:
        st.caption("What the model had said before the guardrail:")
        st.code("\n".join(trace.model_output), language=None, wrap_lines=True)
    said = [f"Guardrail {plain(', '.join(trace.guardrail_ids))}"] if trace.guardrail_ids else []
    said += [f"checked in {trace.latency_ms:.0f} ms"] if trace.latency_ms is not None else []
    said += [plain(" ".join(trace.action_reason.split()))] if trace.action_reason else []
    if said:
        st.caption(" · ".join(said))


def _line(finding: Finding) -> str:
    match = f" “{plain(finding.match)}”" if finding.match else ""
    detail = f" ({plain(_short(finding.detail))})" if finding.detail else ""
    color = _COLORS.get(finding.action, "gray")
    what = f"{plain(finding.policy)} → {plain(finding.item)}{match}{detail}"
    return f"- {what} → :{color}-badge[{plain(finding.action)}]"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}… (Details has all of it)"
