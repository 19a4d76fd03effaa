"""A run through its other lenses: what was sent, what came back and when, and the code for it."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import streamlit as st

from components.metrics_line import format_ms, metrics_line
from components.problem_card import problem_card
from services.code_export import boto3_code, readable
from services.runs import Run, to_json

_MANY_EVENTS = 500


@st.dialog("Run", width="large", icon=":material/data_object:")
def run_details(run: Run) -> None:
    """Open the dialog for one run."""
    st.caption(f"{run.call.operation} · {run.call.model_id} · {run.started_at:%d %b %Y %H:%M:%S} UTC")
    metrics_line(run, key="run_details_metrics")
    if run.problem:
        problem_card(run.problem, key="run_details")
    request, response, events, code = st.tabs(["Request", "Response", "Events", "boto3"])
    with request:
        st.caption(f"The keyword arguments of `{run.call.service}` `{run.call.operation}`, exactly as sent.")
        _json({name: readable(name, value) for name, value in run.call.request.items()})
    with response:
        if run.request_id:
            st.caption(f"Request ID `{run.request_id}`")
        _json(run.response or {})
    with events:
        _events(run)
    with code:
        st.code(boto3_code(run.call), language="python", wrap_lines=True)
    st.download_button(
        "Download this run as JSON",
        data=lambda: to_json(run),
        file_name=f"run-{run.id}.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        key="run_details_download",
    )


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
