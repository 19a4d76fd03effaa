"""Parts of a page that another change brings: until they are here, a sentence stands in their place."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import streamlit as st


def part(module: str, name: str) -> Callable[..., Any]:
    """The component, or what says that it is not there."""
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(f"components.{module}"), name)
    except ModuleNotFoundError:
        return lambda *_args, **_kwargs: st.caption(f"components/{module}.py is not part of this version.")
    return found
