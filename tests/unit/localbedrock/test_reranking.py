"""The local reranker: what is relevant comes first, codes are not confused, every score is from 0 to 1."""

from __future__ import annotations

import pytest

from localbedrock.embeddings import Embedder
from localbedrock.reranking import Reranker


@pytest.fixture(scope="module")
def reranker() -> Reranker:
    return Reranker(Embedder())


@pytest.mark.parametrize(
    ("query", "documents"),
    [
        (
            "What is the capital of France?",
            [
                "Paris is the capital of France.",
                "France is a country in Europe.",
                "Bananas are yellow and sweet.",
            ],
        ),
        (
            "What does E-1042 mean?",
            [
                "The water tank is missing when the display shows E-1042.",
                "What E-1043 means: the filter is full.",
            ],
        ),
        ("E1042", ["See E-1042 in the list.", "See E-1043 in the list."]),
        ("E-1042", ["See E1042 in the list.", "See E1043 in the list, or 1042."]),
        (
            "how do I get my money back",
            ["Refunds are paid within thirty days.", "The lamp gives warm light."],
        ),
        (
            "When are refunds paid?",
            [
                "We make lamps. " * 40 + "Refunds are paid within thirty days. " + "We ship them. " * 40,
                "We make lamps and are glad when you write to us. " * 20,
            ],
        ),
    ],
)
def test_the_relevant_document_has_the_highest_score(
    reranker: Reranker, query: str, documents: list[str]
) -> None:
    for given in (documents, documents[::-1]):
        scores = reranker.scores(query, given)
        ranked = sorted(zip(scores, given, strict=True), reverse=True)
        assert ranked[0][1] == documents[0]


def test_scores_tell_an_answer_from_what_is_beside_the_point(reranker: Reranker) -> None:
    answer, beside = reranker.scores(
        "When are refunds paid?", ["Refunds are paid within thirty days.", "The lamp gives warm light."]
    )
    assert 0 < beside < 0.2 < 0.8 < answer < 1


@pytest.mark.parametrize("query", ["", " ", "???"])
def test_a_query_without_words_finds_nothing_relevant(reranker: Reranker, query: str) -> None:
    assert reranker.scores(query, ["A text.", ""]) == [0, 0]


def test_documents_need_not_have_words(reranker: Reranker) -> None:
    scores = reranker.scores("the lamp", ["", "?!", "\n\n", "42", "日本語", "The lamp."])
    assert all(0 <= score <= 1 for score in scores)
    assert max(scores) == scores[-1]
    assert reranker.scores("the lamp", []) == []
