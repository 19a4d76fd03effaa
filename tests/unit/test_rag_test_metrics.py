"""The figures of a test set, against values worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.citations import results_of
from services.rag_settings import RagSettings, RetrievalSettings
from services.rag_test_metrics import (
    Outcome,
    Result,
    by_kind,
    compare,
    depth_of,
    depths,
    measure,
    misses_first,
    outcome_of,
)
from services.rag_test_set import Question


def outcome(name: str, *ranks: int | None, kind: str = "", problem: str = "") -> Outcome:
    expected = tuple(f"{name}{n}.md" for n in range(len(ranks)))
    return Outcome(Question(name, expected, kind=kind), ranks, problem=problem)


FOUR = [outcome("first", 1), outcome("third", 3), outcome("two", 2, 6), outcome("none", None)]


def test_hit_rate_mrr_and_recall() -> None:
    found = measure(FOUR, (1, 3, 5, 10))
    assert found.questions == 4
    assert found.hit_rate == {1: 0.25, 3: 0.75, 5: 0.75, 10: 0.75}
    assert found.mrr == pytest.approx((1 + 1 / 3 + 1 / 2 + 0) / 4)
    # "two" has one of its two sources among the first 3 and 5, both among the first 10.
    assert found.recall == {1: 0.25, 3: 0.625, 5: 0.625, 10: 0.75}


def test_a_failed_call_is_no_miss_and_nothing_is_no_error() -> None:
    with_failure = [*FOUR, outcome("broken", None, problem="Throttled")]
    assert measure(with_failure, (1, 3)) == measure(FOUR, (1, 3))
    nothing = measure([], (1,))
    assert (nothing.questions, nothing.mrr, nothing.hit_rate) == (0, 0.0, {1: 0.0})


def test_figures_by_kind() -> None:
    outcomes = [outcome("a", 1, kind="plain"), outcome("b", None, kind="keyword"), outcome("c", 2)]
    found = by_kind(outcomes, (1,))
    assert list(found) == ["keyword", "plain"]
    assert (found["plain"].mrr, found["keyword"].mrr) == (1.0, 0.0)


def test_the_rank_of_a_source_is_that_of_its_first_passage() -> None:
    uris = ["s3://b/x.md", "s3://b/a.md", "s3://b/a.md", "s3://b/c.md"]
    results = results_of(
        {"content": {"text": "one\n two " * 100}, "location": {"type": "S3", "s3Location": {"uri": uri}}}
        for uri in uris
    )
    found = outcome_of(Question("q", ("c.md", "a.md", "gone.md")), results)
    assert found.ranks == (4, 2, None)
    assert found.rank == 2
    assert [each.title for each in found.found] == ["x.md", "a.md", "a.md", "c.md"]
    assert found.found[0].text.startswith("one two one")
    assert len(found.found[0].text) == 201


@pytest.mark.parametrize(
    ("settings", "depth", "steps"),
    [
        (RetrievalSettings(), 5, (1, 3, 5)),
        (RetrievalSettings(10), 10, (1, 3, 5, 10)),
        (RetrievalSettings(1), 1, (1,)),
        (RetrievalSettings(7), 7, (1, 3, 5, 7)),
        (RetrievalSettings(50), 50, (1, 3, 5, 10, 50)),
        (RetrievalSettings(20, reranker="r", reranked_results=4), 4, (1, 3, 4)),
        (RetrievalSettings(3, reranker="r", reranked_results=10), 3, (1, 3)),
        (RetrievalSettings(20, reranked_results=4), 20, (1, 3, 5, 10, 20)),
    ],
)
def test_k_goes_as_far_as_results_come(
    settings: RetrievalSettings, depth: int, steps: tuple[int, ...]
) -> None:
    assert depth_of(settings) == depth
    assert depths(depth) == steps


def test_trouble_first_then_misses_then_the_lowest_ranks() -> None:
    broken = outcome("broken", None, problem="No")
    assert [each.question.question for each in misses_first([*FOUR, broken])] == [
        "broken", "none", "third", "two", "first",
    ]  # fmt: skip


def test_two_results_show_which_questions_flip() -> None:
    before = [
        outcome("lost", 1),
        outcome("won", 7),
        outcome("up", 3),
        outcome("down", 1),
        outcome("same", None),
    ]
    after = [
        outcome("same", None),
        outcome("down", 2),
        outcome("up", 1),
        outcome("won", 2),
        outcome("lost", 9),
    ]
    ignored = [outcome("new", 1), outcome("failed", None, problem="No")]
    flips = compare(result([*before, outcome("failed", 1)]), result([*after, *ignored]), 5)
    assert [(flip.question.question, flip.change, flip.before, flip.after) for flip in flips] == [
        ("lost", "lost", 1, 9),
        ("won", "won", 7, 2),
        ("down", "lower", 1, 2),
        ("up", "higher", 3, 1),
        ("same", "same", None, None),
    ]


def test_a_question_whose_sources_were_edited_is_another_question() -> None:
    assert compare(result([outcome("a", 1)]), result([outcome("a", 1, 2)]), 5) == []


def result(outcomes: list[Outcome]) -> Result:
    now = datetime.now(UTC)
    return Result("id", "set", "label", now, RagSettings("KB"), tuple(outcomes), len(outcomes))
