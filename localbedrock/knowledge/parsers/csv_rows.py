"""CSV: each row as lines of ``column: value``, rows set apart by a blank line.

AWS expects a header. Where the first row is none (an empty cell, a number, the same name twice), the columns
are called by their position, so that no row is taken for names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from localbedrock.knowledge.parsers.page import Page, UnreadableError, bounded
from localbedrock.knowledge.parsers.text import decoded


def parse_csv(content: bytes) -> tuple[Page, ...]:
    """The rows of a CSV file, separated by comma, semicolon or tab."""
    text = decoded(content)
    rows = _rows(csv.reader(io.StringIO(text), delimiter=_delimiter(text)))
    first = next(rows, [])
    if _is_header(first):
        names = [cell.strip() for cell in first]
        rest = bounded((_row_text(names, row) for row in rows), "\n\n")
        return (Page(None, rest or ", ".join(names)),)
    names = [_position(number) for number in range(len(first))]
    lines = (_row_text(names, row) for row in _with_first(first, rows))
    return (Page(None, bounded(lines, "\n\n")),)


def _delimiter(text: str) -> str:
    line = text[:10_000].partition("\n")[0]
    return max(",;\t", key=line.count)


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows that are not blank."""
    number = 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            most = csv.field_size_limit()
            raise UnreadableError(
                f"Row {number:,} of the CSV file has a field of more than {most:,} characters: "
                "probably a closing quotation mark is missing."
            ) from None
        if any(cell.strip() for cell in row):
            yield row


def _with_first(first: list[str], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    if first:
        yield first
    yield from rest


def _is_header(row: Sequence[str]) -> bool:
    names = [cell.strip() for cell in row]
    return bool(names) and all(names) and len(set(names)) == len(names) and not any(map(_is_number, names))


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _position(index: int) -> str:
    return f"column {index + 1}"


def _row_text(names: Sequence[str], row: Sequence[str]) -> str:
    cells = ((names[i] if i < len(names) else _position(i), cell.strip()) for i, cell in enumerate(row))
    return "\n".join(f"{name}: {cell}" for name, cell in cells if cell)
