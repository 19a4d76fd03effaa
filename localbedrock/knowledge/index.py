"""The chunks of one knowledge base with their vectors, in LanceDB: semantic and hybrid search.

LanceDB keeps the chunks and finds words (BM25). Vectors are compared with numpy, all of them, in a copy in
memory that is read again after a change: for 10,000 chunks that takes 1 ms where LanceDB takes 16 ms, and it
is exact.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from localbedrock.words import terms_of

Scores = npt.NDArray[np.float32]
Predicate = Callable[["Row"], bool]

_WORDS_FOR_CERTAINTY = 5.5
"""So many words of the query that no other chunk has leave a third of what meaning alone left open.
Measured on the questions about the sample documents: fewer help where words matter and harm what is
paraphrased.
"""

_TABLE = "chunks"
_KEPT_APART = ("chunk_id", "document_id", "data_source_id", "page", "location", "metadata", "vector")
_ANSWERED = ("chunk_id", "document_id", "data_source_id", "text", "parent", "page", "location", "metadata")
_ADDS_BEFORE_OPTIMIZE = 32
"""Each ``add`` makes files of its own, which slows down every search."""
_KEEP_OLD_FILES = timedelta(minutes=1)
"""For searches that are under way."""


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
    """The index of one knowledge base. Safe to use from many threads.

    The size of its vectors is that of the first one added; ValueError for a vector of another size.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing = threading.RLock()
        self._table: Any = None
        self._copy: _Copy | None = None
        self._adds = 0
        self._dropped = False

    def add(self, rows: Sequence[Row]) -> None:
        """Adds chunks; they are found at once. Many rows in one call are much faster than many calls."""
        with self._writing:
            if not rows or self._dropped:
                return
            table = self._opened() or self._made(len(rows[0].vector))
            size = table.schema.field("vector").type.list_size
            for row in rows:
                _check_size(row.vector, size)
            table.add([_record(row) for row in rows])
            self._adds += 1
            if self._adds >= _ADDS_BEFORE_OPTIMIZE:
                self.optimize()

    def delete_documents(self, data_source_id: str, document_ids: Sequence[str]) -> None:
        """Removes every chunk of these documents."""
        if document_ids:
            wanted = ", ".join(map(_quoted, document_ids))
            self._delete(f"data_source_id = {_quoted(data_source_id)} AND document_id IN ({wanted})")

    def delete_data_source(self, data_source_id: str) -> None:
        """Removes every chunk of a data source."""
        self._delete(f"data_source_id = {_quoted(data_source_id)}")

    def optimize(self) -> None:
        """After many changes: compacts the files and brings the full-text index up to date."""
        with self._writing:
            table = self._opened()
            if table is not None:
                table.optimize(cleanup_older_than=_KEEP_OLD_FILES)
                self._adds = 0

    def count(self) -> int:
        """How many chunks there are."""
        table = self._opened()
        return 0 if table is None else int(table.count_rows())

    def search(
        self,
        vector: Sequence[float],
        text: str,
        *,
        hybrid: bool,
        limit: int,
        allow: Predicate | None = None,
    ) -> list[Hit]:
        """The best chunks, the best first. ``allow`` is a metadata filter: it holds before ``limit`` does;
        the row that it is given has no text and no vector.

        A semantic score is OpenSearch's for cosine similarity, ``(1 + cosine) / 2``. A hybrid score begins
        there and comes nearer to 1 with every word of the query that the chunk has, the rare ones (BM25)
        most: ``1 - (1 - semantic) * exp(-words)``. So a chunk with none of the words has the same score in
        both searches, and scores can be compared.
        """
        table = self._opened()
        if table is None:
            return []
        copy = self._current_copy(table)
        scores = copy.semantic(vector)
        if hybrid and (words := terms_of(text)):
            found = copy.aligned(_keyword(table, words, len(scores)))
            scores = 1 - (1 - scores) * np.exp(-found / _WORDS_FOR_CERTAINTY)
        best = _best(scores, limit, copy.mask(allow))
        rows = _fetch(table, [copy.ids[place] for place in best])
        return [Hit(rows[copy.ids[place]], float(scores[place])) for place in best if copy.ids[place] in rows]

    def drop(self) -> None:
        """Deletes the index from disk. What somebody still holds finds nothing and keeps nothing."""
        with self._writing:
            self._dropped = True
            self._table = self._copy = None
            shutil.rmtree(self._folder, ignore_errors=True)

    def _delete(self, where: str) -> None:
        with self._writing:
            table = self._opened()
            if table is not None:
                table.delete(where)

    def _opened(self) -> Any:
        """The table, or None while nothing was ever added. What a killed process left half-made is none."""
        if self._table is None and self._folder.exists() and not self._dropped:
            with self._writing:
                try:
                    self._table = _with_words(self._database().open_table(_TABLE))
                except ValueError:  # LanceDB's "not found"
                    return None
        return self._table

    def _made(self, dimensions: int) -> Any:
        import pyarrow as pa

        texts = (
            "chunk_id",
            "document_id",
            "data_source_id",
            "text",
            "parent",
            "terms",
            "location",
            "metadata",
        )
        columns = [(name, pa.string()) for name in texts]
        columns += [("page", pa.int32()), ("vector", pa.list_(pa.float32(), dimensions))]
        self._table = _with_words(self._database().create_table(_TABLE, schema=pa.schema(columns)))
        return self._table

    def _database(self) -> Any:
        return _lancedb().connect(self._folder)

    def _current_copy(self, table: Any) -> _Copy:
        version = table.version
        copy = self._copy
        if copy is None or copy.version != version:
            copy = self._copy = _Copy(version, table.search().select(list(_KEPT_APART)).to_arrow())
        return copy


class Indexes:
    """Every knowledge base's index, below one folder; LanceDB is imported with the first that is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, Index] = {}

    def of(self, knowledge_base_id: str) -> Index:
        """The index of a knowledge base, made when it is first asked for."""
        with self._lock:
            if knowledge_base_id not in self._open:
                self._open[knowledge_base_id] = Index(self._folder / knowledge_base_id)
            return self._open[knowledge_base_id]

    def warm_up(self) -> None:
        """Imports LanceDB in the background where an index is waiting: the first search would pay for it."""
        if self._folder.is_dir() and any(path.is_dir() for path in self._folder.iterdir()):
            threading.Thread(target=_lancedb, name="lancedb", daemon=True).start()

    def drop(self, knowledge_base_id: str) -> None:
        """Deletes a knowledge base's index from disk; nothing happens if there is none."""
        index = self.of(knowledge_base_id)
        with self._lock:
            del self._open[knowledge_base_id]
            index.drop()


class _Copy:
    """What a search looks at for every chunk: ids, vectors and, with a filter, the metadata."""

    def __init__(self, version: int, data: Any) -> None:
        self.version = version
        self._data = data
        self.ids: list[str] = data["chunk_id"].to_pylist()
        vectors = data["vector"].combine_chunks()
        self._matrix: Scores = vectors.flatten().to_numpy().reshape(-1, vectors.type.list_size)

    def semantic(self, vector: Sequence[float]) -> Scores:
        _check_size(vector, self._matrix.shape[1])
        cosines = self._matrix @ _unit(vector)
        scores: Scores = np.clip((1 + cosines) / 2, 0, 1)
        return scores

    def aligned(self, found: dict[str, float]) -> Scores:
        return np.array([found.get(chunk_id, 0.0) for chunk_id in self.ids], dtype=np.float32)

    def mask(self, allow: Predicate | None) -> npt.NDArray[np.bool_] | None:
        return None if allow is None else np.array([allow(row) for row in self._rows], dtype=bool)

    @cached_property
    def _rows(self) -> list[Row]:
        return [_row(record) for record in self._data.drop_columns("vector").to_pylist()]


def _lancedb() -> Any:
    import lancedb  # 2 s and 160 MB: nobody without a knowledge base pays for it

    return lancedb


def _with_words(table: Any) -> Any:
    """The table with its full-text index, which a process that was killed may not have come to."""
    from lancedb.index import FTS

    if not table.list_indices():
        table.create_index("terms", config=FTS(base_tokenizer="whitespace", max_token_length=80))
    return table


def _keyword(table: Any, words: str, size: int) -> dict[str, float]:
    """The BM25 scores by chunk, in units of what a word is worth that no other chunk has."""
    found = table.search(words, query_type="fts", fts_columns="terms")
    columns = found.select(["chunk_id", "_score"]).limit(max(size, 1)).to_arrow()
    scores = columns["_score"].to_numpy() / np.log(1 + max(size, 1))
    return dict(zip(columns["chunk_id"].to_pylist(), scores.tolist(), strict=True))


def _best(scores: Scores, limit: int, mask: npt.NDArray[np.bool_] | None) -> list[int]:
    """The places of the highest scores; of equal ones, the chunk that was added first."""
    places = np.arange(len(scores)) if mask is None else np.flatnonzero(mask)
    order = np.argsort(-scores[places], kind="stable")[:limit]
    return [int(place) for place in places[order]]


def _fetch(table: Any, ids: Sequence[str]) -> dict[str, Row]:
    if not ids:
        return {}
    wanted = table.search().where(f"chunk_id IN ({', '.join(map(_quoted, ids))})")
    found = wanted.select(list(_ANSWERED)).limit(len(ids)).to_list()
    return {record["chunk_id"]: _row(record) for record in found}


def _record(row: Row) -> dict[str, Any]:
    return {
        "chunk_id": row.chunk_id,
        "document_id": row.document_id,
        "data_source_id": row.data_source_id,
        "text": row.text,
        "parent": row.parent,
        "terms": terms_of(row.text),
        "page": row.page,
        "location": json.dumps(row.location, ensure_ascii=False),
        "metadata": json.dumps(row.metadata, ensure_ascii=False),
        "vector": _unit(row.vector),
    }


def _row(record: dict[str, Any]) -> Row:
    return Row(
        chunk_id=record["chunk_id"],
        document_id=record["document_id"],
        data_source_id=record["data_source_id"],
        text=record.get("text", ""),
        parent=record.get("parent", ""),
        page=record["page"],
        location=json.loads(record["location"]),
        metadata=json.loads(record["metadata"]),
        vector=(),
    )


def _unit(vector: Sequence[float]) -> Scores:
    """The vector with length 1, as not every embedding model gives it."""
    numbers = np.asarray(vector, dtype=np.float32)
    return numbers / max(float(np.linalg.norm(numbers)), 1e-12)


def _check_size(vector: Sequence[float], size: int) -> None:
    if len(vector) != size:
        raise ValueError(f"The index holds vectors of {size} numbers: this one has {len(vector)}.")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
