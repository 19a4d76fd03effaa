"""Saved values for the variables of prompt templates: per user, by name, in the database of the runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from services import run_store
from services import run_tables as tables
from services.run_store import RunStore


@dataclass(frozen=True)
class ValueSet:
    """Values of template variables under a name of the user's own."""

    name: str
    values: Mapping[str, str]


class ValueSets:
    """The value sets of all users, beside the runs of a RunStore; for many threads. Raises STORE_ERRORS."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    def list(self, user: str) -> tuple[ValueSet, ...]:
        """The user's sets, by name."""
        table = tables.value_sets
        query = sa.select(table.c.name, table.c.document).where(table.c.owner == user).order_by(table.c.name)
        with self._runs.engine.connect() as connection:
            return tuple(ValueSet(row.name, json.loads(row.document)) for row in connection.execute(query))

    def save(self, user: str, name: str, values: Mapping[str, str]) -> ValueSet:
        """Store a set, in the place of the one that has this name. ValueError, a sentence, for a bad name."""
        name = name.strip()
        tables.check_name(name, "A set")
        with self._runs.engine.begin() as connection:
            self._delete(connection, user, name)
            row = {"owner": user, "name": name, "document": json.dumps(dict(values))}
            connection.execute(sa.insert(tables.value_sets).values(row))
        return ValueSet(name, dict(values))

    def delete(self, user: str, name: str) -> bool:
        """Delete one of the user's sets; False where there is none of this name."""
        with self._runs.engine.begin() as connection:
            return self._delete(connection, user, name)

    @staticmethod
    def _delete(connection: sa.Connection, user: str, name: str) -> bool:
        table = tables.value_sets
        deleted = connection.execute(sa.delete(table).where(table.c.owner == user, table.c.name == name))
        return deleted.rowcount == 1


def store() -> ValueSets:
    """The sets of this server, beside its runs."""
    return ValueSets(run_store.store())
