"""Model playground: one prompt to several models, their replies side by side as they stream."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from components.auth import require_user
from components.chat_pane import chat_pane, open_details
from components.draft import keep_draft
from components.pane_actions import PaneActions
from components.parameter_form import clamp
from components.preflight_bar import Draft, draft_of, hold, preflight_bar
from components.problem_card import problem_card
from components.reply_hub import reply_hub
from components.safe_markdown import plain
from components.sidebar import current_identity
from services import attachments, backend, models, run_store
from services.conversations import Pane, from_run
from services.playground import MOST_PANES, Playground, first_panes, untouched

user = require_user()
identity = current_identity()
catalogue = models.catalogue(identity)


def linked_panes() -> list[Pane] | None:
    """The pane that `?run=<id>` asks for, once per link; None where there is none."""
    run_id = st.query_params.get("run")
    if not run_id or st.session_state.get("playground_linked") == run_id:
        return None
    st.session_state.playground_linked = run_id
    run = run_store.store().get(run_id, user.username)
    if run is None:
        st.toast("This link names a run that does not exist, or that is private to someone else.")
        return None
    return [from_run(run)]


if linked := linked_panes():
    reply_hub().stop_all()
    st.session_state.playground = linked
if untouched(st.session_state.get("playground") or []):
    st.session_state.playground = first_panes(catalogue)
playground = Playground(st.session_state.playground, reply_hub(), identity, user.username)


def send() -> None:
    """The prompt goes to every pane."""
    value = st.session_state.playground_prompt
    st.session_state.playground_sends = st.session_state.get("playground_sends", 0) + 1
    send_draft(draft_of(value.text or "", value.files))


def send_draft(draft: Draft) -> None:
    """A prompt with its files goes to every pane; one that no model would take is kept, with the reasons."""
    if draft.bad_files or draft.problem:
        hold(draft)
    elif not draft.empty:
        playground.send(*attachments.blocks(draft.text, draft.files, playground.document_names()))


def choose_model(pane: Pane, text: str) -> None:
    """Another model for the pane; numbers that it does not take move to its bounds, and that is said."""
    try:
        model = models.resolve(identity, text.strip())
    except ValueError as error:
        st.toast(str(error), icon=":material/error:")
        return
    pane.settings, notes = clamp(replace(pane.settings, model_id=model.model_id), model.capabilities.bounds)
    for note in notes:
        st.toast(note, icon=":material/tune:")


def access_in_words(pane: Pane) -> str:
    """Whether the account may call the pane's model; asked only when someone looks."""
    access, reason = models.availability(identity, pane.settings.model_id)
    if access == "unknown":
        return plain(f"Access unknown. {reason}".strip())
    return ":green[Access granted]" if access == "available" else f":red[No access:] {plain(reason)}"


def actions_of(pane: Pane) -> PaneActions:
    """What the buttons of one pane do."""
    return PaneActions(
        choose_model=lambda model_id: choose_model(pane, model_id),
        change_settings=lambda settings: setattr(pane, "settings", settings),
        copy_settings_to_all=lambda: playground.copy_settings(pane),
        duplicate=lambda: playground.add(pane),
        access=lambda: access_in_words(pane),
        clear=lambda: playground.clear(pane),
        retry=lambda: playground.retry(pane),
        restart_backend=restart_backend,
        remove=(lambda: playground.remove(pane)) if len(playground.panes) > 1 else None,
    )


def restart_backend() -> None:
    """Start the local endpoint anew."""
    backend.restart()


def clear_all() -> None:
    """A new chat in every pane."""
    for pane in playground.panes:
        playground.clear(pane)


def catalogue_problems(catalogue: models.Catalogue) -> None:
    """The model lists that could not be read: in the way only when there is no model at all."""
    if not catalogue.problems:
        return
    count = len(catalogue.problems)
    label = "One model list could not be read" if count == 1 else f"{count} model lists could not be read"
    with st.expander(label, icon=":material/info:", type="compact", expanded=not catalogue.models):
        for index, problem in enumerate(catalogue.problems):
            problem_card(problem, key=f"catalogue_{index}", actions={"restart_backend": restart_backend})


playground.settle()
with st.container(horizontal=True, vertical_alignment="center", gap="small", key="playground_toolbar"):
    st.markdown("### Model playground", width="stretch", anchors=False)
    st.button(
        "Add pane",
        key="playground_add_pane",
        icon=":material/add:",
        disabled=len(playground.panes) >= MOST_PANES,
        on_click=playground.add,
        args=(playground.panes[-1],),
    )
    st.button("New chat", key="playground_new_chat", icon=":material/add_comment:", on_click=clear_all)
    st.button(
        "Stop all",
        key="playground_stop_all",
        icon=":material/stop_circle:",
        disabled=not playground.any_live,
        on_click=playground.hub.stop_all,
    )
catalogue_problems(catalogue)
if playground.hub.store_problem:
    problem_card(playground.hub.store_problem, key="store")

for n, (pane, column) in enumerate(zip(playground.panes, st.columns(len(playground.panes)), strict=True)):
    with column:
        chat_pane(
            n,
            pane,
            playground.model_of(pane),
            catalogue,
            playground.live_reply(pane),
            actions_of(pane),
        )

preflight_bar(playground, send_draft, access_in_words, may_send=user.can("spend"))
st.chat_input(
    "Ask every pane" if user.can("spend") else "Your role can look, but not send prompts",
    key="playground_prompt",
    accept_file="multiple",  # of any type: Streamlit answers a name that it does not like with an exception
    disabled=not user.can("spend"),
    on_submit=send,
)
keep_draft("playground_prompt", user.username, st.session_state.get("playground_sends", 0))
open_details()
