"""Two results of a suite side by side: what was done differently, and whether that is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from services.guardrail_results import Outcome
from services.guardrail_suites.metrics import verdict_of
from services.guardrail_suites.names import Expected

Change = Literal["got worse", "got better", "changed", "other policy", "equal", "failed"]
CHANGES: tuple[Change, ...] = get_args(Change)
"""In the order that is shown. `changed`: wrong before and wrong now; `failed`: one has no answer."""


@dataclass(frozen=True)
class Side:
    """What one result says of a text: the outcome, the policies that acted, and the reasons in words."""

    got: Outcome
    acted: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True)
class Pair:
    """One text in two results. What is expected is what the later result expects."""

    case_id: str
    text: str
    expected: Expected
    policy: str
    before: Side
    after: Side

    @property
    def change(self) -> Change:
        """What became of it."""
        if "failed" in (self.before.got, self.after.got):
            return "failed"
        was, is_ = self._right(self.before), self._right(self.after)
        if self.before.got != self.after.got or was != is_:
            if was == is_:
                return "changed"
            return "got better" if is_ else "got worse"
        return "equal" if set(self.before.acted) == set(self.after.acted) else "other policy"

    def _right(self, side: Side) -> bool:
        return verdict_of(self.expected, self.policy, side.got, side.acted) == "right"


def flips_first(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs by their change, worse first; the suite's order within."""
    return sorted(pairs, key=lambda pair: CHANGES.index(pair.change))


def counts(pairs: Sequence[Pair]) -> dict[Change, int]:
    """How many pairs there are of each change; every change is there."""
    found = [pair.change for pair in pairs]
    return {change: found.count(change) for change in CHANGES}
