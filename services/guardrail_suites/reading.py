"""What is shown of results: figures, summed by the database, a page of lines, two results in pairs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.guardrail_suites import metrics, tables
from services.guardrail_suites.cases import Case
from services.guardrail_suites.comparison import Pair, Side
from services.guardrail_suites.metrics import VERDICTS, Tally, Verdict
from services.guardrail_suites.store import case_of
from services.guardrail_suites.values import Checked

PAGE_ROWS = 200
EXCERPT_CHARS = 300


@dataclass(frozen=True)
class Figures:
    """A result in figures; see `metrics`. Latencies are the guardrail's own, in ms; None for no checks."""

    tallies: tuple[Tally, ...]
    units: Mapping[str, int]
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True)
class Shown:
    """One line that was checked."""

    position: int
    case: Case
    checked: Checked
    verdict: Verdict


@dataclass(frozen=True)
class Page:
    """A page of lines, the worst verdicts first, and how many the filter lets through in all."""

    lines: tuple[Shown, ...]
    total: int


def figures(engine: sa.Engine, result_id: str) -> Figures:
    """The figures of the lines that have been checked so far."""
    check = tables.checks.c
    ours = sa.and_(check.result_id == result_id, check.got.is_not(None))
    groups = [check.expected, check.policy, check.got, check.acted, check.units]
    query = sa.select(*groups, sa.func.count().label("number")).where(ours).group_by(*groups)
    timed = sa.select(check.latency_ms).where(ours, check.latency_ms.is_not(None))
    with engine.connect() as connection:
        rows = connection.execute(query).all()
        latencies = connection.scalars(timed).all()
    return Figures(
        tuple(Tally(row.expected, row.policy, row.got, _names(row.acted), row.number) for row in rows),
        metrics.units_of((json.loads(row.units), row.number) for row in rows),
        metrics.percentile(latencies, 0.5),
        metrics.percentile(latencies, 0.95),
    )


def page(
    engine: sa.Engine, result_id: str, *, verdict: Verdict | None = None, policy: str = "", number: int = 0
) -> Page:
    """A page of PAGE_ROWS lines, from 0: with this verdict, and with a policy that was to act or did."""
    check = tables.checks.c
    only = [check.result_id == result_id, check.got.is_not(None)]
    if verdict:
        only.append(check.rank == VERDICTS.index(verdict))
    if policy:
        only.append(sa.or_(check.policy == policy, check.acted.contains(f"|{policy}|", autoescape=True)))
    query = sa.select(tables.checks).where(*only).order_by(check.rank, check.position)
    query = query.limit(PAGE_ROWS).offset(number * PAGE_ROWS)
    with engine.connect() as connection:
        total = connection.scalar(sa.select(sa.func.count()).where(*only)) or 0
        return Page(tuple(_shown(row) for row in connection.execute(query).mappings()), total)


def lines(engine: sa.Engine, result_id: str) -> Iterator[Shown]:
    """Every line that has been checked, in the order of the suite."""
    check = tables.checks.c
    query = sa.select(tables.checks).where(check.result_id == result_id, check.got.is_not(None))
    with engine.connect() as connection:
        for row in connection.execute(query.order_by(check.position)).mappings():
            yield _shown(row)


def cases(engine: sa.Engine, result_id: str) -> list[Case]:
    """Every case of a result, checked or not, in the order of the suite."""
    check = tables.checks.c
    query = sa.select(tables.checks).where(check.result_id == result_id).order_by(check.position)
    with engine.connect() as connection:
        return [case_of(row) for row in connection.execute(query).mappings()]


def pairs(engine: sa.Engine, before_id: str, after_id: str) -> list[Pair]:
    """The texts that both results have checked, in the order of the later one; long texts are cut."""
    old, new = tables.checks.alias("old"), tables.checks.alias("new")
    query = (
        sa.select(
            new.c.case_id,
            sa.func.substr(new.c.text, 1, EXCERPT_CHARS).label("text"),
            new.c.expected,
            new.c.policy,
            *(side.c[name].label(f"{side.name}_{name}") for side in (old, new) for name in _SIDE),
        )
        .join_from(new, old, sa.and_(old.c.result_id == before_id, old.c.key == new.c.key))
        .where(new.c.result_id == after_id, old.c.got.is_not(None), new.c.got.is_not(None))
        .order_by(new.c.position)
    )
    with engine.connect() as connection:
        return [
            Pair(
                row.case_id,
                row.text,
                row.expected,
                row.policy,
                Side(row.old_got, _names(row.old_acted), row.old_why or ""),
                Side(row.new_got, _names(row.new_acted), row.new_why or ""),
            )
            for row in connection.execute(query)
        ]


_SIDE = ("got", "acted", "why")


def _names(acted: str | None) -> tuple[str, ...]:
    return tuple(name for name in (acted or "").split("|") if name)


def _shown(row: Mapping[Any, Any]) -> Shown:
    checked = Checked(
        row["got"],
        _names(row["acted"]),
        row["why"] or "",
        json.loads(row["units"] or "{}"),
        row["latency_ms"],
    )
    return Shown(row["position"], case_of(row), checked, VERDICTS[row["rank"]])
