"""How documents are cut: the strategy of a data source and its parameters, within their bounds."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from components.edits import Editing
from components.shown import show
from services.knowledge_build import BOUNDS, FIELDS, STRATEGIES, Chunking

_LABELS = {
    "max_tokens": ("Maximum tokens", "The size of a chunk."),
    "overlap_percentage": ("Overlap in percent", "How much of a chunk is repeated in the next."),
    "parent_tokens": ("Parent tokens", "The size of the chunk that is given to the model."),
    "child_tokens": ("Child tokens", "The size of the chunks that are searched."),
    "overlap_tokens": ("Overlap tokens", "How many tokens are repeated in the next chunk."),
    "buffer_size": ("Buffer", "How many sentences on either side are compared with one."),
    "breakpoint_percentile": (
        "Breakpoint percentile",
        "Higher means fewer cuts: only at the greatest changes of meaning.",
    ),
}


def chunking_form(chunking: Chunking, *, key: str, change: Editing[Chunking]) -> None:
    """Draw the form; every edit goes to `change`."""
    name = f"{key}_strategy"
    show(name, chunking.strategy, next(iter(STRATEGIES)))
    st.selectbox(
        "Chunking",
        list(STRATEGIES),
        key=name,
        format_func=lambda strategy: STRATEGIES[strategy][0],
        on_change=lambda: change(lambda now: replace(now, strategy=st.session_state[name])),
    )
    st.caption(f"{STRATEGIES[chunking.strategy][1]} It cannot be changed once the data source is made.")
    fields = FIELDS[chunking.strategy]
    for column, field in zip(st.columns(len(fields)) if fields else (), fields, strict=True):
        with column:
            _number(chunking, field, key, change)
    if chunking.fault:
        st.warning(chunking.fault, icon=":material/error:")


def _number(chunking: Chunking, field: str, key: str, change: Editing[Chunking]) -> None:
    name = f"{key}_{field}"
    show(name, getattr(chunking, field), BOUNDS[field][0])
    label, explained = _LABELS[field]
    low, high = BOUNDS[field]
    st.number_input(
        label,
        min_value=low,
        max_value=high,
        key=name,
        help=f"{explained} Between {low} and {high:,}.",
        on_change=lambda: change(lambda now: replace(now, **{field: st.session_state[name]})),
    )
