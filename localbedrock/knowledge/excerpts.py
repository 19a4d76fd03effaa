"""What of a long passage a small model is shown: the sentences nearest to the question."""

from __future__ import annotations

import numpy as np

from localbedrock.embeddings import Embedder
from localbedrock.knowledge.content_words import words
from localbedrock.knowledge.sentences import sentences

_GAP = " … "


def excerpt(passage: str, question: str, tokens: int, embedder: Embedder) -> str:
    """At most so many tokens of a passage (as the embeddings' tokenizer counts), in its own order.

    Whole sentences, but for one that is longer than that by itself; "…" stands where some are left out.
    """
    found = sentences(passage)
    embedded = embedder.embed([question, *(sentence.text for sentence in found)])
    sizes = [each.tokens for each in embedded[1:]]
    if sum(sizes) <= tokens:
        return passage
    asked = words(question).content
    near = np.array([each.vector for each in embedded[1:]]) @ np.array(embedded[0].vector)
    shared = [len(asked & words(sentence.text).content) / max(len(asked), 1) for sentence in found]
    kept: set[int] = set()
    left = tokens
    for place in sorted(range(len(found)), key=lambda place: -(near[place] + shared[place])):
        if sizes[place] <= left:
            kept.add(place)
            left -= sizes[place]
        elif not kept:
            return embedder.truncate(found[place].text, tokens)
    pieces: list[str] = []
    for place in sorted(kept):
        if pieces:
            pieces.append(" " if place - 1 in kept else _GAP)
        pieces.append(found[place].text)
    return "".join(pieces)
