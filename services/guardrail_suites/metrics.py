"""How well a guardrail does on a suite: what was expected against what came, in figures.

All figures are about texts. A text whose check failed says nothing about the guardrail and is counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from services.guardrail_results import Outcome
from services.guardrail_suites.names import POLICIES, Expected

Verdict = Literal["missed", "false alarm", "other outcome", "wrong policy", "failed", "right"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""The worst first. `other outcome`: masked where it should be blocked, or the other way round."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
EXPECTED: tuple[Expected, ...] = get_args(Expected)


@dataclass(frozen=True)
class Tally:
    """So many texts (`count`) of which the same was expected, and with which the same was done.

    `policy` is the policy that was to act, "" for any; `acted` are those that did.
    """

    expected: Expected
    policy: str
    got: Outcome
    acted: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Score:
    """The figures of one policy, or of the guardrail as a whole. Each from 0 to 1; None for 0 of 0.

    precision: the part of the texts on which it acted that it was to act on. recall: the part of the texts
    that it was to act on, on which it acted. f1: their harmonic mean.
    """

    right: int
    false_alarms: int
    missed: int

    @property
    def precision(self) -> float | None:
        return _part(self.right, self.right + self.false_alarms)

    @property
    def recall(self) -> float | None:
        return _part(self.right, self.right + self.missed)

    @property
    def f1(self) -> float | None:
        return _part(2 * self.right, 2 * self.right + self.false_alarms + self.missed)


def verdict_of(expected: Expected, policy: str, got: Outcome, acted: Sequence[str]) -> Verdict:
    """What to think of one check."""
    if got == "failed":
        return "failed"
    if expected != got:
        if got == "passed":
            return "missed"
        return "false alarm" if expected == "passed" else "other outcome"
    return "wrong policy" if expected != "passed" and policy and policy not in acted else "right"


def confusion(tallies: Iterable[Tally]) -> dict[tuple[Expected, Outcome], int]:
    """How many texts of each expected outcome had each outcome; every pair is there."""
    found: Counter[tuple[Expected, Outcome]] = Counter()
    for tally in tallies:
        found[tally.expected, tally.got] += tally.count
    return {(expected, got): found[expected, got] for expected in EXPECTED for got in OUTCOMES}


def verdicts(tallies: Iterable[Tally]) -> dict[Verdict, int]:
    """How many texts have each verdict; every verdict is there."""
    found: Counter[Verdict] = Counter()
    for tally in tallies:
        found[verdict_of(tally.expected, tally.policy, tally.got, tally.acted)] += tally.count
    return {verdict: found[verdict] for verdict in VERDICTS}


def accuracy(tallies: Sequence[Tally]) -> float | None:
    """The part of the checked texts that had the outcome that was expected; None where none was checked."""
    answered = [tally for tally in tallies if tally.got != "failed"]
    right = sum(tally.count for tally in answered if tally.got == tally.expected)
    return _part(right, sum(tally.count for tally in answered))


def overall(tallies: Iterable[Tally]) -> Score:
    """Whether anything was done where anything was to be done, whichever policy did it."""
    found: Counter[tuple[bool, bool]] = Counter()
    for tally in tallies:
        if tally.got != "failed":
            found[tally.expected != "passed", tally.got != "passed"] += tally.count
    return Score(found[True, True], found[False, True], found[True, False])


def by_policy(tallies: Iterable[Tally]) -> dict[str, Score]:
    """The figures of each policy that was expected to act, or did.

    It should act on the texts that name it. Where a text is to be stopped and names no policy, any is right,
    so that such a text counts for none.
    """
    right: Counter[str] = Counter()
    false_alarms: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for tally in tallies:
        wanted = tally.policy if tally.expected != "passed" else ""
        if tally.got == "failed" or (tally.expected != "passed" and not wanted):
            continue
        if wanted:
            (right if wanted in tally.acted else missed)[wanted] += tally.count
        for policy in set(tally.acted) - {wanted}:
            false_alarms[policy] += tally.count
    seen = set(right) | set(false_alarms) | set(missed)
    order = [*POLICIES, *sorted(seen - set(POLICIES))]
    return {name: Score(right[name], false_alarms[name], missed[name]) for name in order if name in seen}


def percentile(values: Sequence[float], part: float) -> float | None:
    """The value below or at which that part of the values lies (nearest rank); None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    rank = -(-len(ordered) * round(part * 100) // 100)
    return ordered[max(rank, 1) - 1]


def units_of(tallies: Iterable[tuple[Mapping[str, int], int]]) -> dict[str, int]:
    """AWS's text units by policy ("topicPolicyUnits"), summed over (units, how many such texts)."""
    total: Counter[str] = Counter()
    for units, count in tallies:
        total.update({name: value * count for name, value in units.items()})
    return dict(sorted(total.items()))


def _part(some: int, all_of_them: int) -> float | None:
    return some / all_of_them if all_of_them else None
