"""Under the panes: which reply won by which measure, and all their timings in one chart."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from components.metrics_line import format_ms, format_usd, tokens_per_second
from components.safe_markdown import plain
from services.comparison import Winner, winners
from services.runs import Run

_LABELS = {
    "first_token": "First token",
    "total": "Done first",
    "cost": "Cheapest",
    "length": "Longest",
}
_LONGEST_NAME = 17


def comparison(names: Sequence[str], runs: Sequence[Run | None]) -> None:
    """Draw the row; nothing while there are no two replies to compare. `names` are the panes' models."""
    best = winners(runs)
    if not best:
        return
    with st.container(
        horizontal=True, gap="small", vertical_alignment="center", wrap=False, key="playground_comparison"
    ):
        st.markdown(" \u2003".join(_words(winner, names) for winner in best), width="stretch")
        st.button(
            "Timings",
            icon=":material/bar_chart:",
            key="playground_timings",
            on_click=lambda: st.session_state.update(playground_show_timings=True),
        )
    if st.session_state.pop("playground_show_timings", False):
        _timings(names, runs)


def _words(winner: Winner, names: Sequence[str]) -> str:
    value = {"cost": format_usd, "length": lambda tokens: f"{tokens:,.0f} tokens"}.get(
        winner.measure, format_ms
    )
    who = f"{winner.index + 1} · {names[winner.index]}"
    who = who if len(who) <= _LONGEST_NAME else f"{who[: _LONGEST_NAME - 1]}…"
    return f":gray[{_LABELS[winner.measure]}] **{plain(who)}** {plain(value(winner.value))}"


@st.dialog("Timings", width="large", icon=":material/bar_chart:")
def _timings(names: Sequence[str], runs: Sequence[Run | None]) -> None:
    """Time to the first token and the time from there to the end, a bar for each pane; the numbers below."""
    import plotly.graph_objects as go  # half a second, for a dialog that few open

    rows = [(f"{n + 1} · {name}", run) for n, (name, run) in enumerate(zip(names, runs, strict=True)) if run]
    first = [run.ttft_ms if run.ttft_ms is not None else run.latency_ms for _, run in rows]
    rest = [run.latency_ms - before for (_, run), before in zip(rows, first, strict=True)]
    labels = [label for label, _ in rows]
    figure = go.Figure(
        [
            go.Bar(y=labels, x=first, name="to the first token", orientation="h"),
            go.Bar(y=labels, x=rest, name="streaming", orientation="h"),
        ]
    )
    figure.update_layout(
        barmode="stack",
        height=90 + 45 * len(rows),
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis_title="milliseconds",
        yaxis={"autorange": "reversed"},
        legend={"orientation": "h", "y": 1.25},
    )
    st.plotly_chart(figure, key="playground_timings_chart", config={"displayModeBar": False})
    table = [
        {
            "pane": label,
            "first_token_ms": run.ttft_ms,
            "total_ms": run.latency_ms,
            "service_ms": run.service_latency_ms,
            "tokens_out": run.usage.output_tokens if run.usage else None,
            "tokens_per_s": tokens_per_second(run),
            "cost_usd": run.cost_usd,
        }
        for label, run in rows
    ]
    st.dataframe(pd.DataFrame(table).round(6), hide_index=True, width="stretch")
