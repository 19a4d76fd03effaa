"""What came of a test set: figures, the questions with the misses first, and two results side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from components.metrics_line import format_ms
from components.safe_markdown import plain
from services import rag_test_metrics as metrics
from services.rag_test_metrics import Flip, Metrics, Outcome, Result
from services.rag_test_set import SEPARATOR

_EXPLAINED = """
- **Hit rate@k**: the part of the questions with an expected source among the first k results.
- **MRR**: the mean of 1/rank of the first expected source; 0 where it did not come.
- **Recall@k**: the mean part of a question's expected sources among the first k.

Failed calls are left out.
"""


def result_view(result: Result, *, key: str) -> None:
    """Draw the figures, the questions and the downloads; `key` tells two on one page apart."""
    _figures(result)
    ordered = metrics.misses_first(result.outcomes)
    event = st.dataframe(
        pd.DataFrame([_row(outcome) for outcome in ordered]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"rag_test_rows_{key}_{result.id}",
        column_config={
            "Rank": st.column_config.NumberColumn(help="None: the expected source did not come", width=60),
            "Question": st.column_config.TextColumn(width="medium"),
            "Expected": st.column_config.TextColumn(width="medium"),
            "What came": st.column_config.TextColumn(width="medium", help="The documents, by rank"),
        },
        alt="Questions, those whose source did not come first",
    )
    for row in event.selection.rows[:1]:
        if row < len(ordered):
            _details(ordered[row])
    with st.container(horizontal=True):
        _download("csv", "text/csv", result, key)
        _download("json", "application/json", result, key)


def _download(kind: str, mime: str, result: Result, key: str) -> None:
    write = metrics.csv_text if kind == "csv" else metrics.json_text
    st.download_button(
        f"Download as {kind.upper()}",
        data=lambda: write(result).encode(),
        file_name=f"retrieval-{result.id}.{kind}",
        mime=mime,
        icon=":material/download:",
        on_click="ignore",
        key=f"rag_test_{kind}_{key}",
    )


def comparison(before: Result, after: Result) -> None:
    """Draw what changed from one result to another: the figures, and the questions that flip."""
    depth = min(before.depth, after.depth)
    steps = metrics.depths(depth)
    k = st.segmented_control(
        "A question is answered when its source is among the first",
        steps,
        default=steps[-1],
        key="rag_test_k",
        required=True,
    )
    flips = metrics.compare(before, after, k if k in steps else steps[-1])
    if not flips:
        st.info("The two results have no question in common.", icon=":material/info:")
        return
    count = {
        change: sum(flip.change == change for flip in flips) for change in ("won", "lost", "higher", "lower")
    }
    st.markdown(
        f"**{count['won']} won, {count['lost']} lost** of {len(flips)} questions that both answered; "
        f"{count['higher']} higher, {count['lower']} lower."
    )
    st.dataframe(
        pd.DataFrame([_figure_row(plain(each.label), each, steps) for each in (before, after)]),
        hide_index=True,
        column_config=_percentages(steps),
        alt="Figures of both results",
    )
    changed = [flip for flip in flips if flip.change != "same"]
    if changed:
        st.dataframe(
            pd.DataFrame([_flip_row(flip) for flip in changed]),
            hide_index=True,
            key="rag_test_flips",
            alt="Questions whose rank changed",
        )


def _figures(result: Result) -> None:
    steps = metrics.depths(result.depth)
    measured = metrics.measure(result.outcomes, steps)
    failed = len(result.outcomes) - measured.questions
    said = f"{measured.questions:,} questions"
    if failed:
        said += f", {failed:,} failed"
    if len(result.outcomes) < result.total:
        said += f", {result.total - len(result.outcomes):,} not asked"
    st.markdown(f"**{plain(result.set_name)}** · {plain(result.label)} · {said}", help=_EXPLAINED)
    if not measured.questions:
        return
    with st.container(horizontal=True):
        st.metric("MRR", f"{measured.mrr:.3f}")
        for k in steps:
            st.metric(f"Hit rate@{k}", f"{measured.hit_rate[k]:.1%}")
    rows = [_metrics_row("all", measured, steps)]
    rows += [
        _metrics_row(kind, each, steps) for kind, each in metrics.by_kind(result.outcomes, steps).items()
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config=_percentages(steps),
        alt="Figures by kind of question",
    )


def _metrics_row(name: str, measured: Metrics, steps: Sequence[int]) -> dict[str, Any]:
    row: dict[str, Any] = {"Kind": name, "Questions": measured.questions, "MRR": measured.mrr}
    row |= {f"Hit rate@{k}": measured.hit_rate[k] for k in steps}
    return row | {f"Recall@{k}": measured.recall[k] for k in steps}


def _figure_row(label: str, result: Result, steps: Sequence[int]) -> dict[str, Any]:
    row = _metrics_row("", metrics.measure(result.outcomes, steps), steps)
    del row["Kind"]
    return {"Settings": label, **row}


def _percentages(steps: Sequence[int]) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    shown: dict[str, Any] = {"MRR": number(format="%.3f")}
    for k in steps:
        shown |= {f"Hit rate@{k}": number(format="percent"), f"Recall@{k}": number(format="percent")}
    return shown


def _row(outcome: Outcome) -> dict[str, Any]:
    return {
        "Rank": outcome.rank,
        "Question": outcome.question.question,
        "Expected": SEPARATOR.join(outcome.question.expected),
        "What came": outcome.problem or ", ".join(dict.fromkeys(found.title for found in outcome.found)),
        "Kind": outcome.question.kind,
        "Time": "" if outcome.latency_ms is None else format_ms(outcome.latency_ms),
    }


def _flip_row(flip: Flip) -> dict[str, Any]:
    return {
        "Change": flip.change,
        "Question": flip.question.question,
        "Rank before": flip.before,
        "Rank now": flip.after,
        "Expected": SEPARATOR.join(flip.question.expected),
    }


def _details(outcome: Outcome) -> None:
    """One question in full: what was expected and what came, by rank."""
    question = outcome.question
    with st.container(border=True):
        st.markdown(f"**{plain(question.question)}**")
        st.caption(f"Expected: {plain(', '.join(question.expected))}")
        if question.answer:
            st.caption(f"Expected answer: {plain(question.answer)}")
        if outcome.problem:
            st.caption(f":red[{plain(outcome.problem)}]")
        elif not outcome.found:
            st.caption("Nothing was retrieved.")
        for rank, found in enumerate(outcome.found, 1):
            page = f", page {found.page}" if found.page else ""
            score = "" if found.score is None else f" · {found.score:.3f}"
            mark = " :green-badge[expected]" if rank in outcome.ranks else ""
            st.markdown(f"{rank}. **{plain(found.title)}**{page}{score}{mark}")
            st.caption(plain(found.text))
