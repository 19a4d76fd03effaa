"""The settings of one pane, in sections: a click away, so that the conversation keeps the room."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components.body_editor import body_editor
from components.guardrail_and_cache import guardrail_and_cache
from components.model_picker import model_facts
from components.pane_actions import PaneActions
from components.parameter_form import parameter_form
from components.tool_form import tool_form
from services.capabilities import Capabilities
from services.conversations import Pane
from services.models import Model

Section = Callable[[int, Pane, Model | None, PaneActions], None]


def pane_settings(n: int, pane: Pane, model: Model | None, actions: PaneActions) -> None:
    """Draw the button and, once it is open, the section that is chosen."""
    popover = st.popover(
        "",
        icon=":material/tune:",
        help="This pane: model, system prompt, parameters",
        key=f"playground_settings_{n}",
        on_change="rerun",
    )
    if not popover.open:  # a form that nobody looks at would be two thirds of every run
        return
    with popover:
        _pane_buttons(n, pane, actions)
        chosen = next(iter(SECTIONS))
        if len(SECTIONS) > 1:
            key = f"playground_section_{n}"
            chosen = st.segmented_control(
                "Section",
                list(SECTIONS),
                default=chosen,
                key=key,
                label_visibility="collapsed",
                required=True,
            )
        SECTIONS[chosen](n, pane, model, actions)


def _parameters(n: int, pane: Pane, model: Model | None, actions: PaneActions) -> None:
    if model:
        st.markdown(model_facts(model))
        st.markdown(actions.access())
    capabilities = model.capabilities if model else Capabilities()
    parameter_form(
        pane.settings, capabilities, key=f"playground_parameter_{n}", on_change=actions.change_settings
    )
    st.button(
        "Copy to all panes",
        key=f"playground_copy_settings_{n}",
        icon=":material/copy_all:",
        help="System prompt and parameters, not the model",
        on_click=actions.copy_settings_to_all,
    )


def _pane_buttons(n: int, pane: Pane, actions: PaneActions) -> None:
    link = (
        ("Unlink", ":material/link_off:", "Ask this pane by itself")
        if pane.linked
        else ("Link", ":material/link:", "Ask this pane together with the others")
    )
    buttons: list[tuple[str, str, str, str, Callable[[], None] | None]] = [
        ("duplicate", "Duplicate", ":material/content_copy:", "The same pane once more", actions.duplicate),
        ("clear", "New chat", ":material/add_comment:", "Empty this pane", actions.clear),
        ("link", *link, actions.toggle_link),
        ("remove", "Remove", ":material/close:", "Close this pane", actions.remove),
    ]
    with st.container(horizontal=True, gap="xsmall"):
        for name, label, icon, what, callback in buttons:
            st.button(
                label,
                key=f"playground_{name}_{n}",
                icon=icon,
                type="tertiary",
                help=what,
                disabled=callback is None,
                on_click=callback,
            )


SECTIONS: dict[str, Section] = {
    "Parameters": _parameters,
    "Tools": tool_form,
    "API": body_editor,
    "Guardrail & cache": guardrail_and_cache,
}
"""By the label in the popover, in its order."""
