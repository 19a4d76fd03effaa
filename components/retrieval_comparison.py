"""Two retrievals, or two cited answers, on one question side by side: one sentence and one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from components.safe_markdown import plain
from services.citations import Answer, Source
from services.retrieval_comparison import Row, compare, compare_answers_sentence

_EXCERPT_CHARS = 160


def compare_retrievals(
    question: str, left: Sequence[Source], right: Sequence[Source], labels: tuple[str, str]
) -> None:
    """Draw how the passages that were found differ between two ways to search."""
    found = compare(left, right)
    st.markdown(f"**{plain(labels[0])} → {plain(labels[1])}**: {plain(found.sentence)}")
    if found.rows:
        st.caption(
            f"“{plain(question)}” · overlap: the passages in both lists by those in either",
        )
        _table(found.rows, labels, "rank")


def compare_answers(question: str, left: Answer, right: Answer, labels: tuple[str, str]) -> None:
    """Draw which sources two answers have in common."""
    sentence = compare_answers_sentence(left.sources, right.sources)
    st.markdown(f"**{plain(labels[0])}** and **{plain(labels[1])}**: {plain(sentence)}")
    found = compare(left.sources, right.sources)
    if found.rows:
        st.caption(f"“{plain(question)}” · on a source rest {left.coverage:.0%} and {right.coverage:.0%}")
        _table(found.rows, labels, "number")


def _table(rows: Sequence[Row], labels: tuple[str, str], what: str) -> None:
    first, second = labels if labels[0] != labels[1] else (f"{labels[0]} (1)", f"{labels[1]} (2)")
    frame = pd.DataFrame([_cells(row, first, second, what) for row in rows])
    whole = [f"{first}: {what}", f"{second}: {what}", "page"]
    frame[whole] = frame[whole].astype("Int64")  # else a number that is missing makes fractions of the others
    st.dataframe(frame.dropna(axis="columns", how="all"), hide_index=True, width="stretch")


def _cells(row: Row, first: str, second: str, what: str) -> dict[str, Any]:
    said = {"same": "=", "up": f"▲ {row.places}", "down": f"▼ {row.places}", "new": "new", "gone": "gone"}
    return {
        f"{first}: {what}": row.left_rank,
        f"{second}: {what}": row.right_rank,
        "change": said[row.change] if what == "rank" else None,
        "source": row.source.location.title,
        "page": row.source.location.page,
        f"{first}: score": row.left_score,
        f"{second}: score": row.right_score,
        "passage": " ".join(row.source.text.split())[:_EXCERPT_CHARS],
    }
