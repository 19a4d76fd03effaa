"""Regular expressions of a guardrail: matches at their places, masks, and those that never end."""

from __future__ import annotations

from typing import Any, cast

import pytest

from localbedrock.embeddings import Embedder
from localbedrock.errors import AwsError
from localbedrock.guardrails.masking import masked
from localbedrock.guardrails.patterns import check_pattern
from localbedrock.guardrails.regexes import assess
from localbedrock.guardrails.values import Found

EMBEDDER = cast(Embedder, None)
ACCOUNT: dict[str, Any] = {"name": "Account Number", "pattern": r"\b\d{6}\d{4}\b", "action": "ANONYMIZE"}


def find(text: str, *regexes: dict[str, Any]) -> list[Found]:
    return assess({"regexes": list(regexes)}, text, "INPUT", EMBEDDER)


def test_a_match_is_masked_by_the_expressions_name() -> None:
    # As recorded from AWS.
    text = 'with the string "1234561666" written on it'
    found = find(text, ACCOUNT)
    assert found[0].item == {
        "name": "Account Number",
        "match": "1234561666",
        "regex": r"\b\d{6}\d{4}\b",
        "action": "ANONYMIZED",
        "detected": True,
    }
    assert masked(text, found) == 'with the string "{Account Number}" written on it'


@pytest.mark.parametrize(
    "text", ["no 12345\u200b61666.", "\u202e\U0001f600 123456\u00ad1666", "\uff11234561666"]
)
def test_invisible_characters_hide_nothing(text: str) -> None:
    (found,) = find(text, ACCOUNT)
    assert text[found.start : found.end] == found.item["match"]
    assert "1666" in found.item["match"]


def test_an_expression_may_look_for_invisible_characters() -> None:
    (found,) = find("a\u200bb", {"name": "zero", "pattern": "\u200b", "action": "BLOCK"})
    assert (found.start, found.end, found.action) == (1, 2, "BLOCKED")


def test_one_place_is_told_once() -> None:
    text = "ab\u200bc de"
    found = find(text, {"name": "word", "pattern": r"\w+", "action": "BLOCK"})
    assert [each.item["match"] for each in found] == ["ab\u200bc", "de"]


def test_nothing_is_no_match() -> None:
    assert find("abc", {"name": "maybe", "pattern": "x*", "action": "BLOCK"}) == []
    assert find("1234561666", ACCOUNT | {"inputEnabled": False}) == []
    assert find("1234561666", ACCOUNT | {"inputAction": "NONE"})[0].action == "NONE"


def test_an_expression_that_takes_too_long_is_named() -> None:
    with pytest.raises(AwsError) as caught:
        find("a" * 60 + "b", {"name": "Loop", "pattern": "(a|aa)+$", "action": "BLOCK"})
    assert caught.value.code == "ValidationException"
    assert "The regex Loop takes longer than 0.5 s" in caught.value.message


def test_long_texts_are_quick() -> None:
    assert len(find("number 1234561666, " * 5_000, ACCOUNT)) == 5_000


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(((a{1000}){1000}){1000})", "too large"),
        (r"(?:[)\]]{900}|b){900,}x?", "too large"),
        ("a(?<!b)", "lookaround"),
        ("(a", "not a valid"),
        ("a{99999999999}", "too large"),
    ],
)
def test_expressions_that_cannot_be_compiled_are_refused(pattern: str, said: str) -> None:
    with pytest.raises(AwsError, match=said):
        check_pattern("Mine", pattern)


@pytest.mark.parametrize("pattern", [r"\(\?=\d{3}-\d{2}", r"(?:[0-9a-f]{4}-){3,8}[)}]", "{}", "a{,3}", "x?"])
def test_everyday_expressions_are_taken(pattern: str) -> None:
    check_pattern("Mine", pattern)
