"""A text as sentences, whole or while it grows."""

from __future__ import annotations

import re
from dataclasses import dataclass

_END = re.compile(r"(?<![.!?…])[.!?…]+[\"')\]”’»*_]*(?=\s)|[。！？]+|\n+")
_GOES_ON = re.compile(
    r"(?:(?:\b(?:e\.g|i\.e|vs|cf|approx|no|fig|mr|mrs|ms|dr|prof|st)|\b[a-z])|^[\s*#>-]*\d{1,3})\.$",
    re.IGNORECASE,
)
"""An abbreviation, an initial, or the number of a list's item: its full stop ends no sentence."""
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True)
class Sentence:
    """``text`` stands at ``start``; no white space around it. ``paragraph``: a blank line is before it."""

    start: int
    text: str
    paragraph: bool = False

    @property
    def end(self) -> int:
        """Where it ends, exclusive."""
        return self.start + len(self.text)


class SentenceReader:
    """Sentences of a text that comes in pieces. A line's end is a sentence's end too."""

    def __init__(self) -> None:
        self._text = ""
        self._from = 0
        self._last_end = 0

    def feed(self, piece: str) -> list[Sentence]:
        """The sentences that have ended with this piece."""
        self._text += piece
        ended = []
        while (end := self._next_end()) is not None:
            ended += self._cut(end)
        return ended

    def flush(self) -> list[Sentence]:
        """The rest, once nothing more will come."""
        return self._cut(len(self._text))

    def _next_end(self) -> int | None:
        for found in _END.finditer(self._text, self._from):
            if found[0] != "." or not _GOES_ON.search(self._text[self._from : found.end()]):
                return found.end()
        return None

    def _cut(self, end: int) -> list[Sentence]:
        raw = self._text[self._from : end]
        start, words = self._from + len(raw) - len(raw.lstrip()), raw.strip()
        self._from = end
        if not words:
            return []
        paragraph = _BLANK_LINE.search(self._text, self._last_end, start) is not None
        self._last_end = start + len(words)
        return [Sentence(start, words, paragraph)]


def sentences(text: str) -> list[Sentence]:
    """All sentences of a text."""
    reader = SentenceReader()
    return reader.feed(text) + reader.flush()
