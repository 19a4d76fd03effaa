"""The sample documents and the questions about them fit together."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from services import rag_test_set
from services.settings import ROOT

FOLDER = ROOT / "localbedrock" / "samples" / "documents"
SIDECAR = ".metadata.json"
DOCUMENTS = sorted(path for path in FOLDER.iterdir() if not path.name.endswith(SIDECAR))
SIDECARS = sorted(FOLDER.glob(f"*{SIDECAR}"))


def test_every_expected_source_is_a_sample_document() -> None:
    names = {path.name for path in DOCUMENTS}
    expected = {source for question in rag_test_set.sample() for source in question.expected}
    assert expected - names == set()


def test_there_are_enough_questions_of_each_kind() -> None:
    kinds = Counter(question.kind for question in rag_test_set.sample())
    assert set(kinds) == {"keyword", "paraphrase", "plain"}
    assert min(kinds.values()) >= 20
    assert kinds.total() >= 72
    assert all(question.answer for question in rag_test_set.sample())


def test_all_formats_are_there() -> None:
    formats = Counter(path.suffix for path in DOCUMENTS)
    assert set(formats) == {".md", ".txt", ".html", ".csv", ".docx", ".pdf"}
    assert sum(path.stat().st_size for path in DOCUMENTS) < 500_000


@pytest.mark.parametrize("sidecar", SIDECARS, ids=lambda path: path.name)
def test_a_sidecar_belongs_to_a_document_and_is_in_awss_format(sidecar: Path) -> None:
    assert sidecar.with_name(sidecar.name.removesuffix(SIDECAR)) in DOCUMENTS
    document = json.loads(sidecar.read_text("utf-8"))
    assert set(document) == {"metadataAttributes"}
    attributes = document["metadataAttributes"]
    assert set(attributes) == {"product", "year", "audience", "tags"}
    assert isinstance(attributes["year"], int)
    assert all(isinstance(tag, str) for tag in attributes["tags"])
