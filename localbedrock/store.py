"""Everything of ours that outlives a request, in one SQLite file: ``(kind, id) -> JSON document``.

A write is on disk when the call returns, so a ``kill -9`` loses nothing that was acknowledged.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, created REAL NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID
"""


class Store:
    """Documents by kind and id. Safe to use from many threads; values must be JSON, without bytes."""

    def __init__(self, path: Path | str) -> None:
        """Opens or creates the file; ``":memory:"`` keeps nothing."""
        self._lock = threading.RLock()
        self._database = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(_SCHEMA)

    def put(self, kind: str, id: str, document: dict[str, Any]) -> None:
        """Writes or replaces one document; a replaced one keeps its place in :meth:`list`."""
        body = json.dumps(document, ensure_ascii=False)
        with self._lock:
            self._database.execute(
                "INSERT INTO document VALUES (?, ?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, id, body, time.time()),
            )

    def get(self, kind: str, id: str) -> dict[str, Any] | None:
        """One document, or None."""
        with self._lock:
            row = self._database.execute(
                "SELECT body FROM document WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def list(self, kind: str) -> list[dict[str, Any]]:
        """All documents of a kind, oldest first."""
        with self._lock:
            rows = self._database.execute(
                "SELECT body FROM document WHERE kind = ? ORDER BY created, id", (kind,)
            ).fetchall()
        return [json.loads(body) for (body,) in rows]

    def update(
        self, kind: str, id: str, change: Callable[[dict[str, Any] | None], dict[str, Any]]
    ) -> dict[str, Any]:
        """Reads, changes and writes one document with no other write in between; returns what was written."""
        with self._lock:
            document = change(self.get(kind, id))
            self.put(kind, id, document)
        return document

    def delete(self, kind: str, id: str) -> bool:
        """Removes a document; False if there was none."""
        with self._lock:
            cursor = self._database.execute("DELETE FROM document WHERE kind = ? AND id = ?", (kind, id))
        return cursor.rowcount > 0

    def close(self) -> None:
        """Ends the connection and folds the write-ahead log into the file."""
        with self._lock:
            self._database.close()
