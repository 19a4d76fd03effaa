"""Model playground: one prompt to several models, their replies side by side as they stream."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from components.auth import require_user
from components.batch_view import batch_view
from components.chat_pane import chat_pane, open_details
from components.comparison import comparison
from components.draft import keep_draft
from components.pane_actions import PaneActions
from components.parameter_form import clamp
from components.playground_link import link_popover, read_link
from components.preflight_bar import Draft, draft_of, hold, preflight_bar
from components.problem_card import problem_card
from components.prompt_library import prompt_library
from components.reply_hub import reply_hub
from components.roles import spending
from components.safe_markdown import plain
from components.shown import show
from components.sidebar import current_identity
from components.variables_form import current_values, variables_form
from services import attachments, backend, models
from services.conversations import Pane
from services.playground import MOST_PANES, Playground, first_panes, untouched

user = require_user()
MAY_NOT_SEND = "Your role can look, but not send prompts"
for_spenders = spending(user, MAY_NOT_SEND)
identity = current_identity()
catalogue = models.catalogue(identity)


if link := read_link(user):
    if link.panes:
        reply_hub().stop_all()
        st.session_state.playground = list(link.panes)[:MOST_PANES]
    if link.prompt:
        st.session_state.playground_prompt = link.prompt
if untouched(st.session_state.get("playground") or []):
    st.session_state.playground = first_panes(catalogue)
playground = Playground(
    st.session_state.playground, reply_hub(), identity, user.username, values=current_values()
)


def send() -> None:
    """The prompt goes to every linked pane."""
    value = st.session_state.playground_prompt
    st.session_state.playground_sends = st.session_state.get("playground_sends", 0) + 1
    send_draft(draft_of(value.text or "", value.files))


def send_draft(draft: Draft) -> None:
    """A prompt with its files goes to every pane; one that no model would take is kept, with the reasons."""
    if draft.bad_files or draft.problem:
        hold(draft)
    elif not draft.empty:
        playground.send(*attachments.blocks(draft.text, draft.files, playground.document_names()))


def send_to(pane: Pane, text: str) -> None:
    """A prompt for one pane alone."""
    if text.strip():
        playground.send_to(pane, [{"text": text}])


def send_filled(text: str) -> None:
    """A filled template goes to every pane; "" where they all call managed prompts that need no more."""
    if text.strip():
        send_draft(draft_of(text, ()))
    else:
        playground.send([])


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
    several, has_room = len(playground.panes) > 1, len(playground.panes) < MOST_PANES
    return PaneActions(
        choose_model=lambda model_id: choose_model(pane, model_id),
        change_settings=lambda edit: setattr(pane, "settings", edit(pane.settings)),
        copy_settings_to_all=lambda: playground.copy_settings(pane),
        duplicate=lambda: playground.add(pane),
        access=lambda: access_in_words(pane),
        clear=lambda: playground.clear(pane),
        retry=for_spenders(lambda turn: playground.retry(pane, turn)),
        restart_backend=restart_backend,
        send=for_spenders(lambda text: send_to(pane, text)),
        send_again=for_spenders(lambda turn: playground.send_again(pane, turn)),
        stop=lambda: playground.stop(pane),
        edit=for_spenders(lambda turn, text: playground.edit(pane, turn, text)),
        fork=for_spenders(lambda turn, text: playground.fork(pane, turn, text)) if has_room else None,
        remove=(lambda: playground.remove(pane)) if several else None,
        toggle_link=(lambda: setattr(pane, "linked", not pane.linked)) if several else None,
        answer=(lambda results: playground.answer(pane, results)) if user.can("spend") else None,
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


def change_mode() -> None:
    """Chat or Batch, also after a change of page. A batch stays open in its link alone."""
    st.session_state.playground_mode_kept = st.session_state.playground_mode
    if st.session_state.playground_mode == "Chat":
        st.query_params.pop("batch", None)


def toolbar() -> bool:
    """Draw the title, the switch and, in a chat, what concerns all panes; says whether this is a chat."""
    if "batch" in st.query_params:
        st.session_state.playground_mode_kept = "Batch"
    mode: str = st.session_state.get("playground_mode_kept", "Chat")
    show("playground_mode", mode)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="playground_toolbar"):
        st.markdown("### Model playground", width="stretch", anchors=False)
        st.segmented_control(
            "Mode",
            ["Chat", "Batch"],
            key="playground_mode",
            label_visibility="collapsed",
            required=True,
            on_change=change_mode,
        )
        if mode == "Chat":
            chat_buttons()
    return mode == "Chat"


def chat_buttons() -> None:
    """The buttons for all panes."""
    st.button(
        "Add pane",
        key="playground_add_pane",
        icon=":material/add:",
        disabled=len(playground.panes) >= MOST_PANES,
        on_click=playground.add,
        args=(playground.panes[-1],),
    )
    st.button(
        "New chat",
        key="playground_new_chat",
        icon=":material/add_comment:",
        shortcut="Mod+Alt+N",
        on_click=clear_all,
    )
    link_popover(playground.panes, user)
    st.button(
        "Stop all",
        key="playground_stop_all",
        icon=":material/stop_circle:",
        disabled=not playground.any_live,
        shortcut="Esc",
        on_click=playground.stop_all,
    )


def chat() -> None:
    """The panes, what compares them, and everything about the next prompt."""
    panes = playground.panes
    for n, (pane, column) in enumerate(zip(panes, st.columns(len(panes)), strict=True)):
        with column:
            chat_pane(
                n,
                pane,
                playground.model_of(pane),
                catalogue,
                playground.live_reply(pane),
                actions_of(pane),
            )
    linked = [pane for pane in panes if pane.linked]
    may_send = user.can("spend") and bool(linked)
    with st.container(gap="xsmall", key="playground_below"):
        if len(panes) > 1:
            comparison(
                [model.name if (model := playground.model_of(pane)) else "?" for pane in panes],
                [pane.turns[-1].run if pane.turns else None for pane in panes],
            )
        with st.container(key="playground_prompt_tools", gap=None):
            left, right = st.columns(2)
            with left:
                prompt_library(playground, catalogue, user)
            with right:
                variables_form(playground, user, on_send=send_filled)
        preflight_bar(playground, send_draft, access_in_words, may_send=may_send)
    if not user.can("spend"):
        placeholder = MAY_NOT_SEND
    elif linked:
        placeholder = "Ask every pane" if len(linked) == len(panes) else "Ask the linked panes"
    else:
        placeholder = "No pane is linked: ask each one below its chat"
    st.chat_input(
        placeholder,
        key="playground_prompt",
        accept_file="multiple",  # of any type: at a name that it does not like Streamlit raises an exception
        disabled=not may_send,
        on_submit=send,
    )
    keep_draft("playground_prompt", user.username, st.session_state.get("playground_sends", 0))
    open_details()


playground.settle()
if user.can("spend"):
    playground.answer_from_mocks()
is_chat = toolbar()
catalogue_problems(catalogue)
if playground.hub.store_problem:
    problem_card(playground.hub.store_problem, key="store")
if is_chat:
    chat()
else:
    batch_view(user, identity, playground.panes)
