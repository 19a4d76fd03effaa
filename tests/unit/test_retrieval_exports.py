"""Retrieved passages taken along, and the words of a question found and marked in them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from components.marked_text import markdown_of
from services.citations import results_of
from services.question_words import places, words_of
from services.retrieval_exports import COLUMNS, csv_text, json_text
from tests.unit.rag import reference

RESULTS = [
    reference('Line 1\nLine "2", 日本', "s3://b/a.md", team="sales", page=3) | {"score": 0.5},
    reference("=cmd|' /C calc'!A0", "s3://b/=x.md"),
]


def test_the_csv_reads_back() -> None:
    text = csv_text(results_of(RESULTS))
    assert text.startswith("\ufeff")
    first, second = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert tuple(first) == COLUMNS
    assert (first["rank"], first["score"], first["page"], first["type"]) == ("1", "0.5", "3", "S3")
    assert first["text"] == 'Line 1\nLine "2", 日本'
    assert json.loads(first["metadata"]) == {"team": "sales", "page": 3}
    assert (second["score"], second["page"]) == ("", "")


def test_no_cell_of_a_document_is_a_formula() -> None:
    (_, row) = csv.DictReader(io.StringIO(csv_text(results_of(RESULTS))))
    assert row["text"].startswith("'=cmd")
    assert row["source"] == "'=x.md"


def test_the_json_is_what_aws_sent() -> None:
    assert json.loads(json_text(results_of(RESULTS))) == {"retrievalResults": RESULTS}


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is the refund policy?", {"refund", "policy"}),
        ("Which model has 5 GPUs?", {"model", "gpus", "5"}),
        ("", set()),
        ("the and for", set()),
        ("¿Qué es Zürich?", {"qué", "zürich"}),
        ("(.*) [a-z]+ \\", set()),
    ],
)
def test_the_words_that_say_something(question: str, words: set[str]) -> None:
    assert words_of(question) == words


def test_words_are_found_whole_and_in_both_numbers() -> None:
    text = "Refunds: a refund is not a refunding. POLICY."
    found = [text[start:end] for start, end in places(text, words_of("What refund policies, policy?"))]
    assert found == ["Refunds", "refund", "POLICY"]
    assert places(text, frozenset()) == []


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("plain", "plain"),
        ("a\nb", "a  \nb"),
        ("a\n    b", "a  \n\u00a0\u00a0\u00a0\u00a0b"),
        ("# Title", "\\# Title"),
        ("Title\n====", "Title  \n\\=\\=\\=\\="),
        ("<script>&lt;", "\\<script\\>\\&lt;"),
        ("![x](http://e)", "\\!\\[x\\]\\(http\\:\\/\\/e\\)".replace("\\/", "/")),
        (":red[x] $y$", "\\:red\\[x\\] \\$y\\$"),
        ("", ""),
    ],
)
def test_a_passage_is_drawn_as_it_stands(text: str, markdown: str) -> None:
    assert markdown_of(text, []) == markdown


def test_a_mark_cannot_be_closed_by_the_text_in_it() -> None:
    assert markdown_of("a ] b", [(2, 3)]) == "a :orange-background[\\]] b"
