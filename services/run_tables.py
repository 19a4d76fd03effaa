"""The tables of the run history and of what users keep beside it, for SQLite and Postgres."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

SCHEMA_VERSION = 1

LONGEST_NAME = 100
"""Of a set, a suite or the like, under which a user keeps something."""
schema = sa.MetaData()
version = sa.Table("workbench_schema", schema, sa.Column("version", sa.Integer, primary_key=True))
runs = sa.Table(
    "runs",
    schema,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("shared", sa.Boolean, nullable=False),
    sa.Column("started_at", sa.Double, nullable=False),  # seconds since 1970, UTC
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("operation", sa.String(64), nullable=False),
    sa.Column("model_id", sa.Text, nullable=False),
    sa.Column("parent_id", sa.String(64)),
    sa.Column("backend", sa.String(16), nullable=False),
    sa.Column("profile", sa.Text),
    sa.Column("region", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("problem", sa.Text),
    sa.Column("usage", sa.Text),
    sa.Column("ttft_ms", sa.Double),
    sa.Column("latency_ms", sa.Double, nullable=False),
    sa.Column("cost_usd", sa.Double),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
)
texts = sa.Table(
    "run_texts",
    schema,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)
documents = sa.Table(
    "run_documents",
    schema,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
)
binaries = sa.Table(
    "binaries",
    schema,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
uses = sa.Table(
    "run_binaries",
    schema,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True, index=True),
)
value_sets = sa.Table(
    "value_sets",
    schema,
    sa.Column("owner", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(LONGEST_NAME), primary_key=True),
    sa.Column("document", sa.Text, nullable=False),
)
sa.Index("runs_by_owner", runs.c.owner, runs.c.started_at)
sa.Index("runs_by_time", runs.c.started_at)


class StoreError(Exception):
    """The database cannot be used as it is; the message is one sentence that says why."""


STORE_ERRORS = (StoreError, sa.exc.SQLAlchemyError, OSError)
"""What whoever stores here raises where the database cannot be used."""


def check_name(name: str, what: str) -> None:
    """ValueError, a sentence, where a name is none: `what` is what it names ("A suite")."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"{what}'s name is one line of up to {LONGEST_NAME} characters.")


def connect(url: str) -> sa.Engine:
    """The engine, with all tables there. Raises StoreError, SQLAlchemyError, OSError."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        _make_private_file(Path(parsed.database))
    # A message that shows the parameters of a statement would put prompts into the log.
    engine = sa.create_engine(parsed, hide_parameters=True, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
    try:
        make_tables(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def make_tables(engine: sa.Engine) -> None:
    """Make the tables of the schema that are not there yet. Raises StoreError, SQLAlchemyError."""
    try:
        _make_tables(engine)
    except IntegrityError:  # another server made them at the same moment
        _make_tables(engine)


def _make_tables(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for table in schema.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
        found = connection.execute(sa.select(version.c.version)).scalar()
        if found is None:
            connection.execute(sa.insert(version).values(version=SCHEMA_VERSION))
        elif found != SCHEMA_VERSION:
            raise StoreError(
                f"The history was written by another version of the workbench (its format is {found}, "
                f"this version's is {SCHEMA_VERSION}): point WORKBENCH_DATABASE_URL at another database."
            )


def _make_private_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """WAL lets pages read while a reply is written."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
