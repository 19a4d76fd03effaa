"""Denied topics, by meaning (topicPolicy).

A text is about a topic when one of its sentences is near in meaning to the topic's examples, definition and
name, and its words are near to theirs. Meaning is that of static word vectors: they know that a fund and a
share belong together, not who does what to whom, and English best. The weights and the threshold were chosen
on tests/unit/localbedrock/topic_cases.py: of ten texts about a topic some three are missed. More examples help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.plain_text import pieces, plain
from localbedrock.guardrails.values import Found, Source
from localbedrock.knowledge.content_words import without_little_words

Numbers = npt.NDArray[np.float64]

THRESHOLD = 0.38
"""The least score, from 0 to 1, of a text that is about a topic."""
_CONSTANT, _EXAMPLE, _DEFINITION, _NAME, _WORDS = -3.95, 3.0, 4.7, 2.8, 1.6
_GENERAL = frozenset(
    "advice recommendation recommendations recommend question questions opinion opinions person people other "
    "others information inquiries guidance request requests provide providing involve involving related".split()
)
"""Words of definitions that say nothing of the topic itself."""
_TOPICS_KEPT, _TEXTS_KEPT = 256, 4


@dataclass(frozen=True, eq=False)
class _Topic:
    examples: Numbers
    definition: Numbers
    name: Numbers
    words: Numbers


@dataclass(frozen=True, eq=False)
class _Text:
    """Pieces by row; ``said`` are the places of their words in ``words``, ``starts`` where a piece's begin."""

    vectors: Numbers
    words: Numbers
    lengths: Numbers
    said: Any
    starts: Any


def assess(policy: Mapping[str, Any], text: str, source: Source, embedder: Embedder) -> list[Found]:
    """Every topic of the policy that is looked for on this side."""
    side = source.lower()
    found = []
    for topic in policy.get("topics", ()):
        if not topic.get(f"{side}Enabled", True):
            continue
        detected = score(text, topic, embedder) >= THRESHOLD
        blocks = detected and topic.get(f"{side}Action", "BLOCK") == "BLOCK"
        item = {
            "name": topic["name"],
            "type": topic.get("type", "DENY"),
            "action": "BLOCKED" if blocks else "NONE",
            "detected": detected,
        }
        found.append(Found("topics", item))
    return found


def score(text: str, topic: Mapping[str, Any], embedder: Embedder) -> float:
    """How surely a text is about a topic (its ``name``, ``definition``, ``examples``), from 0 to 1."""
    read = _text(text, embedder)
    if read is None:
        return 0.0
    known = _topic(topic["name"], topic["definition"], tuple(topic.get("examples") or ()), embedder)
    definition = read.vectors @ known.definition
    example = (read.vectors @ known.examples.T).max(axis=1) if len(known.examples) else definition
    nearest = (read.words @ known.words.T).max(axis=1) * read.lengths
    weights = np.add.reduceat(read.lengths[read.said], read.starts)
    near = np.add.reduceat(nearest[read.said], read.starts) / np.maximum(weights, 1e-9)
    sums = (
        _CONSTANT
        + _EXAMPLE * example
        + _DEFINITION * definition
        + _NAME * (read.vectors @ known.name)
        + _WORDS * near
    )
    return float(1 / (1 + np.exp(-sums.max())))


@lru_cache(maxsize=_TOPICS_KEPT)
def _topic(name: str, definition: str, examples: tuple[str, ...], embedder: Embedder) -> _Topic:
    words = sorted({word for said in (name, definition, *examples) for word in _content(said)}) or [name]
    return _Topic(
        _vectors([_clean(example) for example in examples], embedder),
        _vectors([_clean(definition)], embedder)[0],
        _vectors([name], embedder)[0],
        embedder.words(words).vectors.astype(np.float64),
    )


@lru_cache(maxsize=_TEXTS_KEPT)
def _text(text: str, embedder: Embedder) -> _Text | None:
    """A text's pieces that have content words; None for one without."""
    read = [(piece, _content(piece)) for piece in pieces(plain(text))]
    read = [(piece, words) for piece, words in read if words]
    if not read:
        return None
    distinct = sorted({word for _, words in read for word in words})
    place = {word: number for number, word in enumerate(distinct)}
    known = embedder.words(distinct)
    return _Text(
        _vectors([_clean(piece) for piece, _ in read], embedder),
        known.vectors.astype(np.float64),
        known.lengths.astype(np.float64),
        np.array([place[word] for _, words in read for word in words]),
        np.concatenate(([0], np.cumsum([len(words) for _, words in read])[:-1])),
    )


def _clean(text: str) -> str:
    return without_little_words(text) or text


def _content(text: str) -> list[str]:
    return [
        word for word in without_little_words(text).split() if word not in _GENERAL and not word[0].isdigit()
    ]


def _vectors(texts: Sequence[str], embedder: Embedder) -> Numbers:
    return np.array([each.vector for each in embedder.embed(list(texts))])
