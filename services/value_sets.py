"""Saved values for the variables of prompt templates: per user, by name, in the database of the runs."""

from __future__ import annotations

import atexit
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa

from services import run_tables as tables
from services import settings

LONGEST_NAME = 100
STORE_ERRORS = (tables.StoreError, sa.exc.SQLAlchemyError, OSError)
"""What every method raises where the database cannot be used."""


@dataclass(frozen=True)
class ValueSet:
    """Values of template variables under a name of the user's own."""

    name: str
    values: Mapping[str, str]


class ValueSets:
    """The value sets of all users in one database. Connects at the first use; for many threads."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._lock = threading.Lock()
        self._connected: sa.Engine | None = None

    def list(self, user: str) -> tuple[ValueSet, ...]:
        """The user's sets, by name."""
        table = tables.value_sets
        query = sa.select(table.c.name, table.c.document).where(table.c.owner == user).order_by(table.c.name)
        with self._engine.connect() as connection:
            return tuple(ValueSet(row.name, json.loads(row.document)) for row in connection.execute(query))

    def save(self, user: str, name: str, values: Mapping[str, str]) -> ValueSet:
        """Store a set, in the place of the one that has this name. ValueError, a sentence, for a bad name."""
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise ValueError(f"A set's name is one line of up to {LONGEST_NAME} characters.")
        with self._engine.begin() as connection:
            self._delete(connection, user, name)
            row = {"owner": user, "name": name, "document": json.dumps(dict(values))}
            connection.execute(sa.insert(tables.value_sets).values(row))
        return ValueSet(name, dict(values))

    def delete(self, user: str, name: str) -> bool:
        """Delete one of the user's sets; False where there is none of this name."""
        with self._engine.begin() as connection:
            return self._delete(connection, user, name)

    def close(self) -> None:
        """Close its connections; the next use opens new ones."""
        with self._lock:
            if self._connected is not None:
                self._connected.dispose()

    @staticmethod
    def _delete(connection: sa.Connection, user: str, name: str) -> bool:
        table = tables.value_sets
        deleted = connection.execute(sa.delete(table).where(table.c.owner == user, table.c.name == name))
        return deleted.rowcount == 1

    @property
    def _engine(self) -> sa.Engine:
        with self._lock:
            if self._connected is None:
                self._connected = tables.connect(self._url)
            return self._connected


def store() -> ValueSets:
    """The sets of this server, at WORKBENCH_DATABASE_URL; closed when the server ends."""
    return _opened(settings.get().database_url)


@cache
def _opened(database_url: str) -> ValueSets:
    opened = ValueSets(database_url)
    atexit.register(opened.close)
    return opened
