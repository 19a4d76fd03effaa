"""Tables of prompts from CSV and JSONL files, and the template that makes a prompt of each row."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 16 * 1024 * 1024
"""The largest file: 10,000 prompts of 1,600 characters."""
MAX_ROWS = 10_000
SHOWN_FAULTS = 5

_DELIMITERS = ",;\t"
_NO_DELIMITER = "\x1f"  # of a file with one column: a comma is a part of its text
_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")

csv.field_size_limit(MAX_BYTES)  # the limit of the module, 128 KB, is below a long prompt


class BatchFileError(ValueError):
    """A file cannot be used. `faults` holds a sentence for each thing to correct, with its line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Table:
    """The rows of a file, every value a text, and the line that each begins in.

    `notes` says what was read leniently.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()

    def column(self, names: Sequence[str]) -> int | None:
        """The place of the column with one of these names, in any case, the first name first."""
        folded = [header.casefold() for header in self.headers]
        return next((folded.index(name) for name in names if name in folded), None)


def read(data: bytes, name: str = "") -> Table:
    """The table in a file. `name` tells JSONL by its ending; without one, JSONL begins with a brace.

    CSV: UTF-8 or UTF-16 with its mark, separated by commas, semicolons or tabs, the names of its columns in
    the first row. JSONL: one object a line; what is not text is kept as JSON, what is missing is empty.
    Raises BatchFileError.
    """
    if len(data) > MAX_BYTES:
        size, limit = len(data) / 2**20, MAX_BYTES // 2**20
        raise BatchFileError([f"The file has {size:.1f} MB, {limit} MB can be read at once. Split it."])
    text = _decoded(data)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BatchFileError(
            [f"Line {line} holds a null character. Save the file again as UTF-8 text without it."]
        )
    if not text.strip():
        raise BatchFileError(["The file is empty."])
    is_json = name.lower().endswith((".jsonl", ".ndjson", ".json")) or text.lstrip().startswith("{")
    table = _jsonl(text) if is_json else _csv(text)
    if not table.rows:
        raise BatchFileError(["The file has the names of its columns, but no row below them."])
    if len(table.rows) > MAX_ROWS:
        raise BatchFileError(
            [f"The file has {len(table.rows):,} rows, {MAX_ROWS:,} can be read at once. Split it."]
        )
    return table


def default_template(headers: Sequence[str]) -> str:
    """The column `prompt` as it stands, or else the first one."""
    chosen = next((header for header in headers if header.casefold() == "prompt"), headers[0])
    return f"{{{{{chosen}}}}}"


def variables(template: str) -> tuple[str, ...]:
    """The names in double braces, each once, in order."""
    return tuple(dict.fromkeys(_VARIABLE.findall(template)))


def match(names: Sequence[str], headers: Sequence[str]) -> dict[str, str]:
    """The column of each variable, by its name, or by its name in another case. What has none is left out."""
    folded = {header.casefold(): header for header in reversed(headers)}
    found = {name: name if name in headers else folded.get(name.casefold()) for name in names}
    return {name: header for name, header in found.items() if header is not None}


def render(template: str, values: Mapping[str, str]) -> str:
    """The prompt: each variable replaced by its value. What has no value stays as it is."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), template)


@dataclass(frozen=True)
class Survey:
    """The prompts that a template makes of a table: how long they are together, and how many are blank."""

    characters: int
    blank: int


def survey(table: Table, template: str, mapping: Mapping[str, str]) -> Survey:
    """Look at every prompt. `mapping` gives the header of each variable."""
    prompts = [prompt(table, row, template, mapping) for row in range(len(table.rows))]
    return Survey(sum(map(len, prompts)), sum(not text.strip() for text in prompts))


def prompt(table: Table, row: int, template: str, mapping: Mapping[str, str]) -> str:
    """The prompt of one row, from 0."""
    values = dict(zip(table.headers, table.rows[row], strict=True))
    return render(template, {name: values[header] for name, header in mapping.items() if header in values})


def _decoded(data: bytes) -> str:
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BatchFileError(
            [f"Line {line} is not UTF-8. Save the file with the encoding UTF-8 (in Excel: “CSV UTF-8”)."]
        ) from None


def _csv(text: str) -> Table:
    faults: list[str] = []
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    headers: tuple[str, ...] = ()
    for line, values in _records(text, faults):
        if not headers:
            headers = tuple(value.strip() for value in values)
            if named := _header_faults(headers):
                raise BatchFileError(named)
        elif len(values) == len(headers):
            rows.append(tuple(values))
            lines.append(line)
        else:
            faults.append(f"Line {line} has {_count(len(values), 'value')}, the header {len(headers)}.")
    _refuse(faults)
    return Table(headers, tuple(rows), lines=tuple(lines))


def _records(text: str, faults: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line it begins in; a broken one ends them with a fault."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    line = 1
    try:
        for values in reader:
            if any(value.strip() for value in values):
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        if "end of data" in str(error):
            faults.append(f"The quoted value that begins in the row of line {line} is never closed.")
        else:
            faults.append(f"Line {line}: a quotation mark inside a quoted value must be doubled ({error}).")


def _delimiter(text: str) -> str:
    """What separates the names of the columns most often, outside of quotes."""
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n")).split("\n", 1)[0]
    best = max(_DELIMITERS, key=header.count)
    return best if best in header else _NO_DELIMITER


def _header_faults(headers: Sequence[str]) -> list[str]:
    faults = [
        f"Column {n} has no name in the first row." for n, header in enumerate(headers, 1) if not header
    ]
    twice = sorted({header for header in headers if header and headers.count(header) > 1})
    return faults + [f"The first row names two columns “{header}”." for header in twice]


def _jsonl(text: str) -> Table:
    faults: list[str] = []
    objects: list[dict[str, str]] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            objects.append(_object(line))
            lines.append(number)
        except BatchFileError as error:
            faults.append(f"Line {number} {error}")
    _refuse(faults)
    headers = tuple(dict.fromkeys(name for row in objects for name in row))
    if named := _header_faults(headers):
        raise BatchFileError(named)
    lacking = [(header, sum(header not in row for row in objects)) for header in headers]
    notes = tuple(
        f"“{header}” is missing in {_count(count, 'line')}: it is empty there."
        for header, count in lacking
        if count
    )
    rows = tuple(tuple(row.get(header, "") for header in headers) for row in objects)
    return Table(headers, rows, notes, tuple(lines))


def _object(line: str) -> dict[str, str]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise BatchFileError([f"is not valid JSON: {error.msg} at column {error.colno}."]) from None
    except RecursionError:
        raise BatchFileError(["is nested too deeply."]) from None
    if not isinstance(value, dict) or not value:
        raise BatchFileError(["is JSON, but not an object with members: each line is one row in braces."])
    texts = {name.strip(): _text(member) for name, member in value.items()}
    if any("\0" in text for pair in texts.items() for text in pair):
        raise BatchFileError(["holds a null character (\\u0000)."])
    try:
        "".join([*texts, *texts.values()]).encode()
    except UnicodeEncodeError:
        raise BatchFileError(["holds half a character: one \\ud… escape without its other half."]) from None
    return texts


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refuse(faults: list[str]) -> None:
    if len(faults) > SHOWN_FAULTS:
        rest = len(faults) - SHOWN_FAULTS
        faults = [*faults[:SHOWN_FAULTS], f"{_count(rest, 'more line')} cannot be read either."]
    if faults:
        raise BatchFileError(faults)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
