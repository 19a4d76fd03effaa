"""The versions of a guardrail: which there are, what changed since, a new one, and deleting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pandas as pd
import streamlit as st

from components.guardrail_draft import Draft, drop
from components.kept_text import keep, kept_input
from components.problem_card import problem_card
from components.safe_markdown import plain
from services import guardrail_editor, guardrails
from services.clients import Identity
from services.guardrail_configuration import ConfigurationError
from services.guardrail_differences import Difference, differences
from services.guardrail_editor import GuardrailError, new_seed
from services.guardrails import DRAFT, GuardrailSummary

_SHOWN_DIFFERENCES = 100
_MARKS = {
    "added": ":green-badge[added]",
    "removed": ":red-badge[removed]",
    "changed": ":orange-badge[changed]",
}


def guardrail_versions(
    identity: Identity, draft: Draft, *, may_change: bool, changed: Callable[[str], None]
) -> None:
    """Draw the list, the comparison with DRAFT, and what makes and deletes versions."""
    listed = guardrails.versions(identity, draft.identifier)
    if listed.problem:
        problem_card(listed.problem, key="guardrail_versions")
    versions = [one for one in listed.summaries if one.version != DRAFT]
    if versions:
        st.dataframe(_frame(versions), hide_index=True, alt="The versions of this guardrail")
        _compare(identity, draft, versions)
    elif not listed.problem:
        st.caption("There is no version yet: a version keeps the DRAFT as it is now, and never changes.")
    _create(identity, draft, may_change=may_change, changed=changed)
    _delete(identity, draft, versions, may_change=may_change, changed=changed)


def difference_list(found: tuple[Difference, ...], nothing: str) -> None:
    """Draw what differs between two configurations; `nothing` is said where nothing does."""
    if not found:
        st.caption(nothing)
        return
    lines = [
        f"- {_MARKS[each.kind]} {plain(each.what)}" + (f": {plain(each.detail)}" if each.detail else "")
        for each in found[:_SHOWN_DIFFERENCES]
    ]
    st.markdown("\n".join(lines))
    if len(found) > _SHOWN_DIFFERENCES:
        st.caption(f"And {len(found) - _SHOWN_DIFFERENCES} more.")


def _frame(versions: list[GuardrailSummary]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Version": [one.version for one in versions],
            "Description": [one.description for one in versions],
            "Made": [_when(one.created_at) for one in versions],
            "Status": [one.status for one in versions],
        }
    )


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _compare(identity: Identity, draft: Draft, versions: list[GuardrailSummary]) -> None:
    chosen = st.selectbox(
        "Compare with DRAFT",
        [one.version for one in versions],
        index=None,
        key="guardrail_editor_compare",
        format_func=lambda version: f"Version {version}",
        placeholder="choose a version",
    )
    if not chosen:
        return
    try:
        old = guardrail_editor.get(identity, draft.identifier, chosen).configuration
    except GuardrailError as error:
        problem_card(error.problem, key="guardrail_compare")
        return
    except ConfigurationError as error:
        st.error(plain(str(error)))
        return
    difference_list(
        differences(old, draft.saved), f"DRAFT is what version {chosen} is: nothing has changed since."
    )


def _create(identity: Identity, draft: Draft, *, may_change: bool, changed: Callable[[str], None]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        description = kept_input(
            "guardrail_editor_version_description", "Description of a new version", placeholder="as reviewed"
        ).strip()
        pressed = st.button(
            "Create a version",
            key="guardrail_editor_version",
            icon=":material/new_label:",
            disabled=not may_change or draft.changed,
            help="Save the DRAFT first" if draft.changed else "Keeps the DRAFT as it is now",
        )
    if pressed:
        draft.forget()
        try:
            made = guardrail_editor.create_version(identity, draft.identifier, description, seed=draft.seed)
        except GuardrailError as error:
            draft.problem = error.problem
        else:
            draft.seed = new_seed()
            draft.said = f"Version {made} is made."
            keep("guardrail_editor_version_description", "")
            changed(draft.identifier)
        st.rerun()


def _delete(
    identity: Identity,
    draft: Draft,
    versions: list[GuardrailSummary],
    *,
    may_change: bool,
    changed: Callable[[str], None],
) -> None:
    name = draft.saved.name
    targets = {"": f"{name}, with its DRAFT and all its versions"} | {
        one.version: f"version {one.version} of {name}" for one in versions
    }
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Delete",
            list(targets),
            index=None,
            key="guardrail_editor_delete_what",
            format_func=lambda version: targets.get(version, version),
            placeholder="choose what to delete",
            disabled=not may_change,
        )
        st.button(
            "Delete…",
            key="guardrail_editor_delete",
            icon=":material/delete:",
            disabled=not may_change or chosen is None,
            on_click=lambda: setattr(draft, "confirm", chosen),
        )
    if draft.confirm is None or draft.confirm not in targets or not may_change:
        return
    st.warning(
        f"Delete **{plain(targets[draft.confirm])}**? This cannot be undone.", icon=":material/delete:"
    )
    with st.container(horizontal=True):
        pressed = st.button(
            f"Delete {plain(targets[draft.confirm])}", key="guardrail_editor_delete_yes", type="primary"
        )
        st.button(
            "Keep it", key="guardrail_editor_delete_no", on_click=lambda: setattr(draft, "confirm", None)
        )
    if pressed:
        _carry_out(identity, draft, draft.confirm, changed)
        st.rerun()


def _carry_out(identity: Identity, draft: Draft, version: str, changed: Callable[[str], None]) -> None:
    draft.forget()
    try:
        guardrail_editor.delete(identity, draft.identifier, version)
    except GuardrailError as error:
        draft.problem = error.problem
        return
    if version:
        draft.said = f"Version {version} is deleted."
        changed(draft.identifier)
    else:
        drop(identity, draft.identifier)
        changed("")
