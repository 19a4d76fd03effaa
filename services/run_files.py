"""Runs as files: one run is JSON, several are JSON Lines, each line what `runs.to_json` writes."""

from __future__ import annotations

import json
from collections.abc import Iterable

from services.run_store import RunStore
from services.runs import Run, RunFormatError, from_json, to_json


def to_lines(runs: Iterable[Run]) -> str:
    """The runs as JSON Lines."""
    return "".join(f"{to_json(run)}\n" for run in runs)


def import_file(store: RunStore, data: bytes, user: str) -> tuple[Run, ...]:
    """Store the runs of an exported file (JSON or JSON Lines) as this user's, private and under new ids.

    All or nothing: RunFormatError, a sentence that names the line, if one of them cannot be read.
    """
    texts = _runs_in(data)
    for line, text in texts:
        try:
            if from_json(text).state == "running":
                raise RunFormatError("This run was not over when it was exported.")
        except RunFormatError as error:
            raise RunFormatError(f"Line {line}: {error}" if len(texts) > 1 else str(error)) from error
    return tuple(store.import_json(text, user) for _, text in texts)


def _runs_in(data: bytes) -> list[tuple[int, str]]:
    """(number of its line, JSON text) of each run."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RunFormatError("This file is not text in UTF-8, as exported runs are.") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise RunFormatError("This file is empty.")
    if len(lines) > 1 and _is_json(text):
        return [(1, text)]
    return lines


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
