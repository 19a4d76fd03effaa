"""A document's text as chunks, as a data source's chunkingConfiguration asks.

Tokens are those of the local embedder. Chunks are cut between words, at the end of a sentence where one fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from localbedrock.embeddings import Embedder
from localbedrock.knowledge.parsing import Page
from localbedrock.knowledge.pieces import Pieces, Window

DEFAULT_TOKENS = 300
"""AWS's default: about so many tokens, whole sentences, no overlap."""
_SENTENCES_AT_ONCE = 1_000


@dataclass(frozen=True)
class Chunk:
    """One chunk. ``parent`` is "" but with hierarchical chunking; ``page`` is the page where it begins."""

    text: str
    parent: str
    page: int | None


def chunk(pages: Sequence[Page], configuration: dict[str, Any], embedder: Embedder) -> list[Chunk]:
    """The chunks of a document. ``configuration`` is AWS's ChunkingConfiguration; {} is AWS's default.

    A document that is not chunked (NONE) has no page numbers, as on AWS.
    """
    pieces = Pieces.of(pages, embedder)
    whole = (0, len(pieces))
    if not len(pieces):
        return []
    strategy = configuration.get("chunkingStrategy", "")
    if strategy == "NONE":
        return [Chunk(pieces.words(whole), "", None)]
    if strategy == "HIERARCHICAL":
        return list(_hierarchical(pieces, configuration["hierarchicalChunkingConfiguration"]))
    if strategy == "SEMANTIC":
        windows = _semantic(pieces, configuration["semanticChunkingConfiguration"], embedder)
    elif strategy == "FIXED_SIZE":
        settings = configuration["fixedSizeChunkingConfiguration"]
        most = settings["maxTokens"]
        windows = pieces.windows(whole, most, most * settings["overlapPercentage"] // 100)
    else:
        windows = pieces.windows(whole, DEFAULT_TOKENS)
    return [Chunk(pieces.words(window), "", pieces.page(window)) for window in windows]


def _hierarchical(pieces: Pieces, settings: dict[str, Any]) -> Iterator[Chunk]:
    parent_tokens, child_tokens = (level["maxTokens"] for level in settings["levelConfigurations"])
    overlap = settings["overlapTokens"]
    for parent in pieces.windows((0, len(pieces)), parent_tokens, overlap):
        parent_text = pieces.words(parent)
        for child in pieces.windows(parent, child_tokens, overlap):
            yield Chunk(pieces.words(child), parent_text, pieces.page(child))


def _semantic(pieces: Pieces, settings: dict[str, Any], embedder: Embedder) -> Iterator[Window]:
    """Cut where neighbouring sentences differ more than in so many percent of all places."""
    sentences = list(pairwise(pieces.sentences))
    distances = list(_distances(pieces, sentences, settings["bufferSize"], embedder))
    first = 0
    if distances:
        threshold = np.percentile(distances, settings["breakpointPercentileThreshold"])
        for (_, end), distance in zip(sentences, distances, strict=False):
            if distance > threshold:
                yield from pieces.windows((first, end), settings["maxTokens"])
                first = end
    yield from pieces.windows((first, len(pieces)), settings["maxTokens"])


def _distances(
    pieces: Pieces, sentences: Sequence[Window], buffer_size: int, embedder: Embedder
) -> Iterator[float]:
    """How far each sentence, read with its neighbours, is from the next one: 0 (the same) to 2."""
    before: Any = None
    for first in range(0, len(sentences), _SENTENCES_AT_ONCE):
        texts = [
            pieces.words((around[0][0], around[-1][1]))
            for n in range(first, min(first + _SENTENCES_AT_ONCE, len(sentences)))
            if (around := sentences[max(n - buffer_size, 0) : n + buffer_size + 1])
        ]
        for embedding in embedder.embed(texts):
            vector = np.asarray(embedding.vector)
            if before is not None:
                yield 1.0 - float(before @ vector)
            before = vector
