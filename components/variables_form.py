"""A prompt template with a form for its `{{variables}}`, saved values, and what will be sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from components.kept_text import keep, kept, kept_area, kept_input
from components.problem_card import problem_card
from components.safe_markdown import plain
from components.shown import show
from services import prompts, value_sets
from services.conversations import Pane
from services.playground import Playground
from services.prompt_exchange import pane_variables
from services.prompt_template import fill, not_variables, unfilled, variables
from services.run_tables import STORE_ERRORS
from services.runs import Run
from services.users import User
from services.value_sets import ValueSet

TEMPLATE = "playground_template"
_VALUES = "playground_values"
_SET_NAME = "playground_set_name"
_PREVIEW_CHARS, _SHORT_CHARS = 20_000, 300
_PREVIEW_HEIGHT = 160
_VALUE_HEIGHT = 68


def current_values() -> Mapping[str, str]:
    """The values of this session by variable, also of those that no template names now."""
    values: dict[str, str] = st.session_state.setdefault(_VALUES, {})
    return values


def restore_values(run: Run) -> None:
    """Take over the values that a run of a managed prompt was given."""
    given = run.call.request.get("promptVariables") or {}
    st.session_state[_VALUES] = {**current_values(), **{name: v["text"] for name, v in given.items()}}


def load_template(text: str) -> None:
    """Put a template into the form."""
    keep(TEMPLATE, text)


def variables_form(playground: Playground, user: User, *, on_send: Callable[[str], None]) -> None:
    """Draw the line and, once it is open, the form below it. `on_send` is given the filled template."""
    expander = st.expander(
        "Template with variables",
        icon=":material/data_object:",
        type="compact",
        key="playground_template_form",
        on_change="rerun",
    )
    if not expander.open:
        return
    with expander:
        template = kept_area(
            TEMPLATE,
            "Prompt template",
            height=140,
            placeholder="Summarise {{text}} for {{reader}}.",
            help="Variables stand in double braces: letters, digits, single - and _.",
        )
        for name in not_variables(template)[:3]:
            st.caption(
                f":orange[{plain('{{' + name + '}}')} is no variable: a name has no spaces or accents.]"
            )
        names = tuple(dict.fromkeys((*variables(template), *_of_panes(playground))))
        if names:
            _fields(names)
            _saved_sets(user, names)
        filled = fill(template, current_values())
        if template.strip():
            st.caption("What will be sent")
            long = len(filled) > _SHORT_CHARS or filled.count("\n") > 5
            st.code(
                filled[:_PREVIEW_CHARS],
                language=None,
                wrap_lines=True,
                height=_PREVIEW_HEIGHT if long else "content",
            )
            if len(filled) > _PREVIEW_CHARS:
                st.caption(f"The first {_PREVIEW_CHARS:,} of {len(filled):,} characters.")
        _send_button(playground, user, names, on_send)


def _of_panes(playground: Playground) -> list[str]:
    """The variables of system prompts and managed prompts, with a word on panes that call one."""
    names: list[str] = []
    for n, pane in enumerate(playground.panes):
        try:
            names += pane_variables(playground.identity, pane.settings)
        except prompts.PromptError as error:
            problem_card(error.problem, key=f"pane_prompt_{n}")
        if prompts.is_prompt_arn(pane.settings.model_id):
            st.caption(
                f"Pane {n + 1} calls a managed prompt: its own system prompt, parameters and tools are used. "
                "Those of the pane are not sent: AWS refuses them beside a prompt."
            )
    return names


def _fields(names: Sequence[str]) -> None:
    for name in names:
        key = f"playground_value_{name}"
        show(key, current_values().get(name, ""), "")
        st.text_area(
            f"`{name}`",
            key=key,
            height=_VALUE_HEIGHT,
            placeholder="no value yet",
            on_change=_keep_value,
            args=(name,),
        )


def _keep_value(name: str) -> None:
    values = st.session_state.setdefault(_VALUES, {})
    values[name] = st.session_state[f"playground_value_{name}"] or ""


def _saved_sets(user: User, names: Sequence[str]) -> None:
    try:
        saved = {each.name: each for each in value_sets.store().list(user.username)}
    except STORE_ERRORS as error:
        st.caption(f":red[Saved values cannot be read: {plain(_reason(error))}]")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        if saved:
            st.selectbox(
                "Saved values",
                list(saved),
                index=None,
                key="playground_value_set",
                placeholder="Choose a set",
                on_change=lambda: _use(saved.get(st.session_state.playground_value_set)),
            )
            st.button(
                "",
                key="playground_value_set_delete",
                icon=":material/delete:",
                help="Delete the chosen set",
                disabled=st.session_state.get("playground_value_set") not in saved,
                on_click=_delete,
                args=(user.username,),
            )
        kept_input(_SET_NAME, "Save these values as", placeholder="a name")
        st.button(
            "Save",
            key="playground_value_set_save",
            icon=":material/save:",
            help="A set of the same name is replaced",
            on_click=_save,
            args=(user.username, tuple(names)),
        )


def _use(chosen: ValueSet | None) -> None:
    if chosen:
        st.session_state[_VALUES] = {**current_values(), **chosen.values}
        keep(_SET_NAME, chosen.name)


def _save(username: str, names: Sequence[str]) -> None:
    values = {name: current_values().get(name, "") for name in names}
    try:
        made = value_sets.store().save(username, kept(_SET_NAME), values)
    except ValueError as error:
        st.toast(str(error), icon=":material/error:")
    except STORE_ERRORS as error:
        st.toast(plain(f"The values were not saved: {_reason(error)}"), icon=":material/error:")
    else:
        st.toast(f"Saved as {plain(made.name)}.", icon=":material/save:")


def _delete(username: str) -> None:
    try:
        value_sets.store().delete(username, st.session_state.playground_value_set or "")
    except STORE_ERRORS as error:
        st.toast(plain(f"The set was not deleted: {_reason(error)}"), icon=":material/error:")
    else:
        st.session_state.playground_value_set = None


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)


def _send_button(
    playground: Playground, user: User, names: Sequence[str], on_send: Callable[[str], None]
) -> None:
    missing = [name for name in names if not current_values().get(name)]
    if missing:
        st.caption(f"No value yet: {plain(', '.join(missing))}")
    ready = _ready(playground.panes)
    st.button(
        "Send to every pane",
        key="playground_template_send",
        type="primary",
        icon=":material/send:",
        help=None if user.can("spend") else "Your role can look, but not send prompts",
        disabled=not user.can("spend") or bool(missing) or not ready,
        on_click=lambda: _send(playground.panes, on_send),
    )


def _send(panes: Sequence[Pane], on_send: Callable[[str], None]) -> None:
    """Looks again at what was typed: the last edit and the click may arrive together."""
    if _ready(panes) and not unfilled(kept(TEMPLATE), current_values()):
        on_send(fill(kept(TEMPLATE), current_values()))


def _ready(panes: Sequence[Pane]) -> bool:
    """Whether there is something to send; managed prompts bring their own words."""
    return bool(kept(TEMPLATE).strip()) or all(prompts.is_prompt_arn(p.settings.model_id) for p in panes)
