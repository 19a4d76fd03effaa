"""Items of a guardrail as table rows: an untouched row is its item, an edited one changes what was edited."""

from __future__ import annotations

from dataclasses import fields
from random import Random
from typing import Any

import numpy as np
import pytest

from services.guardrail_configuration import LISTS, GroundingFilter, Item, PiiEntity, Topic, Word
from services.guardrail_rows import columns, items_of, missing_kinds, rows_of


def made_up(kind: type[Item], chance: Random) -> Item:
    values: dict[str, Any] = {}
    for each in fields(kind):
        if each.name.endswith("action"):
            values[each.name] = chance.choice(["", "BLOCK", "NONE", "ANONYMIZE", "FUTURE"])
        elif each.name.endswith("enabled"):
            values[each.name] = chance.choice([None, True, False])
        elif each.default == ():
            values[each.name] = tuple(chance.sample(["IMAGE", "TEXT"], chance.randint(0, 2)))
        elif isinstance(each.default, str):
            values[each.name] = f"x{chance.randint(0, 99)}"
    return kind(**values, other={"future": 1})


@pytest.mark.parametrize("each", LISTS, ids=lambda each: each.field)
def test_rows_that_nobody_touched_are_their_items(each: Any) -> None:
    chance = Random(7)
    items = tuple(made_up(each.kind, chance) for _ in range(40))
    rows = rows_of(each.field, items)
    assert items_of(each.field, list(zip(items, rows, strict=True))) == items
    for row in rows:  # as the editor gives it back
        row.update({key: np.array(value) for key, value in row.items() if isinstance(value, list)})
    assert items_of(each.field, list(zip(items, rows, strict=True))) == items


def edited(field_name: str, item: Item, **changes: Any) -> Item:
    (row,) = rows_of(field_name, [item])
    (made,) = items_of(field_name, [(item, row | changes)])
    return made


def test_a_changed_state_changes_action_and_switch_of_that_side_alone() -> None:
    item = PiiEntity(type="EMAIL", input_action="BLOCK", input_enabled=False, output_enabled=True)
    assert rows_of("pii", [item])[0]["input_state"] == "off"
    assert edited("pii", item, input_state="mask") == PiiEntity(
        type="EMAIL", input_action="ANONYMIZE", input_enabled=True, output_enabled=True
    )
    assert edited("pii", item, output_state="off") == PiiEntity(
        type="EMAIL", input_action="BLOCK", input_enabled=False, output_enabled=False
    )
    word = Word(text="a", output_enabled=False)
    assert edited("words", word, output_state="default") == Word(text="a", output_enabled=True)
    check = GroundingFilter(type="GROUNDING")
    assert edited("grounding", check, state="detect", threshold=0.5) == GroundingFilter(
        type="GROUNDING", threshold=0.5, action="NONE"
    )


def test_a_new_row_is_an_item_once_something_is_in_it() -> None:
    empty: dict[str, Any] = {column.field: None for column in columns("topics")}
    nan = dict.fromkeys(empty, float("nan"))
    defaults = {"input_state": "default", "output_state": "default"}
    assert items_of("topics", [(None, empty), (None, nan), (None, empty | defaults)]) == ()
    assert items_of("topics", [(None, empty | {"definition": "half typed"})]) == (
        Topic(definition="half typed"),
    )
    made = {"name": "n", "definition": "d", "examples": ["e"], "input_state": "off"}
    assert items_of("topics", [(None, empty | made)]) == (
        Topic(name="n", definition="d", examples=("e",), input_enabled=False),
    )


def test_what_is_missing_is_added_as_aws_takes_it() -> None:
    added = missing_kinds("filters", ())
    assert len(added) == 6
    (attack,) = [item for item in added if item.title == "PROMPT_ATTACK"]
    assert attack.output_strength == "NONE"  # type: ignore[attr-defined]
    assert missing_kinds("filters", added) == ()
