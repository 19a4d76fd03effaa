"""How much a text is of a kind (hate, a jailbreak ...), by a small logistic regression.

It learns at first use, in a fraction of a second, from the example sentences in ``data``: one file for each
kind, with examples (``+``), sentences that only look like it (``-``) and telling words (``=``). What it
knows of a sentence is its embedding, the telling words in it, how near its nearest word comes to one, and
some turns of phrase ("how do I", "you are"). It reads English. Other languages are judged by the few words
that the embeddings share with English, irony and hints not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.plain_text import hidden, pieces, plain

KINDS = (
    "HATE",
    "INSULTS",
    "SEXUAL",
    "VIOLENCE",
    "MISCONDUCT",
    "JAILBREAK",
    "PROMPT_INJECTION",
    "PROMPT_LEAKAGE",
)
Numbers = npt.NDArray[np.float64]

_CUES = tuple(
    re.compile(cue, re.IGNORECASE)
    for cue in (
        r"\byou(?:r|rs|'re|rself)?\b",
        r"\b(?:you are|you're|he is|he's|she is|she's|are you|they are|they're)\b",
        r"\bi(?:'ll|'m going to| will| am going to| want to| would like to)\b",
        r"\b(?:how (?:do|can|could) i|how to|help me|(?:show|tell) me how|give me|where (?:do|can) i)\b",
        r"\b(?:write|describe|generate|pretend|act as|imagine|roleplay)\b",
        r"\b(?:all|every|everyone|these|those|they|them|people)\b",
        (
            r"\b(?:report|protect|prevent|avoid|stop|law|legal|police|history|against|detect|difference)\b"
            r"|\bwhat (?:is|are|does)\b"
        ),
    )
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_CUE_WEIGHT, _TELLING_WEIGHT = 0.5, 0.7
_RIDGE = 0.2
_ROUNDS = 60
_OTHER_KIND, _SHARED_KIND = 0.5, 0.0
"""What an example of another kind weighs against a kind, and where the kinds overlap."""
_OVERLAP = (
    {"HATE", "INSULTS"},
    {"HATE", "VIOLENCE"},
    {"JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE"},
)
_KEPT = 16


@dataclass(frozen=True)
class Examples:
    """A kind's file: sentences of it, sentences that are not, and its telling words."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Read:
    """Texts as the classifier takes them: ``vectors`` and ``cues`` by text, ``distinct`` words with their
    ``word_vectors``, and which of them each text has: ``said`` one after the other, from ``starts`` on.
    """

    vectors: Numbers
    cues: Numbers
    distinct: Sequence[str]
    word_vectors: Any
    said: Any
    starts: Any


def examples(name: str) -> Examples:
    """The examples in ``data/NAME.txt``."""
    text = (
        resources.files("localbedrock.guardrails").joinpath("data", f"{name.lower()}.txt").read_text("utf-8")
    )
    lines = [(line[:1], line[2:].strip()) for line in text.splitlines() if line.strip()]
    of = {mark: tuple(said for sign, said in lines if sign == mark) for mark in "+-="}
    return Examples(of["+"], of["-"], tuple(" ".join(of["="]).split()))


def probabilities(text: str, embedder: Embedder) -> dict[str, float]:
    """How likely a text is of each kind, from 0 to 1: that of its most telling piece."""
    return dict(_probabilities(text, embedder))


@lru_cache(maxsize=_KEPT)
def _probabilities(text: str, embedder: Embedder) -> Mapping[str, float]:
    seen = plain(text)
    parts = pieces(seen + "\n" + plain(hidden(text)))
    if not parts:
        return dict.fromkeys(KINDS, 0.0)
    model = _learned(embedder)
    read = _read(parts, embedder)
    return {kind: float(model[kind].predict(read).max()) for kind in KINDS}


class _Model:
    """The weights for one kind."""

    def __init__(self, words: Sequence[str], embedder: Embedder) -> None:
        self._telling = frozenset(words)
        self._near = embedder.words(words).vectors
        self._weights: Numbers = np.zeros(0)

    def learn(self, read: _Read, labels: Numbers, importance: Numbers) -> None:
        """Ridge logistic regression. The bend of the loss is replaced by its upper bound (Boehning), so one
        inversion serves all rounds; the same examples give the same weights.
        """
        features = self._features(read)
        weights = np.zeros(features.shape[1])
        ridge = np.full(features.shape[1], _RIDGE)
        ridge[0] = 1e-3
        step = np.linalg.inv((features.T * (importance / 4)) @ features + np.diag(ridge))
        for _ in range(_ROUNDS):
            wrong = importance * (_sigmoid(features @ weights) - labels)
            weights = weights - step @ (features.T @ wrong + ridge * weights)
        self._weights = weights

    def predict(self, read: _Read) -> Numbers:
        """The probability of each text."""
        return _sigmoid(self._features(read) @ self._weights)

    def _features(self, read: _Read) -> Numbers:
        nearest = (read.word_vectors @ self._near.T).max(axis=1)
        telling = np.array([word in self._telling for word in read.distinct], dtype=float)
        near = np.maximum.reduceat(nearest[read.said], read.starts)
        count = np.minimum(np.add.reduceat(telling[read.said], read.starts), 2)
        own = np.column_stack([count * _TELLING_WEIGHT, near])
        return np.hstack([np.ones((len(near), 1)), read.vectors, own, read.cues, near[:, None] * read.cues])


@lru_cache(maxsize=2)
def _learned(embedder: Embedder) -> Mapping[str, _Model]:
    every = {kind: examples(kind) for kind in KINDS}
    ordinary = examples("benign").negative
    texts = [said for each in every.values() for said in (*each.positive, *each.negative)] + list(ordinary)
    read = _read([plain(text) for text in texts], embedder)
    models = {}
    for kind, own in every.items():
        model = _Model(own.words, embedder)
        labels: list[float] = []
        importance: list[float] = []
        for other, each in every.items():
            overlap = any({kind, other} <= kinds for kinds in _OVERLAP)
            other_weight = _SHARED_KIND if overlap else _OTHER_KIND
            labels += [float(other == kind)] * len(each.positive) + [0.0] * len(each.negative)
            importance += [1.0 if other == kind else other_weight] * len(each.positive)
            importance += [1.0 if other == kind else 0.5] * len(each.negative)
        labels += [0.0] * len(ordinary)
        importance += [0.7] * len(ordinary)
        model.learn(read, np.array(labels), np.array(importance))
        models[kind] = model
    return models


def _read(texts: Sequence[str], embedder: Embedder) -> _Read:
    vectors = np.array([each.vector for each in embedder.embed(list(texts))])
    words = [_WORD.findall(text.lower().replace("’", "'")) or ["-"] for text in texts]
    distinct = sorted({word for said in words for word in said})
    place = {word: number for number, word in enumerate(distinct)}
    said = np.array([place[word] for each in words for word in each])
    starts = np.concatenate(([0], np.cumsum([len(each) for each in words])[:-1]))
    cues = np.array([[cue.search(text) is not None for cue in _CUES] for text in texts]) * _CUE_WEIGHT
    return _Read(vectors, cues, distinct, embedder.words(distinct).vectors, said, starts)


def _sigmoid(values: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))
