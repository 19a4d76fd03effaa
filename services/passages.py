"""Where a retrieved passage stands in its document.

A passage comes from a parser: white space, line ends, hyphens at line ends and Markdown's marks may differ.
So letters and digits alone are compared, and the place in the document's own characters is told.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

_ANCHOR = 40
"""So many letters of a passage's beginning and of its end stand for the whole, where that is not found."""
_LEAST = 8
"""Fewer letters than this at the edge of a page are a coincidence."""


@dataclass(frozen=True)
class Letters:
    """A text's letters and digits in one form, and where each stands in the text."""

    letters: str
    places: Sequence[int]

    @classmethod
    def of(cls, text: str) -> Letters:
        """The letters of a text; "ﬁ" gives two of them at one place."""
        if text.isascii():  # most are, and this is many times as fast
            places = [match.start() for match in re.finditer(r"[0-9A-Za-z]", text)]
            return cls(re.sub(r"[^0-9A-Za-z]+", "", text).lower(), places)
        letters: list[str] = []
        kept: list[int] = []
        for place, character in enumerate(text):
            if not character.isalnum():
                continue
            folded = unicodedata.normalize("NFKC", character).casefold()
            letters.append(folded)
            kept.extend([place] * len(folded))
        return cls("".join(letters), kept)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The place in the text of the letters from `start` to `end`."""
        return self.places[start], self.places[end - 1] + 1


def passage_of(text: str, passage: str) -> tuple[int, int] | None:
    """The characters of a document that a passage consists of; None where it is not found."""
    document = Letters.of(text)
    found = _find(document.letters, Letters.of(passage).letters)
    return document.span(*found) if found else None


def with_marks(text: str, place: tuple[int, int], passage: str) -> tuple[int, int]:
    """The place of a passage with the marks at its edges that are no letters: of a heading, a full stop."""
    start, end = place
    letters = Letters.of(passage).places
    before, after = passage[: letters[0]].lstrip(), passage[letters[-1] + 1 :].rstrip()
    if text.endswith(before, 0, start):
        start -= len(before)
    if text.startswith(after, end):
        end += len(after)
    return start, end


def passage_on_page(page: Letters, passage: str) -> tuple[int, int] | None:
    """The letters of a page that belong to a passage, also to one that runs on from the page before, or to
    the next one.
    """
    wanted = Letters.of(passage).letters
    if found := _find(page.letters, wanted):
        return found
    whole = len(page.letters)
    for length in range(min(len(wanted), whole), _LEAST - 1, -1):
        if page.letters.endswith(wanted[:length]):
            return whole - length, whole
        if page.letters.startswith(wanted[-length:]):
            return 0, length
    if whole >= _LEAST and page.letters in wanted:
        return 0, whole
    return None


def page_of(pages: Sequence[str], passage: str) -> int | None:
    """The index of the page where a passage begins, of all pages' texts; None where it is not found."""
    starts: list[int] = []
    parts: list[str] = []
    size = 0
    for text in pages:
        part = Letters.of(text).letters
        starts.append(size)
        parts.append(part)
        size += len(part)
    found = _find("".join(parts), Letters.of(passage).letters)
    return bisect_right(starts, found[0]) - 1 if found else None


def _find(document: str, wanted: str) -> tuple[int, int] | None:
    if not wanted:
        return None
    start = document.find(wanted)
    if start >= 0:
        return start, start + len(wanted)
    if len(wanted) < 2 * _ANCHOR:
        return None
    start = document.find(wanted[:_ANCHOR])
    end = document.find(wanted[-_ANCHOR:], start + 1) + _ANCHOR
    plausible = start >= 0 and len(wanted) / 2 <= end - start <= len(wanted) * 2
    return (start, end) if plausible else None
