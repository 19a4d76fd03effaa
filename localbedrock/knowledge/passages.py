"""A passage as it is compared with questions and answers: its sentences, their words, their meaning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from localbedrock.embeddings import Embedder
from localbedrock.knowledge.content_words import Words, words
from localbedrock.knowledge.sentences import sentences

_WINDOW = 3
_KEPT = 64


@dataclass(frozen=True, eq=False)
class Passage:
    """``sentences``, ``tokens`` (their sizes), ``said`` and the rows of ``vectors`` belong together.

    ``windows`` holds the words of every run of three neighbouring sentences, ``means`` their mean vectors.
    """

    sentences: tuple[str, ...]
    tokens: tuple[int, ...]
    said: tuple[Words, ...]
    vectors: Any
    windows: tuple[Words, ...]
    means: Any

    def nearness(self, vector: Any) -> Any:
        """How near each window's meaning is to a vector's: that of its nearest sentence, or of its mean."""
        count = len(self.windows)
        near = self.vectors @ vector
        runs = [near[first : first + count] for first in range(len(self.sentences) - count + 1)]
        return np.maximum.reduce([*runs, self.means @ vector])


@lru_cache(maxsize=_KEPT)
def read(text: str, embedder: Embedder) -> Passage | None:
    """A passage; None for one without text. The last ones are kept: every step of an answer needs them."""
    found = tuple(sentence.text for sentence in sentences(text))
    if not found:
        return None
    embedded = embedder.embed(list(found))
    vectors = np.array([each.vector for each in embedded], dtype=np.float32)
    said = tuple(map(words, found))
    count = max(len(found) - _WINDOW, 0) + 1
    width = len(found) - count + 1
    sums = np.add.reduce([vectors[first : first + count] for first in range(width)])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return Passage(
        found,
        tuple(each.tokens for each in embedded),
        said,
        vectors,
        tuple(_joined(said[first : first + width]) for first in range(count)),
        sums / np.where(lengths > 0, lengths, 1),
    )


def vector(text: str, embedder: Embedder) -> Any:
    """The meaning of a question or of a sentence."""
    return np.array(embedder.embed([text])[0].vector, dtype=np.float32)


def _joined(said: tuple[Words, ...]) -> Words:
    return Words(
        frozenset().union(*(each.content for each in said)),
        frozenset().union(*(each.numbers for each in said)),
        any(each.negated for each in said),
    )
