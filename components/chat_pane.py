"""One pane of the playground: a compact header, the conversation, and the reply that streams into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from components.attachment_view import draw_prompt
from components.edit_prompt import edit_prompt, edited_turn, start_editing
from components.guardrail_trace import guardrail_trace
from components.metrics_line import metrics_line, totals_line
from components.model_picker import model_facts, model_picker
from components.pane_actions import PaneActions
from components.pane_settings import pane_settings
from components.problem_card import problem_card
from components.reply import draw_reply, stream_reply
from components.reply_hub import reply_hub
from components.run_details import run_details
from components.tool_results import output_check, tool_results
from services.conversations import Pane, Turn, reply_content, tool_names, waiting_calls
from services.models import Catalogue, Model
from services.problems import Action
from services.streaming import ReplyStream

PANE_HEIGHT = 350
OWN_PROMPT_HEIGHT = 72
_RECENT_TURNS = 3


def chat_pane(
    n: int,
    pane: Pane,
    model: Model | None,
    catalogue: Catalogue,
    stream: ReplyStream | None,
    actions: PaneActions,
) -> None:
    """Draw pane `n`; `stream` is its live reply, or None.

    Widget keys follow the pane's place on the page: `playground_…_<n>`.
    """
    with st.container(key=f"playground_pane_{n}", border=True, gap="small"):
        _header(n, pane, model, catalogue, stream, actions)
        height = PANE_HEIGHT if pane.linked else PANE_HEIGHT - OWN_PROMPT_HEIGHT
        with st.container(height=height, border=False, autoscroll=True, key=f"playground_chat_{n}"):
            _conversation(n, pane, model, stream, actions)
        if not pane.linked:
            _own_prompt(n, actions)


def _own_prompt(n: int, actions: PaneActions) -> None:
    key = f"playground_prompt_{n}"
    st.chat_input("Ask this pane", key=key, on_submit=lambda: actions.send(st.session_state[key] or ""))


def _header(
    n: int,
    pane: Pane,
    model: Model | None,
    catalogue: Catalogue,
    stream: ReplyStream | None,
    actions: PaneActions,
) -> None:
    key = f"playground_model_{n}"
    with st.container(
        horizontal=True, gap="xsmall", vertical_alignment="center", wrap=False, key=f"playground_header_{n}"
    ):
        model_picker(
            catalogue, model, key=key, on_change=lambda: actions.choose_model(st.session_state[key] or "")
        )
        pane_settings(n, pane, model, actions)
        st.button(
            "",
            key=f"playground_stop_{n}",
            icon=":material/stop_circle:",
            help="Stop this reply; what has arrived stays",
            disabled=stream is None,
            on_click=actions.stop,
        )


def _conversation(
    n: int, pane: Pane, model: Model | None, stream: ReplyStream | None, actions: PaneActions
) -> None:
    turns = pane.turns
    if not turns:
        _first_words(model)
        return
    editing = edited_turn(pane)
    hidden = max(0, len(turns) - _RECENT_TURNS)
    if hidden and not st.toggle(f"Show {hidden} earlier turns", key=f"playground_earlier_{n}"):
        turns = turns[hidden:]
    names = tool_names(pane.turns)
    for index, turn in enumerate(turns, start=len(pane.turns) - len(turns)):
        last = index == len(pane.turns) - 1
        with st.chat_message("user", avatar=":material/person:"):
            if editing == index:
                edit_prompt(n, pane, index, actions)
            else:
                draw_prompt(turn, names)
        if last and stream:
            with _place(n, stream):
                _live_reply(n, stream)
            st.empty()  # in the place of the metrics and the problem of the reply before
        else:
            _finished_reply(n, pane, index, actions)
            if last:
                tool_results(n, pane, actions)
    runs = [turn.run for turn in pane.turns if turn.run]
    if len(runs) > 1:
        st.caption(totals_line(runs).replace("$", "\\$"))


def _first_words(model: Model | None) -> None:
    if model is None:
        st.caption("Choose a model above.")
        return
    st.markdown(f"**{model.name}**")
    st.markdown(model_facts(model))


def _place(n: int, stream: ReplyStream) -> DeltaGenerator:
    """Where the reply streams; without this, the one that it replaces would stay below it to the end."""
    key = f"playground_streams_{n}"
    first_time = st.session_state.get(key) != stream.id
    st.session_state[key] = stream.id
    return st.empty().container() if first_time else st.container()


@st.fragment(parallel=True)
def _live_reply(n: int, stream: ReplyStream) -> None:
    """Runs beside the other panes' replies. The page is drawn anew when one fails or the last one ends."""
    with st.container(key=f"playground_reply_{n}"):
        stream_reply(stream)
    run = stream.run()
    if run.problem or run.stop_reason == "tool_use" or reply_hub().settle():
        st.rerun()  # comes back here: in a parallel fragment it is only a request
    else:
        metrics_line(run, key=f"playground_metrics_{n}")


def _finished_reply(n: int, pane: Pane, index: int, actions: PaneActions) -> None:
    turn, last = pane.turns[index], index == len(pane.turns) - 1
    key = f"{n}" if last else f"{n}_{index}"
    with st.container(key=f"playground_reply_{key}"):
        draw_reply(reply_content(turn.run) if turn.run else list(turn.reply))
    problem = turn.problem or (turn.run.problem if turn.run else None)
    with st.container():
        if turn.run:
            metrics_line(turn.run, key=f"playground_metrics_{key}")
            guardrail_trace(turn.run)
        if problem:
            possible = _problem_actions(actions, turn, last, problem.suggestion)
            if problem.code == "ToolResultMissing":  # the results come first, from the form below
                again = {} if waiting_calls(pane.turns) else {"retry": lambda: actions.send_again(turn)}
                possible = cast("dict[Action, Callable[[], None]]", again)
            problem_card(problem, key=key, actions=possible, since=turn.ended_at)
        if turn.run:
            output_check(turn.run, pane.settings.output_schema)
        with st.container(horizontal=True, gap="xsmall"):
            _reply_tools(key, turn, last, actions)
            if not turn.is_tool_result:
                st.button(
                    "Edit",
                    key=f"playground_edit_turn_{key}",
                    icon=":material/edit:",
                    type="tertiary",
                    help="Change this prompt: ask again from here, or in a new pane",
                    on_click=start_editing,
                    args=(pane, index),
                )


def _problem_actions(
    actions: PaneActions, turn: Turn, last: bool, suggestion: str | None
) -> dict[Action, Callable[[], None]]:
    if not last:
        return {}
    possible: dict[Action, Callable[[], None]] = {
        "retry": lambda: actions.retry(turn),
        "renew_credentials": lambda: actions.retry(turn),
        "restart_backend": actions.restart_backend,
        "shorten": actions.clear,
    }
    if suggestion:
        possible["use_inference_profile"] = lambda: actions.choose_model(suggestion)
    return possible


def _reply_tools(key: str, turn: Turn, last: bool, actions: PaneActions) -> None:
    if run := turn.run:
        st.button(
            "Details",
            key=f"playground_details_{key}",
            icon=":material/data_object:",
            type="tertiary",
            help="Request, response, events and code",
            on_click=lambda: st.session_state.update(playground_details=run),
        )
    if last and turn.run:
        st.button(
            "Again",
            key=f"playground_retry_{key}",
            icon=":material/replay:",
            type="tertiary",
            help="Send this prompt once more in this pane; the run of this reply stays in the history",
            on_click=actions.retry,
            args=(turn,),
        )


def open_details() -> None:
    """Open the details dialog if a pane asked for it in this run."""
    if run := st.session_state.pop("playground_details", None):
        run_details(run)
