"""What a field shows, where the truth is not in the field but in settings of our own."""

from __future__ import annotations

import math
import time

import streamlit as st

REPEATED_S = 2.0
"""For so long a value is told again: a run may replace what the one before it drew, unseen by the browser."""

_TOLD = "shown_told"


def show(key: str, value: object, by_itself: object = None) -> None:
    """Let the field with this key, which is drawn next, show this value.

    `by_itself` is what it shows when it is new and nothing is set: "" for a text, the first option of a list
    without an empty choice. Only what differs from what the field shows is told to Streamlit. A value that is
    set makes the browser drop what it holds: set in every run, it would undo an edit that is made while a run
    is under way, and the next message of the browser would report the old value as an edit.
    """
    told: dict[str, float] = st.session_state.setdefault(_TOLD, {})
    now = time.monotonic()
    differs = st.session_state.get(key, by_itself) != value
    if differs:
        told[key] = now
    if differs or now - told.get(key, -math.inf) < REPEATED_S:
        st.session_state[key] = value
