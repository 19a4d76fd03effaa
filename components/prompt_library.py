"""Bedrock's managed prompts: find one, look at it, load it into panes, and save a pane as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from components.kept_text import keep, kept, kept_input
from components.parameter_form import clamp
from components.problem_card import problem_card
from components.safe_markdown import plain
from components.shown import show
from components.variables_form import TEMPLATE, load_template
from services import prompts
from services.capabilities import Capabilities
from services.conversations import Pane
from services.models import Catalogue
from services.playground import Playground
from services.prompt_exchange import Draft, draft, name_refused, settings_from
from services.prompts import DRAFT, ManagedPrompt, PromptError, PromptSummary
from services.users import User

_SEARCH = "playground_prompts_search"
_CHOSEN, _VERSION, _INTO = (
    "playground_prompts_chosen",
    "playground_prompts_version",
    "playground_prompts_into",
)
_NAME, _DESCRIPTION = "playground_prompts_name", "playground_prompts_description"
_FROM = "playground_prompts_from"
_SAID, _SAVED, _FAILED = "playground_prompts_said", "playground_prompts_saved", "playground_prompts_failed"
_PREVIEW_CHARS = 5_000
_ALL = -1


def prompt_library(playground: Playground, catalogue: Catalogue, user: User) -> None:
    """Draw the line and, once it is open, the library below it."""
    expander = st.expander(
        "Managed prompts",
        icon=":material/library_books:",
        type="compact",
        key="playground_prompts",
        on_change="rerun",
    )
    if not expander.open:
        return
    with expander:
        view = st.segmented_control(
            "View",
            ["Load", "Save"],
            default="Load",
            key="playground_prompts_view",
            label_visibility="collapsed",
            required=True,
        )
        chosen = _choose(playground)
        if view == "Load":
            _load_view(playground, catalogue, chosen)
        else:
            _save_view(playground, chosen, user)


def _choose(playground: Playground) -> PromptSummary | None:
    """The search and the list; a list that cannot be read is a problem with words on what to do."""
    listing = prompts.prompts(playground.identity)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        words = kept_input(_SEARCH, "Search", placeholder="name, description or ID").lower().split()
        st.button(
            "",
            key="playground_prompts_refresh",
            icon=":material/refresh:",
            help="Ask for the prompts again",
            on_click=prompts.refresh,
            args=(playground.identity,),
        )
    if listing.problem:
        problem_card(listing.problem, key="prompts")
    found = {row.id: row for row in listing.prompts if all(word in _searched(row) for word in words)}
    if not listing.prompts and not listing.problem:
        st.caption(f"There are no managed prompts in {playground.identity.region} yet.")
    elif listing.prompts and not found:
        st.caption("No prompt has these words.")
    chosen = _kept_choice(_CHOSEN, "Prompt", list(found), {key: _line(row) for key, row in found.items()})
    return found.get(chosen or "")


def _kept_choice(key: str, label: str, options: Sequence[str], labels: dict[str, str]) -> str | None:
    """A choice that is our own, so that it survives a change of page; the first option where none holds."""
    if not options:
        return None
    current = kept(key) if kept(key) in options else options[0]
    show(key, current, options[0])
    st.selectbox(
        label,
        options,
        key=key,
        format_func=lambda option: labels.get(option, option),
        on_change=lambda: keep(key, st.session_state[key]),
    )
    return current


def _searched(row: PromptSummary) -> str:
    return f"{row.name} {row.description} {row.id}".lower()


def _line(row: PromptSummary) -> str:
    return f"{row.name} · {row.description}" if row.description else row.name


# ---- load ------------------------------------------------------------------------------------------------


def _load_view(playground: Playground, catalogue: Catalogue, chosen: PromptSummary | None) -> None:
    if chosen is None:
        return
    listing = prompts.versions(playground.identity, chosen.id)
    if listing.problem:
        problem_card(listing.problem, key="prompt_versions")
    rows = {row.version: row for row in listing.prompts} or {DRAFT: chosen}
    labels = {
        version: f"{'Draft' if version == DRAFT else f'Version {version}'}"
        + (f" · {row.updated_at:%Y-%m-%d %H:%M}" if row.updated_at else "")
        for version, row in rows.items()
    }
    version = _kept_choice(_VERSION, "Version", list(rows), labels) or DRAFT
    try:
        prompt = prompts.get(playground.identity, chosen.id, version)
    except PromptError as error:
        problem_card(error.problem, key="prompt")
        return
    _preview(prompt)
    _load_buttons(playground, catalogue, prompt)
    for sentence in st.session_state.get(_SAID, ()):
        st.caption(plain(sentence))


def _preview(prompt: ManagedPrompt) -> None:
    variant = prompt.variant
    if variant is None:
        st.caption("This prompt has no text yet.")
        return
    if variant.system:
        st.caption("System prompt")
        st.code(variant.system[:_PREVIEW_CHARS], language=None, wrap_lines=True)
    st.caption("Template")
    st.code(variant.template[:_PREVIEW_CHARS] or "(empty)", language=None, wrap_lines=True, height=160)
    facts = [f"`{prompt.arn}`"]
    if variant.model_id:
        facts.append(f"Model {plain(variant.model_id)}")
    if variant.inference or variant.additional:
        sent = {**variant.inference, **variant.additional}
        facts.append(plain(", ".join(f"{name} {value}" for name, value in sent.items())))
    if variant.variables:
        facts.append(f"Variables {plain(', '.join(variant.variables))}")
    st.markdown("  \n".join(facts))


def _load_buttons(playground: Playground, catalogue: Catalogue, prompt: ManagedPrompt) -> None:
    labels = {str(_ALL): "all panes"} | {str(n): f"pane {n + 1}" for n in range(len(playground.panes))}
    into = _kept_choice(_INTO, "Into", list(labels), labels) or str(_ALL)
    panes = playground.panes if into == str(_ALL) else [playground.panes[int(into)]]
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            f"Load into {labels[into]}",
            key="playground_prompts_load",
            type="primary",
            icon=":material/download:",
            help="System prompt, parameters, the model where this identity has it, and the template",
            disabled=prompt.variant is None,
            on_click=_load,
            args=(playground, catalogue, prompt, panes),
        )
        st.button(
            f"Call by ARN in {labels[into]}",
            key="playground_prompts_call",
            icon=":material/link:",
            help="Converse gets the prompt's ARN and the variables; AWS puts the text together",
            on_click=_call_by_arn,
            args=(prompt, panes),
        )


def _load(playground: Playground, catalogue: Catalogue, prompt: ManagedPrompt, panes: list[Pane]) -> None:
    variant = prompt.variant
    if variant is None:
        return
    listed = catalogue.get(variant.model_id) if variant.model_id else None
    has_model = listed is not None and listed.callable
    said: list[str] = []
    for pane in panes:
        settings, sentences = settings_from(variant, pane.settings, has_model=has_model)
        model = listed if has_model else playground.model_of(pane)
        pane.settings, notes = clamp(settings, model.capabilities.bounds if model else {})
        said += [*sentences, *notes]
    load_template(variant.template)
    keep(_NAME, prompt.name)
    keep(_DESCRIPTION, prompt.description)
    where = "every pane" if len(panes) == len(playground.panes) else "the pane"
    st.session_state[_SAID] = (
        f"Loaded into {where}; the text is under Template.",
        *dict.fromkeys(said),
    )


def _call_by_arn(prompt: ManagedPrompt, panes: list[Pane]) -> None:
    for pane in panes:
        pane.settings = replace(pane.settings, model_id=prompt.arn)
    said = "The prompt's own system prompt, parameters and tools are used; the pane's are not sent."
    st.session_state[_SAID] = (said, "Its variables are under Template.")


# ---- save ------------------------------------------------------------------------------------------------


def _save_view(playground: Playground, chosen: PromptSummary | None, user: User) -> None:
    labels = {
        str(n): f"Pane {n + 1} · {pane.settings.model_id or 'no model'}"
        for n, pane in enumerate(playground.panes)
    }
    pane = playground.panes[int(_kept_choice(_FROM, "Save the settings of", list(labels), labels) or 0)]
    model = playground.model_of(pane)
    made = draft(pane.settings, model.capabilities if model else Capabilities(), kept(TEMPLATE), pane.turns)
    name = kept_input(_NAME, "Name", placeholder="order-reply").strip()
    description = kept_input(_DESCRIPTION, "Description", placeholder="what it is for").strip()
    for sentence in (*made.refused, *(name_refused(name, description) if name or description else ())):
        st.caption(f":red[{plain(sentence)}]")
    for sentence in made.lost:
        st.caption(f":orange[{plain(sentence)}]")
    if not user.can("admin"):
        st.caption("Your role can load prompts; an admin can save them.")
    _save_buttons(playground, made, chosen, user, name_is_good=bool(name) and not name_refused(name, ""))
    _outcome()


def _save_buttons(
    playground: Playground, made: Draft, chosen: PromptSummary | None, user: User, *, name_is_good: bool
) -> None:
    blocked = (
        not user.can("admin") or bool(made.refused) or bool(name_refused("x", kept(_DESCRIPTION).strip()))
    )
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            "Save as new prompt",
            key="playground_prompts_create",
            icon=":material/add:",
            disabled=blocked or not name_is_good,
            on_click=_save,
            args=(playground, made, None),
        )
        if chosen:
            st.button(
                f"Save as new version of {plain(chosen.name)}",
                key="playground_prompts_new_version",
                icon=":material/save:",
                help="Replaces its draft, then makes a version of it; earlier versions stay as they are",
                disabled=blocked,
                on_click=_save,
                args=(playground, made, chosen),
            )


def _save(playground: Playground, made: Draft, chosen: PromptSummary | None) -> None:
    identity, description = playground.identity, kept(_DESCRIPTION).strip()
    st.session_state.pop(_SAVED, None)
    st.session_state.pop(_FAILED, None)
    try:
        if chosen:
            written = prompts.update_draft(identity, chosen.id, description, made.variant)
        else:
            written = prompts.create(identity, kept(_NAME).strip(), description, made.variant)
            keep(_SEARCH, "")
        keep(_CHOSEN, written.id)
        version = prompts.create_version(identity, written.id, description)
    except PromptError as error:
        st.session_state[_FAILED] = error.problem
    else:
        keep(_VERSION, version.version)
        st.session_state[_SAVED] = version


def _outcome() -> None:
    if problem := st.session_state.get(_FAILED):
        problem_card(problem, key="prompt_save")
    if saved := st.session_state.get(_SAVED):
        st.success(f"{plain(saved.name)} is saved as version {saved.version}.", icon=":material/check:")
        st.code(saved.arn, language=None, wrap_lines=True)
