"""Suites and results of each user, in the database of the runs: what is checked is not checked again.

A result has a line for each case. A line is stored when its check has ended; the lines without an outcome are
what is left to do, after a stop or a restart as well. One runner works on a result at a time.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from services import run_store, run_tables
from services.batch_values import is_alive
from services.clients import Identity
from services.guardrail_suites import cases as suite_cases
from services.guardrail_suites import tables
from services.guardrail_suites.cases import Case
from services.guardrail_suites.metrics import VERDICTS, verdict_of
from services.guardrail_suites.values import Checked, Line, SuiteResult, Target
from services.run_store import RunStore

KEPT_RESULTS = 50
"""Of each user; the oldest go."""
_CASE_COLUMNS = [tables.checks.c["case_id" if each.name == "id" else each.name] for each in fields(Case)]


class SuiteStore:
    """Suites and results beside the runs of a RunStore; for many threads. Raises STORE_ERRORS."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    @property
    def engine(self) -> sa.Engine:
        """The database, with the tables of the suites."""
        return self._runs.engine

    # Suites.

    def suites(self, user: str) -> dict[str, int]:
        """How many cases the user's suites have, by name."""
        table = tables.suites.c
        query = sa.select(table.name, table.case_count).where(table.owner == user).order_by(table.name)
        with self.engine.connect() as connection:
            return {row.name: row.case_count for row in connection.execute(query)}

    def suite(self, user: str, name: str) -> tuple[Case, ...] | None:
        """The cases of one of the user's suites; None where there is none of this name."""
        table = tables.suites.c
        query = sa.select(table.document).where(table.owner == user, table.name == name)
        with self.engine.connect() as connection:
            text = connection.scalar(query)
        return None if text is None else suite_cases.from_json(text)

    def save(self, user: str, name: str, cases: Sequence[Case]) -> None:
        """Store a suite in the place of the one that has its name. ValueError, a sentence, for a bad name."""
        run_tables.check_name(name, "A suite")
        row = {
            "owner": user,
            "name": name,
            "case_count": len(cases),
            "document": suite_cases.to_json(cases),
        }
        with self.engine.begin() as connection:
            connection.execute(_suite(user, name))
            connection.execute(sa.insert(tables.suites).values(row))

    def delete(self, user: str, name: str) -> bool:
        """Delete one of the user's suites; False where there is none of this name. Its results stay."""
        with self.engine.begin() as connection:
            return connection.execute(_suite(user, name)).rowcount == 1

    # Results.

    def create(
        self, user: str, suite_name: str, cases: Sequence[Case], targets: Sequence[Target], identity: Identity
    ) -> list[str]:
        """Store a result for each target, with every line still to be checked; their ids."""
        run_id = uuid.uuid4().hex
        ids = [uuid.uuid4().hex for _ in targets]
        now = time.time()
        with self.engine.begin() as connection:
            for result_id, target in zip(ids, targets, strict=True):
                connection.execute(
                    sa.insert(tables.results).values(
                        id=result_id,
                        run_id=run_id,
                        owner=user,
                        suite_name=suite_name,
                        label=target.label,
                        identifier=target.identifier,
                        guardrail_version=target.version,
                        created_at=now,
                        total=len(cases),
                        done=0,
                        backend=identity.backend,
                        profile=identity.profile,
                        region=identity.region,
                        changes=0,
                        note="",
                    )
                )
                rows = [_check_row(result_id, position, case) for position, case in enumerate(cases)]
                connection.execute(sa.insert(tables.checks), rows)
            _delete_old(connection, user)
        return ids

    def results(self, user: str) -> tuple[SuiteResult, ...]:
        """The user's results, newest first."""
        held = tables.results.c
        query = sa.select(tables.results).where(held.owner == user)
        query = query.order_by(held.created_at.desc(), held.run_id, held.label, held.id)
        with self.engine.connect() as connection:
            return tuple(_result(row) for row in connection.execute(query).mappings())

    def result(self, user: str, result_id: str) -> SuiteResult | None:
        """One of the user's results; None where there is none."""
        held = tables.results.c
        query = sa.select(tables.results).where(held.owner == user, held.id == result_id)
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return _result(row) if row else None

    def forget(self, user: str, result_id: str) -> bool:
        """Delete one of the user's results; False where there is none, or it is being worked on."""
        result = self.result(user, result_id)
        if result is None or is_alive(result):
            return False
        with self.engine.begin() as connection:
            _delete(connection, [result_id])
        return True

    # For the runner.

    def take(self, ids: Iterable[str], runner: str) -> bool:
        """Make `runner` the one that works on these results; False where another one lives."""
        held = tables.results.c
        with self.engine.begin() as connection:
            for result_id in ids:
                query = sa.select(tables.results).where(held.id == result_id)
                found = connection.execute(query).mappings().first()
                if found is None or is_alive(_result(found)):
                    connection.rollback()
                    return False
                same = held.runner.is_(None) if found["runner"] is None else held.runner == found["runner"]
                done = sa.select(sa.func.count()).where(
                    tables.checks.c.result_id == result_id, tables.checks.c.got.is_not(None)
                )
                taken = connection.execute(
                    sa.update(tables.results)
                    .where(held.id == result_id, same)
                    .values(
                        runner=runner,
                        heartbeat_at=time.time(),
                        note="",
                        done=done.scalar_subquery(),
                        changes=held.changes + 1,
                    )
                )
                if taken.rowcount == 0:
                    connection.rollback()
                    return False
        return True

    def waiting(self, result_id: str, after: int, limit: int) -> list[Line]:
        """The next lines without an outcome that stand after the position `after`."""
        check = tables.checks.c
        query = (
            sa.select(check.position, *_CASE_COLUMNS)
            .where(check.result_id == result_id, check.position > after, check.got.is_(None))
            .order_by(check.position)
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [Line(result_id, row[0], Case(*row[1:])) for row in connection.execute(query)]

    def keep(self, ids: Sequence[str], runner: str, checked: Sequence[tuple[Line, Checked]]) -> bool:
        """Store what has ended, and a sign of life; False where the results are another runner's by now."""
        held = tables.results.c
        counts = {result_id: sum(line.result_id == result_id for line, _ in checked) for result_id in ids}
        with self.engine.begin() as connection:
            for result_id, count in counts.items():
                ours = connection.execute(
                    sa.update(tables.results)
                    .where(held.id == result_id, held.runner == runner)
                    .values(
                        heartbeat_at=time.time(),
                        done=held.done + count,
                        changes=held.changes + (1 if count else 0),
                    )
                )
                if ours.rowcount == 0:
                    connection.rollback()
                    return False
            if checked:
                connection.execute(_UPDATE, [_outcome_row(line, each) for line, each in checked])
        return True

    def release(self, ids: Iterable[str], runner: str, note: str = "") -> None:
        """The runner has ended, by itself for the reason in `note`."""
        held = tables.results.c
        with self.engine.begin() as connection:
            connection.execute(
                sa.update(tables.results)
                .where(held.id.in_(list(ids)), held.runner == runner)
                .values(runner=None, heartbeat_at=None, note=note, changes=held.changes + 1)
            )

    def reopen_failed(self, user: str, result_id: str) -> int:
        """Let the failed lines of a result that is not worked on wait again; how many there were."""
        result = self.result(user, result_id)
        if result is None or is_alive(result):
            return 0
        check, held = tables.checks.c, tables.results.c
        with self.engine.begin() as connection:
            changed = connection.execute(
                sa.update(tables.checks)
                .where(check.result_id == result_id, check.got == "failed")
                .values(got=None, rank=None)
            ).rowcount
            connection.execute(
                sa.update(tables.results)
                .where(held.id == result_id)
                .values(done=held.done - changed, changes=held.changes + 1)
            )
        return changed


def store() -> SuiteStore:
    """The suites of this server, beside its runs."""
    return _beside(run_store.store())


@cache
def _beside(runs: RunStore) -> SuiteStore:
    return SuiteStore(runs)


def case_of(row: Mapping[Any, Any]) -> Case:
    """The case in a row of the table of checks."""
    return Case(*(row[column.name] for column in _CASE_COLUMNS))


_UPDATE = (
    sa.update(tables.checks)
    .where(tables.checks.c.result_id == sa.bindparam("of"), tables.checks.c.position == sa.bindparam("place"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("got", "rank", "acted", "why", "units")})
    .values(latency_ms=sa.bindparam("new_latency_ms"))
)


def _suite(user: str, name: str) -> sa.Delete:
    return sa.delete(tables.suites).where(tables.suites.c.owner == user, tables.suites.c.name == name)


def _check_row(result_id: str, position: int, case: Case) -> dict[str, Any]:
    values = asdict(case)
    values["case_id"] = values.pop("id")
    return {"result_id": result_id, "position": position, "key": case.key, **values}


def _outcome_row(line: Line, checked: Checked) -> dict[str, Any]:
    verdict = verdict_of(line.case.expected, line.case.policy, checked.got, checked.acted)
    return {
        "of": line.result_id,
        "place": line.position,
        "new_got": checked.got,
        "new_rank": VERDICTS.index(verdict),
        "new_acted": f"|{'|'.join(checked.acted)}|" if checked.acted else "",
        "new_why": run_store.storable(checked.why),
        "new_units": json.dumps(dict(sorted(checked.units.items()))),
        "new_latency_ms": checked.latency_ms,
    }


def _delete_old(connection: sa.Connection, user: str) -> None:
    held = tables.results.c
    query = sa.select(held.id).where(held.owner == user, held.runner.is_(None))
    query = query.order_by(held.created_at.desc(), held.id)
    _delete(connection, connection.scalars(query.offset(KEPT_RESULTS)).all())


def _delete(connection: sa.Connection, ids: Sequence[str]) -> None:
    connection.execute(sa.delete(tables.checks).where(tables.checks.c.result_id.in_(ids)))
    connection.execute(sa.delete(tables.results).where(tables.results.c.id.in_(ids)))


def _result(row: Mapping[Any, Any]) -> SuiteResult:
    values = dict(row)
    values["created_at"] = datetime.fromtimestamp(values["created_at"], UTC)
    return SuiteResult(**values)
