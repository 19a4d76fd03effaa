"""A text as it reads: what cannot be seen is gone, and a digit is a digit in whatever width it is written.

What is found in the normal text is told at its place in the given text (``Normal.span``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

VARIATION_SELECTORS = frozenset(chr(point) for point in range(0xFE00, 0xFE10))


@dataclass(frozen=True)
class Normal:
    """``text`` and where each of its characters starts and ends in the given text, in code points."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where ``text[start:end]`` (not empty) stands in the given text."""
        return self.starts[start], self.ends[end - 1]


def normal(text: str) -> Normal:
    """The text without invisible characters (zero-width, direction marks, soft hyphens), with compatible
    forms written plainly (full-width digits and letters, ligatures), every dash as ``-``, every space but
    tab and newline as a blank, and accents joined to their letters. Case is kept.
    """
    if text.isascii():
        return Normal(text, range(len(text)), range(1, len(text) + 1))
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for index, character in enumerate(text):
        if unicodedata.combining(character) and characters:
            composed = unicodedata.normalize("NFC", characters[-1] + character)
            if len(composed) == 1:
                characters[-1], ends[-1] = composed, index + 1
                continue
        for plain in _plain(character):
            characters.append(plain)
            starts.append(index)
            ends.append(index + 1)
    return Normal("".join(characters), starts, ends)


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """What one character reads as: "" for what cannot be seen."""
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Cf" or character in VARIATION_SELECTORS:
        return ""
    if category == "Pd":
        return "-"
    if category == "Zs":
        return " "
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return unicodedata.normalize("NFKC", character)
