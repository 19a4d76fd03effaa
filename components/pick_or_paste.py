"""A choice from a list that may be left empty, and that takes a pasted ID as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from components.shown import show


def pick_or_paste(
    label: str,
    names: Mapping[str, str],
    chosen: str,
    *,
    key: str,
    placeholder: str,
    changed: Callable[[str], None],
    help: str | None = None,
) -> None:
    """Draw it; `names` are the words of each ID. `changed` gets the ID, "" for none."""
    options = list(names) if not chosen or chosen in names else [*names, chosen]
    show(key, chosen or None)
    st.selectbox(
        label,
        options,
        index=None,
        key=key,
        format_func=lambda one: names.get(one, one),
        accept_new_options=True,
        placeholder=placeholder,
        help=help,
        on_change=lambda: changed((st.session_state[key] or "").strip()),
    )
