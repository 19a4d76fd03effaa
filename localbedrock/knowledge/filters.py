"""AWS's RetrievalFilter as a predicate over a chunk's metadata."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localbedrock.errors import validation

Metadata = dict[str, Any]
Predicate = Callable[[Metadata], bool]

MOST_LEVELS = 5
"""How deep andAll and orAll may stand in each other: a limit of ours, AWS's model names none."""


def predicate(filter: dict[str, Any]) -> Predicate:
    """Whether metadata fulfils a RetrievalFilter.

    A key that a document does not have fulfils ``notEquals`` and ``notIn`` and nothing else; neither does a
    value of another type than the one compared with. ValidationException for a filter that AWS would refuse.
    """
    return _predicate(filter, 1)


def _predicate(filter: dict[str, Any], level: int) -> Predicate:
    if len(filter) != 1:
        given = ", ".join(sorted(filter)) or "none"
        raise validation(f"A filter must have exactly one operator; this one has {given}.")
    ((operator, operand),) = filter.items()
    if operator in _GROUPS:
        return _group(operator, operand, level)
    if operator not in _OPERATORS:
        raise validation(f"{operator} is no operator of a filter.")
    accepts, wanted, compare, missing = _OPERATORS[operator]
    key, value = operand["key"], operand["value"]
    if not accepts(value):
        raise validation(f"The value of {operator} for the key {key} must be {wanted}.")

    def holds(metadata: Metadata) -> bool:
        return compare(metadata[key], value) if key in metadata else missing

    return holds


def _group(operator: str, members: list[dict[str, Any]], level: int) -> Predicate:
    if level > MOST_LEVELS:
        raise validation(f"andAll and orAll can stand in each other {MOST_LEVELS} levels deep at most.")
    if len(members) < 2:
        raise validation(f"{operator} must have at least 2 filters.")
    predicates = [_predicate(member, level + 1) for member in members]
    together = _GROUPS[operator]
    return lambda metadata: together(holds(metadata) for holds in predicates)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_scalar, value))


def _same(kept: Any, value: Any) -> bool:
    """Whether two values are equal (a boolean is no number). A list is if a member is, as in OpenSearch."""
    if isinstance(kept, list):
        return any(_same(member, value) for member in kept)
    return isinstance(kept, bool) == isinstance(value, bool) and bool(kept == value)


def _among(kept: Any, values: list[Any]) -> bool:
    return any(_same(kept, value) for value in values)


def _starts(kept: Any, value: str) -> bool:
    return isinstance(kept, str) and kept.startswith(value)


def _contains(kept: Any, value: str) -> bool:
    members = kept if isinstance(kept, list) else [kept]
    return any(isinstance(member, str) and value in member for member in members)


def _lists(kept: Any, value: Any) -> bool:
    return isinstance(kept, list) and _same(kept, value)


_GROUPS: dict[str, Callable[..., bool]] = {"andAll": all, "orAll": any}
_Operator = tuple[Callable[[Any], bool], str, Callable[[Any, Any], bool], bool]
"""Which values it takes, in words too; how it compares; whether it holds where there is no such key."""
_SCALAR = (_is_scalar, "a string, a number or a boolean")
_NUMBER = (_is_number, "a number")
_TEXT = (_is_text, "a string")
_LIST = (_is_list, "a list of at least one string, number or boolean")
_OPERATORS: dict[str, _Operator] = {
    "equals": (*_SCALAR, _same, False),
    "notEquals": (*_SCALAR, lambda kept, value: not _same(kept, value), True),
    "greaterThan": (*_NUMBER, lambda kept, value: _is_number(kept) and kept > value, False),
    "greaterThanOrEquals": (*_NUMBER, lambda kept, value: _is_number(kept) and kept >= value, False),
    "lessThan": (*_NUMBER, lambda kept, value: _is_number(kept) and kept < value, False),
    "lessThanOrEquals": (*_NUMBER, lambda kept, value: _is_number(kept) and kept <= value, False),
    "in": (*_LIST, _among, False),
    "notIn": (*_LIST, lambda kept, values: not _among(kept, values), True),
    "startsWith": (*_TEXT, _starts, False),
    "stringContains": (*_TEXT, _contains, False),
    "listContains": (*_SCALAR, _lists, False),
}
