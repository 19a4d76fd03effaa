"""What is shown of a batch: counts, a page of its grid, a summary of each column, the whole as CSV."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from services import batch_tables as tables
from services.batch_values import Batch, CellState

EXCERPT_CHARS = 300
PAGE_ROWS = 200

Filter = Literal["all", "differ", "failed"]


@dataclass(frozen=True)
class Cell:
    """One cell as the grid shows it; `reply` is its beginning, `problem` a title."""

    state: CellState
    reply: str
    run_id: str | None
    input_tokens: int | None
    output_tokens: int | None
    ttft_ms: float | None
    latency_ms: float | None
    cost_usd: float | None
    problem: str | None
    billed: bool


@dataclass(frozen=True)
class Row:
    """One row of the file, from 0, with the beginnings of its values, and its cells by column."""

    number: int
    values: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Page:
    """A page of rows, and how many the filter lets through in all."""

    rows: tuple[Row, ...]
    total: int


@dataclass(frozen=True)
class Summary:
    """One column in figures. The median times and the sums are over its done cells; None where unknown.

    `unpriced` counts the done cells without a cost.
    """

    done: int
    failed: int
    ttft_ms: float | None
    latency_ms: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    unpriced: int


def counts(engine: sa.Engine, batch_id: str) -> dict[CellState, int]:
    """How many cells are in which state."""
    cell = tables.cells.c
    query = (
        sa.select(cell.state, sa.func.count().label("number"))
        .where(cell.batch_id == batch_id)
        .group_by(cell.state)
    )
    found: dict[CellState, int] = {"waiting": 0, "running": 0, "in_job": 0, "done": 0, "failed": 0}
    with engine.connect() as connection:
        found.update({row.state: row.number for row in connection.execute(query)})
    return found


def page(engine: sa.Engine, batch: Batch, *, only: Filter = "all", number: int = 0) -> Page:
    """A page of the grid, from 0."""
    chosen = None if only == "all" else _rows_that(only, batch.id)
    at = tables.rows.c
    query = sa.select(at.row, at.texts).where(at.batch_id == batch.id)
    with engine.connect() as connection:
        total = batch.row_count
        if chosen is not None:
            query = query.where(at.row.in_(chosen))
            total = connection.execute(sa.select(sa.func.count()).select_from(chosen.subquery())).scalar_one()
        query = query.order_by(at.row).limit(PAGE_ROWS).offset(number * PAGE_ROWS)
        texts = {row: json.loads(text) for row, text in connection.execute(query)}
        cells = _cells(connection, batch.id, list(texts))
    width = range(len(batch.columns))
    rows = tuple(
        Row(row, tuple(text[:EXCERPT_CHARS] for text in values), tuple(cells[row, n] for n in width))
        for row, values in texts.items()
    )
    return Page(rows, total)


def summaries(engine: sa.Engine, batch: Batch) -> tuple[Summary, ...]:
    """Each column in figures."""
    cell = tables.cells.c
    names = ("column", "state", "ttft_ms", "latency_ms", "input_tokens", "output_tokens", "cost_usd")
    query = sa.select(*(cell[name] for name in names)).where(
        cell.batch_id == batch.id, cell.state.in_(("done", "failed"))
    )
    by_column: list[list[Any]] = [[] for _ in batch.columns]
    with engine.connect() as connection:
        for row in connection.execute(query):
            by_column[row.column].append(row)
    return tuple(map(_summary, by_column))


def csv_text(engine: sa.Engine, batch: Batch) -> str:
    """One row for each row of the file: its values, and of each column the reply and what was measured."""
    measured = ("input_tokens", "output_tokens", "ttft_ms", "latency_ms", "cost_usd")
    out = io.StringIO()
    writer = csv.writer(out)
    names = _distinct([column.label for column in batch.columns], batch.headers)
    parts = ("reply", "state", "problem", *measured, "run_id")
    writer.writerow([*batch.headers, *(f"{name} {part}" for name in names for part in parts)])
    with engine.connect() as connection:
        for texts, cells in _whole_rows(connection, batch):
            fields = [cell[part] for cell in cells for part in parts]
            writer.writerow([*texts, *("" if field is None else field for field in fields)])
    return "\ufeff" + out.getvalue()  # without the mark Excel reads UTF-8 as something else


def _rows_that(only: Filter, batch_id: str) -> sa.Select[tuple[int]]:
    """The numbers of the rows that a filter lets through."""
    cell = tables.cells.c
    query = sa.select(cell.row).where(cell.batch_id == batch_id)
    if only == "failed":
        return query.where(cell.state == "failed").distinct()
    query = query.where(cell.state == "done").group_by(cell.row)
    return query.having(sa.func.count(sa.distinct(cell.reply_hash)) > 1)


def _cells(connection: sa.Connection, batch_id: str, rows: Sequence[int]) -> dict[tuple[int, int], Cell]:
    if not rows:
        return {}
    cell = tables.cells.c
    query = sa.select(
        cell.row,
        cell.column,
        cell.state,
        sa.func.coalesce(sa.func.substr(cell.reply, 1, EXCERPT_CHARS), "").label("reply"),
        *(cell[name] for name in ("run_id", "input_tokens", "output_tokens", "ttft_ms", "latency_ms")),
        *(cell[name] for name in ("cost_usd", "problem", "billed")),
    ).where(cell.batch_id == batch_id, cell.row.in_(rows))
    found: dict[tuple[int, int], Cell] = {}
    for row in connection.execute(query).mappings():
        values: dict[str, Any] = dict(row)
        where = (values.pop("row"), values.pop("column"))
        found[where] = Cell(**values)
    return found


def _summary(cells: Sequence[Any]) -> Summary:
    done = [cell for cell in cells if cell.state == "done"]
    costs = [cell.cost_usd for cell in done if cell.cost_usd is not None]
    return Summary(
        done=len(done),
        failed=len(cells) - len(done),
        ttft_ms=_median(cell.ttft_ms for cell in done),
        latency_ms=_median(cell.latency_ms for cell in done),
        input_tokens=sum(cell.input_tokens or 0 for cell in done),
        output_tokens=sum(cell.output_tokens or 0 for cell in done),
        cost_usd=sum(costs) if costs else None,
        unpriced=len(done) - len(costs),
    )


def _median(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _distinct(labels: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The labels, numbered where two are the same or one is the name of a column of the file."""
    twice = {label for label in labels if labels.count(label) > 1 or label in taken}
    return [f"{label} ({n})" if label in twice else label for n, label in enumerate(labels, 1)]


def _whole_rows(
    connection: sa.Connection, batch: Batch
) -> Iterator[tuple[list[str], list[Mapping[Any, Any]]]]:
    """The values of each row, and its cells in the order of the columns."""
    at, cell = tables.rows.c, tables.cells.c
    texts = connection.execute(sa.select(at.texts).where(at.batch_id == batch.id).order_by(at.row)).scalars()
    cells = connection.execute(
        sa.select(tables.cells).where(cell.batch_id == batch.id).order_by(cell.position)
    ).mappings()
    for text in texts:
        yield json.loads(text), [next(cells) for _ in batch.columns]
