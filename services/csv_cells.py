"""Cells of CSV files that people open in a spreadsheet."""

from __future__ import annotations

MARK = "\ufeff"
"""Begins a file: without it Excel reads UTF-8 as something else."""


def inert(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe stands before what looks like one."""
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def active(text: str) -> str:
    """The text that `inert` was given."""
    return text[1:] if text.startswith("'") and inert(text[1:]) == text else text
