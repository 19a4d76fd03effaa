"""What a text says in content words and numbers, whatever their endings."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_NO_SPACES = re.compile(r"[぀-ヿ㐀-鿿가-힯฀-๿]")
"""Scripts in which a run of letters is more than a word."""
_NUMBER_WORDS = {
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
    "twenty": "20",
    "thirty": "30",
}
_NEGATIONS = {"not", "no", "never", "none", "cannot", "without", "neither", "nor", "nothing"}
_LITTLE_WORDS = """
a about above after again all also am an and any are as at be because been before being below between
both but by can could did do does doing down during each few for from further had has have having he her
here hers him his how i if in into is it its just may me might more most must my of off on once only or
other our out over own please same shall she should so some such than that the their them then there
these they this those through to too under until up us very was we were what when where whether which
while who whom whose why will with would you your i'm i've it's that's there's they're we're you're
what's let's answer question passage passages according
"""
_STOP_WORDS = frozenset(_LITTLE_WORDS.split())
_SUFFIXES = ("ing", "ed", "es", "s", "ly")
_LEAST_STEM = 3


@dataclass(frozen=True)
class Words:
    """``content``: stems of content words, and numbers. ``numbers``: those written with digits."""

    content: frozenset[str]
    numbers: frozenset[str]
    negated: bool


def words(text: str) -> Words:
    """The content of a text. 1,000 is 1000, 12.50 is 12.5, ten is 10."""
    content: set[str] = set()
    numbers: set[str] = set()
    negated = False
    for token in _TOKEN.findall(text.lower().replace("’", "'")):
        if token[0].isdigit():
            numbers.add(_number(token))
        elif token in _NEGATIONS or token.endswith("n't"):
            negated = True
        elif token in _NUMBER_WORDS:
            content.add(_NUMBER_WORDS[token])
        elif _NO_SPACES.search(token):
            content.update(token[place : place + 2] for place in range(max(len(token) - 1, 1)))
        elif token not in _STOP_WORDS:
            content.add(_stem(token.removesuffix("'s")))
    return Words(frozenset(content | numbers), frozenset(numbers), negated)


def without_little_words(text: str) -> str:
    """The text without the words that every question has: its embedding says what is asked about."""
    return " ".join(token for token in _TOKEN.findall(text.lower()) if token not in _STOP_WORDS)


def _number(token: str) -> str:
    plain = token.replace(",", "") if _THOUSANDS.fullmatch(token) else token.replace(",", ".")
    return plain.rstrip("0").rstrip(".") if plain.count(".") == 1 else plain


def _stem(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _LEAST_STEM:
            word = word.removesuffix(suffix)
            if suffix in {"ing", "ed"} and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > _LEAST_STEM else word
