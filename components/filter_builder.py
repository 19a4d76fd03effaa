"""A metadata filter built in a form, with its JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from components.safe_markdown import plain
from components.shown import show
from services.metadata_filter import (
    GROUPS,
    MOST_LEVELS,
    OPERATORS,
    Condition,
    Group,
    Kind,
    Node,
    Place,
    add,
    as_text,
    condition_for,
    from_aws,
    problems,
    put,
    read_text,
    remove,
    with_kind,
    with_operator,
)

_KINDS: Mapping[Kind, str] = {
    "text": "text",
    "number": "number",
    "yes_no": "yes or no",
    "texts": "texts",
    "numbers": "numbers",
}
_Edit = Callable[[Group], None]


def filter_builder(
    given: Mapping[str, Any],
    *,
    key: str,
    suggestions: Mapping[str, Kind],
    change: Callable[[dict[str, Any]], None],
) -> None:
    """Draw the form of a RetrievalFilter ({} for none); `change` gets the filter after each edit.

    The form keeps what is half typed under `key`; the filter has what is complete. `suggestions` are
    attributes that passages are known to have.
    """
    tree = _draft(given, key)

    def edit(changed: Group) -> None:
        st.session_state[f"{key}_draft"] = changed
        change(changed.to_aws())

    _group(tree, (), tree, key, suggestions, edit)
    if found := problems(tree):
        st.warning("\n".join(f"- {plain(sentence)}" for sentence in found), icon=":material/rule:")
    _as_json(tree, key, edit)


def _draft(given: Mapping[str, Any], key: str) -> Group:
    """What was typed here, unless the filter was changed elsewhere since."""
    kept = st.session_state.get(f"{key}_draft")
    if isinstance(kept, Group) and kept.to_aws() == given:
        return kept
    tree = from_aws(given)
    st.session_state[f"{key}_draft"] = tree
    return tree


def _group(
    group: Group, place: Place, tree: Group, key: str, suggestions: Mapping[str, Kind], edit: _Edit
) -> None:
    here = _widget(key, place)
    if len(group.items) > 1 or place:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _select(
                "How these are joined",
                f"{here}_joined",
                GROUPS,
                group.joined,
                lambda joined: edit(put(tree, place, replace(group, joined=joined))),
                width=220,
            )
            if place:
                _remove_button(f"{here}_remove", "Remove this group", lambda: edit(remove(tree, place)))
    for index, item in enumerate(group.items):
        _item(item, (*place, index), tree, key, suggestions, edit)
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Add condition",
            key=f"{here}_add",
            icon=":material/add:",
            on_click=lambda: edit(add(tree, place, Condition())),
        )
        if len(place) < MOST_LEVELS - 1:
            st.button(
                "Add group",
                key=f"{here}_add_group",
                icon=":material/library_add:",
                help="Conditions in brackets, joined by the other word",
                on_click=lambda: edit(add(tree, place, _other(group))),
            )


def _other(group: Group) -> Group:
    return Group("orAll" if group.joined == "andAll" else "andAll", (Condition(),))


def _item(
    item: Node, place: Place, tree: Group, key: str, suggestions: Mapping[str, Kind], edit: _Edit
) -> None:
    if isinstance(item, Condition):
        _condition(item, place, tree, key, suggestions, edit)
        return
    with st.container(border=True):
        if isinstance(item, Group):
            _group(item, place, tree, key, suggestions, edit)
            return
        st.caption("This part has no fields here. It is kept as it is; change it in the JSON below.")
        st.code(json.dumps(item.given, indent=2, ensure_ascii=False), language="json", wrap_lines=True)
        _remove_button(f"{_widget(key, place)}_remove", "Remove this part", lambda: edit(remove(tree, place)))


def _condition(
    condition: Condition,
    place: Place,
    tree: Group,
    key: str,
    suggestions: Mapping[str, Kind],
    edit: _Edit,
) -> None:
    here = _widget(key, place)

    def changed(new: Condition) -> None:
        edit(put(tree, place, new))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _attribute(condition, f"{here}_key", suggestions, changed)
        words = {name: words for name, (words, _) in OPERATORS.items()}
        _select(
            "Operator",
            f"{here}_operator",
            words,
            condition.operator,
            lambda operator: changed(with_operator(condition, operator)),
        )
        kinds = OPERATORS[condition.operator][1]
        if len(kinds) > 1:
            _select(
                "Type",
                f"{here}_kind",
                {kind: _KINDS[kind] for kind in kinds},
                condition.kind,
                lambda kind: changed(with_kind(condition, kind)),
                width=110,
            )
        _value(condition, here, changed)
        _remove_button(f"{here}_remove", "Remove this condition", lambda: edit(remove(tree, place)))


def _attribute(
    condition: Condition,
    widget: str,
    suggestions: Mapping[str, Kind],
    changed: Callable[[Condition], None],
) -> None:
    options = list(suggestions)
    if condition.key and condition.key not in suggestions:
        options.insert(0, condition.key)

    def choose() -> None:
        name = (st.session_state[widget] or "").strip()
        fresh = condition == Condition() and name in suggestions
        changed(condition_for(name, suggestions[name]) if fresh else replace(condition, key=name))

    show(widget, condition.key or None)
    st.selectbox(
        "Attribute",
        options,
        index=None,
        key=widget,
        accept_new_options=True,
        placeholder="attribute",
        width=180,
        label_visibility="collapsed",
        on_change=choose,
    )


def _value(condition: Condition, here: str, changed: Callable[[Condition], None]) -> None:
    many = isinstance(condition.value, tuple)
    widget = f"{here}_values" if many else f"{here}_value"

    def typed() -> None:
        value = st.session_state[widget]
        changed(replace(condition, value=tuple(value) if many else value or ""))

    if condition.kind == "yes_no":
        _select(
            "Value",
            f"{here}_yes_no",
            {"true": "yes", "false": "no"},
            "true" if condition.value else "false",
            lambda word: changed(replace(condition, value=word == "true")),
            width=110,
        )
    elif isinstance(condition.value, tuple):
        show(widget, list(condition.value), [])
        st.multiselect(
            "Values",
            list(condition.value),
            key=widget,
            accept_new_options=True,
            placeholder="type one and press Enter",
            width=240,
            label_visibility="collapsed",
            on_change=typed,
        )
    else:
        show(widget, condition.value, "")
        number = condition.kind == "number"
        st.text_input(
            "Value",
            key=widget,
            placeholder="a number" if number else "a text",
            width=180,
            label_visibility="collapsed",
            on_change=typed,
        )


def _as_json(tree: Group, key: str, edit: _Edit) -> None:
    """The filter as it is sent. A text that is no filter stays in the field until it is one, or given up."""
    widget, typed = f"{key}_json", f"{key}_typed"
    text = st.session_state.get(typed)
    fault = read_text(text)[1] if text is not None else ""

    def change() -> None:
        written = st.session_state[widget] or ""
        read, _ = read_text(written)
        if read is None:
            st.session_state[typed] = written
            return
        st.session_state.pop(typed, None)
        edit(read)

    with st.expander("As JSON", icon=":material/data_object:", expanded=bool(fault)):
        show(widget, as_text(tree.to_aws()) if text is None else text, "")
        st.text_area(
            "Filter (JSON)",
            key=widget,
            height=160,
            placeholder="no filter",
            help="Sent as `filter`, exactly so. What is changed here changes the form.",
            on_change=change,
        )
        if text is None:
            return
        st.error(f"{plain(fault)} The filter above is used until it is.", icon=":material/error:")
        st.button(
            "Show the filter above again",
            key=f"{key}_json_back",
            icon=":material/undo:",
            on_click=lambda: st.session_state.pop(typed, None),
        )


def _select(
    label: str,
    widget: str,
    words: Mapping[Any, str],
    value: str,
    changed: Callable[[Any], None],
    *,
    width: int = 160,
) -> None:
    show(widget, value, next(iter(words)))
    st.selectbox(
        label,
        list(words),
        key=widget,
        format_func=lambda one: words[one],
        width=width,
        label_visibility="collapsed",
        on_change=lambda: changed(st.session_state[widget]),
    )


def _remove_button(widget: str, what: str, action: Callable[[], None]) -> None:
    st.button("", key=widget, icon=":material/close:", type="tertiary", help=what, on_click=action)


def _widget(key: str, place: Place) -> str:
    return "_".join([key, *map(str, place)])
