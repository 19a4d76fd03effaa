"""Test sets of knowledge bases: questions with the sources that should be found, and the files of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import unquote

from services import batch_files, settings
from services.batch_files import BatchFileError
from services.locations import Location
from services.run_store import storable

MOST_QUESTIONS = 2_000
"""One Retrieve call each: a set for looking at, not for load."""
LONGEST_QUESTION = 20_000
SHOWN_FAULTS = 5
SEPARATOR = "|"
SAMPLE = settings.ROOT / "localbedrock" / "samples" / "questions.csv"
"""The questions about the sample documents."""

_QUESTION = ("question", "query", "prompt", "input")
_EXPECTED = (
    "expected_source",
    "expected source",
    "expected_sources",
    "expected",
    "source",
    "sources",
    "uri",
    "file",
)
_ANSWER = ("answer", "expected_answer", "expected answer", "reference_answer")
_KIND = ("kind", "type", "category")
_FILE_NAME = re.compile(r"[^/]*\.[a-z]\w{1,4}")


@dataclass(frozen=True)
class Question:
    """A question and its right sources: file names, URIs or parts of them, of which any answers it.

    `answer` and `kind` are for people and for figures by kind; both may be "".
    """

    question: str
    expected: tuple[str, ...]
    answer: str = ""
    kind: str = ""


@dataclass(frozen=True)
class QuestionSet:
    """Questions under a name of the user's own."""

    name: str
    questions: tuple[Question, ...]


def matches(expected: str, location: Location) -> bool:
    """Whether a passage comes from the expected source. Upper and lower case are the same.

    A file name (an ending, no slash) is compared with the whole name, so that `guide.md` is not found in
    `old-guide.md`; anything else may be any part of the address.
    """
    wanted = expected.strip().casefold()
    if not wanted:
        return False
    if wanted in (location.title.casefold(), location.address.casefold()):
        return True
    if _FILE_NAME.fullmatch(wanted):
        return False
    address = location.address.casefold()
    return wanted in address or wanted in unquote(address)


def read(data: bytes, name: str = "") -> tuple[Question, ...]:
    """The questions in a CSV or JSONL file (see `batch_files.read`). Raises BatchFileError with every fault.

    The columns are found by their names: `question` and `expected_source` must be there, `answer` and `kind`
    may be. Several sources are separated by `|`, or are a list in JSONL.
    """
    table = batch_files.read(data, name)
    columns = {
        "question": table.column(_QUESTION),
        "expected": table.column(_EXPECTED),
        "answer": table.column(_ANSWER),
        "kind": table.column(_KIND),
    }
    missing = [
        f"There is no column “{wanted}”; the file has {', '.join(f'“{header}”' for header in table.headers)}."
        for wanted, key in (("question", "question"), ("expected_source", "expected"))
        if columns[key] is None
    ]
    if missing:
        raise BatchFileError(missing)
    rows = [
        {key: row[place] if place is not None else "" for key, place in columns.items()} for row in table.rows
    ]
    return questions_of(rows)


def questions_of(rows: Iterable[Mapping[str, str]]) -> tuple[Question, ...]:
    """The questions in rows with question, expected, answer and kind, as a file or the editor has them.

    Rows that are blank are left out. Raises BatchFileError: a sentence for each row with a fault.
    """
    questions: list[Question] = []
    faults: list[str] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        texts = {key: storable(str(value or "")).strip() for key, value in row.items()}
        if not any(texts.values()):
            continue
        question, expected = texts.get("question", ""), split(texts.get("expected", ""))
        if fault := _fault(question, expected, seen.get(question)):
            faults.append(f"Row {number} {fault}")
            continue
        seen[question] = number
        questions.append(Question(question, expected, texts.get("answer", ""), texts.get("kind", "")))
    if len(questions) > MOST_QUESTIONS:
        faults.append(f"There are {len(questions):,} questions; a test set takes up to {MOST_QUESTIONS:,}.")
    if not questions and not faults:
        faults.append("There is no question yet.")
    if len(faults) > SHOWN_FAULTS:
        faults = [*faults[:SHOWN_FAULTS], f"{len(faults) - SHOWN_FAULTS:,} more rows cannot be used either."]
    if faults:
        raise BatchFileError(faults)
    return tuple(questions)


def split(text: str) -> tuple[str, ...]:
    """The sources in a cell: separated by `|`, or a JSON list of texts."""
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return tuple(dict.fromkeys(each.strip() for each in found if each.strip()))
    return tuple(dict.fromkeys(part.strip() for part in text.split(SEPARATOR) if part.strip()))


def csv_text(questions: Sequence[Question]) -> str:
    """The questions as a CSV file that `read` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["question", "expected_source", "kind", "answer"])
    writer.writerows([q.question, SEPARATOR.join(q.expected), q.kind, q.answer] for q in questions)
    return text.getvalue()


def sample() -> tuple[Question, ...]:
    """The questions about the sample documents; () where this installation has none."""
    return read(SAMPLE.read_bytes(), SAMPLE.name) if SAMPLE.exists() else ()


def to_json(questions: Sequence[Question]) -> str:
    """The questions as JSON, for the database."""
    return json.dumps([asdict(each) for each in questions])


def from_json(text: str) -> tuple[Question, ...]:
    """The questions that `to_json` wrote."""
    return tuple(
        Question(each["question"], tuple(each["expected"]), each["answer"], each["kind"])
        for each in json.loads(text)
    )


def _fault(question: str, expected: Sequence[str], earlier: int | None) -> str:
    """What is wrong with a row, as the end of a sentence; "" for nothing."""
    if not question:
        return "has no question."
    if not expected:
        return f"names no expected source (“{question[:60]}”)."
    if earlier is not None:
        return f"asks the same as row {earlier}: name both sources in one row, with “{SEPARATOR}” between."
    if len(question) > LONGEST_QUESTION:
        return f"has a question of {len(question):,} characters; Retrieve takes up to {LONGEST_QUESTION:,}."
    return ""
