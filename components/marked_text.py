"""Untrusted text as it stands, line by line, with some of its words marked."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

_SPECIAL = set("\\`*_{}[]()<>#+-.!|~$:=&")


def marked_text(text: str, places: Sequence[tuple[int, int]]) -> None:
    """Draw the text; `places` are (start, end) of what is marked, in order and apart."""
    st.markdown(markdown_of(text, places))


def markdown_of(text: str, places: Sequence[tuple[int, int]]) -> str:
    """The text as Markdown that draws nothing but its characters and the marks.

    >>> markdown_of("a *b* c", [(2, 5)])
    'a :orange-background[\\\\*b\\\\*] c'
    """
    pieces, at = [], 0
    for start, end in places:
        pieces += [_literal(text[at:start]), f":orange-background[{_literal(text[start:end])}]"]
        at = end
    pieces.append(_literal(text[at:]))
    return "".join(pieces).strip()


def _literal(text: str) -> str:
    """Each character for itself: no markup, each line on its own, no line indented into a code block."""
    lines = ["".join("\\" + c if c in _SPECIAL else c for c in line) for line in text.split("\n")]
    first, *rest = [line.replace("\t", " ") for line in lines]
    return "".join([first, *(f"  \n{_indented(line)}" for line in rest)])


def _indented(line: str) -> str:
    bare = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(bare)) + bare
