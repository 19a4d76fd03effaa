"""A metadata filter as a tree that a form can edit, and as AWS's RetrievalFilter.

The form may hold what is half typed. `to_aws` leaves that out, so that no call goes out with a filter that
AWS would refuse; `problems` says what is left out or would be refused. What the form has no fields for (an
operator of tomorrow, an empty text) stays as it is, as `Verbatim`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from services.citations import Source

JsonDict = dict[str, Any]

Kind = Literal["text", "number", "yes_no", "texts", "numbers"]
Place = tuple[int, ...]
"""The way to a node: which item of the root, which of that, ..."""

OPERATORS: Mapping[str, tuple[str, tuple[Kind, ...]]] = {
    "equals": ("is", ("text", "number", "yes_no")),
    "notEquals": ("is not", ("text", "number", "yes_no")),
    "greaterThan": ("is greater than", ("number",)),
    "greaterThanOrEquals": ("is at least", ("number",)),
    "lessThan": ("is less than", ("number",)),
    "lessThanOrEquals": ("is at most", ("number",)),
    "in": ("is one of", ("texts", "numbers")),
    "notIn": ("is none of", ("texts", "numbers")),
    "startsWith": ("starts with", ("text",)),
    "stringContains": ("contains the text", ("text",)),
    "listContains": ("is a list with", ("text", "number")),
}
"""By AWS's name: the operator in words, and the kinds of value that it takes, the usual one first."""
GROUPS = {"andAll": "All of these must hold", "orAll": "Any of these must hold"}
LONGEST_KEY = 100
MOST_LEVELS = 2
MOST_IN_GROUP = 5
"""Knowledge bases take groups of up to five, and groups within one group, but no deeper."""


@dataclass(frozen=True)
class Condition:
    """One comparison of one metadata attribute.

    `value` is what was typed: a text (also for "number"), True or False for "yes_no", or several texts.
    """

    key: str = ""
    operator: str = "equals"
    kind: Kind = "text"
    value: str | bool | tuple[str, ...] = ""

    def to_aws(self) -> JsonDict:
        """The RetrievalFilter; {} while something is missing."""
        value = self._sent()
        if not self.key or value is None or value in ("", []):
            return {}
        return {self.operator: {"key": self.key, "value": value}}

    def _sent(self) -> Any:
        """The value in its type; None where it is none."""
        if self.kind == "number":
            return _number(str(self.value))
        if self.kind == "numbers":
            numbers = [_number(each) for each in _texts(self.value)]
            return None if None in numbers else numbers
        return list(_texts(self.value)) if self.kind == "texts" else self.value


@dataclass(frozen=True)
class Verbatim:
    """A part of a filter that the form has no fields for, exactly as it was given."""

    given: Any

    def to_aws(self) -> Any:
        """What was given."""
        return self.given


@dataclass(frozen=True)
class Group:
    """Conditions and groups, of which all ("andAll") or any ("orAll") must hold."""

    joined: str = "andAll"
    items: tuple[Node, ...] = ()

    def to_aws(self) -> Any:
        """The RetrievalFilter of what is complete; {} for nothing. AWS takes no group of one item."""
        sent = [found for item in self.items if (found := item.to_aws()) != {}]
        return {self.joined: sent} if len(sent) > 1 else sent[0] if sent else {}


Node = Condition | Verbatim | Group


def from_aws(given: Mapping[str, Any]) -> Group:
    """The tree of a RetrievalFilter, {} for none; its root is a group, also for one condition alone.

    Whatever was given, `to_aws` says the same again.
    """
    node = _node(dict(given)) if given else Group()
    return node if isinstance(node, Group) else Group(items=(node,))


def read_text(text: str) -> tuple[Group | None, str]:
    """The tree of a filter written as JSON, and ""; or None and what is wrong with the text."""
    if not text.strip():
        return Group(), ""
    try:
        given = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        return None, "This is nested too deeply."
    except ValueError as error:
        return None, f"This is not JSON: {error}."
    if not isinstance(given, dict):
        return None, 'A filter is a JSON object, such as {"equals": {"key": "team", "value": "sales"}}.'
    return from_aws(given), ""


def as_text(given: Mapping[str, Any]) -> str:
    """A filter as JSON to be read and edited; "" for none."""
    return json.dumps(given, indent=2, ensure_ascii=False) if given else ""


def problems(tree: Group) -> list[str]:
    """What is left out because it is not complete, and what AWS would refuse, in sentences."""
    found = [_condition_problem(node) for _, node in walk(tree) if isinstance(node, Condition)]
    found += [_verbatim_problem(node.given) for _, node in walk(tree) if isinstance(node, Verbatim)]
    groups = [(place, node) for place, node in walk(tree) if isinstance(node, Group)]
    if any(len(node.items) > MOST_IN_GROUP for _, node in groups):
        found.append(f"A group holds at most {MOST_IN_GROUP} conditions or groups.")
    if any(len(place) >= MOST_LEVELS for place, _ in groups):
        found.append("Groups stand in the outermost group alone, not within another one.")
    return list(dict.fromkeys(sentence for sentence in found if sentence))


def walk(node: Node, place: Place = ()) -> Iterator[tuple[Place, Node]]:
    """The node and all below it, each with the way to it."""
    yield place, node
    if isinstance(node, Group):
        for index, item in enumerate(node.items):
            yield from walk(item, (*place, index))


def put(tree: Group, place: Place, node: Node) -> Group:
    """The tree with another node in this place."""
    if not place:
        return node if isinstance(node, Group) else Group(items=(node,))
    index, *rest = place
    item = tree.items[index]
    changed = put(item, tuple(rest), node) if rest and isinstance(item, Group) else node
    return replace(tree, items=(*tree.items[:index], changed, *tree.items[index + 1 :]))


def add(tree: Group, place: Place, node: Node) -> Group:
    """The tree with a node more at the end of the group in this place."""
    group = at(tree, place)
    return put(tree, place, replace(group, items=(*group.items, node))) if isinstance(group, Group) else tree


def remove(tree: Group, place: Place) -> Group:
    """The tree without the node in this place; without all of them for the root."""
    if not place:
        return replace(tree, items=())
    group = at(tree, place[:-1])
    if not isinstance(group, Group):
        return tree
    items = tuple(item for index, item in enumerate(group.items) if index != place[-1])
    return put(tree, place[:-1], replace(group, items=items))


def at(tree: Group, place: Place) -> Node:
    """The node in this place; KeyError where there is none."""
    node: Node = tree
    for index in place:
        if not isinstance(node, Group):
            raise KeyError(place)
        node = node.items[index]
    return node


def with_operator(condition: Condition, operator: str) -> Condition:
    """The condition with another operator; what was typed is kept as a value that the operator takes."""
    kinds = OPERATORS[operator][1]
    near = {"texts": "text", "numbers": "number", "text": "texts", "number": "numbers"}
    kind = condition.kind
    if kind not in kinds:
        kind = next((each for each in kinds if each == near.get(kind)), kinds[0])
    return with_kind(replace(condition, operator=operator), kind)


def with_kind(condition: Condition, kind: Kind) -> Condition:
    """The condition with a value of another kind, made from what was typed."""
    value = condition.value
    if kind == condition.kind:
        return condition
    if kind in ("texts", "numbers"):
        made: str | bool | tuple[str, ...] = _texts(value)
    elif kind != "yes_no" and isinstance(value, str):
        made = value
    elif kind == "yes_no":
        made = ", ".join(_texts(value)).strip().lower() in ("true", "yes", "1")
    else:
        made = ", ".join(_texts(value))
    return replace(condition, kind=kind, value=made)


def suggested_keys(sources: Iterable[Source]) -> dict[str, Kind]:
    """The metadata keys that passages had, with the kind of their values: those of the documents first."""
    kinds: dict[str, Kind] = {}
    for source in sources:
        for key, value in source.metadata.items():
            if found := _kind_of(value):
                kinds.setdefault(key, found)
    return dict(sorted(kinds.items(), key=lambda pair: (pair[0].startswith("x-amz-"), pair[0])))


def condition_for(key: str, kind: Kind | None) -> Condition:
    """A first condition on an attribute of this kind: a list is asked whether it has a value."""
    if kind == "texts":
        return Condition(key, "listContains", "text")
    if kind == "numbers":
        return Condition(key, "listContains", "number")
    return Condition(key, "equals", kind or "text", False if kind == "yes_no" else "")


def _node(given: Any) -> Node:
    if not isinstance(given, dict) or len(given) != 1:
        return Verbatim(given)
    ((name, inner),) = given.items()
    if name in GROUPS and isinstance(inner, list):
        return _same(Group(name, tuple(_node(item) for item in inner)), given)
    if name in OPERATORS and isinstance(inner, dict) and set(inner) == {"key", "value"}:
        kind, value = _kind_of(inner["value"]), inner["value"]
        if kind in OPERATORS[name][1] and isinstance(inner["key"], str):
            return _same(Condition(inner["key"], name, kind, _typed(value)), given)
    return Verbatim(given)


def _same(node: Condition | Group, given: Any) -> Node:
    """The node if it says what was given, type by type (1 is not True here); else what was given."""
    return (
        node if json.dumps(node.to_aws(), default=str) == json.dumps(given, default=str) else Verbatim(given)
    )


def _kind_of(value: Any) -> Kind | None:
    if isinstance(value, bool):
        return "yes_no"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list | tuple) and value:
        if all(isinstance(each, str) for each in value):
            return "texts"
        if all(isinstance(each, int | float) and not isinstance(each, bool) for each in value):
            return "numbers"
    return None


def _typed(value: Any) -> str | bool | tuple[str, ...]:
    """A value of AWS's as it would have been typed."""
    if isinstance(value, str | bool):
        return value
    if isinstance(value, list):
        return tuple(each if isinstance(each, str) else json.dumps(each) for each in value)
    return json.dumps(value)


def _texts(value: str | bool | Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value)


def _number(text: str) -> int | float | None:
    """A number as JSON writes it; a decimal comma is none."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) != float("inf") else None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _condition_problem(condition: Condition) -> str:
    name = f"“{condition.key}”" if condition.key else "A condition"
    if not condition.key:
        return "A condition without an attribute is not sent yet: name the attribute."
    if len(condition.key) > LONGEST_KEY:
        return f"{name} is too long: the name of an attribute has at most {LONGEST_KEY} characters."
    if condition.to_aws():
        return ""
    typed = ", ".join(_texts(condition.value))
    if condition.kind in ("number", "numbers") and typed:
        return f"{name} is not sent yet: {typed} is no number."
    return f"{name} is not sent yet: give it a value."


def _verbatim_problem(given: Any) -> str:
    if not isinstance(given, dict):
        return f"{json.dumps(given)[:60]} is no filter: a filter is a JSON object."
    if len(given) != 1:
        return (
            f"A filter has one operator, this one has {len(given)}: {', '.join(map(str, given)) or 'none'}."
        )
    ((name, inner),) = given.items()
    if name in GROUPS:
        return f"“{name}” wants a list of two or more filters."
    if name not in OPERATORS:
        return f"“{name}” is no operator that is known here; it is sent as it stands."
    if not isinstance(inner, dict) or set(inner) != {"key", "value"}:
        return f"“{name}” wants an object with “key” and “value” and nothing else."
    kinds = " or ".join(_KIND_WORDS[kind] for kind in OPERATORS[name][1])
    if not isinstance(inner["key"], str) or not inner["key"]:
        return f"“{name}” wants the name of an attribute as its “key”."
    if _kind_of(inner["value"]) in OPERATORS[name][1]:
        return ""
    return f"“{name}” on “{inner['key']}” wants {kinds}, not {json.dumps(inner['value'])[:60]}."


_KIND_WORDS: Mapping[Kind, str] = {
    "text": "a text",
    "number": "a number",
    "yes_no": "true or false",
    "texts": "a list of texts",
    "numbers": "a list of numbers",
}
