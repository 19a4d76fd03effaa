"""A guardrail made and changed: every policy, its versions, and the code that does the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from components.guardrail_draft import Draft, draft_of, drop, start_new
from components.guardrail_items import SECTIONS, section
from components.guardrail_versions import difference_list, guardrail_versions
from components.problem_card import problem_card
from components.safe_markdown import plain
from components.shown import show
from services import guardrail_editor as service
from services.clients import Identity
from services.code_export.boto3 import boto3_code
from services.guardrail_configuration import ConfigurationError, from_json
from services.guardrail_differences import differences
from services.guardrail_editor import GuardrailError, new_seed
from services.guardrail_rules import longest, problems
from services.users import User

_SECTION, _JSON = "guardrail_editor_section", "JSON"
_COPY = "-copy"
_SHOWN_PROBLEMS = 20


def guardrail_editor(
    identity: Identity, user: User, *, identifier: str, changed: Callable[[str], None]
) -> None:
    """Draw the editor of a guardrail, or of a new one where `identifier` is "".

    `changed` is called with the id after something was made or changed, and with "" after a guardrail is
    deleted or a new one is begun.
    """
    may_change = user.can("admin")
    try:
        draft = draft_of(identity, identifier)
    except GuardrailError as error:
        problem_card(error.problem, key="guardrail_editor", actions={"retry": service.refresh})
        return
    except ConfigurationError as error:
        st.error(plain(str(error)), title="This guardrail cannot be read", icon=":material/error:")
        return
    head = st.container()
    if not may_change:
        st.info(
            "Your role can look at guardrails; an admin can save and delete them.", icon=":material/lock:"
        )
    _start(draft, may_change=may_change)
    _section(draft, disabled=not may_change)
    _save_bar(identity, draft, may_change=may_change, changed=changed)
    with head:
        _head(identity, draft, changed)
    if draft.identifier:
        with st.expander(
            "Versions", icon=":material/history:", key="guardrail_editor_versions", expanded=True
        ):
            guardrail_versions(identity, draft, may_change=may_change, changed=changed)
    _code(identity, draft)


def _head(identity: Identity, draft: Draft, changed: Callable[[str], None]) -> None:
    """The name, and how what is on the screen stands to what AWS has."""
    with st.container(horizontal=True, vertical_alignment="center"):
        title = draft.saved.name if draft.identifier else "New guardrail"
        st.markdown(f"**{plain(title)}**", width="content")
        if draft.changed or not draft.identifier:
            st.badge("not saved", icon=":material/edit:", color="orange")
        else:
            st.badge("saved", icon=":material/check:", color="green")
        if draft.identifier:
            st.button(
                "New guardrail",
                key="guardrail_editor_new",
                icon=":material/add:",
                type="tertiary",
                on_click=lambda: changed(""),
            )
            st.button(
                "Duplicate",
                key="guardrail_editor_duplicate",
                icon=":material/content_copy:",
                type="tertiary",
                help="A new guardrail that begins as this one",
                on_click=_duplicate,
                args=(identity, draft, changed),
            )
    if draft.identifier:
        _status(identity, draft)


def _status(identity: Identity, draft: Draft) -> None:
    try:
        there = service.get(identity, draft.identifier)
    except (GuardrailError, ConfigurationError):
        return  # what is edited is still here; saving will tell
    if there.status != "READY":
        st.warning(
            f"Its status is {plain(there.status)}. {plain(' '.join(there.reasons))}", icon=":material/info:"
        )
    if draft.changed and there.configuration != draft.saved:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning("Somebody has changed this guardrail since you began.", icon=":material/group:")
            st.button(
                "Take theirs",
                key="guardrail_editor_theirs",
                on_click=draft.renew,
                args=(there.configuration,),
            )


def _duplicate(identity: Identity, draft: Draft, changed: Callable[[str], None]) -> None:
    name = draft.now.name[: longest("name") - len(_COPY)] + _COPY
    start_new(identity, replace(draft.now, name=name))
    changed("")


def _start(draft: Draft, *, may_change: bool) -> None:
    """Other beginnings than an empty form: the sample, a file."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if not draft.identifier and may_change and service.SAMPLE.exists():
            st.button(
                "Start from the sample",
                key="guardrail_editor_sample",
                icon=":material/science:",
                help="A guardrail with every kind of policy",
                on_click=_take_sample,
                args=(draft,),
            )
        st.download_button(
            "Export as JSON",
            data=lambda: draft.now.to_json().encode(),
            file_name=f"{draft.now.name or 'guardrail'}.json",
            mime="application/json",
            icon=":material/download:",
            key="guardrail_editor_export",
            on_click="ignore",
        )
    if may_change:
        with st.expander("Import a configuration", icon=":material/upload_file:", type="compact"):
            st.file_uploader(
                "JSON, as GetGuardrail answers it or CreateGuardrail takes it",
                type="json",
                key=f"guardrail_editor_file_{draft.identifier}",
                on_change=_import_file,
                args=(draft,),
            )
    if draft.fault:
        st.error(plain(draft.fault), title="This cannot be used", icon=":material/error:")


def _take_sample(draft: Draft) -> None:
    try:
        found = service.sample()
    except (ConfigurationError, OSError, UnicodeDecodeError) as error:
        draft.fault = f"The sample cannot be read: {error}"
        return
    if found is not None:
        draft.take(found)


def _import_file(draft: Draft) -> None:
    uploaded = st.session_state.get(f"guardrail_editor_file_{draft.identifier}")
    if uploaded is not None:
        _import_text(draft, uploaded.getvalue())


def _import_text(draft: Draft, text: str | bytes) -> None:
    """Take a configuration; one that cannot be read changes nothing."""
    try:
        draft.take(from_json(text))
    except ConfigurationError as error:
        draft.fault = str(error)


def _section(draft: Draft, *, disabled: bool) -> None:
    names = [*SECTIONS, _JSON]
    chosen = st.session_state.setdefault(f"{_SECTION}_kept", names[0])
    show(_SECTION, chosen)
    st.segmented_control(
        "Part of the guardrail",
        names,
        key=_SECTION,
        label_visibility="collapsed",
        required=True,
        on_change=lambda: st.session_state.update({f"{_SECTION}_kept": st.session_state[_SECTION]}),
    )
    if chosen == _JSON:
        _json(draft, disabled=disabled)
    else:
        section(chosen, draft, disabled=disabled)


def _json(draft: Draft, *, disabled: bool) -> None:
    """The whole request as text. A text that cannot be read stays until it can."""
    key = f"guardrail_editor_json_{draft.identifier}"
    typed = st.session_state.get(f"{key}_kept")
    show(key, draft.now.to_json() if typed is None else typed, "")

    def change() -> None:
        text = st.session_state[key] or ""
        try:
            draft.take(from_json(text))
        except ConfigurationError as error:
            st.session_state[f"{key}_kept"] = text
            draft.fault = str(error)
        else:
            st.session_state.pop(f"{key}_kept", None)

    def back() -> None:
        st.session_state.pop(f"{key}_kept", None)
        draft.fault = ""

    st.text_area(
        "The configuration, as CreateGuardrail takes it",
        key=key,
        height=420,
        disabled=disabled,
        on_change=change,
    )
    if typed is not None:
        st.caption("This text is not taken over: it cannot be read yet.")
        st.button("Back to what is edited", key=f"{key}_back", on_click=back)


def _save_bar(identity: Identity, draft: Draft, *, may_change: bool, changed: Callable[[str], None]) -> None:
    refused = problems(draft.now)
    if refused:
        lines = [f"- {plain(sentence)}" for sentence in refused[:_SHOWN_PROBLEMS]]
        if len(refused) > _SHOWN_PROBLEMS:
            lines.append(f"- and {len(refused) - _SHOWN_PROBLEMS} more")
        st.warning("\n".join(lines), title="AWS would refuse this", icon=":material/rule:")
    if draft.identifier and draft.changed:
        with st.expander("What saving changes", icon=":material/difference:", type="compact"):
            difference_list(differences(draft.saved, draft.now), "Nothing.")
    with st.container(horizontal=True, vertical_alignment="center"):
        # Not a callback: the tables above have taken their last edits by now.
        pressed = st.button(
            "Save DRAFT" if draft.identifier else "Create guardrail",
            key="guardrail_editor_save",
            type="primary",
            icon=":material/save:",
            disabled=not may_change or bool(refused) or (bool(draft.identifier) and not draft.changed),
        )
        if draft.changed:
            st.button(
                "Discard changes",
                key="guardrail_editor_discard",
                icon=":material/undo:",
                on_click=lambda: draft.take(draft.saved),
            )
    if draft.said:
        st.success(plain(draft.said), icon=":material/check:")
    if draft.problem:
        problem_card(draft.problem, key="guardrail_editor_save")
    if pressed:
        _save(identity, draft, changed)
        st.rerun()


def _save(identity: Identity, draft: Draft, changed: Callable[[str], None]) -> None:
    """Create or update; what is typed stays where AWS refuses it."""
    draft.forget()
    try:
        if draft.identifier:
            service.update(identity, draft.identifier, draft.now)
            draft.saved = draft.now
            draft.said = "The DRAFT is saved."
            changed(draft.identifier)
            return
        made = service.create(identity, draft.now, seed=draft.seed)
    except GuardrailError as error:
        draft.problem = error.problem
        return
    draft.seed = new_seed()
    drop(identity, "")
    changed(made)


def _code(identity: Identity, draft: Draft) -> None:
    expander = st.expander(
        "Code (boto3)",
        icon=":material/code:",
        type="compact",
        key="guardrail_editor_code",
        on_change="rerun",
    )
    if not expander.open:
        return
    with expander:
        call = (
            service.update_call(identity, draft.identifier, draft.now)
            if draft.identifier
            else service.create_call(identity, draft.now)
        )
        try:
            st.code(boto3_code(call), language="python")
        except ValueError as error:
            st.caption(plain(str(error)))
