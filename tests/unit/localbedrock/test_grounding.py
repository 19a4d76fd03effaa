"""An answer is grounded when the sources say it, and relevant when it is about what was asked."""

from __future__ import annotations

import time

import pytest

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.grounding import assess, grounding, relevance

SOURCES = [
    (
        "Orders can be returned within 30 days of delivery. The item must be unused and in its original box. "
        "Refunds are paid to the original payment method within 5 business days."
    ),
    (
        "The Aurora lamp has a 9 W LED with 806 lumens. Its battery lasts 14 hours. It was designed in Oslo "
        "by Ingrid Berg."
    ),
]
QUERY = "How long can I return an order?"
ANSWER = "Orders can be returned within 30 days of delivery."
THRESHOLD = 0.7


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.mark.parametrize(
    "answer",
    [
        "You can return an order within 30 days of delivery.",
        "Orders can be sent back within thirty days.",
        "Refunds arrive within 5 business days on your original payment method.",
        "The Aurora lamp's battery lasts for 14 hours.",
        "Sure! The item has to be unused. I hope this helps.",
        "It was designed by Ingrid Berg in Oslo.",
    ],
)
def test_what_a_source_says_is_grounded(answer: str, embedder: Embedder) -> None:
    assert grounding(answer, SOURCES, embedder) >= THRESHOLD


@pytest.mark.parametrize(
    "answer",
    [
        "Orders can be returned within 60 days of delivery.",
        "Refunds are paid in cash by the store manager.",
        "The lamp was designed in Paris by Ingrid Berg.",
        "The battery does not last 14 hours.",
        "The lamp is waterproof.",
        "Tokyo is the capital of Japan.",
        "Orders can be returned within 30 days of delivery. Return shipping is free worldwide.",
    ],
    ids=["number", "invented", "name", "denied", "short", "elsewhere", "weakest"],
)
def test_what_no_source_says_is_not(answer: str, embedder: Embedder) -> None:
    assert grounding(answer, SOURCES, embedder) < THRESHOLD


def test_the_weakest_sentence_counts(embedder: Embedder) -> None:
    bad = "Return shipping is free worldwide."
    assert grounding(f"{ANSWER} {bad}", SOURCES, embedder) == grounding(bad, SOURCES, embedder)


@pytest.mark.parametrize(
    ("query", "answer", "relevant"),
    [
        (QUERY, ANSWER, True),
        ("How long does the battery last?", "It lasts 14 hours.", True),
        (QUERY, "Tokyo is the capital of Japan.", False),
        ("How long does the battery last?", "Refunds are paid within 5 days.", False),
        ("Is the lamp waterproof?", "Our shop opens at nine.", False),
        (QUERY, "", False),
    ],
)
def test_an_answer_is_relevant_to_what_was_asked(
    query: str, answer: str, relevant: bool, embedder: Embedder
) -> None:
    assert (relevance(answer, query, embedder) >= 0.5) is relevant


def test_scores_stand_beside_their_thresholds(embedder: Embedder) -> None:
    policy = {"filters": [{"type": "GROUNDING", "threshold": 0.7}, {"type": "RELEVANCE", "threshold": 0.5}]}
    answer = "Orders can be returned within 60 days of delivery."
    grounded, relevant = (each.item for each in assess(policy, answer, SOURCES, QUERY, embedder))
    assert grounded == {
        "type": "GROUNDING",
        "threshold": 0.7,
        "score": grounded["score"],
        "action": "BLOCKED",
        "detected": True,
    }
    assert 0 < grounded["score"] < 0.7
    assert grounded["score"] == round(grounded["score"], 2)
    assert (relevant["action"], relevant["detected"]) == ("NONE", False)


def test_only_what_is_enabled_and_can_be_compared_is_answered(embedder: Embedder) -> None:
    both = [{"type": "GROUNDING", "threshold": 0.7}, {"type": "RELEVANCE", "threshold": 0.5}]
    off = {"filters": [each | {"enabled": False} for each in both]}
    assert assess(off, ANSWER, SOURCES, QUERY, embedder) == []
    assert [each.item["type"] for each in assess({"filters": both}, ANSWER, [], QUERY, embedder)] == [
        "RELEVANCE"
    ]
    assert [each.item["type"] for each in assess({"filters": both}, ANSWER, SOURCES, "", embedder)] == [
        "GROUNDING"
    ]
    told = {"filters": [both[0] | {"action": "NONE", "threshold": 0.99}]}
    (found,) = assess(told, "The lamp is waterproof.", SOURCES, QUERY, embedder)
    assert (found.action, found.item["detected"]) == ("NONE", True)


@pytest.mark.parametrize("source", ["." * 100_000, "The box is red. " * 6_000], ids=["signs", "sentences"])
def test_a_long_source_is_read_quickly(source: str, embedder: Embedder) -> None:
    began = time.process_time()
    grounding(ANSWER, [source], embedder)
    assert time.process_time() - began < 5
