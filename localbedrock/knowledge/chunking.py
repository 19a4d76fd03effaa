"""A document's text as chunks, as a data source's chunkingConfiguration asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.knowledge.parsing import Page


@dataclass(frozen=True)
class Chunk:
    """One chunk. ``parent`` is "" but with hierarchical chunking; ``page`` is the page where it begins."""

    text: str
    parent: str
    page: int | None


def chunk(pages: Sequence[Page], configuration: dict[str, Any], embedder: Embedder) -> list[Chunk]:
    """The chunks of a document. ``configuration`` is AWS's ChunkingConfiguration; {} is AWS's default."""
    raise NotImplementedError
