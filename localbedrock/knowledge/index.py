"""The chunks of one knowledge base with their vectors, in LanceDB: semantic and hybrid search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One chunk as it is kept.

    ``text`` is what was embedded and is searched; ``parent`` is what a retrieval answers instead ("" but with
    hierarchical chunking). ``location`` is AWS's RetrievalResultLocation. ``page`` counts from 1 (None: the
    document has no pages). ``metadata`` holds strings, numbers, booleans and lists of strings.
    """

    chunk_id: str
    document_id: str
    data_source_id: str
    text: str
    parent: str
    page: int | None
    location: dict[str, Any]
    metadata: dict[str, Any]
    vector: Sequence[float]


@dataclass(frozen=True)
class Hit:
    """A row that a search found (its vector is empty), with its score from 0 to 1."""

    row: Row
    score: float


class Index:
    """The index of one knowledge base. Safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, rows: Sequence[Row]) -> None:
        """Adds chunks; they are found at once."""
        raise NotImplementedError

    def delete_documents(self, data_source_id: str, document_ids: Sequence[str]) -> None:
        """Removes every chunk of these documents."""
        raise NotImplementedError

    def delete_data_source(self, data_source_id: str) -> None:
        """Removes every chunk of a data source."""
        raise NotImplementedError

    def optimize(self) -> None:
        """After many changes: compacts the files and brings the full-text index up to date."""
        raise NotImplementedError

    def search(
        self,
        vector: Sequence[float],
        text: str,
        *,
        hybrid: bool,
        limit: int,
        allow: Callable[[Row], bool] | None = None,
    ) -> list[Hit]:
        """The best chunks, the best first. ``allow`` is a metadata filter: it holds before ``limit`` does."""
        raise NotImplementedError


class Indexes:
    """Every knowledge base's index, below one folder; LanceDB is imported with the first that is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, knowledge_base_id: str) -> Index:
        """The index of a knowledge base, made when it is first asked for."""
        raise NotImplementedError

    def drop(self, knowledge_base_id: str) -> None:
        """Deletes a knowledge base's index from disk; nothing happens if there is none."""
        raise NotImplementedError
