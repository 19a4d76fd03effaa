"""The rows of the bench and the table they are printed as."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure beside what it is compared with; both were measured in the same run."""

    name: str
    ours: str
    compared_with: str
    result: str
    limit: str = ""


def percentile(values: Sequence[float], percent: int) -> float:
    """A percentile of at least two values, interpolated."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def print_table(rows: Sequence[Row]) -> None:
    """All rows, in columns as wide as they need."""
    head = Row("measure", "workbench", "compared with", "result", "limit")
    cells = [(row.name, row.ours, row.compared_with, row.result, row.limit) for row in (head, *rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    for number, line in enumerate(cells):
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
