"""An earlier prompt, edited: asked again from there, or in a new pane beside this one."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components.pane_actions import PaneActions
from components.shown import show
from services.conversations import Pane


def edited_turn(pane: Pane) -> int | None:
    """The turn of this pane whose prompt is being edited."""
    turn: int | None = st.session_state.get(f"playground_editing_{pane.key}")
    return turn if turn is not None and turn < len(pane.turns) else None


def start_editing(pane: Pane, turn: int) -> None:
    """From the next run on, the prompt of this turn is a form."""
    st.session_state[f"playground_editing_{pane.key}"] = turn
    st.session_state[f"playground_edited_{pane.key}"] = pane.turns[turn].prompt_text


def edit_prompt(n: int, pane: Pane, turn: int, actions: PaneActions) -> None:
    """Draw the form in the place of the prompt. What is typed stays until it is sent or cancelled."""
    kept, widget = f"playground_edited_{pane.key}", f"playground_edit_{n}"

    def keep() -> None:
        st.session_state[kept] = st.session_state[widget]

    def close() -> None:
        del st.session_state[kept], st.session_state[f"playground_editing_{pane.key}"]

    def ask(send: Callable[[int, str], None]) -> None:
        if kept in st.session_state:  # the second of two clicks finds the form closed
            text: str = st.session_state[kept]
            close()
            send(turn, text)

    show(widget, st.session_state[kept], "")
    st.text_area("Prompt", key=widget, label_visibility="collapsed", on_change=keep)
    blank = not st.session_state[kept].strip()
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            "Send",
            key=f"playground_edit_send_{n}",
            icon=":material/send:",
            type="primary",
            disabled=blank,
            help="Ask again from here; what came after it leaves this pane and stays in the history",
            on_click=ask,
            args=(actions.edit,),
        )
        st.button(
            "Fork",
            key=f"playground_edit_fork_{n}",
            icon=":material/fork_right:",
            disabled=blank or actions.fork is None,
            help="Ask it in a new pane; this one stays as it is",
            on_click=ask,
            args=(actions.fork,),
        )
        st.button("Cancel", key=f"playground_edit_cancel_{n}", type="tertiary", on_click=close)
