"""Guardrail tester: what a guardrail stops in a text, and why; what several of them do differently."""

from __future__ import annotations

from functools import partial
from typing import cast, get_args

import streamlit as st

from components.auth import require_user
from components.guardrail_and_cache import guardrail_form, guardrail_select
from components.guardrail_editor import guardrail_editor
from components.guardrail_rates import guardrail_rates
from components.guardrail_state import View, change_target, choose_first, read_run_link, targets
from components.guardrail_suite import guardrail_suite
from components.guardrail_test import guardrail_test
from components.guardrail_with_model import guardrail_with_model
from components.inline_checks import inline_checks
from components.run_details import run_details
from components.shown import show
from components.sidebar import current_identity
from services import guardrail_editor as service
from services import guardrails
from services.guardrails import GuardrailChoice

user = require_user()
identity = current_identity()
choose_first(identity)


def open_view(view: View) -> None:
    """Another view of this page."""
    st.session_state.guardrail_view_kept = view


def refresh() -> None:
    """Ask anew which guardrails there are, and what they do."""
    service.refresh()


def toolbar() -> View:
    """Draw the title and the views; says which view is open."""
    nothing_yet = not targets()[0].identifier and not guardrails.guardrails(identity).problem
    view = cast(View, st.session_state.setdefault("guardrail_view_kept", "Edit" if nothing_yet else "Test"))
    show("guardrail_view", view)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="guardrail_toolbar"):
        st.markdown("### Guardrail tester", width="stretch", anchors=False)
        st.segmented_control(
            "View",
            get_args(View),
            key="guardrail_view",
            label_visibility="collapsed",
            required=True,
            on_change=lambda: open_view(st.session_state.guardrail_view),
        )
        st.button(
            "Refresh",
            key="guardrail_refresh",
            icon=":material/refresh:",
            help="Ask anew which guardrails there are, and what they do",
            on_click=refresh,
        )
    return view


def changed(identifier: str) -> None:
    """A guardrail that was made or changed under Edit: it is the one to test."""
    refresh()
    change_target(0, lambda _: GuardrailChoice(identifier))


if linked := read_run_link(user):
    open_view(linked)
view = toolbar()
if view == "With a model":
    guardrail_with_model(identity, user)
elif view == "Suite":
    guardrail_form(
        targets()[0], identity, key="guardrail_of_suite", change=partial(change_target, 0), of_model=False
    )
    guardrail_suite(identity, user, identifier=targets()[0].identifier, version=targets()[0].version)
elif view == "Edit":
    guardrail_select(targets()[0], identity, key="guardrail_edited", change=partial(change_target, 0))
    if not targets()[0].identifier:
        st.markdown("No guardrail is chosen: make one here, and then test it.")
    guardrail_editor(identity, user, identifier=targets()[0].identifier, changed=changed)
    guardrail_rates(identity, targets()[0].identifier)
elif view == "Inline checks":
    inline_checks(identity, user)
else:
    guardrail_test(identity, user)
if run := st.session_state.pop("guardrail_details", None):
    run_details(run)
