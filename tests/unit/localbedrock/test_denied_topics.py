"""A denied topic is found by its meaning, also in other words; what is only near it passes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.topics import THRESHOLD, assess, score, shared_words
from tests.unit.localbedrock.topic_cases import CASES, HELD_OUT, ORDINARY, Case

INVESTMENT = CASES[0].topic
ABOUT = "Should I buy shares or invest in a fund?"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.mark.parametrize(
    ("cases", "recall", "false"), [(CASES, 0.65, 0.2), (HELD_OUT, 0.7, 0.3)], ids=["chosen", "held out"]
)
def test_topics_are_told_from_what_is_near(
    cases: tuple[Case, ...], recall: float, false: float, embedder: Embedder
) -> None:
    about = [score(text, case.topic, embedder) >= THRESHOLD for case in cases for text in case.about]
    near = [score(text, case.topic, embedder) >= THRESHOLD for case in cases for text in case.near]
    assert sum(about) / len(about) >= recall
    assert sum(near) / len(near) <= false


def test_ordinary_texts_and_other_topics_pass(embedder: Embedder) -> None:
    far = [
        (case.topic["name"], text)
        for case in CASES
        for text in (*ORDINARY, *(text for other in CASES if other is not case for text in other.about))
        if score(text, case.topic, embedder) >= THRESHOLD
    ]
    assert len(far) <= 2


def test_every_topic_is_answered_in_awss_shape(embedder: Embedder) -> None:
    policy = {"topics": [case.topic for case in CASES[:2]]}
    found = [each.item for each in assess(policy, ABOUT, "INPUT", embedder)]
    assert found == [
        {"name": "Investment advice", "type": "DENY", "action": "BLOCKED", "detected": True},
        {"name": "Medical diagnosis", "type": "DENY", "action": "NONE", "detected": False},
    ]


def test_sides_and_actions_are_the_topics_own(embedder: Embedder) -> None:
    def found(source: Any, **settings: Any) -> list[dict[str, Any]]:
        return [
            dict(each.item) for each in assess({"topics": [INVESTMENT | settings]}, ABOUT, source, embedder)
        ]

    (item,) = found("INPUT", inputAction="NONE", outputAction="BLOCK")
    assert (item["action"], item["detected"]) == ("NONE", True)
    assert found("OUTPUT", inputAction="NONE", outputAction="BLOCK")[0]["action"] == "BLOCKED"
    assert found("OUTPUT", outputEnabled=False) == []


@pytest.mark.parametrize(
    "text",
    [
        ABOUT.upper(),
        "Sh​ould I b​uy sha​res or inv​est in a fu​nd?",
        "Should I buy sh4res or 1nvest in a fund?",
        "The parcel came on Monday. " * 100 + ABOUT + " Thanks for the quick delivery." * 100,
    ],
    ids=["upper", "zero-width", "leet", "long"],
)
def test_a_topic_is_found_in_disguise_and_in_a_long_text(text: str, embedder: Embedder) -> None:
    assert score(text, INVESTMENT, embedder) >= THRESHOLD


def test_words_of_the_whole_guardrail_say_nothing_of_a_topic() -> None:
    topics = [
        {"name": "Repairs", "definition": "How to open or repair a machine."},
        {"name": "Rivals", "definition": "Comparing our machines with others."},
    ]
    assert shared_words(topics) == {"machine"}


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "?!", "1 2 3", "I am."])
def test_a_text_without_content_is_about_nothing(text: str, embedder: Embedder) -> None:
    assert score(text, INVESTMENT, embedder) == 0.0


def test_a_topic_needs_no_examples(embedder: Embedder) -> None:
    topic = {name: value for name, value in INVESTMENT.items() if name != "examples"}
    assert score("Advice about buying shares and funds", topic, embedder) >= THRESHOLD
    assert score("Where is my parcel?", topic, embedder) < THRESHOLD


def test_a_hundred_thousand_characters_are_read_quickly(embedder: Embedder) -> None:
    text = "".join(
        f"Order {number} was shipped to the city and arrives on Monday. " for number in range(1_700)
    )
    began = time.process_time()
    score(text, INVESTMENT, embedder)
    assert len(text) > 95_000
    assert time.process_time() - began < 3
