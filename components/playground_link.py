"""Links to the playground: what an address asks for, and the address of the panes as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st

from components.shown import show
from components.variables_form import restore_values
from services import run_store
from services.conversations import Pane, Settings, from_run
from services.users import User


@dataclass(frozen=True)
class Linked:
    """What a link asks for: panes (none: leave them as they are) and words for the prompt."""

    panes: tuple[Pane, ...] = ()
    prompt: str = ""


def read_link(user: User) -> Linked | None:
    """What `?run=…&run=…&model=…&prompt=…` asks for, once per link; None where there is nothing new."""
    query = st.query_params
    asked = (tuple(query.get_all("run")), tuple(query.get_all("model")), query.get("prompt", ""))
    if not any(asked) or st.session_state.get("playground_linked") == asked:
        return None
    st.session_state.playground_linked = asked
    run_ids, model_ids, prompt = asked
    runs = [run_store.store().get(run_id, user.username) for run_id in run_ids]
    missing = runs.count(None)
    if missing:
        st.toast(
            "This link names a run that does not exist, or that is private to someone else."
            if missing == 1
            else f"This link names {missing} runs that do not exist, or that are private to someone else."
        )
    for run in filter(None, runs):
        restore_values(run)
    panes = [from_run(run) for run in runs if run] + [
        Pane(Settings(model_id=model_id)) for model_id in model_ids
    ]
    return Linked(tuple(panes), prompt)


def link_popover(panes: Sequence[Pane], user: User) -> None:
    """Draw the button that gives the address of these panes: their last runs, or their models."""
    popover = st.popover("Link", icon=":material/link:", key="playground_link", on_change="rerun")
    if not popover.open:
        return
    with popover:
        runs = [pane.turns[-1].run if pane.turns else None for pane in panes]
        query = [
            ("run", run.id) if run else ("model", pane.settings.model_id)
            for pane, run in zip(panes, runs, strict=True)
        ]
        st.caption("Opens the same panes, with models, parameters and conversation.")
        st.code(f"{(st.context.url or '').split('?')[0]}?{urlencode(query)}", language=None, wrap_lines=True)
        own = [run for run in runs if run and run.call.user == user.username]
        if not own:
            return
        key = "playground_link_shared"
        stored = [run_store.store().get(run.id, user.username) for run in own]
        show(key, all(run and run.shared for run in stored), False)
        st.toggle(
            "Everyone who may sign in can open these runs",
            key=key,
            on_change=lambda: _share([run.id for run in own], user, st.session_state[key]),
        )


def _share(run_ids: Sequence[str], user: User, shared: bool) -> None:
    for run_id in run_ids:
        run_store.store().share(run_id, user.username, shared)
