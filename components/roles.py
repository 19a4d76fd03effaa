"""What a role may do, where a button is drawn all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from services.users import User

P = ParamSpec("P")


def spending(user: User, why_not: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Makes an action one for those who may make calls that cost; others are told the sentence."""

    def for_spenders(action: Callable[P, None]) -> Callable[P, None]:
        def act(*args: P.args, **kwargs: P.kwargs) -> None:
            if user.can("spend"):
                action(*args, **kwargs)
            else:
                st.toast(why_not, icon=":material/lock:")

        return act

    return for_spenders
