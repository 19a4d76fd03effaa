"""The files of a batch inference job: records in, answers and the manifest out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from localbedrock.errors import AwsError


class InputError(Exception):
    """The input is not what a job can work on; the text says where and why."""


@dataclass(frozen=True)
class Record:
    """One line of the input; ``record_id`` is the caller's, or one that was made where there was none."""

    record_id: str
    model_input: dict[str, Any]


@dataclass
class Counts:
    """The sums of the manifest; the first four are also those of GetModelInvocationJob."""

    totalRecordCount: int = 0  # noqa: N815 - AWS's names
    processedRecordCount: int = 0  # noqa: N815
    successRecordCount: int = 0  # noqa: N815
    errorRecordCount: int = 0  # noqa: N815
    inputTokenCount: int = 0  # noqa: N815
    outputTokenCount: int = 0  # noqa: N815

    def manifest(self) -> bytes:
        """``manifest.json.out``."""
        return json.dumps(asdict(self)).encode()

    def of_job(self) -> dict[str, int]:
        """What GetModelInvocationJob says of them."""
        return {name: value for name, value in asdict(self).items() if name.endswith("RecordCount")}


def read(files: Iterable[tuple[str, bytes]]) -> dict[str, list[Record]]:
    """The records of all files, by file name; InputError for the first line that is none."""
    seen: set[str] = set()
    return {name: list(_records(name, content, seen)) for name, content in files}


def answered(record: Record, model_output: Any) -> str:
    """The output line of a record that was answered."""
    return _line(record, {"modelOutput": model_output})


def failed(record: Record, error: AwsError) -> str:
    """The output line of a record that was refused."""
    return _line(record, {"error": {"errorCode": error.status, "errorMessage": error.message}})


def _records(name: str, content: bytes, seen: set[str]) -> Iterator[Record]:
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"The file {name} is not UTF-8 text.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = _record(line, f"Line {number} of {name}", len(seen))
        if record.record_id in seen:
            raise InputError(
                f"Line {number} of {name} repeats the recordId {record.record_id[:100]!r}: "
                "every record needs its own."
            )
        seen.add(record.record_id)
        yield record


def _record(line: str, where: str, place: int) -> Record:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise InputError(f"{where} is not valid JSON.") from None
    if not isinstance(document, dict):
        raise InputError(f"{where} is not a JSON object.")
    record_id = document.get("recordId", f"CRID{place:07d}")
    if not isinstance(record_id, str) or not record_id:
        raise InputError(f"{where} has a recordId that is not a text.")
    model_input = document.get("modelInput")
    if not isinstance(model_input, dict):
        raise InputError(f"{where} has no modelInput, or one that is not a JSON object.")
    return Record(record_id, model_input)


def _line(record: Record, outcome: dict[str, Any]) -> str:
    head = {"recordId": record.record_id, "modelInput": record.model_input}
    return json.dumps(head | outcome, separators=(",", ":"))  # in ASCII: a lone surrogate must not break it
