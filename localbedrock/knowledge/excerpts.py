"""What of a long passage a small model is shown: the sentences nearest to the question."""

from __future__ import annotations

from localbedrock.embeddings import Embedder
from localbedrock.knowledge import passages
from localbedrock.knowledge.content_words import words

_GAP = " … "


def excerpt(passage: str, question: str, tokens: int, embedder: Embedder) -> str:
    """At most so many tokens of a passage (as the embeddings' tokenizer counts), in its own order.

    Whole sentences, but for one that is longer than that by itself; "…" stands where some are left out.
    """
    read = passages.read(passage, embedder)
    if read is None or sum(read.tokens) <= tokens:
        return passage
    asked = words(question).content
    near = read.vectors @ passages.vector(question, embedder)
    shared = [len(asked & said.content) / max(len(asked), 1) for said in read.said]
    kept: set[int] = set()
    left = tokens
    for place in sorted(range(len(near)), key=lambda place: -(near[place] + shared[place])):
        if read.tokens[place] <= left:
            kept.add(place)
            left -= read.tokens[place]
        elif not kept:
            return embedder.truncate(read.sentences[place], tokens)
    pieces: list[str] = []
    for place in sorted(kept):
        if pieces:
            pieces.append(" " if place - 1 in kept else _GAP)
        pieces.append(read.sentences[place])
    return "".join(pieces)
