"""Where the words of a question stand in a passage."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_SHORTEST = 3
_COMMON = """
about and any are but can did does for from had has have how into its many much not off our out over should
than that the their them then there these they this those was were what when where which who whom whose why
will with would you your
"""


def words_of(question: str) -> frozenset[str]:
    """The words of a question that say something, in lower case."""
    words = {word.lower() for word in _WORD.findall(question)}
    return frozenset(
        word for word in words.difference(_COMMON.split()) if len(word) >= _SHORTEST or word.isdigit()
    )


def places(text: str, words: frozenset[str]) -> list[tuple[int, int]]:
    """(start, end) of every word of the text that is one of them, or the same in the singular or plural."""
    wanted = {_singular(word) for word in words}
    return [match.span() for match in _WORD.finditer(text) if _singular(match[0].lower()) in wanted]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > _SHORTEST and word.endswith("s") and not word.endswith("ss") else word
