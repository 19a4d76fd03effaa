"""Many words and phrases looked for in a text at once: whole words, whatever their case and spacing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import regex

from localbedrock.guardrails.normal_text import normal

_ALONE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts without spaces: every character counts as a word."""
_TOKEN = regex.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+|[^\w\s]")
_QUOTES = str.maketrans("\u2018\u2019\u201b\u201c\u201d\u201f", "'''\"\"\"")


class _Token(NamedTuple):
    """A word or a sign, without upper case; ``glued`` to what stands before it, or apart from it."""

    text: str
    glued: bool
    start: int
    end: int


class Phrases:
    """A set of words and phrases. Looking for them takes as long for ten thousand as for ten."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """Index the phrases by their first word; one without any visible character is never found."""
        self._rests: dict[str, set[tuple[tuple[str, bool], ...]]] = {}
        for phrase in phrases:
            tokens = _tokens(normal(phrase).text)
            if tokens:
                self._rests.setdefault(tokens[0].text, set()).add(_written(tokens[1:]))
        self._lengths = {
            first: sorted({len(rest) for rest in rests}, reverse=True) for first, rests in self._rests.items()
        }

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where each phrase stands in a text; the longest of those that begin at one place."""
        tokens = _tokens_of_text(text)
        for place, token in enumerate(tokens):
            for length in self._lengths.get(token.text, ()):
                following = tokens[place + 1 : place + 1 + length]
                if _written(following) in self._rests[token.text]:
                    yield token.start, (following or [token])[-1].end
                    break


def _written(tokens: Sequence[_Token]) -> tuple[tuple[str, bool], ...]:
    return tuple((token.text, token.glued) for token in tokens)


@lru_cache(maxsize=4)
def _tokens_of_text(text: str) -> list[_Token]:
    """Cached, because a text is searched for one list after another."""
    return _tokens(text)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        word = match[0].casefold().translate(_QUOTES)
        found.append(_Token(word, bool(found) and found[-1].end == start, start, end))
    return found
