"""The index of a knowledge base: what semantic and hybrid search find, filters, deletion, a kill."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from localbedrock.embeddings import Embedder
from localbedrock.knowledge.index import Index, Indexes, Row
from localbedrock.words import words_of

TEXTS = {
    "lamp": "The desk lamp TX-200 gives warm light and turns off by itself.",
    "error": "Error E-1042 means that the water tank is missing.",
    "other": "Error E-2042 means that the filter is full.",
    "refund": "You get your money back within thirty days of the purchase.",
    "person": "Ask Marguerite Oyelaran in the warehouse about pallets.",
}


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def a_row(name: str, text: str, vector: Sequence[float], **metadata: Any) -> Row:
    return Row(
        chunk_id=name,
        document_id=f"{name}.txt",
        data_source_id="SOURCE0001",
        text=text,
        parent="",
        page=None,
        location={"type": "S3", "s3Location": {"uri": f"s3://docs/{name}.txt"}},
        metadata=metadata,
        vector=vector,
    )


@pytest.fixture
def index(tmp_path: Path, embedder: Embedder) -> Index:
    index = Indexes(tmp_path).of("KB00000001")
    embedded = embedder.embed(list(TEXTS.values()))
    index.add(
        [
            a_row(name, text, found.vector, length=len(text))
            for (name, text), found in zip(TEXTS.items(), embedded, strict=True)
        ]
    )
    return index


def names(index: Index, embedder: Embedder, query: str, **options: Any) -> list[str]:
    vector = embedder.embed([query])[0].vector
    options = {"hybrid": True, "limit": 5} | options
    return [hit.row.chunk_id for hit in index.search(vector, query, **options)]


def test_an_index_that_was_never_filled_finds_nothing_and_makes_no_file(tmp_path: Path) -> None:
    index = Indexes(tmp_path / "knowledge").of("KB00000001")
    index.delete_data_source("SOURCE0001")
    index.optimize()
    assert index.search([0.0] * 256, "anything", hybrid=True, limit=5) == []
    assert not (tmp_path / "knowledge").exists()


@pytest.mark.parametrize(
    ("query", "expected"),
    [("E-1042", "error"), ("what is error e-2042?", "other"), ("TX-200", "lamp"), ("Oyelaran", "person")],
)
def test_hybrid_search_finds_codes_and_names(
    index: Index, embedder: Embedder, query: str, expected: str
) -> None:
    assert names(index, embedder, query)[0] == expected


def test_words_lift_a_score_and_leave_the_others_as_they_are(index: Index, embedder: Embedder) -> None:
    vector = embedder.embed(["money E-1042"])[0].vector
    semantic, hybrid = (
        {hit.row.chunk_id: hit.score for hit in index.search(vector, "money E-1042", hybrid=hybrid, limit=5)}
        for hybrid in (False, True)
    )
    assert {name for name in TEXTS if hybrid[name] > semantic[name] + 0.01} >= {"error", "refund"}
    assert hybrid["person"] == semantic["person"]
    for scores in (semantic, hybrid):
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        assert all(0 <= score <= 1 for score in scores.values())


def test_a_semantic_score_is_the_cosine_between_0_and_1(index: Index, embedder: Embedder) -> None:
    vector = embedder.embed([TEXTS["refund"]])[0].vector
    best = index.search(vector, "", hybrid=False, limit=1)[0]
    assert best.row.chunk_id == "refund"
    assert best.score == pytest.approx(1, abs=1e-5)


def test_a_hit_has_the_whole_row(index: Index, embedder: Embedder) -> None:
    vector = embedder.embed(["pallets"])[0].vector
    row = index.search(vector, "pallets", hybrid=True, limit=1)[0].row
    assert row == a_row("person", TEXTS["person"], (), length=len(TEXTS["person"]))


def test_a_filter_holds_before_the_limit(index: Index, embedder: Embedder) -> None:
    best, *_ = names(index, embedder, "E-1042", limit=1)
    found = names(index, embedder, "E-1042", limit=1, allow=lambda row: row.chunk_id != best)
    assert len(found) == 1
    assert found != [best]
    assert names(index, embedder, "E-1042", allow=lambda row: row.metadata["length"] < 0) == []


def test_new_chunks_are_found_by_their_words_before_and_after_optimize(
    index: Index, embedder: Embedder
) -> None:
    text = "Part number QX-77/b is out of stock."
    index.add([a_row("part", text, embedder.embed([text])[0].vector)])
    assert names(index, embedder, "QX-77/b")[0] == "part"
    index.optimize()
    assert names(index, embedder, "QX-77/b")[0] == "part"


@pytest.mark.parametrize("query", ["", "the of", "???", "it's \"quoted\" AND (broken~1 OR *) ' ;--"])
def test_any_text_is_a_query(index: Index, embedder: Embedder, query: str) -> None:
    assert len(names(index, embedder, query)) == 5


def test_deleted_documents_are_gone(index: Index, embedder: Embedder) -> None:
    index.delete_documents("OTHER00001", ["error.txt"])
    index.delete_documents("SOURCE0001", [])
    assert index.count() == 5
    index.delete_documents("SOURCE0001", ["error.txt", "it's not there.txt"])
    assert "error" not in names(index, embedder, "E-1042")
    index.delete_data_source("SOURCE0001")
    assert index.count() == 0
    assert names(index, embedder, "E-1042") == []


def test_what_was_added_is_there_after_a_restart(tmp_path: Path, index: Index, embedder: Embedder) -> None:
    assert names(Indexes(tmp_path).of("KB00000001"), embedder, "TX-200")[0] == "lamp"


def test_a_table_that_a_killed_process_left_half_made_opens(tmp_path: Path, embedder: Embedder) -> None:
    data = tmp_path / "KB00000001" / "chunks.lance" / "data"
    data.mkdir(parents=True)
    (data / "half.lance").write_bytes(b"half")
    index = Indexes(tmp_path).of("KB00000001")
    assert names(index, embedder, "TX-200") == []
    index.add([a_row("lamp", TEXTS["lamp"], embedder.embed([TEXTS["lamp"]])[0].vector)])
    assert names(index, embedder, "TX-200") == ["lamp"]


def test_a_dropped_index_is_gone_from_disk_and_stays_gone_for_who_still_holds_it(
    tmp_path: Path, index: Index, embedder: Embedder
) -> None:
    indexes = Indexes(tmp_path)
    held = indexes.of("KB00000001")
    indexes.drop("KB00000001")
    indexes.drop("KB00000001")
    held.add([a_row("lamp", "late", [0.0] * 256)])
    assert names(held, embedder, "TX-200") == []
    assert not (tmp_path / "KB00000001").exists()


def test_the_first_vector_says_the_size_and_none_need_have_length_1(tmp_path: Path) -> None:
    index = Indexes(tmp_path).of("KB00000001")
    index.add([a_row("one", "a text", [0.6, 0.8, 0.0])])
    assert index.search([6.0, 8.0, 0.0], "", hybrid=False, limit=1)[0].score == pytest.approx(1)
    with pytest.raises(ValueError, match="vectors of 3 numbers: this one has 2"):
        index.search([0.6, 0.8], "", hybrid=False, limit=1)
    with pytest.raises(ValueError, match="vectors of 3 numbers: this one has 4"):
        index.add([a_row("two", "a text", [0.5] * 4)])


def test_threads_may_add_and_search_at_once(tmp_path: Path) -> None:
    index = Indexes(tmp_path).of("KB00000001")

    def work(number: int) -> None:
        for step in range(5):
            index.add([a_row(f"{number}-{step}", f"word{number}", [1.0, 0.0])])
            index.search([1.0, 0.0], f"word{number}", hybrid=True, limit=3)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert index.count() == 20


def test_a_compound_is_a_word_and_its_parts() -> None:
    assert words_of("Error E-1042, v1.2!") == [
        "error",
        "e-1042",
        "e",
        "1042",
        "e1042",
        "v1.2",
        "v1",
        "2",
        "v12",
    ]
    assert words_of("(foo) naïve_case 日本") == [
        "foo",
        "naïve_case",
        "naïve",
        "case",
        "naïvecase",
        "日",
        "本",
    ]
