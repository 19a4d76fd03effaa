"""What goes with a pane's calls beside the prompt: a guardrail, and the points up to which it is cached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from components.edits import Edit, Editing
from components.pane_actions import PaneActions
from components.pick_or_paste import pick_or_paste
from components.safe_markdown import plain
from components.shown import show
from components.sidebar import current_identity
from services import guardrails
from services.clients import Identity
from services.conversations import Pane, Settings
from services.guardrails import DRAFT, GuardrailChoice, Guardrails, well_formed
from services.models import Model
from services.prompt_caching import CachePoints

_TRACES = {"enabled": "What acted", "enabled_full": "Everything it looked at", "disabled": "None"}
_STREAM_MODES = {
    "": "Service's default",
    "sync": "Hold text back until it is checked",
    "async": "Show at once, check behind",
}
_TTLS = {"": "Service's default", "5m": "5 minutes", "1h": "1 hour"}
_POINTS = {
    "system": "After the system prompt",
    "tools": "After the tools",
    "messages": "After the messages so far",
}


def guardrail_and_cache(n: int, pane: Pane, model: Model | None, actions: PaneActions) -> None:
    """Draw the section of pane `n`."""
    identity = current_identity()

    def change(edit: Edit[GuardrailChoice]) -> None:
        actions.change_settings(lambda now: replace(now, guardrail=edit(now.guardrail)))

    guardrail_form(pane.settings.guardrail, identity, key=f"playground_guardrail_{n}", change=change)
    st.divider()
    _cache(n, pane, model, identity, actions.change_settings)


def guardrail_form(
    choice: GuardrailChoice,
    identity: Identity,
    *,
    key: str,
    change: Editing[GuardrailChoice],
    of_model: bool = True,
) -> None:
    """Draw the choice of a guardrail; for a call of a model also its trace and its way of streaming."""

    def changed(**values: Any) -> None:
        change(lambda now: replace(now, **values))

    guardrail_select(choice, identity, key=key, change=change)
    if not choice.identifier:
        return
    left, right = st.columns(2)
    with left:
        _version(f"{key}_version", choice, identity, lambda version: changed(version=version))
    if not of_model:
        return
    with left:
        _select(
            "Trace",
            f"{key}_trace",
            _TRACES,
            choice.trace,
            lambda value: changed(trace=value),
            "In the answer.",
        )
    with right:
        _select(
            "While streaming",
            f"{key}_stream",
            _STREAM_MODES,
            choice.stream_mode,
            lambda value: changed(stream_mode=value),
            "Asynchronously, nothing is masked, and text may be seen before it is found out.",
        )


def guardrail_select(
    choice: GuardrailChoice, identity: Identity, *, key: str, change: Editing[GuardrailChoice]
) -> None:
    """Draw the choice of a guardrail, whatever its version; an ID or an ARN may be pasted."""
    listed = guardrails.guardrails(identity)
    names = {one.id: f"{one.name} ({one.id})" for one in listed.summaries}
    known = {one.arn: one.id for one in listed.summaries}
    chosen = known.get(choice.identifier, choice.identifier)
    pick_or_paste(
        "Guardrail",
        names,
        chosen,
        key=key,
        placeholder="none: choose one, or paste an ID or ARN",
        changed=lambda identifier: change(lambda now: replace(now, identifier=identifier, version=DRAFT)),
    )
    _why_no_list(listed, identity)
    if choice.identifier and not well_formed(choice.identifier):
        st.warning(
            "A guardrail's ID has lower-case letters and digits alone; its ARN ends in `guardrail/<ID>`.",
            icon=":material/warning:",
        )


def _why_no_list(listed: Guardrails, identity: Identity) -> None:
    if listed.summaries:
        return
    if listed.problem:
        st.caption(f"The guardrails could not be listed: {plain(listed.problem.cause)}")
    elif identity.backend == "local":
        st.caption("There is no guardrail on the local endpoint yet: make one in the guardrail tester.")
    else:
        st.caption(f"There is no guardrail in {identity.region}.")


def _version(key: str, choice: GuardrailChoice, identity: Identity, changed: Callable[[str], None]) -> None:
    found = [one.version for one in guardrails.versions(identity, choice.identifier).summaries]
    options = list(dict.fromkeys([DRAFT, *found, choice.version]))
    show(key, choice.version, options[0])
    st.selectbox(
        "Version",
        options,
        key=key,
        accept_new_options=True,
        on_change=lambda: changed((st.session_state[key] or DRAFT).strip()),
    )


def _cache(
    n: int,
    pane: Pane,
    model: Model | None,
    identity: Identity,
    change: Editing[Settings],
) -> None:
    points = pane.settings.cache_points
    supported = model.capabilities.prompt_caching if model else None

    def changed(**values: Any) -> None:
        change(lambda now: replace(now, cache_points=replace(now.cache_points, **values)))

    st.markdown("**Prompt cache points**")
    for name, label in _POINTS.items():
        _point(f"playground_cache_{name}_{n}", label, name, points, supported is False, changed)
    if supported is False:
        st.caption("This model caches no prompts: no cache point is sent.")
        return
    if identity.backend == "local":
        st.caption("The local endpoint takes cache points, but caches nothing: it counts no cache tokens.")
    elif supported is None:
        st.caption(
            "Whether this model caches prompts is not known here; if it does not, it refuses the call."
        )
    if points.any:
        _select(
            "Kept for",
            f"playground_cache_ttl_{n}",
            _TTLS,
            points.ttl,
            lambda value: changed(ttl=value),
            "Not every model takes 1 hour. Too short a prompt is not cached at all.",
        )


def _point(
    key: str, label: str, name: str, points: CachePoints, disabled: bool, changed: Callable[..., None]
) -> None:
    show(key, getattr(points, name), False)
    st.checkbox(
        label,
        key=key,
        disabled=disabled,
        on_change=lambda: changed(**{name: bool(st.session_state[key])}),
    )


def _select(
    label: str,
    key: str,
    words: dict[str, str],
    value: str,
    changed: Callable[[str], None],
    help: str,
) -> None:
    show(key, value, next(iter(words)))
    st.selectbox(
        label,
        list(words),
        key=key,
        format_func=lambda one: words[one],
        help=help,
        on_change=lambda: changed(st.session_state[key]),
    )
