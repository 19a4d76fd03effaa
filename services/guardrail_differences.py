"""What differs between two configurations of a guardrail, item by item, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from services.guardrail_configuration import LISTS, Configuration, Item, written

_LONGEST_VALUE = 120


@dataclass(frozen=True)
class Difference:
    """One item or setting: `what` names it, `detail` tells the values ("" where its name says it all)."""

    kind: Literal["added", "removed", "changed"]
    what: str
    detail: str = ""


def differences(old: Configuration, new: Configuration) -> tuple[Difference, ...]:
    """What changed from `old` to `new`; the order of items does not count."""
    found = list(_settings(old, new))
    for each in LISTS:
        before, after = _by_name(old.items(each.field)), _by_name(new.items(each.field))
        for key in before | after:
            what = f"{each.words} “{key[0]}”"
            if key not in after:
                found.append(Difference("removed", what))
            elif key not in before:
                found.append(Difference("added", what, _changes({}, written(after[key]))))
            elif before[key] != after[key]:
                found.append(Difference("changed", what, _changes(written(before[key]), written(after[key]))))
    return tuple(found)


def _settings(old: Configuration, new: Configuration) -> Iterator[Difference]:
    """What is not in a list of items."""
    lists = {each.field for each in LISTS}
    for each in fields(Configuration):
        before, after = getattr(old, each.name), getattr(new, each.name)
        if each.name not in lists and before != after:
            words = each.name.replace("_", " ")
            detail = f"{_value(before)} → {_value(after)}"
            yield Difference("changed", words[:1].upper() + words[1:], detail)


def _by_name(items: tuple[Item, ...]) -> dict[tuple[str, int], Item]:
    """The items by name; equal names are told apart by their order."""
    seen: Counter[str] = Counter()
    found = {}
    for item in items:
        found[item.title, seen[item.title]] = item
        seen[item.title] += 1
    return found


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    parts = []
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            arrow = f"{_value(before.get(name))} → " if before else ""
            parts.append(f"{name}: {arrow}{_value(after.get(name))}")
    return "; ".join(parts)


def _value(value: Any) -> str:
    if value in (None, "", (), [], {}):
        return "not set"
    text = f"“{value}”" if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
