"""What came of a suite: figures, confusion matrix, policies, the lines with the worst first, downloads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from components.metrics_line import format_ms
from components.safe_markdown import plain
from services.guardrail_suites import export, metrics, reading
from services.guardrail_suites.metrics import EXPECTED, OUTCOMES, VERDICTS, Score, Verdict
from services.guardrail_suites.names import POLICIES
from services.guardrail_suites.reading import EXCERPT_CHARS, PAGE_ROWS, Figures, Page, Shown
from services.guardrail_suites.store import SuiteStore
from services.guardrail_suites.values import SuiteResult

_EXPLAINED = """
- **Accuracy**: the part of the checked texts that had the outcome that was expected.
- **Missed**: to be blocked or masked, and passed. **False alarm**: to be passed, and blocked or masked.
- **Other outcome**: masked instead of blocked, or the other way round. **Wrong policy**: the right outcome,
  but the policy that was to act did not.
- **Precision** of a policy: the part of the texts on which it acted that name it. **Recall**: the part of the
  texts that name it on which it acted. **F1**: their harmonic mean. A text that is to be stopped and names no
  policy counts for none.

Checks that failed are left out.
"""
_LONGEST_SHOWN = 20_000


def result_view(store: SuiteStore, result: SuiteResult) -> None:
    """Draw a result that nobody works on."""
    figures = figures_of(store, result)
    said = f"{result.done:,} of {result.total:,} texts" if result.waiting else f"{result.total:,} texts"
    st.markdown(f"**{plain(result.suite_name)}** · {plain(result.label)} · {said}", help=_EXPLAINED)
    if not figures.tallies:
        st.caption("No text has been checked yet.")
        return
    _headline(figures)
    with st.container(horizontal=True):
        with st.container(width=420):
            _matrix(figures)
        with st.container(width="stretch"):
            _policies(figures)
    if figures.units:
        units = " · ".join(f"{_unit(name)} {count:,}" for name, count in figures.units.items())
        st.caption(f"Text units: {units}")
    _lines(store, result, figures)
    _downloads(store, result, figures)


def policy_words(names: tuple[str, ...]) -> str:
    """The policies as people call them."""
    return ", ".join(POLICIES.get(name, name) for name in names)


def _headline(figures: Figures) -> None:
    found = metrics.verdicts(figures.tallies)
    accuracy = metrics.accuracy(figures.tallies)
    with st.container(horizontal=True):
        st.metric("Accuracy", "none" if accuracy is None else f"{accuracy:.1%}")
        st.metric("Missed", f"{found['missed']:,}")
        st.metric("False alarms", f"{found['false alarm']:,}")
        st.metric("Wrong policy", f"{found['wrong policy']:,}")
        if found["failed"]:
            st.metric("Failed", f"{found['failed']:,}")
        if figures.p50_ms is not None and figures.p95_ms is not None:
            st.metric("Latency, p50", format_ms(figures.p50_ms), help="As the guardrail reports it")
            st.metric("Latency, p95", format_ms(figures.p95_ms))


def _matrix(figures: Figures) -> None:
    matrix = metrics.confusion(figures.tallies)
    outcomes = [got for got in OUTCOMES if got != "failed" or any(matrix[each, got] for each in EXPECTED)]
    rows = [
        {"Expected": expected, **{f"Got {got}": matrix[expected, got] for got in outcomes}}
        for expected in EXPECTED
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="guardrail_suite_matrix",
        alt="Expected outcomes by what came",
    )


def _policies(figures: Figures) -> None:
    scores = metrics.by_policy(figures.tallies)
    rows = [_score("any", metrics.overall(figures.tallies))]
    rows += [_score(POLICIES.get(name, name), score) for name, score in scores.items()]
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="guardrail_suite_policies",
        column_config={name: number(format="percent") for name in ("Precision", "Recall")}
        | {"F1": number(format="%.3f")},
        alt="Precision, recall and F1 of each policy",
    )


def _score(name: str, score: Score) -> dict[str, Any]:
    return {
        "Policy": name,
        "Precision": score.precision,
        "Recall": score.recall,
        "F1": score.f1,
        "Right": score.right,
        "Missed": score.missed,
        "False alarms": score.false_alarms,
    }


def _unit(name: str) -> str:
    policy = name.removesuffix("Units").removesuffix("Free").removesuffix("Image")
    kind = " (free)" if "FreeUnits" in name else " (images)" if "ImageUnits" in name else ""
    return POLICIES.get(policy, policy) + kind


def _lines(store: SuiteStore, result: SuiteResult, figures: Figures) -> None:
    found = metrics.verdicts(figures.tallies)
    kinds = [verdict for verdict in VERDICTS if found[verdict]]
    seen = {name for tally in figures.tallies for name in (*tally.acted, tally.policy) if name}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        verdict: Verdict | None = st.pills(
            "Only",
            kinds,
            format_func=lambda each: f"{each.capitalize()} {found[each]:,}",
            key=f"guardrail_suite_only_{result.id}",
        )
        policy = st.selectbox(
            "Policy",
            ["", *(name for name in POLICIES if name in seen)],
            format_func=lambda each: POLICIES.get(each, "all"),
            key=f"guardrail_suite_policy_{result.id}",
            width=220,
        )
        widget = f"guardrail_suite_lines_page_{result.id}_{verdict}_{policy}"
        number = st.session_state.get(widget, 1)
        page = _page(_key(store, result), store, verdict, policy, number - 1)
        page_picker(page.total, widget)
    event = st.dataframe(
        pd.DataFrame([_row(line) for line in page.lines]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"guardrail_suite_lines_{result.id}_{verdict}_{policy}_{number}",
        column_config={"Text": st.column_config.TextColumn(width="large")},
        alt="Checked texts, the worst first",
    )
    for row in event.selection.rows[:1]:
        if row < len(page.lines):
            _details(page.lines[row])


def page_picker(total: int, key: str) -> None:
    """Draw the choice of a page, where there is more than one."""
    pages = max(1, -(-total // PAGE_ROWS))
    number = st.session_state.get(key, 1)
    if pages > 1 or number > 1:
        st.number_input(f"Page, of {pages} with {PAGE_ROWS} rows", 1, max(pages, number), key=key, width=220)


def _row(line: Shown) -> dict[str, Any]:
    case, checked = line.case, line.checked
    return {
        "Verdict": line.verdict,
        "Expected": case.expected,
        "Got": checked.got,
        "Text": case.text[:EXCERPT_CHARS],
        "Why": checked.why,
        "Should act": POLICIES.get(case.policy, "") if case.expected != "passed" else "",
        "Acted": policy_words(checked.acted),
        "Item": case.item,
        "ID": case.id,
    }


def _details(line: Shown) -> None:
    """One text in full, with the reasons of its verdict."""
    case, checked = line.case, line.checked
    with st.container(border=True, key="guardrail_suite_line"):
        policy = f" by {POLICIES.get(case.policy, case.policy)}" if case.policy else ""
        wanted = f"{case.expected}{policy if case.expected != 'passed' else ''}"
        st.markdown(
            f"**{line.verdict.capitalize()}** · {case.source} · expected {plain(wanted)}, got {checked.got}"
        )
        st.code(case.text[:_LONGEST_SHOWN] or " ", language=None, wrap_lines=True)
        st.caption(plain(checked.why) or "The guardrail found nothing that its policies name.")
        for name, text in (("Grounding source", case.grounding_source), ("Query", case.query)):
            if text:
                st.caption(f"{name}: {plain(text[:_LONGEST_SHOWN])}")
        if case.note:
            st.caption(plain(case.note))


def _downloads(store: SuiteStore, result: SuiteResult, figures: Figures) -> None:
    engine, name = store.engine, result.id[:8]

    def as_csv() -> str:
        return export.csv_text(reading.lines(engine, result.id))

    def as_json() -> str:
        return export.json_text(result, figures, reading.lines(engine, result.id))

    def as_tests() -> str:
        cases = reading.cases(engine, result.id)
        return export.pytest_text(cases, result.identifier, result.guardrail_version, result.region)

    with st.container(horizontal=True):
        _download("CSV", f"guardrail_{name}.csv", "text/csv", as_csv)
        _download("JSON", f"guardrail_{name}.json", "application/json", as_json)
        _download("pytest file", f"test_guardrail_{name}.py", "text/x-python", as_tests)
    st.caption("The pytest file runs with boto3 and pytest alone: one test for each text, on this version.")


def _download(words: str, file_name: str, mime: str, write: Callable[[], str]) -> None:
    st.download_button(
        f"Download as {words}",
        data=lambda: write().encode(),
        file_name=file_name,
        mime=mime,
        icon=":material/download:",
        on_click="ignore",
        key=f"guardrail_suite_export_{file_name.rpartition('.')[2]}",
    )


# What the database says is asked for once for each version of a result. Arguments with an underscore are no
# part of Streamlit's key; `key` is nothing else.

Key = tuple[str, str, int]


def figures_of(store: SuiteStore, result: SuiteResult) -> Figures:
    """The figures of a result."""
    return _figures(_key(store, result), store)


def _key(store: SuiteStore, result: SuiteResult) -> Key:
    return (str(store.engine.url), result.id, result.changes)


@st.cache_data(show_spinner=False, max_entries=64)
def _figures(key: Key, _store: SuiteStore) -> Figures:
    return reading.figures(_store.engine, key[1])


@st.cache_data(show_spinner=False, max_entries=64)
def _page(key: Key, _store: SuiteStore, verdict: Verdict | None, policy: str, number: int) -> Page:
    return reading.page(_store.engine, key[1], verdict=verdict, policy=policy, number=number)
