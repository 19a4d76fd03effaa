"""The items of a guardrail's policy as rows of a table, and back: what nobody changed stays as it was.

A side (prompt or reply) has two members in AWS, an action and whether it is on. A row has one state for both:
"default", "block", "mask", "detect" (look, do nothing) or "off".
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from services.guardrail_configuration import LIST_OF, ContentFilter, Item
from services.guardrail_rules import choices

Row = dict[str, Any]
ColumnKind = Literal["text", "texts", "choice", "joined", "number", "state"]

_STATES = {"": "default", "BLOCK": "block", "ANONYMIZE": "mask", "NONE": "detect"}
_ACTIONS = {state: action for action, state in _STATES.items()}
OFF = "off"
_SEPARATOR = ", "


@dataclass(frozen=True)
class Column:
    """One column of a table: the field it shows, its heading, and what may be chosen."""

    field: str
    label: str
    kind: ColumnKind = "text"
    options: tuple[str, ...] = ()


@functools.cache
def columns(field_name: str) -> tuple[Column, ...]:
    """The columns of one of the configuration's lists."""
    return tuple(_COLUMNS[field_name]) + _sides(field_name)


def default_of(field_name: str, column: Column) -> Any:
    """What a new row has in a column; None for nothing."""
    return _cell(LIST_OF[field_name].kind(), column) or None


def rows_of(field_name: str, items: Iterable[Item]) -> list[Row]:
    """A row for each item, with the columns' fields."""
    return [{column.field: _cell(item, column) for column in columns(field_name)} for item in items]


def items_of(field_name: str, rows: Sequence[tuple[Item | None, Mapping[str, Any]]]) -> tuple[Item, ...]:
    """The items of edited rows, each with the item that it was made from (None: a new row).

    A row that says what its item says is that item, with all that the table does not show. A new row without
    anything but defaults in it is none.
    """
    found = []
    for item, row in rows:
        given = {column.field: _plain(row.get(column.field), column) for column in columns(field_name)}
        if item is None and all(
            value in ("", [], None) or value == default_of(field_name, column)
            for column, value in zip(columns(field_name), given.values(), strict=True)
        ):
            continue
        found.append(_edited(field_name, item, given))
    return tuple(found)


def missing_kinds(field_name: str, items: Iterable[Item]) -> tuple[Item, ...]:
    """An item for each kind that AWS knows and the list does not have yet."""
    there = {item.title for item in items}
    kind: Any = LIST_OF[field_name].kind
    made = [kind(type=name) for name in choices(field_name, "type") if name not in there]
    return tuple(
        # Prompt attacks are looked for in prompts alone: AWS refuses another output strength.
        replace(item, output_strength="NONE")
        if isinstance(item, ContentFilter) and item.type == "PROMPT_ATTACK"
        else item
        for item in made
    )


def _sides(field_name: str) -> tuple[Column, ...]:
    if field_name == "grounding":
        return (Column("state", "Action", "state", ("default", "block", "detect", OFF)),)
    masks = ("mask",) if field_name in ("pii", "regexes") else ()
    options = ("default", "block", *masks, "detect", OFF)
    return (
        Column("input_state", "In a prompt", "state", options),
        Column("output_state", "In a reply", "state", options),
    )


def _choice(field_name: str, field: str, member: str, label: str) -> Column:
    return Column(field, label, "choice", choices(field_name, member))


_MODALITIES = ("TEXT", "IMAGE", "TEXT, IMAGE")
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "filters": (
        _choice("filters", "type", "type", "Category"),
        _choice("filters", "input_strength", "inputStrength", "Strength on prompts"),
        _choice("filters", "output_strength", "outputStrength", "Strength on replies"),
        Column("input_modalities", "Looks at (prompt)", "joined", _MODALITIES),
        Column("output_modalities", "Looks at (reply)", "joined", _MODALITIES),
    ),
    "topics": (
        Column("name", "Name"),
        Column("definition", "Definition"),
        Column("examples", "Examples", "texts"),
    ),
    "words": (Column("text", "Word or phrase"),),
    "managed_lists": (_choice("managed_lists", "type", "type", "List"),),
    "pii": (
        _choice("pii", "type", "type", "Kind"),
        _choice("pii", "action", "action", "Action"),
    ),
    "regexes": (
        Column("name", "Name"),
        Column("pattern", "Pattern"),
        Column("description", "Description"),
        _choice("regexes", "action", "action", "Action"),
    ),
    "grounding": (
        _choice("grounding", "type", "type", "Check"),
        Column("threshold", "Threshold", "number"),
    ),
}


def _cell(item: Item, column: Column) -> Any:
    if column.kind == "state":
        action, enabled = _side(item, column.field)
        return OFF if enabled is False else _STATES.get(action, action)
    value = getattr(item, column.field)
    if column.kind == "joined":
        return _SEPARATOR.join(value)
    return list(value) if column.kind == "texts" else value


def _side(item: Item, field: str) -> tuple[str, bool | None]:
    action, enabled = _side_fields(field)
    return str(getattr(item, action)), getattr(item, enabled)


def _side_fields(field: str) -> tuple[str, str]:
    """The two fields behind a state: `input_state` is `input_action` and `input_enabled`."""
    side = field.removesuffix("state")
    return f"{side}action", f"{side}enabled"


def _plain(value: Any, column: Column) -> Any:
    """A cell as the editor gives it: empty ones come as None or NaN, lists maybe as arrays."""
    if column.kind == "texts":
        if value is None or isinstance(value, float):
            return []
        return [value] if isinstance(value, str) else [str(each) for each in value]
    if value is None or value != value:
        return None if column.kind == "number" else ""
    return float(value) if column.kind == "number" else str(value)


def _edited(field_name: str, item: Item | None, given: Row) -> Item:
    kind = LIST_OF[field_name].kind
    made = item if item is not None else kind()
    for column in columns(field_name):
        value = given[column.field]
        untouched = value == (_cell(made, column) if item is not None else _empty(column))
        if not untouched and value is not None:
            made = replace(made, **_changes(made, column, value))
    return made


def _empty(column: Column) -> Any:
    """What an empty cell of a new row holds: the item's own default stands then."""
    return [] if column.kind == "texts" else None if column.kind == "number" else ""


def _changes(item: Item, column: Column, value: Any) -> dict[str, Any]:
    if column.kind == "state":
        action, enabled = _side_fields(column.field)
        if value == OFF:
            return {enabled: False}
        turned_on = {enabled: True} if getattr(item, enabled) is False else {}
        return {action: _ACTIONS.get(value, value), **turned_on}
    if column.kind == "joined":
        return {column.field: tuple(part for part in value.split(_SEPARATOR) if part)}
    return {column.field: tuple(value) if column.kind == "texts" else value}
