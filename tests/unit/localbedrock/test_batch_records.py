"""The files of batch jobs: every bad line is named, every good one keeps its input, sums are AWS's."""

from __future__ import annotations

import json

import pytest

from localbedrock.batch import records
from localbedrock.batch.records import Counts, InputError, Record
from localbedrock.errors import validation
from localbedrock.s3 import Place

GOOD = b'{"recordId": "a", "modelInput": {"x": 1}}'


def test_lines_are_read_in_order_with_ids_for_those_that_have_none() -> None:
    content = b"\xef\xbb\xbf" + GOOD + b'\r\n\n{"modelInput": {}}\n'
    first, second = records.read([("f.jsonl", content)])["f.jsonl"]
    assert first == Record("a", {"x": 1})
    assert second.record_id
    assert second.record_id != "a"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"recordId": "b"}', "no modelInput"),
        (b'{"recordId": "b", "modelInput": "x"}', "no modelInput"),
        (b'{"recordId": 7, "modelInput": {}}', "recordId"),
        (GOOD, "repeats"),
    ],
)
def test_a_bad_line_is_named(line: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        records.read([("f.jsonl", GOOD + b"\n" + line)])
    assert "ine 2 of f.jsonl" in str(caught.value)


def test_ids_are_unique_over_all_files_and_text_is_utf_8() -> None:
    with pytest.raises(InputError, match="repeats"):
        records.read([("f.jsonl", GOOD), ("g.jsonl", GOOD)])
    with pytest.raises(InputError, match="UTF-8"):
        records.read([("f.jsonl", b"\xff\xfe")])


def test_an_output_line_holds_the_input_and_the_outcome() -> None:
    record = Record("é", {"text": "\ud800"})
    line = records.answered(record, {"a": 1})
    assert json.loads(line.encode()) == {
        "recordId": "é",
        "modelInput": {"text": "\ud800"},
        "modelOutput": {"a": 1},
    }
    error = json.loads(records.failed(record, validation("no")))["error"]
    assert error == {"errorCode": 400, "errorMessage": "no"}


def test_the_manifest_counts_tokens_and_the_job_does_not() -> None:
    counts = Counts(3, 2, 1, 1, 10, 20)
    assert json.loads(counts.manifest()) == {
        "totalRecordCount": 3,
        "processedRecordCount": 2,
        "successRecordCount": 1,
        "errorRecordCount": 1,
        "inputTokenCount": 10,
        "outputTokenCount": 20,
    }
    assert list(counts.of_job()) == [
        "totalRecordCount",
        "processedRecordCount",
        "successRecordCount",
        "errorRecordCount",
    ]


def test_places_join_without_double_slashes() -> None:
    assert str(Place.of("s3://b/out/").under("job").under("f")) == "s3://b/out/job/f"
    assert str(Place.of("s3://b").under("job")) == "s3://b/job"
