"""Two results of a guardrail suite side by side: what flips first, then what is equal."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from components.guardrail_suite_results import figures_of, page_picker, policy_words
from components.safe_markdown import plain
from services.guardrail_suites import comparison as compared
from services.guardrail_suites import metrics, reading
from services.guardrail_suites.comparison import CHANGES, Change, Pair
from services.guardrail_suites.reading import PAGE_ROWS
from services.guardrail_suites.store import SuiteStore
from services.guardrail_suites.values import SuiteResult

_COLORS: dict[Change, str] = {"got worse": "red", "got better": "green", "changed": "orange"}
_EXPLAINED = """
What is expected is what the later result expects.
- **Got worse**: right before, wrong now. **Got better**: wrong before, right now.
- **Changed**: another outcome, and wrong both times.
- **Other policy**: the same outcome, by other policies. **Failed**: one of the two checks has no answer.
"""

Key = tuple[str, str, int, str, int]


def comparison(store: SuiteStore, before: SuiteResult, after: SuiteResult) -> None:
    """Draw what changed from one result to another."""
    key = (str(store.engine.url), before.id, before.changes, after.id, after.changes)
    counts, pairs = _compared(key, store)
    st.markdown(f"**{plain(before.label)} → {plain(after.label)}**", help=_EXPLAINED)
    if not pairs:
        st.info("The two results have no checked text in common.", icon=":material/info:")
        return
    said = " ".join(
        f":{_COLORS.get(change, 'gray')}-badge[{counts[change]:,} {change}]"
        for change in CHANGES
        if counts[change]
    )
    st.markdown(f"{said} of {len(pairs):,} texts that both have checked")
    rows = [_figures(store, each) for each in (before, after)]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="percent")
            for name in ("Accuracy", "Precision", "Recall")
        },
        alt="Figures of both results",
    )
    widget = f"guardrail_suite_flips_page_{before.id}_{after.id}"
    page_picker(len(pairs), widget)
    start = (st.session_state.get(widget, 1) - 1) * PAGE_ROWS
    st.dataframe(
        pd.DataFrame([_row(pair) for pair in pairs[start : start + PAGE_ROWS]]),
        hide_index=True,
        key="guardrail_suite_flips",
        height=320,
        column_config={"Text": st.column_config.TextColumn(width="large")},
        alt="Texts of both results, those that flip first",
    )


def _figures(store: SuiteStore, result: SuiteResult) -> dict[str, Any]:
    tallies = figures_of(store, result).tallies
    found, score = metrics.verdicts(tallies), metrics.overall(tallies)
    return {
        "Result": result.label,
        "Accuracy": metrics.accuracy(tallies),
        "Precision": score.precision,
        "Recall": score.recall,
        "Missed": found["missed"],
        "False alarms": found["false alarm"],
        "Wrong policy": found["wrong policy"],
    }


def _row(pair: Pair) -> dict[str, Any]:
    return {
        "Change": pair.change,
        "Expected": pair.expected,
        "Before": pair.before.got,
        "Now": pair.after.got,
        "Text": pair.text,
        "Acted before": policy_words(pair.before.acted),
        "Acts now": policy_words(pair.after.acted),
        "Why before": pair.before.why,
        "Why now": pair.after.why,
        "ID": pair.case_id,
    }


@st.cache_resource(show_spinner=False, max_entries=8)
def _compared(key: Key, _store: SuiteStore) -> tuple[dict[Change, int], list[Pair]]:
    """The counts and the pairs, flips first; read by many, changed by none."""
    pairs = reading.pairs(_store.engine, key[1], key[3])
    return compared.counts(pairs), compared.flips_first(pairs)
