"""Two retrievals compared: what is shared, what moved, and the sentence for it."""

from __future__ import annotations

import pytest

from services.citations import Source, results_of
from services.retrieval_comparison import compare, compare_answers_sentence
from tests.unit.rag import reference


def found(*names: str, score: float = 0.5) -> tuple[Source, ...]:
    """Passages by name: "a1" is the passage "a1" of the document a."""
    results = [reference(name, f"s3://b/{name[0]}.md") | {"score": score} for name in names]
    return results_of(results)


def test_ranks_move_from_left_to_right() -> None:
    comparison = compare(found("a1", "b1", "c1", "d1"), found("c1", "b1", "e1", "a1", score=0.25))
    rows = [
        (row.source.text, row.left_rank, row.right_rank, row.change, row.places) for row in comparison.rows
    ]
    assert rows == [
        ("c1", 3, 1, "up", 2),
        ("b1", 2, 2, "same", 0),
        ("e1", None, 3, "new", 0),
        ("a1", 1, 4, "down", 3),
        ("d1", 4, None, "gone", 0),
    ]
    assert comparison.common == 3
    assert comparison.overlap == pytest.approx(3 / 5)
    assert [(row.left_score, row.right_score) for row in comparison.rows][2:] == [
        (None, 0.25),
        (0.5, 0.25),
        (0.5, None),
    ]


@pytest.mark.parametrize(
    ("left", "right", "sentence"),
    [
        ((), (), "Neither found a passage."),
        (("a1", "b1"), ("a1", "b1"), "Both found the same 2 passages in the same order."),
        (("a1",), ("a1",), "Both found the same 1 passage in the same order."),
        (
            ("a1", "b1"),
            ("b1", "a1"),
            "Both found the same 2 passages, in another order: 1 further up, 1 further down.",
        ),
        (
            ("a1", "b1"),
            ("a1", "c1"),
            "1 of 3 passages is in both (overlap 33%): 1 in its place, 1 new, 1 gone.",
        ),
        (("a1",), (), "They share no passage."),
        (("a1",), ("a2",), "They share no passage, but passages of 1 document."),
    ],
)
def test_one_sentence_says_it(left: tuple[str, ...], right: tuple[str, ...], sentence: str) -> None:
    assert compare(found(*left), found(*right)).sentence == sentence


def test_a_passage_is_known_by_its_place_and_its_words() -> None:
    """Another order of the metadata, white space or score makes no other passage; another document does."""
    one = results_of([reference("a  b\nc", "s3://b/a", x=1, y=2) | {"score": 0.1}])
    same = results_of([reference("a b c", "s3://b/a", y=2, x=1) | {"score": 0.9}])
    other = results_of([reference("a b c", "s3://b/z")])
    assert compare(one, same).overlap == 1
    assert compare(one, other).overlap == 0
    images = results_of([{"content": {"type": "IMAGE", "byteContent": data}} for data in ("AA", "BB")])
    assert compare(images[:1], images[1:]).common == 0
    assert compare((), ()).overlap is None


def test_a_passage_that_is_there_twice_counts_where_it_comes_first() -> None:
    comparison = compare(found("a1", "a1", "b1"), found("b1", "a1", "a1"))
    assert [(row.source.text, row.left_rank, row.right_rank) for row in comparison.rows] == [
        ("b1", 3, 1),
        ("a1", 1, 2),
    ]


@pytest.mark.parametrize(
    ("left", "right", "sentence"),
    [
        ((), (), "Neither answer cites a source."),
        (("a1",), (), "The first answer alone cites sources."),
        ((), ("a1",), "The second answer alone cites sources."),
        (("a1",), ("a2",), "The answers cite no passage in common, but passages of 1 document."),
        (("a1", "b1"), ("b1", "a1"), "Both answers cite the same 2 passages."),
        (
            ("a1", "b1"),
            ("a1", "c1", "d1"),
            "Both answers cite 1 passage in common (overlap 25%); 1 only the first, 2 only the second.",
        ),
    ],
)
def test_what_two_answers_rest_on(left: tuple[str, ...], right: tuple[str, ...], sentence: str) -> None:
    assert compare_answers_sentence(found(*left), found(*right)) == sentence
