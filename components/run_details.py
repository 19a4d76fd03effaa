"""A run through its other lenses: what was sent, what came back and when, and the code for it."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import streamlit as st

from components.guardrail_state import take_reply
from components.metrics_line import format_ms, metrics_line
from components.navigation import GUARDRAIL_TESTER
from components.problem_card import problem_card
from components.safe_markdown import plain
from services import replies
from services.code_export import DIALECTS, readable_body
from services.runs import Run, to_json

_MANY_EVENTS = 500


@st.dialog("Run", width="large", icon=":material/data_object:")
def run_details(run: Run) -> None:
    """Open the dialog for one run."""
    facts = [run.call.operation, run.call.model_id, f"{run.started_at:%d %b %Y %H:%M:%S} UTC"]
    st.caption(" · ".join(fact for fact in facts if fact))
    metrics_line(run, key="run_details_metrics")
    if run.problem:
        problem_card(run.problem, key="run_details")
    request, response, events, code = st.tabs(["Request", "Response", "Events", "Code"])
    with request:
        st.caption(f"The keyword arguments of `{run.call.service}` `{run.call.operation}`, exactly as sent.")
        _json({name: readable_body(name, value) for name, value in run.call.request.items()})
    with response:
        if run.request_id:
            st.caption(f"Request ID `{run.request_id}`")
        _json(run.response or {})
    with events:
        _events(run)
    with code:
        _code(run)
    _to_the_guardrail_tester(run)
    st.download_button(
        "Download this run as JSON",
        data=lambda: to_json(run),
        file_name=f"run-{run.id}.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        key="run_details_download",
    )


def _to_the_guardrail_tester(run: Run) -> None:
    """Draw the button that takes a reply to the guardrail tester; nothing for what has no reply."""
    reply = replies.read(run.call.operation, run.response or {}).text
    if reply.strip() and st.button(
        "Test the reply with a guardrail", key="run_details_guardrail", icon=":material/shield:"
    ):
        take_reply(reply)
        st.switch_page(GUARDRAIL_TESTER)


def _code(run: Run) -> None:
    """The call in the dialect that is chosen, or why it cannot be said in it."""
    names = [dialect.name for dialect in DIALECTS]
    chosen = st.segmented_control(
        "Code for", names, default=names[0], key="run_details_dialect", label_visibility="collapsed"
    )
    dialect = next((dialect for dialect in DIALECTS if dialect.name == chosen), DIALECTS[0])
    try:
        code = dialect.write(run)
    except ValueError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    st.code(dialect.install, language="bash")
    st.code(code, language=dialect.language, wrap_lines=True)


def _events(run: Run) -> None:
    shown = run.events[:_MANY_EVENTS]
    if not shown:
        st.caption("No event arrived.")
        return
    rows = [
        {"at_ms": round(event.at_ms, 1), "event": event.name, "payload": _line(event.data)} for event in shown
    ]
    st.caption(f"{len(run.events)} events; the last after {format_ms(run.events[-1].at_ms)}.")
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height=360)
    if len(run.events) > _MANY_EVENTS:
        st.caption(f"The first {_MANY_EVENTS} are shown; the download holds all of them.")


def _json(value: Any) -> None:
    st.code(_pretty(value), language="json", wrap_lines=True, height=420)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=_binary)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_binary)


def _binary(value: object) -> str:
    return f"<{len(value):,} bytes>" if isinstance(value, bytes) else str(value)
