"""Batches and their cells in the database of the run history: what is done is never done again.

A cell is one row of the file in one column, a column is a pane's settings as they were at the start. A cell
is claimed before its call is made, and stored with its run in one transaction when the call has ended. A
batch is worked on by one runner at a time: the one named in it, as long as it shows that it lives.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from pydantic import ConfigDict, TypeAdapter

from services import batch_tables as tables
from services import replies, run_store
from services.batch_values import Batch, Claim, Column, Outcome, is_alive
from services.clients import Identity
from services.run_store import RunStore
from services.runs import Run, TokenUsage


class BatchStore:
    """Batches beside the runs of a RunStore; may be used by many threads. Raises what `connect` raises."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    @property
    def engine(self) -> sa.Engine:
        """The database, with the tables of the batches."""
        return self._runs.engine

    def create(
        self,
        owner: str,
        name: str,
        headers: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        template: str,
        mapping: Mapping[str, str],
        columns: Sequence[Column],
        concurrency: int,
        identity: Identity,
    ) -> str:
        """Store a batch whose cells all wait; its id. `mapping` gives the header of each variable."""
        new_id, count = uuid.uuid4().hex, len(columns)
        with self.engine.begin() as connection:
            connection.execute(
                sa.insert(tables.batches).values(
                    id=new_id,
                    owner=owner,
                    name=name,
                    created_at=time.time(),
                    headers=json.dumps(list(headers)),
                    template=template,
                    mapping=json.dumps(dict(mapping)),
                    columns=_columns_to_json(columns),
                    row_count=len(rows),
                    concurrency=concurrency,
                    backend=identity.backend,
                    profile=identity.profile,
                    region=identity.region,
                    version=0,
                    note="",
                )
            )
            connection.execute(
                sa.insert(tables.rows),
                [
                    {"batch_id": new_id, "row": n, "texts": json.dumps(list(row))}
                    for n, row in enumerate(rows)
                ],
            )
            connection.execute(
                sa.insert(tables.cells),
                [
                    {
                        "batch_id": new_id,
                        "position": row * count + column,
                        "row": row,
                        "column": column,
                        "state": "waiting",
                        "billed": False,
                    }
                    for row in range(len(rows))
                    for column in range(count)
                ],
            )
        return new_id

    def get(self, id: str, user: str) -> Batch | None:
        """The user's batch; None where there is none, or it is another's."""
        query = sa.select(tables.batches).where(tables.batches.c.id == id, tables.batches.c.owner == user)
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return _batch(row) if row else None

    def latest(self, user: str, limit: int = 50) -> tuple[Batch, ...]:
        """The user's batches, newest first."""
        query = sa.select(tables.batches).where(tables.batches.c.owner == user)
        query = query.order_by(tables.batches.c.created_at.desc(), tables.batches.c.id).limit(limit)
        with self.engine.connect() as connection:
            return tuple(_batch(row) for row in connection.execute(query).mappings())

    def delete(self, id: str, user: str) -> bool:
        """Delete a batch of the user; its runs stay in the history. False where it runs, or is not theirs."""
        batch = self.get(id, user)
        if batch is None or is_alive(batch):
            return False
        with self.engine.begin() as connection:
            connection.execute(
                sa.delete(tables.batches).where(tables.batches.c.id == id, tables.batches.c.owner == user)
            )
            for table in (tables.rows, tables.cells, tables.jobs):
                connection.execute(sa.delete(table).where(table.c.batch_id == id))
        return True

    def values(self, id: str) -> list[dict[str, str]]:
        """The rows of the file, each by header."""
        with self.engine.connect() as connection:
            headers = json.loads(
                connection.execute(
                    sa.select(tables.batches.c.headers).where(tables.batches.c.id == id)
                ).scalar_one()
            )
            query = sa.select(tables.rows.c.texts).where(tables.rows.c.batch_id == id)
            texts = connection.execute(query.order_by(tables.rows.c.row)).scalars()
            return [dict(zip(headers, json.loads(text), strict=True)) for text in texts]

    def row(self, id: str, number: int, headers: Sequence[str]) -> dict[str, str]:
        """One row of the file, from 0, by header."""
        at = tables.rows.c
        with self.engine.connect() as connection:
            query = sa.select(at.texts).where(at.batch_id == id, at.row == number)
            texts = json.loads(connection.execute(query).scalar_one())
        return dict(zip(headers, texts, strict=True))

    def reply(self, id: str, row: int, column: int) -> str:
        """The whole reply of a cell; "" where there is none."""
        cell = tables.cells.c
        with self.engine.connect() as connection:
            query = sa.select(cell.reply).where(cell.batch_id == id, cell.row == row, cell.column == column)
            return connection.execute(query).scalar_one_or_none() or ""

    def take(self, id: str, runner: str) -> int | None:
        """Make `runner` the one that works on the batch, where no other one lives; None where one does.

        The cells that a dead runner had under way wait again; their number is returned: they may have been
        billed.
        """
        held = tables.batches.c
        with self.engine.begin() as connection:
            found = connection.execute(sa.select(tables.batches).where(held.id == id)).mappings().first()
            if found is None or is_alive(_batch(found)):
                return None
            same = held.runner.is_(None) if found["runner"] is None else held.runner == found["runner"]
            taken = connection.execute(
                sa.update(tables.batches)
                .where(held.id == id, same)
                .values(runner=runner, heartbeat_at=time.time(), note="", version=held.version + 1)
            )
            if taken.rowcount == 0:
                return None
            orphans = connection.execute(
                sa.update(tables.cells)
                .where(tables.cells.c.batch_id == id, tables.cells.c.state == "running")
                .values(state="waiting", runner=None)
            )
            return orphans.rowcount

    def advance(
        self,
        id: str,
        runner: str,
        outcomes: Sequence[Outcome],
        wants: Sequence[tuple[Sequence[int], int]] = (),
    ) -> list[Claim] | None:
        """Store what has ended, and claim more: for each pair, up to that many cells of those columns.

        One transaction. None where the batch is another runner's now: what ended is stored all the same,
        unless its cell has been claimed again.
        """
        held = tables.batches.c
        with self.engine.begin() as connection:
            ours = connection.execute(
                sa.update(tables.batches)
                .where(held.id == id, held.runner == runner)
                .values(heartbeat_at=time.time(), version=held.version + (1 if outcomes or wants else 0))
            )
            for outcome in outcomes:
                _store(connection, id, runner, outcome)
            if ours.rowcount == 0:
                return None
            claims = [claim for want in wants for claim in _claim(connection, id, runner, *want)]
        return sorted(claims, key=lambda claim: (claim.row, claim.column))

    def receive(self, id: str, token: str, outcomes: Sequence[Outcome]) -> None:
        """Store what a job has answered, in the cells that are still this job's."""
        with self.engine.begin() as connection:
            for outcome in outcomes:
                _store(connection, id, token, outcome)

    def rows_of(self, id: str, token: str) -> list[int]:
        """The rows, from 0, of the cells that a job has under way."""
        cell = tables.cells.c
        query = sa.select(cell.row).where(cell.batch_id == id, cell.runner == token, cell.state == "in_job")
        with self.engine.connect() as connection:
            return [int(row) for row in connection.execute(query.order_by(cell.row)).scalars()]

    def release(self, id: str, runner: str, note: str = "") -> None:
        """The runner has ended, by itself for the reason in `note`."""
        held = tables.batches.c
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(tables.batches)
                .where(held.id == id, held.runner == runner)
                .values(runner=None, heartbeat_at=None, note=note, version=held.version + 1)
            )

    def reopen_failed(self, id: str, user: str) -> int:
        """Let the failed cells of a batch that does not run wait again; how many there were."""
        batch = self.get(id, user)
        if batch is None or is_alive(batch):
            return 0
        with self.engine.begin() as connection:
            changed = connection.execute(
                sa.update(tables.cells)
                .where(tables.cells.c.batch_id == id, tables.cells.c.state == "failed")
                .values(state="waiting", problem=None, run_id=None, billed=False)
            )
            connection.execute(
                sa.update(tables.batches)
                .where(tables.batches.c.id == id)
                .values(version=tables.batches.c.version + 1)
            )
            return changed.rowcount


def store() -> BatchStore:
    """The batches of this server, beside its runs."""
    return _beside(run_store.store())


@cache
def _beside(runs: RunStore) -> BatchStore:
    return BatchStore(runs)


@cache
def _adapter() -> TypeAdapter[tuple[Column, ...]]:
    return TypeAdapter(
        tuple[Column, ...], config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    )


def _columns_to_json(columns: Sequence[Column]) -> str:
    return _adapter().dump_json(tuple(columns), warnings=False).decode()


def _columns_from_json(text: str) -> tuple[Column, ...]:
    """The parameters come as they went in: pydantic would make 100.0 of 100, which maxTokens must not be."""
    found = _adapter().validate_json(text)
    sent = [column["settings"]["parameters"] for column in json.loads(text)]
    return tuple(
        replace(column, settings=replace(column.settings, parameters=parameters))
        for column, parameters in zip(found, sent, strict=True)
    )


def _batch(row: Mapping[Any, Any]) -> Batch:
    values = dict(row)
    values["created_at"] = datetime.fromtimestamp(values["created_at"], UTC)
    values["headers"] = tuple(json.loads(values["headers"]))
    values["mapping"] = json.loads(values["mapping"])
    values["columns"] = _columns_from_json(values["columns"])
    return Batch(**values)


def _claim(
    connection: sa.Connection, id: str, runner: str, columns: Sequence[int], count: int
) -> list[Claim]:
    cell = tables.cells.c
    waiting = (
        sa.select(cell.position)
        .where(cell.batch_id == id, cell.state == "waiting", cell.column.in_(columns))
        .order_by(cell.position)
        .limit(count)
    )
    change = (
        sa.update(tables.cells)
        .where(cell.batch_id == id, cell.state == "waiting", cell.position.in_(waiting.scalar_subquery()))
        .values(state="running", runner=runner)
        .returning(cell.row, cell.column)
    )
    return [Claim(row, column) for row, column in connection.execute(change)]


def _store(connection: sa.Connection, id: str, runner: str, outcome: Outcome) -> None:
    cell, claim = tables.cells.c, outcome.claim
    if outcome.run:
        run_store.write(connection, outcome.run)
    connection.execute(
        sa.update(tables.cells)
        .where(cell.batch_id == id, cell.row == claim.row, cell.column == claim.column, cell.runner == runner)
        .values(_cell(outcome))
    )


def _cell(outcome: Outcome) -> dict[str, Any]:
    """The columns of a cell that has ended, or that waits again."""
    if outcome.released:
        return {"state": "waiting", "runner": None}
    run, problem = outcome.run, outcome.problem or (outcome.run.problem if outcome.run else None)
    values: dict[str, Any] = {
        "state": "failed" if problem else "done",
        "problem": run_store.storable(problem.title) if problem else None,
        "billed": bool(problem and (problem.billed or _had_begun(run))),
    }
    if outcome.received:
        return values | _said(outcome.received.text, outcome.received.usage)
    if run is None:
        return values
    text = replies.read(run.call.operation, run.response or {}).text
    return (
        values
        | _said(text, run.usage)
        | {
            "run_id": run.id,
            "ttft_ms": run.ttft_ms,
            "latency_ms": run.latency_ms,
            "cost_usd": run.cost_usd,
        }
    )


def _said(text: str, usage: TokenUsage | None) -> dict[str, Any]:
    reply = run_store.storable(text)
    return {
        "reply": reply,
        "reply_hash": hashlib.sha256(reply.strip().encode()).hexdigest(),
        "input_tokens": usage.total_tokens - usage.output_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
    }


def _had_begun(run: Run | None) -> bool:
    """Whether a model of AWS was at work: what it said is billed, also where it broke off."""
    return run is not None and bool(run.events) and run.call.identity.backend == "aws"
