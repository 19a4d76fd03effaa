"""Which dropped files cannot be taken, and why."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components.safe_markdown import plain


def file_faults(faults: Sequence[str]) -> None:
    """Draw the list, if there is anything on it."""
    if faults:
        lines = "\n".join(f"- {plain(fault)}" for fault in faults)
        st.warning(lines, icon=":material/error:", title="These files are left out")
