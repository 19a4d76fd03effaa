"""The managed list of profanity, and how it is written to pass a filter."""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata
from pathlib import Path

from localbedrock.guardrails.phrases import Phrases

_ORDINARY = Path(__file__).parent / "data" / "not_profane.txt"
_DISGUISES = str.maketrans("013457@$!", "oieastasi")
"""Digits and signs that stand for letters: one for one, so that nothing moves."""
_DISGUISED = re.compile(r"(?<!\S)(?=\S*[a-z])(?=\S*[013457@$!])\S{4,}(?<![!?.,;:)'\"])", re.IGNORECASE)
_LETTERS = re.compile(r"[a-z]{4,}")
_VOWELS = re.compile("[aeiou]")


def find(text: str) -> set[tuple[int, int]]:
    """Where profanity stands in a text, plain (``shit``), starred (``sh*t``, ``s**t``) or with digits and
    signs for letters (``sh1t``, ``$hit``).
    """
    plain = set(_phrases().find(text))
    undone = _DISGUISED.sub(lambda match: match[0].translate(_DISGUISES), text)
    if undone == text:
        return plain
    return plain | {span for span in _phrases().find(undone) if span[1] - span[0] > 3}


@cache
def _phrases() -> Phrases:
    listed = metadata.distribution("better-profanity").locate_file("better_profanity/profanity_wordlist.txt")
    ordinary = set(_lines(_ORDINARY))
    words = {word.lower() for word in _lines(Path(str(listed)))} - ordinary
    return Phrases(words | {form for word in words for form in _starred(word)})


def _starred(word: str) -> set[str]:
    """A word with its vowels, or all but its ends, as stars; never the first letter."""
    if not _LETTERS.fullmatch(word):
        return set()
    inner = word[0] + "*" * (len(word) - 2) + word[-1]
    vowels = list(_VOWELS.finditer(word, 1))
    single = {word[: vowel.start()] + "*" + word[vowel.end() :] for vowel in vowels}
    return {inner, word[0] + _VOWELS.sub("*", word[1:]), *single} - {word}


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
