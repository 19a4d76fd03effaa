"""How often a guardrail intervened over time, by policy and side, as CloudWatch has counted it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from components.problem_card import problem_card
from components.shown import show
from services import guardrail_metrics
from services.clients import Identity
from services.guardrail_metrics import SPANS, Rates, Values, rate

_LABELS = [span.label for span in SPANS]
_KEY = "guardrail_rates_span"
_KEPT = "guardrail_rates_span_kept"


def guardrail_rates(identity: Identity, identifier: str) -> None:
    """Draw the line; CloudWatch is asked once it is open."""
    if not identifier:
        return
    expander = st.expander(
        "Interventions over time (CloudWatch)",
        icon=":material/monitoring:",
        type="compact",
        key="guardrail_rates",
        on_change="rerun",
    )
    if expander.open:
        with expander:
            _opened(identity, identifier)


def _opened(identity: Identity, identifier: str) -> None:
    label = st.session_state.setdefault(_KEPT, _LABELS[1])
    show(_KEY, label)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Look back",
            _LABELS,
            key=_KEY,
            label_visibility="collapsed",
            required=True,
            on_change=lambda: st.session_state.update({_KEPT: st.session_state[_KEY]}),
        )
        st.button(
            "",
            key="guardrail_rates_refresh",
            icon=":material/refresh:",
            help="Ask CloudWatch again; it is a minute or more behind",
            on_click=guardrail_metrics.refresh,
        )
    found = guardrail_metrics.rates(identity, identifier, SPANS[_LABELS.index(label)])
    if found.problem:
        problem_card(found.problem, key="guardrail_rates", actions={"retry": guardrail_metrics.refresh})
    elif not sum(found.invocations.values()):
        st.caption(f"CloudWatch has counted no check of this guardrail in the last {label}.")
    else:
        _figures(found)
        _chart(found)
        _tables(found)


def _figures(found: Rates) -> None:
    checks, acted = sum(found.invocations.values()), sum(found.intervened.values())
    latencies_ms = list(found.latency_ms.values())
    with st.container(horizontal=True):
        st.metric("Checks", f"{checks:,.0f}")
        st.metric("Intervened", f"{acted / checks:.1%}", help=f"{acted:,.0f} checks")
        if latencies_ms:
            st.metric("Mean latency, latest step", f"{latencies_ms[-1]:,.0f} ms")
        st.metric("Text units", f"{found.text_units:,.0f}")


def _chart(found: Rates) -> None:
    """The rate of every policy in each step, and of all of them together."""
    import plotly.graph_objects as go  # half a second, for a chart that few open

    lines: dict[str, Values] = {"any policy": rate(found.intervened, found.invocations)}
    lines |= {name: rate(values, found.policy_base) for name, values in found.policies.items()}
    figure = go.Figure(
        [
            go.Scatter(x=list(values), y=list(values.values()), name=name, mode="lines+markers")
            for name, values in lines.items()
        ]
    )
    figure.update_layout(
        height=300,
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        yaxis={"tickformat": ".0%", "rangemode": "tozero", "title": "checks that it intervened in"},
        xaxis_title="time (UTC)",
        legend={"orientation": "h", "y": 1.2},
    )
    st.plotly_chart(figure, key="guardrail_rates_chart", config={"displayModeBar": False})
    if found.policies_of_account:
        st.caption("CloudWatch has the policies only for all guardrails of this account together.")


def _tables(found: Rates) -> None:
    rows = [
        _row(name, values, found.policy_base, found.policies_of_account)
        for name, values in found.policies.items()
    ]
    rows += [
        _row(f"{name} (side)", found.sources.get(name, {}), base, of_account=False)
        for name, base in found.source_base.items()
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Interventions by policy and side")
    steps = pd.DataFrame(
        {
            "Time (UTC)": list(found.invocations),
            "Checks": list(found.invocations.values()),
            "Intervened": [found.intervened.get(at, 0) for at in found.invocations],
            "Mean latency (ms)": [
                round(found.latency_ms[at]) if at in found.latency_ms else None for at in found.invocations
            ],
        }
        | {name: [values.get(at, 0) for at in found.invocations] for name, values in found.policies.items()}
    )
    st.dataframe(
        steps,
        hide_index=True,
        column_config={"Mean latency (ms)": st.column_config.NumberColumn(format="%.0f")},
        alt="What was counted in each step",
    )


def _row(name: str, values: Values, base: Values, of_account: bool) -> Mapping[str, object]:
    acted, checks = sum(values.values()), sum(base.values())
    return {
        "Policy or side": name + (" (account)" if of_account else ""),
        "Intervened": int(acted),
        "Checks": int(checks),
        "Rate": f"{acted / checks:.1%}" if checks else "",
    }
