"""Custom words and profanity: found as whole words at their right places, however they are written."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.phrases import Phrases
from localbedrock.guardrails.values import Found, Source
from localbedrock.guardrails.words import assess

EMBEDDER = cast(Embedder, None)
PROFANITY: dict[str, Any] = {"managedWordLists": [{"type": "PROFANITY"}]}


def find(text: str, *words: str, source: Source = "INPUT", **changes: Any) -> list[Found]:
    founds = assess({"words": [{"text": word, **changes} for word in words]}, text, source, EMBEDDER)
    for found in founds:
        assert text[found.start : found.end] == found.item["match"]
    return founds


def found_in(text: str, *words: str) -> list[str]:
    return [found.item["match"] for found in find(text, *words)]


@pytest.mark.parametrize(
    ("word", "text", "match"),
    [
        ("acme", "Buy ACME's rival", "ACME"),
        ("New York", "in new\n  york.", "new\n  york"),
        ("Straße", "die STRASSE", "STRASSE"),
        ("C++", "is c++ fast?", "c++"),
        ("$100", "costs $100!", "$100"),
        ("don't", "I don\u2019t", "don\u2019t"),
        ("re-use", "to re\u2011use it", "re\u2011use"),
        ("acme", "\U0001f600\u202eac\u200bme\u202c <b>", "ac\u200bme"),
        ("acme", "\uff21\uff23\uff2d\uff25", "\uff21\uff23\uff2d\uff25"),
        ("café", "cafe\u0301 noir", "cafe\u0301"),
        ("赌博", "我喜欢赌博游戏", "赌博"),
        ("<script>", "a <script>alert(1)", "<script>"),
        ("कमल", "कमल फूल", "कमल"),
    ],
)
def test_a_word_is_found_as_it_is_written(word: str, text: str, match: str) -> None:
    assert found_in(text, word) == [match]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("cat", "concatenate cats cat_food"),
        ("New York", "NewYork New, York"),
        ("re-use", "re use, re - use"),
        ("कमल", "कमला"),
        ("\u200b", "nothing\u200b here"),
    ],
)
def test_a_part_of_a_word_is_no_word(word: str, text: str) -> None:
    assert found_in(text, word) == []


def test_every_place_is_told_and_the_longest_phrase() -> None:
    assert found_in("New York, new york city", "New York", "New York City") == ["New York", "new york city"]
    assert found_in("new york", "New York City", "New York State", "New York") == ["new york"]


def test_what_is_done_is_a_matter_of_the_side() -> None:
    sides: dict[str, Any] = {"inputAction": "NONE", "outputAction": "BLOCK", "outputEnabled": True}
    asked = find("acme", "acme", **sides)
    assert asked[0].group == "customWords"
    assert asked[0].item == {"match": "acme", "action": "NONE", "detected": True}
    assert find("acme", "acme", source="OUTPUT", **sides)[0].action == "BLOCKED"
    assert find("acme", "acme", inputEnabled=False) == []


def profane(text: str) -> list[str]:
    return [found.item["match"] for found in assess(PROFANITY, text, "INPUT", EMBEDDER)]


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("Well, SHIT happens", ["SHIT"]),
        ("sh1t $hit sh!t b00bs", ["sh1t", "$hit", "sh!t", "b00bs"]),
        ("What b00bs! A b@stard.", ["b00bs", "b@stard"]),
        ("sh*t f**k f*ck", ["sh*t", "f**k", "f*ck"]),
        ("f.u.c.k and sh\u200bit", ["f.u.c.k", "sh\u200bit"]),
    ],
)
def test_profanity_is_found_in_disguise(text: str, matches: list[str]) -> None:
    assert profane(text) == matches
    told = assess(PROFANITY, text, "INPUT", EMBEDDER)[0].item
    assert told == {"match": matches[0], "type": "PROFANITY", "action": "BLOCKED", "detected": True}


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe, Essex and Penistone pass the class assessment.",
        "He was murdered; the gay couple's organ donation and a fat seaman.",
        "Heroin is an opiate. HIV and breast cancer screening for the uterus.",
        "The Galaxy A55 costs $455, **bold** and 5 * 4 * 3!",
    ],
)
def test_ordinary_words_are_no_profanity(text: str) -> None:
    assert profane(text) == []


def test_ten_thousand_words_in_a_long_text_take_no_time() -> None:
    phrases = Phrases(f"word {number}" for number in range(10_000))
    text = "The quick brown fox says word 77 to the lazy dog\u200b. " * 2_000
    started = time.perf_counter()
    assert len(list(phrases.find(text))) == 2_000
    assert len(assess(PROFANITY, text, "INPUT", EMBEDDER)) == 0
    assert time.perf_counter() - started < 5
