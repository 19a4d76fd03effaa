"""Converse or InvokeModel, and the body that InvokeModel sends: shown as it goes out, edited, and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from components.edits import Editing
from components.pane_actions import PaneActions
from components.safe_markdown import plain
from components.shown import show
from services import bodies
from services.bodies import PLACEHOLDER, BodyFormat, BodyProblem
from services.conversations import Pane, RefusedError, Settings, generated_body, sent_parameters
from services.models import Model

_OPERATIONS = ("Converse", "InvokeModel")
_SHOWN_PROBLEMS = 8
_LABELS = {"stopSequences": "stop sequences"}


def body_editor(n: int, pane: Pane, model: Model | None, actions: PaneActions) -> None:
    """Draw the section of pane `n`. An edited body is kept in the pane's settings, a generated one is not."""
    key = f"playground_operation_{n}"
    show(key, pane.settings.operation)
    st.segmented_control(
        "API",
        _OPERATIONS,
        key=key,
        label_visibility="collapsed",
        required=True,
        help="Converse has one request for all models. InvokeModel sends the provider's own body.",
        on_change=lambda: actions.change_settings(
            lambda now: replace(now, operation=st.session_state[key] or now.operation)
        ),
    )
    if pane.settings.operation != "InvokeModel":
        st.caption("The request is Converse's own: Details under a reply shows it.")
    elif model is None:
        st.caption("Choose a model first: its family decides what the body looks like.")
    else:
        _body(n, pane, model, actions.change_settings)


def _body(n: int, pane: Pane, model: Model, change: Editing[Settings]) -> None:
    settings, fmt = pane.settings, bodies.format_of(model)
    streams = "" if model.capabilities.streaming is False else "WithResponseStream"
    if fmt:
        st.caption(f"Body of `InvokeModel{streams}` in the format **{fmt.name}**.")
    else:
        st.caption(
            f"The format that {plain(model.name)} takes is not known here. Write its body as the provider "
            f"documents it; `{PLACEHOLDER}` stands for the typed prompt."
        )
    generated, refused = _generated(pane, model) if fmt else ("", "")
    if refused and not settings.body_json:
        st.warning(plain(refused), icon=":material/warning:")
    key = f"playground_body_{n}"
    show(key, settings.body_json or generated, "")
    st.text_area(
        "Body (JSON)",
        key=key,
        height=280,
        placeholder=f'{{"prompt": "{PLACEHOLDER}"}}',
        help=f"What is sent; `{PLACEHOLDER}` is the typed prompt. Edited, it is sent as it stands.",
        on_change=lambda: change(lambda now: _with_body(now, st.session_state[key] or "", generated)),
    )
    if settings.body_json:
        _edited(n, settings, fmt, model, change)
    elif fmt and (left_out := _left_out(settings, fmt, model)):
        st.caption(f"{fmt.name} bodies have no member for {', '.join(left_out)}: not sent.")


def _edited(
    n: int, settings: Settings, fmt: BodyFormat | None, model: Model, change: Editing[Settings]
) -> None:
    text = settings.body_json
    if bodies.has_placeholder(text):
        st.caption(
            "Edited: sent as it stands, with the typed prompt in its place. Parameters, system prompt and "
            "later turns of this pane are not added."
        )
    else:
        st.caption(f"Edited: sent as it stands. It has no `{PLACEHOLDER}`, so the typed prompt is not in it.")
    _problems(bodies.check_body(text, fmt, model.capabilities))
    st.button(
        "Reset to generated" if fmt else "Clear the body",
        key=f"playground_body_reset_{n}",
        icon=":material/restart_alt:",
        on_click=change,
        args=(lambda now: replace(now, body_json=""),),
    )


def _problems(problems: list[BodyProblem]) -> None:
    """One line each; untrusted words from the body are made plain."""
    for problem in problems[:_SHOWN_PROBLEMS]:
        color, icon = ("orange", "warning") if problem.warning else ("red", "error")
        st.markdown(f":{color}[:material/{icon}: Line {problem.line}:] {plain(problem.sentence)}")
    if len(problems) > _SHOWN_PROBLEMS:
        st.caption(f"And {len(problems) - _SHOWN_PROBLEMS} more.")


def _generated(pane: Pane, model: Model) -> tuple[str, str]:
    """The body for the settings and turns as they are, and why there is none."""
    sample: list[dict[str, Any]] = [{"text": PLACEHOLDER}]
    try:
        return bodies.body_text(generated_body(pane.settings, model, pane.turns, sample)), ""
    except RefusedError as refused:
        return "", f"{refused.problem.cause} {refused.problem.fix}"


def _with_body(settings: Settings, text: str, generated: str) -> Settings:
    """The settings with an edited body; the generated one, or none, is no edited one."""
    return replace(settings, body_json="" if text.strip() in ("", generated.strip()) else text)


def _left_out(settings: Settings, fmt: BodyFormat, model: Model) -> list[str]:
    """The parameters that are set and that the family's body has no place for."""
    names = [*sent_parameters(settings, model.capabilities)]
    names += ["stopSequences"] if settings.stop_sequences else []
    own = model.capabilities.additional_paths
    return [_LABELS.get(name, name) for name in names if name not in fmt.parameters and name not in own]
