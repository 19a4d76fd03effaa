"""The policies of a guardrail as tables and fields that can be edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from components.guardrail_draft import Draft
from components.shown import show
from services.guardrail_rows import Column, columns, default_of, items_of, missing_kinds
from services.guardrail_rules import longest

_STATES = {
    "default": "default",
    "block": "block",
    "mask": "mask",
    "detect": "detect only",
    "off": "off",
}
_STATE_HELP = "Detect only: reported in the trace, nothing is done. Default: AWS's own, or the row's action."
_TIERS = ("", "CLASSIC", "STANDARD")
_WIDE = {"name": "medium", "definition": "large", "examples": "large", "pattern": "medium", "text": "large"}


def section(name: str, draft: Draft, *, disabled: bool) -> None:
    """Draw one of `SECTIONS`."""
    SECTIONS[name](draft, disabled)


def _basics(draft: Draft, disabled: bool) -> None:
    _text(draft, "name", "Name", longest("name"), disabled, help="Letters, digits, hyphens, underscores")
    _text(draft, "description", "Description", longest("description"), disabled)
    for name, label in (
        ("blocked_input_messaging", "What is said in place of a blocked prompt's answer"),
        ("blocked_outputs_messaging", "What is said in place of a blocked reply"),
    ):
        member = "blockedInputMessaging" if "input" in name else "blockedOutputsMessaging"
        _text(draft, name, label, longest(member), disabled, area=True)
    with st.expander("Encryption and cross-Region inference", type="compact"):
        _text(draft, "kms_key_id", "KMS key", None, disabled, help="ARN, id or alias; empty: AWS's own key")
        _text(
            draft,
            "guardrail_profile",
            "Cross-Region guardrail profile",
            None,
            disabled,
            help="Such as us.guardrail.v1:0; the STANDARD tier needs one",
        )


def _filters(draft: Draft, disabled: bool) -> None:
    st.caption("How sure the filter must be: HIGH acts from low confidence on, LOW from high confidence on.")
    _table(draft, "filters", disabled)
    _every(draft, "filters", "Add every category", disabled)
    _tier(draft, "content_tier", disabled)


def _topics(draft: Draft, disabled: bool) -> None:
    st.caption("Say what the topic is, not what to do about it, and give up to five examples.")
    _table(draft, "topics", disabled)
    _tier(draft, "topic_tier", disabled)


def _words(draft: Draft, disabled: bool) -> None:
    _table(draft, "words", disabled)
    st.markdown("**Lists that AWS keeps**")
    _table(draft, "managed_lists", disabled)


def _personal(draft: Draft, disabled: bool) -> None:
    _table(draft, "pii", disabled)
    _every(draft, "pii", "Add every kind", disabled)
    st.markdown("**Regexes**")
    _table(draft, "regexes", disabled)


def _grounding(draft: Draft, disabled: bool) -> None:
    st.caption("A reply that scores below the threshold (0 to 0.99) is acted on.")
    _table(draft, "grounding", disabled)
    _every(draft, "grounding", "Add both checks", disabled)
    if draft.now.reasoning_policies:
        st.markdown("**Automated reasoning policies**")
        st.code("\n".join(draft.now.reasoning_policies), language=None, wrap_lines=True)
        st.caption("They are kept as they are; change them under JSON.")


SECTIONS: Mapping[str, Callable[[Draft, bool], None]] = {
    "Basics": _basics,
    "Content filters": _filters,
    "Denied topics": _topics,
    "Words": _words,
    "Sensitive information": _personal,
    "Grounding": _grounding,
}


def _table(draft: Draft, field_name: str, disabled: bool) -> None:
    key = f"guardrail_editor_{field_name}_{draft.edition}"
    table = draft.table(field_name, key)
    edited = st.data_editor(
        table.frame,
        key=key,
        num_rows="fixed" if disabled else "dynamic",
        hide_index=True,
        disabled=disabled,
        column_config={column.field: _config(field_name, column) for column in columns(field_name)},
        alt=f"The {field_name.replace('_', ' ')} of the guardrail",
    )
    if disabled:
        return
    rows = [
        (table.items[index] if isinstance(index, int) and index < len(table.items) else None, row)
        for index, row in zip(edited.index.tolist(), edited.to_dict("records"), strict=True)
    ]
    draft.now = _with(draft, field_name, items_of(field_name, rows))


def _with(draft: Draft, field_name: str, items: Any) -> Any:
    if draft.now.items(field_name) == items:
        return draft.now
    draft.change(**{field_name: items})
    return draft.now


def _config(field_name: str, column: Column) -> Any:
    configs = st.column_config
    default = default_of(field_name, column)
    width: Any = _WIDE.get(column.field)
    if column.kind == "texts":
        return configs.ListColumn(column.label, width=width)
    if column.kind == "number":
        return configs.NumberColumn(column.label, min_value=0.0, max_value=0.99, step=0.01, default=default)
    if column.kind == "text":
        return configs.TextColumn(column.label, width=width)
    if column.kind == "state":
        return configs.SelectboxColumn(
            column.label,
            options=list(column.options),
            default=default,
            format_func=lambda state: _STATES.get(str(state), str(state)),
            help=_STATE_HELP,
        )
    return configs.SelectboxColumn(column.label, options=list(column.options), default=default)


def _every(draft: Draft, field_name: str, label: str, disabled: bool) -> None:
    """The button that adds what the list does not have yet."""
    missing = missing_kinds(field_name, draft.now.items(field_name))
    if missing and not disabled:
        st.button(
            label,
            key=f"guardrail_editor_every_{field_name}",
            icon=":material/playlist_add:",
            on_click=lambda: draft.take(_with(draft, field_name, draft.now.items(field_name) + missing)),
        )


def _tier(draft: Draft, name: str, disabled: bool) -> None:
    key = f"guardrail_editor_{name}"
    options = list(dict.fromkeys([*_TIERS, getattr(draft.now, name)]))
    show(key, getattr(draft.now, name), options[0])
    st.selectbox(
        "Tier",
        options,
        key=key,
        format_func=lambda tier: tier or "AWS's default (CLASSIC)",
        disabled=disabled,
        help="STANDARD knows more languages and needs a cross-Region profile, under Basics",
        on_change=lambda: draft.change(**{name: st.session_state[key]}),
    )


def _text(
    draft: Draft,
    name: str,
    label: str,
    longest_characters: int | None,
    disabled: bool,
    *,
    area: bool = False,
    help: str | None = None,
) -> None:
    key = f"guardrail_editor_{name}"
    show(key, getattr(draft.now, name), "")
    count = len(getattr(draft.now, name))
    if longest_characters and count > longest_characters:
        label += f" · {count} of {longest_characters} characters"
    field = st.text_area if area else st.text_input
    field(
        label,
        key=key,
        disabled=disabled,
        help=help,
        on_change=lambda: draft.change(**{name: st.session_state[key] or ""}),
    )
