"""The cases of a suite: a text, and what should become of it; from files, tables and the library."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import count
from pathlib import Path

from services import batch_files, settings
from services.batch_files import BatchFileError
from services.csv_cells import MARK, active, inert
from services.guardrail_results import TextSource
from services.guardrail_suites.names import Expected, expected_of, policy_of, source_of
from services.run_store import storable

MOST_CASES = batch_files.MAX_ROWS
LONGEST_TEXT = 100_000

SAMPLES = settings.ROOT / "localbedrock" / "samples"
LIBRARY = {
    "attack_library.csv": "Attacks and benign look-alikes",
    "guardrail_cases.csv": "Labelled cases of all policies",
}
"""The files of the samples that a suite may begin with."""

_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "case_id", "case", "name", "#"),
    "text": ("text", "prompt", "input", "content", "message", "answer"),
    "source": ("source", "side", "direction"),
    "expected": ("expected", "expected_outcome", "expected_action", "outcome", "label", "action"),
    "policy": ("policy", "expected_policy", "category"),
    "item": ("item", "expected_item", "type", "kind", "group"),
    "grounding_source": ("grounding_source", "grounding source", "context", "reference"),
    "query": ("query", "question"),
    "note": ("note", "notes", "comment", "description"),
}
COLUMNS = tuple(_NAMES)


@dataclass(frozen=True)
class Case:
    """A text and what should become of it.

    `policy` is the policy that should act, by AWS's name of it ("topicPolicy"), "" where any may; of a text
    that should pass, the one that it may mislead. `item` and `note` are for people.
    With a `grounding_source` and a `query` the text is an answer that rests on them.
    """

    id: str
    text: str
    source: TextSource
    expected: Expected
    policy: str = ""
    item: str = ""
    grounding_source: str = ""
    query: str = ""
    note: str = ""

    @cached_property
    def key(self) -> str:
        """The same for what is the same to a guardrail: by it results of different runs are compared."""
        parts = json.dumps([self.source, self.text, self.grounding_source, self.query])
        return hashlib.sha256(parts.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Read:
    """The cases that can be checked, and a sentence for each row that cannot."""

    cases: tuple[Case, ...]
    faults: tuple[str, ...] = ()


def read(data: bytes, name: str = "") -> Read:
    """The cases in a CSV or JSONL file (see `batch_files.read`), its bad lines named.

    Columns are found by their names: a text (`text`, `prompt` ...) and what is expected (`expected`, `label`
    ...) must be there. Raises BatchFileError where the file as a whole cannot be used.
    """
    table = batch_files.read(data, name)
    places = {key: table.column(names) for key, names in _NAMES.items()}
    missing = [
        f"There is no column “{key}”; the file has {', '.join(f'“{header}”' for header in table.headers)}."
        for key in ("text", "expected")
        if places[key] is None
    ]
    if missing:
        raise BatchFileError(missing)
    rows = [
        {key: active(row[place]) if place is not None else "" for key, place in places.items()}
        for row in table.rows
    ]
    return cases_of(rows, [f"Line {line}" for line in table.lines])


def cases_of(rows: Iterable[Mapping[str, str]], places: Sequence[str] = ()) -> Read:
    """The cases in rows with COLUMNS; blank rows are left out. `places` names the rows in sentences.

    A row without an id gets its number, or the next one that is free.
    """
    table = [{key: storable(str(row.get(key) or "")).strip() for key in COLUMNS} for row in rows]
    taken = {row["id"] for row in table}
    cases: list[Case] = []
    faults: list[str] = []
    seen: dict[str, str] = {}
    for number, row in enumerate(table):
        if not any(row.values()):
            continue
        place = places[number] if places else f"Row {number + 1}"
        if not row["id"]:
            row["id"] = next(str(n) for n in count(number + 1) if str(n) not in taken)
            taken.add(row["id"])
        case = _case(row)
        fault = case if isinstance(case, str) else _twice(case, seen)
        if fault or isinstance(case, str):
            faults.append(f"{place} {fault}")
            continue
        seen[case.key] = seen[f"id {case.id}"] = place
        cases.append(case)
    if len(cases) > MOST_CASES:
        faults.append(f"Only the first {MOST_CASES:,} cases are taken.")
    return Read(tuple(cases[:MOST_CASES]), tuple(faults))


def rows_of(cases: Iterable[Case]) -> list[dict[str, str]]:
    """The cases as rows that `cases_of` reads."""
    return [asdict(case) for case in cases]


def csv_text(cases: Sequence[Case]) -> str:
    """The cases as a CSV file that `read` reads; what looks like a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([inert(value) for value in asdict(case).values()] for case in cases)
    return MARK + out.getvalue()


def to_json(cases: Sequence[Case]) -> str:
    """The cases as JSON, for the database."""
    return json.dumps([list(asdict(case).values()) for case in cases])


def from_json(text: str) -> tuple[Case, ...]:
    """The cases that `to_json` wrote."""
    names = [each.name for each in fields(Case)]
    return tuple(Case(**dict(zip(names, values, strict=True))) for values in json.loads(text))


def library() -> dict[str, Path]:
    """The sample files that are there: path by the words of the button."""
    found = {words: SAMPLES / name for name, words in LIBRARY.items()}
    return {words: path for words, path in found.items() if path.exists()}


def _twice(case: Case, seen: Mapping[str, str]) -> str:
    """Why a case stands in the suite already, as the end of a sentence; "" where it does not."""
    if earlier := seen.get(case.key):
        return f"checks the same text as {earlier.lower()}."
    if earlier := seen.get(f"id {case.id}"):
        return f"has the same id “{case.id[:40]}” as {earlier.lower()}."
    return ""


def _case(texts: Mapping[str, str]) -> Case | str:
    """The case of a row, or what is wrong with it as the end of a sentence."""
    expected, policy = expected_of(texts["expected"]), policy_of(texts["policy"])
    grounded = bool(texts["grounding_source"])
    source = source_of(texts["source"]) if texts["source"] else ("OUTPUT" if grounded else "INPUT")
    if not texts["text"]:
        return "has no text."
    if len(texts["text"]) > LONGEST_TEXT:
        return f"has a text of {len(texts['text']):,} characters; up to {LONGEST_TEXT:,} are taken."
    if expected is None:
        said = f"“{texts['expected'][:40]}”" if texts["expected"] else "nothing"
        return f"expects {said}: write blocked, masked or passed."
    if policy is None:
        return f"names the policy “{texts['policy'][:40]}”: write topic, content, word, pii or grounding."
    if source is None:
        return f"has the source “{texts['source'][:40]}”: write INPUT or OUTPUT."
    if grounded != bool(texts["query"]):
        return "needs both a grounding source and a query, or neither."
    return Case(
        texts["id"],
        texts["text"],
        source,
        expected,
        policy,
        texts["item"],
        texts["grounding_source"],
        texts["query"],
        texts["note"],
    )
