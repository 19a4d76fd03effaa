"""Metadata filters: what each operator lets through, how they nest, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from localbedrock.errors import AwsError
from localbedrock.knowledge.filters import MOST_LEVELS, predicate

METADATA = {
    "animal": "cat",
    "year": 2020,
    "price": 9.5,
    "draft": False,
    "tags": ["red", "green"],
    "x-amz-bedrock-kb-data-source-id": "SOURCE0001",
}


def holds(operator: str, key: str, value: Any) -> bool:
    return predicate({operator: {"key": key, "value": value}})(METADATA)


@pytest.mark.parametrize(
    ("operator", "key", "passes", "fails"),
    [
        ("equals", "animal", "cat", "Cat"),
        ("equals", "year", 2020.0, 2021),
        ("equals", "year", 2020, "2020"),
        ("equals", "draft", False, True),
        ("equals", "draft", False, 0),
        ("equals", "tags", "red", "blue"),
        ("equals", "x-amz-bedrock-kb-data-source-id", "SOURCE0001", "SOURCE0002"),
        ("notEquals", "animal", "dog", "cat"),
        ("notEquals", "tags", "blue", "red"),
        ("greaterThan", "year", 2019, 2020),
        ("greaterThan", "price", 9, 9.5),
        ("greaterThanOrEquals", "year", 2020, 2020.5),
        ("lessThan", "year", 2021, 2020),
        ("lessThanOrEquals", "year", 2020, 2019),
        ("in", "animal", ["dog", "cat"], ["dog"]),
        ("in", "year", [1, 2020], ["2020"]),
        ("in", "tags", ["green"], ["blue"]),
        ("notIn", "animal", ["dog"], ["dog", "cat"]),
        ("startsWith", "animal", "ca", "at"),
        ("stringContains", "animal", "at", "ca t"),
        ("stringContains", "tags", "ree", "blue"),
        ("listContains", "tags", "green", "gree"),
    ],
)
def test_an_operator(operator: str, key: str, passes: Any, fails: Any) -> None:
    assert holds(operator, key, passes)
    assert not holds(operator, key, fails)


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("greaterThan", "animal", 1),
        ("lessThan", "draft", 1),
        ("startsWith", "year", "20"),
        ("stringContains", "year", "20"),
        ("listContains", "animal", "cat"),
    ],
)
def test_a_value_of_another_type_does_not_pass(operator: str, key: str, value: Any) -> None:
    assert not holds(operator, key, value)


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("equals", "x", False),
        ("notEquals", "x", True),
        ("greaterThan", 1, False),
        ("greaterThanOrEquals", 1, False),
        ("lessThan", 1, False),
        ("lessThanOrEquals", 1, False),
        ("in", ["x"], False),
        ("notIn", ["x"], True),
        ("startsWith", "x", False),
        ("stringContains", "x", False),
        ("listContains", "x", False),
    ],
)
def test_a_key_that_is_not_there_passes_what_says_not(operator: str, value: Any, expected: bool) -> None:
    assert holds(operator, "nothing", value) is expected


def test_groups_nest() -> None:
    cat = {"equals": {"key": "animal", "value": "cat"}}
    new = {"greaterThan": {"key": "year", "value": 2021}}
    draft = {"equals": {"key": "draft", "value": True}}
    assert not predicate({"andAll": [cat, new]})(METADATA)
    assert predicate({"orAll": [new, cat]})(METADATA)
    assert predicate({"andAll": [cat, {"orAll": [new, {"andAll": [cat, cat]}]}]})(METADATA)
    assert not predicate({"andAll": [cat, {"orAll": [new, draft]}]})(METADATA)


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({}, "exactly one operator; this one has none"),
        (
            {"equals": {"key": "a", "value": 1}, "in": {"key": "a", "value": [1]}},
            "exactly one operator; this one has equals, in",
        ),
        ({"like": {"key": "a", "value": 1}}, "like is no operator"),
        ({"in": {"key": "a", "value": []}}, "The value of in for the key a must be a list of at least one"),
        ({"in": {"key": "a", "value": "x"}}, "must be a list"),
        ({"notIn": {"key": "a", "value": [["x"]]}}, "must be a list"),
        ({"equals": {"key": "a", "value": ["x"]}}, "must be a string, a number or a boolean"),
        ({"equals": {"key": "a", "value": None}}, "must be a string, a number or a boolean"),
        ({"greaterThan": {"key": "a", "value": "2"}}, "must be a number"),
        ({"lessThan": {"key": "a", "value": True}}, "must be a number"),
        ({"startsWith": {"key": "a", "value": 2}}, "must be a string"),
        ({"andAll": [{"equals": {"key": "a", "value": 1}}]}, "andAll must have at least 2 filters"),
        ({"orAll": []}, "orAll must have at least 2 filters"),
        ({"orAll": [{"equals": {"key": "a", "value": 1}}, {}]}, "exactly one operator"),
    ],
)
def test_a_bad_filter_is_refused(filter: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError, match=message) as caught:
        predicate(filter)
    assert caught.value.code == "ValidationException"


def test_groups_do_not_nest_for_ever() -> None:
    leaf: dict[str, Any] = {"equals": {"key": "animal", "value": "cat"}}
    nested = leaf
    for _ in range(MOST_LEVELS):
        nested = {"andAll": [leaf, nested]}
    assert predicate(nested)(METADATA)
    with pytest.raises(AwsError, match=f"{MOST_LEVELS} levels deep"):
        predicate({"orAll": [leaf, nested]})
