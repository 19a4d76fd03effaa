"""An edit, told as what to do to the settings as they are by then.

A form draws settings as they were. Two fields that change before the page is drawn again arrive in one run,
and Streamlit may report the fields of a form that has just been closed once more: an edit that carried the
whole settings of its drawing would undo the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
Edit = Callable[[T], T]
Editing = Callable[[Edit[T]], None]
"""Carries out an edit."""
