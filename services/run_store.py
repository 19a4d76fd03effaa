"""The history of calls: runs stored in a database, private to their user until shared.

SQLite by default, any SQLAlchemy URL otherwise. Lists read one narrow table; a run itself is one compressed
JSON document, and its big binaries (images, documents) are stored once, by their SHA-256.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import threading
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa

from services import replies, settings
from services import run_tables as tables
from services.problems import Problem
from services.runs import Run, RunFormatError, RunState, TokenUsage, from_json, inline, new_id, to_json

log = logging.getLogger(__name__)

RunScope = Literal["all", "own", "shared"]

INLINE_BYTES = 1024
"""Binaries up to this size stay in the run's own document."""
EXCERPT_CHARS = 300
SEARCHED_CHARS = 20_000
"""How much of a prompt, and how much of a reply, the search looks at."""


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run. `prompt` and `reply` are their beginnings; `problem` is a title."""

    id: str
    user: str
    shared: bool
    started_at: datetime
    kind: str
    operation: str
    model_id: str
    parent_id: str | None
    backend: str
    profile: str | None
    region: str
    state: RunState
    problem: str | None
    usage: TokenUsage | None
    ttft_ms: float | None
    latency_ms: float
    cost_usd: float | None
    tags: Mapping[str, str]
    prompt: str
    reply: str


@dataclass(frozen=True)
class RunFilter:
    """Which runs are meant; as it stands, all that a user may see.

    `text` finds runs whose prompt and reply contain each of its words, whatever their case. `scope` narrows
    them to the user's own, or to those that others have shared.
    """

    text: str = ""
    kind: str | None = None
    model_id: str | None = None
    state: RunState | None = None
    scope: RunScope = "all"


class RunStore:
    """Runs in one database. Connects at the first use; may be used by many threads."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._lock = threading.Lock()
        self._connected: sa.Engine | None = None
        self._tables_made = 0
        self._failing = False

    def save(self, run: Run) -> Problem | None:
        """Store a run, or replace it. Never raises: a Problem says why the run is not in the history.

        A failure is logged once, until a run can be stored again.
        """
        try:
            self._save(run)
        except Exception as error:  # noqa: BLE001 (the reply is on screen; a history that fails must not take it away)
            why = reason(error)
            if not self._failing:
                log.error("Runs cannot be stored: %s", why)
            self._failing = True
            return Problem(
                code="RunNotStored",
                title="This reply is not in the history",
                cause=why,
                fix="Export what you want to keep. Check WORKBENCH_DATABASE_URL, its disk and its rights.",
            )
        self._failing = False
        return None

    def get(self, id: str, user: str) -> Run | None:
        """A run of this user or a shared one; None where there is none, or it is another's private run."""
        query = sa.select(tables.runs.c.shared, tables.documents.c.document).join(
            tables.documents, tables.documents.c.run_id == tables.runs.c.id
        )
        with self.engine.connect() as connection:
            row = connection.execute(query.where(tables.runs.c.id == id, _visible_to(user))).first()
            if row is None:
                return None

            def binary(reference: dict[str, Any]) -> bytes:
                found = sa.select(tables.binaries.c.data).where(
                    tables.binaries.c.sha256 == reference["$sha256"]
                )
                return bytes(connection.execute(found).scalar_one())

            run = from_json(zlib.decompress(row.document).decode(), get=binary)
        return replace(run, shared=row.shared)

    def list(
        self, user: str, only: RunFilter = RunFilter(), *, limit: int = 50, offset: int = 0
    ) -> tuple[RunSummary, ...]:
        """The user's own and the shared runs, newest first."""
        query = sa.select(tables.runs).where(*_matches(user, only))
        query = query.order_by(tables.runs.c.started_at.desc(), tables.runs.c.id).limit(limit).offset(offset)
        with self.engine.connect() as connection:
            return tuple(_summary(row) for row in connection.execute(query).mappings())

    def count(self, user: str, only: RunFilter = RunFilter()) -> int:
        """How many runs `list` would go through."""
        query = sa.select(sa.func.count()).select_from(tables.runs).where(*_matches(user, only))
        with self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def kinds_and_models(self, user: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The kinds and the model ids that the runs of `list` have, each once and sorted."""
        query = sa.select(tables.runs.c.kind, tables.runs.c.model_id).where(_visible_to(user)).distinct()
        with self.engine.connect() as connection:
            found = connection.execute(query).all()
        return tuple(sorted({row.kind for row in found})), tuple(sorted({row.model_id for row in found}))

    def share(self, id: str, user: str, shared: bool) -> bool:
        """Let everybody see a run, or nobody else again; False where the user has no such run."""
        with self.engine.begin() as connection:
            change = (
                sa.update(tables.runs)
                .where(tables.runs.c.id == id, tables.runs.c.owner == user)
                .values(shared=shared)
            )
            return connection.execute(change).rowcount == 1

    def delete(self, id: str, user: str) -> bool:
        """Delete one of the user's runs, and the binaries that no other run uses."""
        with self.engine.begin() as connection:
            return _delete(connection, id, user)

    def import_json(self, text: str, user: str) -> Run:
        """Store an exported run as one of this user's, under a new id. Raises RunFormatError."""
        run = from_json(text)
        if run.state == "running":
            raise RunFormatError("run.state: a run that is not over cannot be imported.")
        run = replace(run, id=new_id(), call=replace(run.call, user=user), shared=False)
        self._save(run)
        return run

    def close(self) -> None:
        """Close its connections; the next use opens new ones."""
        with self._lock:
            if self._connected is not None:
                self._connected.dispose()

    @property
    def engine(self) -> sa.Engine:
        """The database, with the tables of all that is stored beside the runs. Raises STORE_ERRORS."""
        with self._lock:
            if self._connected is None:
                self._connected = tables.connect(self._url)
            elif self._tables_made < len(tables.schema.tables):  # a module with tables of its own came later
                tables.make_tables(self._connected)
            self._tables_made = len(tables.schema.tables)
            return self._connected

    def _save(self, run: Run) -> None:
        with self.engine.begin() as connection:
            write(connection, run)


@cache
def store() -> RunStore:
    """The store of this server, at WORKBENCH_DATABASE_URL; closed when the server ends."""
    opened = RunStore(settings.get().database_url)
    atexit.register(opened.close)
    return opened


def keep(run: Run) -> Problem | None:
    """`store().save(run)`."""
    return store().save(run)


def write(connection: sa.Connection, run: Run) -> None:
    """Store a run, or replace it, as a part of the connection's transaction."""
    document, binaries = _document(run)
    row = _row(run)
    prompt, reply = replies.prompt_of(run.call), _reply_text(run)
    text = _searchable(f"{prompt[:SEARCHED_CHARS]}\n{reply[:SEARCHED_CHARS]}")
    _delete(connection, run.id, run.call.user)
    connection.execute(sa.insert(tables.runs).values(row))
    connection.execute(sa.insert(tables.texts).values(run_id=run.id, text=text))
    connection.execute(sa.insert(tables.documents).values(run_id=run.id, document=document))
    for sha256, data in binaries.items():
        _add_binary(connection, run.id, sha256, data)


def _visible_to(user: str) -> sa.ColumnElement[bool]:
    return sa.or_(tables.runs.c.owner == user, tables.runs.c.shared)


def _matches(user: str, only: RunFilter) -> list[sa.ColumnElement[bool]]:
    runs = tables.runs.c
    conditions = [_visible_to(user)]
    if only.scope != "all":
        conditions.append(runs.owner == user if only.scope == "own" else runs.owner != user)
    for column, wanted in ((runs.kind, only.kind), (runs.model_id, only.model_id), (runs.state, only.state)):
        if wanted is not None:
            conditions.append(column == wanted)
    if words := _searchable(only.text).split():
        found = sa.select(tables.texts.c.run_id)
        for word in words:
            found = found.where(tables.texts.c.text.contains(word, autoescape=True))
        conditions.append(runs.id.in_(found))
    return conditions


def _document(run: Run) -> tuple[bytes, dict[str, bytes]]:
    """The run as stored, and the binaries that it names by their SHA-256."""
    binaries: dict[str, bytes] = {}

    def put(data: bytes) -> dict[str, Any]:
        if len(data) <= INLINE_BYTES:
            return inline(data)
        sha256 = hashlib.sha256(data).hexdigest()
        binaries[sha256] = data
        return {"$sha256": sha256}

    return zlib.compress(to_json(run, put=put).encode(), level=3), binaries


def _add_binary(connection: sa.Connection, run_id: str, sha256: str, data: bytes) -> None:
    known = sa.select(tables.binaries.c.sha256).where(tables.binaries.c.sha256 == sha256)
    if connection.execute(known).first() is None:
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(tables.binaries).values(sha256=sha256, data=data))
        except sa.exc.IntegrityError:
            log.debug("The binary %s came in by another run at the same moment", sha256)
    connection.execute(sa.insert(tables.uses).values(run_id=run_id, sha256=sha256))


def _delete(connection: sa.Connection, id: str, user: str) -> bool:
    deleted = connection.execute(
        sa.delete(tables.runs).where(tables.runs.c.id == id, tables.runs.c.owner == user)
    )
    if deleted.rowcount == 0:
        return False
    used = list(
        connection.execute(sa.select(tables.uses.c.sha256).where(tables.uses.c.run_id == id)).scalars()
    )
    for table in (tables.texts, tables.documents, tables.uses):
        connection.execute(sa.delete(table).where(table.c.run_id == id))
    elsewhere = sa.exists().where(tables.uses.c.sha256 == tables.binaries.c.sha256)
    connection.execute(sa.delete(tables.binaries).where(tables.binaries.c.sha256.in_(used), ~elsewhere))
    return True


def _row(run: Run) -> dict[str, Any]:
    call, identity = run.call, run.call.identity
    return {
        "id": run.id,
        "owner": call.user,
        "shared": run.shared,
        "started_at": run.started_at.timestamp(),
        "kind": call.kind,
        "operation": call.operation,
        "model_id": storable(call.model_id),
        "parent_id": call.parent_id,
        "backend": identity.backend,
        "profile": identity.profile,
        "region": identity.region,
        "state": run.state,
        "problem": storable(run.problem.title) if run.problem else None,
        "usage": json.dumps(asdict(run.usage)) if run.usage else None,
        "ttft_ms": run.ttft_ms,
        "latency_ms": run.latency_ms,
        "cost_usd": run.cost_usd,
        "tags": json.dumps(dict(call.tags)),
        "prompt": storable(replies.prompt_of(call)[:EXCERPT_CHARS]),
        "reply": storable(_reply_text(run)[:EXCERPT_CHARS]),
    }


def _summary(row: Mapping[Any, Any]) -> RunSummary:
    values = dict(row)
    values["user"] = values.pop("owner")
    values["started_at"] = datetime.fromtimestamp(values["started_at"], UTC)
    values["tags"] = json.loads(values["tags"])
    values["usage"] = TokenUsage(**json.loads(values["usage"])) if values["usage"] else None
    return RunSummary(**values)


def _reply_text(run: Run) -> str:
    return replies.read(run.call.operation, run.response or {}).text


def _searchable(text: str) -> str:
    return storable(text).casefold()


def storable(text: str) -> str:
    """Without what a database's text cannot hold: NUL (Postgres) and half surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def reason(error: Exception) -> str:
    """Why, in one line, without the statement: the driver's own words where there are some."""
    words = str(getattr(error, "orig", None) or error).strip().splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
