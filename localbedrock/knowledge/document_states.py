"""What is known of every document of the data sources, in one SQLite file.

Ten thousand documents change in a few transactions, not in ten thousand. A ``kill -9`` loses nothing: a
document is marked IN_PROGRESS before its chunks are touched, so that what was half done is done again.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

Work = Literal["", "ingest", "delete"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    data_source TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    etag TEXT NOT NULL DEFAULT '', metadata_etag TEXT NOT NULL DEFAULT '', updated TEXT NOT NULL,
    job TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '',
    work TEXT NOT NULL DEFAULT '', request INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (data_source, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS document_work ON document (request) WHERE work <> '';
CREATE TABLE IF NOT EXISTS content (
    data_source TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (data_source, id)
);
"""
_MANY = 500
"""How many ids one statement may name."""


@dataclass(frozen=True)
class State:
    """One document. ``etag`` and ``metadata_etag`` are those of what is in the index, "" for what is not.

    ``job`` touched it last, with ``outcome``: the names of the job's statistics that it counts in.
    ``work`` is what a direct call asked for and is still to be done, in the order of ``request``.
    """

    data_source_id: str
    document_id: str
    status: str
    reason: str
    etag: str
    metadata_etag: str
    updated: datetime
    job: str
    outcome: str
    work: Work
    request: int


@dataclass(frozen=True)
class Change:
    """What became of a document: INDEXED, or FAILED with a reason."""

    document_id: str
    status: str
    reason: str = ""
    etag: str = ""
    metadata_etag: str = ""
    job: str = ""
    outcome: str = ""


class DocumentStates:
    """The documents by data source and id. Safe to use from many threads."""

    def __init__(self, path: Path | str) -> None:
        """Opens or creates the file; ``":memory:"`` keeps nothing."""
        self.changing = threading.RLock()
        """Held while an index changes, so that none is written to after it was dropped."""
        self._lock = threading.RLock()
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(str(path), check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def all_of(self, data_source_id: str) -> dict[str, State]:
        """Every document of a data source by its id."""
        rows = self._read("SELECT * FROM document WHERE data_source = ?", (data_source_id,))
        return {state.document_id: state for state in map(_state, rows)}

    def ids_of(self, data_source_id: str) -> list[str]:
        """The ids of a data source's documents in their order."""
        rows = self._read("SELECT id FROM document WHERE data_source = ? ORDER BY id", (data_source_id,))
        return [str(document_id) for (document_id,) in rows]

    def get(self, data_source_id: str, document_id: str) -> State | None:
        """One document, or None."""
        where = (data_source_id, document_id)
        rows = self._read("SELECT * FROM document WHERE data_source = ? AND id = ?", where)
        return _state(rows[0]) if rows else None

    def put(self, data_source_id: str, changes: Sequence[Change]) -> None:
        """Writes what became of documents; one that a direct call has asked something for still says so."""
        values = [
            (
                data_source_id,
                c.document_id,
                c.status,
                c.reason,
                c.etag,
                c.metadata_etag,
                _now(),
                c.job,
                c.outcome,
            )
            for c in changes
        ]
        with self._lock, self._database:
            self._database.executemany(
                "INSERT INTO document (data_source, id, status, reason, etag, metadata_etag, updated, job, "
                "outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (data_source, id) DO UPDATE SET "
                "status = iif(work = '', excluded.status, status), "
                "reason = iif(work = '', excluded.reason, ''), "
                "etag = excluded.etag, metadata_etag = excluded.metadata_etag, updated = excluded.updated, "
                "job = excluded.job, outcome = excluded.outcome",
                values,
            )

    def ask(self, data_source_id: str, document_ids: Iterable[str], work: Work) -> None:
        """Notes what a direct call asks for; the document says so until it is done."""
        status = "STARTING" if work == "ingest" else "DELETING"
        with self._lock, self._database:
            (last,) = self._database.execute("SELECT coalesce(max(request), 0) FROM document").fetchone()
            for request, document_id in enumerate(document_ids, last + 1):
                self._database.execute(
                    "INSERT INTO document (data_source, id, status, updated, work, request) "
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (data_source, id) DO UPDATE SET "
                    "status = excluded.status, reason = '', updated = excluded.updated, "
                    "work = excluded.work, request = excluded.request",
                    (data_source_id, document_id, status, _now(), work, request),
                )

    def asked(self) -> State | None:
        """The document that has waited longest for what a direct call asked for."""
        rows = self._read("SELECT * FROM document WHERE work <> '' ORDER BY request LIMIT 1", ())
        return _state(rows[0]) if rows else None

    def progress(self, state: State, status: str) -> None:
        """Says that a direct call's work is being done."""
        self._write(
            "UPDATE document SET status = ?, updated = ? WHERE data_source = ? AND id = ? AND request = ?",
            (status, _now(), state.data_source_id, state.document_id, state.request),
        )

    def done(self, state: State, change: Change) -> None:
        """Writes what became of a direct call's document, unless another call has come since."""
        self._write(
            "UPDATE document SET status = ?, reason = ?, etag = ?, metadata_etag = ?, updated = ?, work = '' "
            "WHERE data_source = ? AND id = ? AND request = ?",
            (
                change.status, change.reason, change.etag, change.metadata_etag, _now(),
                state.data_source_id, state.document_id, state.request,
            ),
        )  # fmt: skip

    def remove(self, data_source_id: str, document_ids: Collection[str]) -> None:
        """Forgets documents and their kept content."""
        ids = list(document_ids)
        with self._lock, self._database:
            for start in range(0, len(ids), _MANY):
                some = ids[start : start + _MANY]
                marks = ", ".join("?" * len(some))
                for table in ("document", "content"):
                    self._database.execute(
                        f"DELETE FROM {table} WHERE data_source = ? AND id IN ({marks})",  # noqa: S608 - marks
                        (data_source_id, *some),
                    )

    def remove_asked(self, state: State) -> None:
        """Forgets a document whose deletion a direct call asked for, unless another call has come since."""
        where = (state.data_source_id, state.document_id, state.request)
        with self._lock, self._database:
            gone = self._database.execute(
                "DELETE FROM document WHERE data_source = ? AND id = ? AND request = ?", where
            )
            if gone.rowcount:
                self._database.execute("DELETE FROM content WHERE data_source = ? AND id = ?", where[:2])

    def remove_data_source(self, data_source_id: str) -> None:
        """Forgets everything of a data source."""
        with self._lock, self._database:
            for table in ("document", "content"):
                self._database.execute(f"DELETE FROM {table} WHERE data_source = ?", (data_source_id,))  # noqa: S608

    def outcomes(self, data_source_id: str, job: str) -> dict[str, int]:
        """How many documents a job has indexed, by outcome."""
        rows = self._read(
            "SELECT outcome, count(*) FROM document WHERE data_source = ? AND job = ? AND status = 'INDEXED' "
            "GROUP BY outcome",
            (data_source_id, job),
        )
        return {str(outcome): int(count) for outcome, count in rows}

    def keep(self, data_source_id: str, document_id: str, body: dict[str, Any], content: bytes) -> None:
        """Keeps what a direct call sent: a JSON document and the bytes of its content."""
        values = (data_source_id, document_id, json.dumps(body), content)
        self._write("INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?)", values)

    def kept(self, data_source_id: str, document_id: str) -> tuple[dict[str, Any], bytes] | None:
        """What a direct call sent, or None."""
        where = (data_source_id, document_id)
        rows = self._read("SELECT body, bytes FROM content WHERE data_source = ? AND id = ?", where)
        return (json.loads(rows[0][0]), rows[0][1]) if rows else None

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            self._database.close()

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._lock, self._database:
            self._database.execute(statement, values)


def _state(row: tuple[Any, ...]) -> State:
    source, document_id, status, reason, etag, metadata_etag, updated, job, outcome, work, request = row
    return State(
        source, document_id, status, reason, etag, metadata_etag, datetime.fromisoformat(updated),
        job, outcome, work, request,
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat()
