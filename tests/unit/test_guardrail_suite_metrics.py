"""The figures of a suite, against figures worked out by hand."""

from __future__ import annotations

import pytest

from services.guardrail_suites import metrics
from services.guardrail_suites.comparison import Pair, Side, counts, flips_first
from services.guardrail_suites.metrics import Score, Tally

WORD, TOPIC, PII = "wordPolicy", "topicPolicy", "sensitiveInformationPolicy"

# 20 texts: 10 should be blocked, 4 masked, 6 passed; one of each had no answer.
TALLIES = (
    Tally("blocked", WORD, "blocked", (WORD,), 4),
    Tally("blocked", WORD, "passed", (), 1),  # missed
    Tally("blocked", TOPIC, "blocked", (WORD,), 2),  # the wrong policy
    Tally("blocked", "", "blocked", (TOPIC,), 2),  # any policy is right
    Tally("blocked", TOPIC, "failed", (), 1),
    Tally("masked", PII, "masked", (PII,), 2),
    Tally("masked", PII, "blocked", (PII, TOPIC), 1),  # another outcome
    Tally("masked", PII, "failed", (), 1),
    Tally("passed", "", "passed", (), 4),
    Tally("passed", TOPIC, "blocked", (TOPIC,), 1),  # a false alarm
    Tally("passed", "", "failed", (), 1),
)


def test_the_confusion_matrix_has_every_pair() -> None:
    matrix = metrics.confusion(TALLIES)
    assert len(matrix) == 3 * 4
    assert {pair: count for pair, count in matrix.items() if count} == {
        ("blocked", "blocked"): 8,
        ("blocked", "passed"): 1,
        ("blocked", "failed"): 1,
        ("masked", "masked"): 2,
        ("masked", "blocked"): 1,
        ("masked", "failed"): 1,
        ("passed", "passed"): 4,
        ("passed", "blocked"): 1,
        ("passed", "failed"): 1,
    }


def test_every_text_has_one_verdict() -> None:
    assert metrics.verdicts(TALLIES) == {
        "missed": 1,
        "false alarm": 1,
        "other outcome": 1,
        "wrong policy": 2,
        "failed": 3,
        "right": 12,
    }


def test_accuracy_is_of_the_texts_that_were_checked() -> None:
    assert metrics.accuracy(TALLIES) == pytest.approx(14 / 17)
    assert metrics.accuracy([Tally("passed", "", "failed", (), 3)]) is None


def test_each_policy_is_measured_on_the_texts_that_name_it() -> None:
    found = metrics.by_policy(TALLIES)
    assert list(found) == [TOPIC, WORD, PII]
    # Two texts name no policy and count for none; TOPIC acted on a text to pass and on one to mask.
    assert found[TOPIC] == Score(right=0, false_alarms=2, missed=2)
    assert found[WORD] == Score(right=4, false_alarms=2, missed=1)
    assert found[PII] == Score(right=3, false_alarms=0, missed=0)
    assert found[WORD].precision == pytest.approx(4 / 6)
    assert found[WORD].recall == pytest.approx(4 / 5)
    assert found[WORD].f1 == pytest.approx(8 / 11)
    assert (found[TOPIC].precision, found[TOPIC].recall, found[TOPIC].f1) == (0, 0, 0)


def test_the_guardrail_as_a_whole() -> None:
    score = metrics.overall(TALLIES)
    assert score == Score(right=11, false_alarms=1, missed=1)
    assert score.precision == score.recall == pytest.approx(11 / 12)
    assert (Score(0, 0, 0).precision, Score(0, 0, 0).recall, Score(0, 0, 0).f1) == (None, None, None)


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [
        ([], None, None),
        ([7.0], 7.0, 7.0),
        ([3.0, 1.0, 2.0, 4.0], 2.0, 4.0),
        (list(range(1, 101)), 50, 95),
    ],
)
def test_percentiles_are_values_that_were_measured(
    values: list[float], p50: float | None, p95: float | None
) -> None:
    assert (metrics.percentile(values, 0.5), metrics.percentile(values, 0.95)) == (p50, p95)


def test_units_are_summed_by_policy() -> None:
    found = metrics.units_of(
        [({"wordPolicyUnits": 2, "topicPolicyUnits": 1}, 3), ({"wordPolicyUnits": 1}, 2)]
    )
    assert found == {"topicPolicyUnits": 3, "wordPolicyUnits": 8}


def pair(expected: str, before: str, after: str, policy: str = "", acted: tuple[str, str] = ("", "")) -> Pair:
    sides = [
        Side(got, (name,) if name else ())  # type: ignore[arg-type]
        for got, name in zip((before, after), acted, strict=True)
    ]
    return Pair("1", "text", expected, policy, *sides)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "change"),
    [
        (pair("blocked", "blocked", "passed"), "got worse"),
        (pair("blocked", "passed", "blocked"), "got better"),
        (pair("passed", "passed", "masked"), "got worse"),
        (pair("masked", "blocked", "passed"), "changed"),
        (pair("blocked", "blocked", "blocked", WORD, (WORD, TOPIC)), "got worse"),
        (pair("blocked", "blocked", "blocked", "", (WORD, TOPIC)), "other policy"),
        (pair("passed", "blocked", "blocked"), "equal"),
        (pair("passed", "failed", "passed"), "failed"),
    ],
)
def test_a_flip_is_better_or_worse_by_what_is_expected(one: Pair, change: str) -> None:
    assert one.change == change


def test_flips_come_before_what_is_equal() -> None:
    pairs = [
        pair("passed", "passed", "passed"),
        pair("blocked", "passed", "blocked"),
        pair("blocked", "blocked", "passed"),
    ]
    assert [each.change for each in flips_first(pairs)] == ["got worse", "got better", "equal"]
    assert counts(pairs) == {
        "got worse": 1,
        "got better": 1,
        "changed": 0,
        "other policy": 0,
        "equal": 1,
        "failed": 0,
    }
