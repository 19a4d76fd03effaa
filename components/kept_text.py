"""Texts and choices that are our own: a widget forgets them when its page is left or it is not drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components.shown import show


def kept(key: str) -> str:
    """The text of the field `key`, drawn or not."""
    return str(st.session_state.get(f"{key}_kept", ""))


def keep(key: str, text: str) -> None:
    """Put a text into the field."""
    st.session_state[f"{key}_kept"] = text


def kept_input(key: str, label: str, *, placeholder: str = "", help: str | None = None) -> str:
    """Draw a field of one line and return its text."""
    show(key, kept(key), "")
    st.text_input(label, key=key, placeholder=placeholder, help=help, on_change=_keeper(key))
    return kept(key)


def kept_area(key: str, label: str, *, height: int, placeholder: str = "", help: str | None = None) -> str:
    """Draw a field of many lines and return its text."""
    show(key, kept(key), "")
    st.text_area(label, key=key, height=height, placeholder=placeholder, help=help, on_change=_keeper(key))
    return kept(key)


def kept_choice(key: str, label: str, options: Sequence[str], format_func: Callable[[str], str] = str) -> str:
    """Draw a select box and return its choice, kept in the session at `key`; at first the first option."""
    current = st.session_state.get(key)
    chosen = current if current in options else options[0]
    widget = f"{key}_widget"
    show(widget, chosen, options[0])

    def keep_choice() -> None:
        st.session_state[key] = st.session_state[widget]

    st.selectbox(label, options, key=widget, format_func=format_func, on_change=keep_choice)
    return str(chosen)


def _keeper(key: str) -> Callable[[], None]:
    return lambda: keep(key, st.session_state[key] or "")
