"""Denied topics, by meaning (topicPolicy).

A text is about a topic when one of its sentences is near in meaning to the topic's examples, definition and
name, and its words are near to theirs. Meaning is that of static word vectors: they know that a fund and a
share belong together, not who does what to whom, and English best. The weights and the threshold were chosen
on tests/unit/localbedrock/topic_cases.py: of ten
texts about a topic some three are missed. More examples help.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.plain_text import pieces, plain
from localbedrock.guardrails.sides import action_of, is_enabled
from localbedrock.guardrails.values import Found, Source
from localbedrock.knowledge.content_words import without_little_words

Numbers = npt.NDArray[np.float64]

THRESHOLD = 0.4
"""The least score, from 0 to 1, of a text that is about a topic."""
_CONSTANT, _EXAMPLE, _DEFINITION, _NAME, _WORDS = -3.95, 3.0, 4.7, 2.8, 1.6
_GENERAL_WORDS = """
advice recommendation recommendations recommend question questions opinion opinions person people other others
information inquiries guidance request requests provide providing involve involving related
"""
_GENERAL = frozenset(_GENERAL_WORDS.split())
"""Words of definitions that say nothing of the topic itself."""
_PROPER_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][a-z]\w+")
_OF_THE_TOPIC = 0.3
"""A name in an example that is as near to a word of the name or definition belongs to the topic."""
_TOPICS_KEPT, _TEXTS_KEPT = 256, 4


@dataclass(frozen=True, eq=False)
class _Topic:
    examples: Numbers
    definition: Numbers
    name: Numbers
    words: Numbers


@dataclass(frozen=True, eq=False)
class _Text:
    """Pieces by row; ``said`` are the places of their words in ``words``, from ``starts`` on by piece."""

    vectors: Numbers
    words: Numbers
    lengths: Numbers
    said: Any
    starts: Any


def assess(policy: Mapping[str, Any], text: str, source: Source, embedder: Embedder) -> list[Found]:
    """Every topic of the policy that is looked for on this side."""
    topics = policy.get("topics", ())
    shared = shared_words(topics)
    found = []
    for topic in topics:
        if not is_enabled(topic, source):
            continue
        detected = score(text, topic, embedder, shared) >= THRESHOLD
        item = {
            "name": topic["name"],
            "type": topic.get("type", "DENY"),
            "action": action_of(topic, source) if detected else "NONE",
            "detected": detected,
        }
        found.append(Found("topics", item))
    return found


def shared_words(topics: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Content words that several topics of a guardrail use: they say where it is used, not what it denies."""
    of = [
        {
            _stem(word)
            for said in (each["name"], each["definition"], *_examples(each))
            for word in _content(said)
        }
        for each in topics
    ]
    counts = Counter(stem for stems in of for stem in stems)
    return frozenset(stem for stem, count in counts.items() if count > 1)


def score(
    text: str, topic: Mapping[str, Any], embedder: Embedder, shared: frozenset[str] = frozenset()
) -> float:
    """How surely a text is about a topic (its ``name``, ``definition``, ``examples``), from 0 to 1.

    ``shared`` are words that count for nothing (see :func:`shared_words`).
    """
    read = _text(text, shared, embedder)
    if read is None:
        return 0.0
    known = _topic(topic["name"], topic["definition"], _examples(topic), shared, embedder)
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
def _topic(
    name: str, definition: str, examples: tuple[str, ...], shared: frozenset[str], embedder: Embedder
) -> _Topic:
    core = _content(f"{name}. {definition}", shared) or [name]
    foreign = _foreign_names(examples, core, embedder)
    said = [_content(example, shared | foreign) for example in examples]
    words = sorted({*core, *(word for example in said for word in example)})
    return _Topic(
        _vectors([" ".join(example) for example in said if example], embedder),
        _vectors([" ".join(_content(definition, shared)) or name], embedder)[0],
        _vectors([name], embedder)[0],
        embedder.words(words).vectors.astype(np.float64),
    )


def _foreign_names(examples: Sequence[str], core: Sequence[str], embedder: Embedder) -> frozenset[str]:
    """Names in examples that have nothing to do with the topic: whose product it happens to be about."""
    names = sorted({name.lower() for example in examples for name in _PROPER_NAME.findall(example)})
    if not names:
        return frozenset()
    near = (embedder.words(names).vectors @ embedder.words(core).vectors.T).max(axis=1)
    return frozenset(_stem(name) for name, value in zip(names, near, strict=True) if value < _OF_THE_TOPIC)


@lru_cache(maxsize=_TEXTS_KEPT)
def _text(text: str, shared: frozenset[str], embedder: Embedder) -> _Text | None:
    """A text's pieces that have content words; None for one without."""
    read = [said for piece in pieces(plain(text)) if (said := _content(piece, shared))]
    if not read:
        return None
    distinct = sorted({word for said in read for word in said})
    place = {word: number for number, word in enumerate(distinct)}
    known = embedder.words(distinct)
    return _Text(
        _vectors([" ".join(said) for said in read], embedder),
        known.vectors.astype(np.float64),
        known.lengths.astype(np.float64),
        np.array([place[word] for said in read for word in said]),
        np.concatenate(([0], np.cumsum([len(said) for said in read])[:-1])),
    )


def _examples(topic: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(topic.get("examples") or ())


def _content(text: str, without: frozenset[str] = frozenset()) -> list[str]:
    return [
        word
        for word in without_little_words(text).split()
        if word not in _GENERAL and not word[0].isdigit() and _stem(word) not in without
    ]


def _stem(word: str) -> str:
    return word.removesuffix("s")


def _vectors(texts: Sequence[str], embedder: Embedder) -> Numbers:
    return np.array([each.vector for each in embedder.embed(list(texts))])
