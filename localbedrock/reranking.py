"""The local reranker: late interaction (MaxSim) over word vectors, and the passage nearest in meaning.

Every word of the query looks for the nearest word of a document. How near it is counts by how much the word
says: by the length of its wordllama vector, which is short for "the" and long for "refund", and by how few
of the documents have it. A word with a digit is a code or a number, and is near to itself alone: E-1042 is
not almost E-1043. To that comes the cosine of the query and the document's nearest stretch of some thirty
words. Both halves count the same, and a curve makes a score from 0 to 1 of their mean.

Words know nothing of their sentence here, so this knows less than the models that it stands in for.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from localbedrock.embeddings import Embedder
from localbedrock.words import in_one, whole_words_of, words_of

MODEL_NAME = "MaxSim over WordLlama 256"

_STEEPNESS, _MIDDLE = 10.0, 0.5
"""Of the curve: what is relevant by half has the score 0.5."""
_CODE_LENGTH = 35.0
"""What a code or a number says, in lengths of word vectors: more than twice what "refund" does."""
_PASSAGE_WORDS = 30
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")

Numbers = npt.NDArray[np.float32]


class Reranker:
    """Scores documents against a query. Safe to use from many threads."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def scores(self, query: str, documents: Sequence[str]) -> list[float]:
        """A score from 0 to 1 for each document, in the order given; 0 for all if the query has no words."""
        asked = list(dict.fromkeys(whole_words_of(query)))
        if not asked:
            return [0.0] * len(documents)
        texts = [set(words_of(document)) for document in documents]
        question = np.array(self._embedder.embed([query])[0].vector, dtype=np.float32)
        vectors, weights = self._weighted(asked, texts)
        return [
            _squashed(
                (
                    float(self._nearest_words(asked, vectors, words) @ weights)
                    + self._passage(question, document)
                )
                / 2
            )
            for document, words in zip(documents, texts, strict=True)
        ]

    def _weighted(self, asked: list[str], texts: Sequence[set[str]]) -> tuple[Numbers, Numbers]:
        """The vectors of the query's words, and what share each has in what the query says."""
        found = Counter(word for words in texts for word in words.intersection(asked))
        rare = [1 + math.log((len(texts) + 1) / (found[word] + 1)) for word in asked]
        words = self._embedder.words(asked)
        lengths = words.lengths.copy()
        lengths[[_is_code(word) for word in asked]] = _CODE_LENGTH
        weights = lengths * np.array(rare, dtype=np.float32)
        return words.vectors, weights / max(float(weights.sum()), 1e-9)

    def _nearest_words(self, asked: list[str], vectors: Numbers, words: set[str]) -> Numbers:
        """How near each word of the query has come, from 0 to 1 (the word itself)."""
        exact = np.array([word in words or in_one(word) in words for word in asked], dtype=np.float32)
        plain = [word for word in words if not _is_code(word)]
        if not plain:
            return exact
        nearest = (vectors @ self._embedder.words(plain).vectors.T).max(axis=1).clip(0, 1)
        codes = np.array([_is_code(word) for word in asked])
        return np.maximum(exact, np.where(codes, 0, nearest))

    def _passage(self, question: Numbers, document: str) -> float:
        """The cosine of the query and the nearest passage of the document, at least 0."""
        vectors = np.array([one.vector for one in self._embedder.embed(_passages(document))])
        return max(float((vectors @ question).max()), 0.0)


def _passages(document: str) -> list[str]:
    """Sentences in stretches of some thirty words; each begins with the last sentence of the one before."""
    passages: list[str] = []
    stretch: list[str] = []
    for sentence in filter(None, map(str.strip, _SENTENCE_END.split(document))):
        stretch.append(sentence)
        if sum(len(part.split()) for part in stretch) >= _PASSAGE_WORDS:
            passages.append(" ".join(stretch))
            stretch = stretch[-1:] if len(stretch) > 1 else []
    return [*passages, " ".join(stretch)] if stretch or not passages else passages


def _is_code(word: str) -> bool:
    return any(character.isdigit() for character in word)


def _squashed(relevance: float) -> float:
    return 1 / (1 + math.exp(-_STEEPNESS * (relevance - _MIDDLE)))
