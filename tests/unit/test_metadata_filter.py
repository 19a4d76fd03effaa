"""Filters go to AWS and back without loss, and nothing that AWS would refuse goes out unsaid."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from services.citations import results_of
from services.metadata_filter import (
    MOST_IN_GROUP,
    OPERATORS,
    Condition,
    Group,
    Verbatim,
    add,
    as_text,
    at,
    condition_for,
    from_aws,
    problems,
    put,
    read_text,
    remove,
    suggested_keys,
    walk,
    with_kind,
    with_operator,
)
from tests.unit.rag import reference


def one(operator: str, value: Any, key: str = "k") -> dict[str, Any]:
    return {operator: {"key": key, "value": value}}


NESTED = {
    "andAll": [
        one("equals", "a"),
        {"orAll": [one("greaterThan", 3), one("in", ["x", "y"])]},
        one("notIn", [1, 2.5]),
    ]
}
VALUES: dict[str, Any] = {"text": "a", "number": 7, "yes_no": False, "texts": ["a", "b"], "numbers": [1, 2.5]}


def test_the_operators_are_those_of_the_service_model() -> None:
    shape = (
        botocore.session.get_session().get_service_model("bedrock-agent-runtime").shape_for("RetrievalFilter")
    )
    assert {*OPERATORS, "andAll", "orAll"} == set(shape.members)


@pytest.mark.parametrize(
    ("operator", "kind"), [(name, kind) for name, (_, kinds) in OPERATORS.items() for kind in kinds]
)
def test_every_operator_and_kind_goes_to_aws_and_back(operator: str, kind: str) -> None:
    given = one(operator, VALUES[kind])
    tree = from_aws(given)
    (condition,) = tree.items
    assert isinstance(condition, Condition)
    assert (condition.operator, condition.kind) == (operator, kind)
    assert tree.to_aws() == given
    assert problems(tree) == []
    shape = (
        botocore.session.get_session().get_service_model("bedrock-agent-runtime").shape_for("RetrievalFilter")
    )
    assert not ParamValidator().validate(given, shape).has_errors()


@pytest.mark.parametrize(
    "given",
    [
        {},
        NESTED,
        one("equals", 1),
        one("equals", True),
        one("equals", 1.0),
        one("equals", ""),
        one("equals", "a, b"),
        one("equals", None),
        one("equals", {"deep": [1]}),
        one("in", []),
        one("in", ["a", 1]),
        one("in", ["a,b", " c "]),
        one("in", "not a list"),
        one("regex", "a.*"),
        one("equals", "a", key=""),
        {"equals": {"key": "k", "value": "a", "boost": 2}},
        {"equals": 5},
        {**one("equals", "a"), **one("in", ["b"])},
        {"andAll": [one("equals", "a")]},
        {"andAll": []},
        {"andAll": {}},
        {"andAll": [one("equals", "a"), 5, one("future", "x")]},
        {
            "orAll": [
                {"andAll": [one("equals", "a"), {"orAll": [one("equals", 1), one("equals", 2)]}]},
                one("in", ["z"]),
            ]
        },
    ],
)
def test_nothing_is_lost_whatever_was_given(given: dict[str, Any]) -> None:
    tree = from_aws(given)
    assert json.dumps(tree.to_aws()) == json.dumps(given)
    read, fault = read_text(as_text(given))
    assert fault == ""
    assert read is not None
    assert json.dumps(read.to_aws()) == json.dumps(given)
    problems(tree)


def test_what_is_half_typed_is_kept_and_not_sent() -> None:
    tree = Group(
        items=(
            Condition("team", value="sales"),
            Condition(),
            Condition("year", "greaterThan", "number", "20x"),
        )
    )
    assert tree.to_aws() == one("equals", "sales", "team"), "a group of one is refused, so it stands alone"
    said = " ".join(problems(tree))
    assert "name the attribute" in said
    assert "20x is no number" in said
    assert "give it a value" in " ".join(problems(Group(items=(Condition("k"),))))
    assert Group(items=(Condition(),)).to_aws() == {}


@pytest.mark.parametrize("typed", ["1,5", "NaN", "1e999", "Infinity", "0x10", "true", "", "--1", "9" * 5000])
def test_what_is_no_number_in_json_is_none(typed: str) -> None:
    assert Condition("k", "equals", "number", typed).to_aws() == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"andAll": [one("equals", "a")]}, "two or more"),
        (one("regex", "a"), "no operator that is known here"),
        (one("greaterThan", "a"), "wants a number"),
        (one("in", "a"), "a list of texts or a list of numbers"),
        ({**one("equals", "a"), **one("in", ["b"])}, "this one has 2"),
        ({"equals": {"key": "k"}}, "“key” and “value”"),
        (one("equals", "a", key=""), "the name of an attribute"),
        (one("equals", "a", key="k" * 101), "at most 100 characters"),
        ({"andAll": [one("equals", str(n)) for n in range(MOST_IN_GROUP + 1)]}, "at most 5"),
        (
            {
                "andAll": [
                    one("equals", "a"),
                    {"orAll": [one("equals", "b"), {"andAll": [one("equals", 1)] * 2}]},
                ]
            },
            "outermost",
        ),
    ],
)
def test_what_aws_would_refuse_is_said(given: dict[str, Any], said: str) -> None:
    assert said in " ".join(problems(from_aws(given)))


def test_a_filter_within_the_limits_has_no_problem() -> None:
    assert problems(from_aws(NESTED)) == []
    assert problems(Group()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ("5", "JSON object"),
        ('{"a": NaN}', "NaN"),
        ("[" * 100_000, "deep"),
    ],
)
def test_a_text_that_is_no_filter_is_explained(text: str, said: str) -> None:
    tree, fault = read_text(text)
    assert tree is None
    assert said in fault
    assert read_text("  ") == (Group(), "")


def test_editing_touches_one_place_alone() -> None:
    tree = from_aws(NESTED)
    places = dict(walk(tree))
    assert len(places) == 6
    changed = put(tree, (1, 0), Condition("new", value="v"))
    assert changed.to_aws()["andAll"][1]["orAll"][0] == one("equals", "v", "new")
    assert changed.items[0] == tree.items[0]
    assert remove(changed, (1, 0)).to_aws()["andAll"][1] == one("in", ["x", "y"])
    assert len(add(tree, (1,), Condition("n", value="v")).to_aws()["andAll"][1]["orAll"]) == 3
    assert remove(tree, ()).to_aws() == {}
    assert at(tree, (1, 1)) == Condition("k", "in", "texts", ("x", "y"))
    assert isinstance(from_aws(one("future", 1)).items[0], Verbatim)


def test_another_operator_or_kind_keeps_what_was_typed() -> None:
    text = Condition("k", value="a, b")
    several = with_operator(text, "in")
    assert (several.kind, several.value) == ("texts", ("a", "b"))
    assert with_operator(several, "equals").value == "a, b"
    number = with_operator(Condition("k", value="2024"), "greaterThan")
    assert number.to_aws() == one("greaterThan", 2024)
    assert with_kind(Condition("k", value="true"), "yes_no").to_aws() == one("equals", True)
    assert with_kind(Condition("k", "equals", "yes_no", True), "text").value == "true"
    typed = Condition("k", "equals", "number", "1,5")
    assert with_kind(with_kind(typed, "text"), "number") == typed


def test_keys_are_suggested_by_what_results_had() -> None:
    results = results_of(
        [
            reference(
                "a", "s3://b/a", team="sales", year=2024, **{"x-amz-bedrock-kb-source-uri": "s3://b/a"}
            ),
            reference("b", "s3://b/b", tags=["x"], open=True, odd={"a": 1}, none=None, mixed=["a", 1]),
        ]
    )
    assert suggested_keys(results) == {
        "open": "yes_no",
        "tags": "texts",
        "team": "text",
        "year": "number",
        "x-amz-bedrock-kb-source-uri": "text",
    }
    assert condition_for("tags", "texts").operator == "listContains"
    assert condition_for("open", "yes_no").to_aws() == one("equals", False, "open")
