"""Which passages a sentence of an answer rests on, computed from its words and its meaning.

A sentence rests on a passage when up to three neighbouring sentences of the passage hold its content words
and all of its numbers, and the embeddings agree. The thresholds were chosen on the examples in
``tests/unit/localbedrock/test_attribution.py``: few words need all of them, many words may be paraphrased.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.knowledge import passages as reading
from localbedrock.knowledge.content_words import Words, without_little_words, words
from localbedrock.knowledge.passages import Passage

_COVERED, _AGREES = 0.7, 0.35
"""Enough of the words are there, and the meaning is near."""
_COVERED_CLOSE, _AGREES_CLOSE = 0.6, 0.7
"""A paraphrase: fewer words, but the meaning is nearly the same."""
_AS_GOOD = 0.1
"""A passage whose score is so near to the best one's holds the same statement."""
_FLOOR = 0.35
"""The floor of relevance: what share of a question's words a window holds, plus how near its meaning is.
Of 84 questions about the sample documents 81 are above it, of 20 about anything else 4 ("Who wrote Hamlet?").
"""
_MOST = 3
_CLAUSE = re.compile(r"[;:,]\s+(?:and\s+|but\s+|while\s+)?|\s+(?:and|but|while|whereas)\s+")


class Attribution:
    """The passages that an answer may rest on."""

    def __init__(self, passages: Sequence[str], embedder: Embedder) -> None:
        self._embedder = embedder
        read = [(place, reading.read(text, embedder)) for place, text in enumerate(passages)]
        self._passages = [(place, passage) for place, passage in read if passage is not None]

    def grounds(self, sentence: str) -> tuple[int, ...]:
        """The places of the passages that a sentence rests on, in their order; () for none."""
        if found := self._search(sentence):
            return found
        clauses = [clause for clause in _CLAUSE.split(sentence) if words(clause).content]
        each = [self._search(clause) for clause in clauses]
        if len(clauses) > 1 and all(each):
            return tuple(sorted({place for places in each for place in places}))
        return ()

    def is_relevant(self, question: str) -> bool:
        """Whether any passage is above the floor of relevance. There is none for a question without
        content words ("What is this about?").
        """
        asked = words(question)
        if not asked.content:
            return bool(self._passages)
        meaning = reading.vector(without_little_words(question), self._embedder)
        return any(
            _covered(asked, window) + near >= _FLOOR
            for _, passage in self._passages
            for window, near in zip(passage.windows, passage.nearness(meaning), strict=True)
        )

    def _search(self, sentence: str) -> tuple[int, ...]:
        said = words(sentence)
        if not said.content:
            return ()
        meaning = reading.vector(sentence, self._embedder)
        scores = {place: _support(said, meaning, passage) for place, passage in self._passages}
        best = max(scores.values(), default=0.0)
        near = [place for place, score in scores.items() if score > 0 and score >= best - _AS_GOOD]
        return tuple(sorted(sorted(near, key=lambda place: -scores[place])[:_MOST]))


def _support(said: Words, meaning: Any, passage: Passage) -> float:
    """How well a passage's best window supports what is said, from 1 to 2; 0 where none does."""
    covered = [_covered(said, window) if _may_hold(said, window) else 0.0 for window in passage.windows]
    if max(covered) < _COVERED_CLOSE:
        return 0.0
    return max(
        share + float(agrees)
        if (share >= _COVERED and agrees >= _AGREES) or (share >= _COVERED_CLOSE and agrees >= _AGREES_CLOSE)
        else 0.0
        for share, agrees in zip(covered, passage.nearness(meaning), strict=True)
    )


def _may_hold(said: Words, window: Words) -> bool:
    """Whether the window has every number, and does not say yes where the sentence says no."""
    return said.numbers <= window.content and not (said.negated and not window.negated)


def _covered(said: Words, window: Words) -> float:
    return len(said.content & window.content) / len(said.content)
