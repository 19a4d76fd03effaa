"""Which passages a sentence of an answer rests on, computed from its words and its meaning.

A sentence rests on a passage when up to three neighbouring sentences of the passage hold its content words
and all of its numbers, and the embeddings agree. The thresholds were chosen on the examples in
``tests/unit/localbedrock/test_attribution.py``: few words need all of them, many words may be paraphrased.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from localbedrock.embeddings import Embedder
from localbedrock.knowledge.content_words import Words, words
from localbedrock.knowledge.sentences import sentences

_WINDOW = 3
_COVERED, _AGREES = 0.7, 0.35
"""Enough of the words are there, and the meaning is near."""
_COVERED_CLOSE, _AGREES_CLOSE = 0.6, 0.7
"""A paraphrase: fewer words, but the meaning is nearly the same."""
_AS_GOOD = 0.1
"""A passage whose score is so near to the best one's holds the same statement."""
_SHARED, _NEAR = 0.34, 0.2
"""The floor of relevance: a question that shares neither a third of its words with a passage nor any of its
meaning is about something else. Unrelated questions reach 0.00 to 0.15, the farthest related one 0.26.
"""
_MOST = 3
_CLAUSE = re.compile(r"[;:,]\s+(?:and\s+|but\s+|while\s+)?|\s+(?:and|but|while|whereas)\s+")


@dataclass(frozen=True)
class _Window:
    passage: int
    words: Words
    vectors: Any
    """One row for each of its sentences, and their mean."""


class Attribution:
    """The passages that an answer may rest on."""

    def __init__(self, passages: Sequence[str], embedder: Embedder) -> None:
        self._embedder = embedder
        self._windows = [
            window for place, passage in enumerate(passages) for window in self._windows_of(place, passage)
        ]

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
            return bool(self._windows)
        vector = self._vectors([question])[0]
        return any(
            _covered(asked, window) >= _SHARED or _agrees(vector, window) >= _NEAR for window in self._windows
        )

    def _search(self, sentence: str) -> tuple[int, ...]:
        said = words(sentence)
        if not said.content:
            return ()
        vector = self._vectors([sentence])[0]
        scores: dict[int, float] = {}
        for window in self._windows:
            score = _support(said, vector, window)
            if score > scores.get(window.passage, 0.0):
                scores[window.passage] = score
        best = max(scores.values(), default=0.0)
        near = [place for place, score in scores.items() if score >= best - _AS_GOOD]
        return tuple(sorted(sorted(near, key=lambda place: -scores[place])[:_MOST]))

    def _windows_of(self, place: int, passage: str) -> list[_Window]:
        texts = [sentence.text for sentence in sentences(passage)]
        if not texts:
            return []
        vectors = self._vectors(texts)
        found = []
        for first in range(max(len(texts) - _WINDOW, 0) + 1):
            rows = vectors[first : first + _WINDOW]
            mean = rows.mean(axis=0)
            length = float(np.linalg.norm(mean)) or 1.0
            said = words("\n".join(texts[first : first + _WINDOW]))
            found.append(_Window(place, said, np.vstack([rows, mean / length])))
        return found

    def _vectors(self, texts: list[str]) -> Any:
        return np.array([each.vector for each in self._embedder.embed(texts)])


def _support(said: Words, vector: Any, window: _Window) -> float:
    """How well a window supports what is said, from 1 to 2; 0 where it does not."""
    held = window.words
    if said.numbers - held.content or (said.negated and not held.negated):
        return 0.0
    covered, agrees = _covered(said, window), _agrees(vector, window)
    enough = covered >= _COVERED and agrees >= _AGREES
    close = covered >= _COVERED_CLOSE and agrees >= _AGREES_CLOSE
    return covered + agrees if enough or close else 0.0


def _covered(said: Words, window: _Window) -> float:
    return len(said.content & window.words.content) / len(said.content)


def _agrees(vector: Any, window: _Window) -> float:
    return float((window.vectors @ vector).max())
