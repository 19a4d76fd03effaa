"""Contextual grounding and relevance (contextualGroundingPolicy).

Grounding: how well the sources support the answer's weakest sentence, by words, numbers, names and meaning.
Relevance: how near the answer's meaning and words are to the query's. What follows from the sources only by
thinking, arithmetic or general knowledge counts as not grounded; a sentence that uses the sources' words to
say something else may pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.sides import action_of, is_enabled
from localbedrock.guardrails.values import Found
from localbedrock.knowledge import passages as reading
from localbedrock.knowledge.content_words import Words, without_little_words, words
from localbedrock.knowledge.passages import Passage

_COVERED, _MEANING = 0.75, 0.25
"""What the share of covered words and the nearness in meaning add to the support of a sentence."""
_UNKNOWN_NUMBER, _UNKNOWN_NAME, _DENIAL = 0.35, 0.6, 0.5
"""What is left of the support when no source has a number or a name, or says no where it says yes."""
_NEAR_ENOUGH = 0.6
"""A nearness in meaning that is as good as being the same: paraphrases rarely come nearer."""
_SAME_WORD = 0.65
_ON_THE_QUERY = 0.45
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z][\w'’-]+")
_SMALL_TALK = words(
    "hello hi sure yes okay certainly absolutely course here following follows thanks thank welcome glad "
    "happy hope helps help know let feel free ask contact questions assist great good sorry further "
    "assistance anything today"
).content
"""A sentence of these words alone ("I hope this helps.") states nothing."""


def assess(
    policy: Mapping[str, Any], answer: str, sources: Sequence[str], query: str, embedder: Embedder
) -> list[Found]:
    """The scores of an answer against its grounding sources and its query, each with its threshold.

    A filter that is not enabled is left out, as is what has nothing to be compared with: GROUNDING without a
    source, RELEVANCE without a query. A score below the threshold is detected.
    """
    found = []
    for each in policy.get("filters", ()):
        grounds = each["type"] == "GROUNDING"
        compared = "".join(sources) if grounds else query
        if not is_enabled(each, "OUTPUT") or not compared.strip():
            continue
        value = grounding(answer, sources, embedder) if grounds else relevance(answer, query, embedder)
        detected = value < each["threshold"]
        item = {
            "type": each["type"],
            "threshold": each["threshold"],
            "score": value,
            "action": action_of(each, "OUTPUT") if detected else "NONE",
            "detected": detected,
        }
        found.append(Found("filters", item))
    return found


def grounding(answer: str, sources: Sequence[str], embedder: Embedder) -> float:
    """How well the sources support the answer, from 0 to 1 with two decimals: that of its weakest sentence.

    1.0 for an answer that states nothing.
    """
    said = reading.read(answer, embedder)
    held = [passage for source in sources if (passage := reading.read(source, embedder)) is not None]
    if said is None or not held:
        return 1.0 if said is None else 0.0
    every = Words(
        frozenset().union(*(window.content for passage in held for window in passage.windows)),
        frozenset().union(*(window.numbers for passage in held for window in passage.windows)),
        negated=any(window.negated for passage in held for window in passage.windows),
    )
    scores = [
        _support(sentence, its_words, vector, held, every)
        for sentence, its_words, vector in zip(said.sentences, said.said, said.vectors, strict=True)
        if _states(its_words)
    ]
    return round(min(scores, default=1.0), 2)


def relevance(answer: str, query: str, embedder: Embedder) -> float:
    """How much the answer is about the query, from 0 to 1 with two decimals: that of its best sentence."""
    said = reading.read(answer, embedder)
    asked = words(query).content
    if said is None:
        return 0.0
    if not asked:
        return 1.0
    meaning = reading.vector(without_little_words(query), embedder)
    near = max(float(said.nearness(meaning).max()), 0.0)
    shared = _nearly_covered(
        sorted(asked), sorted(set().union(*(each.content for each in said.said))), embedder
    )
    return round(min(1.0, max(near / _ON_THE_QUERY, 0.0) * 0.6 + shared * 0.4), 2)


def _states(said: Words) -> bool:
    return not said.content <= _SMALL_TALK


def _support(
    sentence: str, said: Words, vector: npt.NDArray[np.float32], sources: Sequence[Passage], every: Words
) -> float:
    best, denied = 0.0, False
    for source in sources:
        near = np.minimum(np.maximum(source.nearness(vector), 0) / _NEAR_ENOUGH, 1)
        for window, nearness in zip(source.windows, near, strict=True):
            covered = len(said.content & window.content) / len(said.content)
            value = _COVERED * min(covered / 0.9, 1.0) + _MEANING * float(nearness)
            if value > best:
                best, denied = value, said.negated and not window.negated
    if said.numbers - every.content:
        best *= _UNKNOWN_NUMBER
    names = {stem for name in _NAME.findall(sentence) for stem in words(name).content}
    if names - every.content:
        best *= _UNKNOWN_NAME
    return best * (_DENIAL if denied else 1.0)


def _nearly_covered(asked: Sequence[str], said: Sequence[str], embedder: Embedder) -> float:
    """The share of the asked words that are said, or nearly so."""
    if not said:
        return 0.0
    near = (embedder.words(asked).vectors @ embedder.words(said).vectors.T).max(axis=1)
    return float(np.mean(near >= _SAME_WORD))
