"""Saved values: each user's own, replaced by name, there after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.run_store import RunStore
from services.value_sets import ValueSet, ValueSets


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'workbench.db'}"


@pytest.fixture
def sets(url: str) -> Iterator[ValueSets]:
    with closing(RunStore(url)) as runs:
        yield ValueSets(runs)


def test_sets_are_listed_by_name_and_belong_to_their_user(sets: ValueSets) -> None:
    sets.save("ana", "shoes", {"product": "boots"})
    sets.save("ana", "hats", {"product": "beret"})
    sets.save("bob", "his", {})
    assert [each.name for each in sets.list("ana")] == ["hats", "shoes"]
    assert sets.list("bob") == (ValueSet("his", {}),)
    assert sets.list("eve") == ()


def test_saving_again_replaces(sets: ValueSets) -> None:
    sets.save("ana", "shoes", {"product": "boots", "size": "9"})
    sets.save("ana", " shoes ", {"product": "clogs"})
    assert sets.list("ana") == (ValueSet("shoes", {"product": "clogs"}),)


def test_a_user_deletes_only_what_is_theirs(sets: ValueSets) -> None:
    sets.save("ana", "shoes", {"product": "boots"})
    assert not sets.delete("bob", "shoes")
    assert sets.delete("ana", "shoes")
    assert not sets.delete("ana", "shoes")
    assert sets.list("ana") == ()


def test_values_of_any_kind_survive_a_restart_beside_the_runs(sets: ValueSets, url: str) -> None:
    values = {"x": "null \x00, half \ud83d, 🎈\n" + "long " * 100_000, "empty": ""}
    sets.save("ana", "odd “quotes” 🎈", values)
    with closing(RunStore(url)) as runs:
        assert runs.list("ana") == ()
        assert ValueSets(runs).list("ana") == (ValueSet("odd “quotes” 🎈", values),)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", "nul\x00", "half \ud83d"])
def test_a_bad_name_is_refused_in_a_sentence(sets: ValueSets, name: str) -> None:
    with pytest.raises(ValueError, match="one line of up to 100 characters"):
        sets.save("ana", name, {})
    assert sets.list("ana") == ()
