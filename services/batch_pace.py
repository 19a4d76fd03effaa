"""How many calls of one model may be under way: fewer after a throttle, slowly more while all goes well."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

MOST_IN_A_ROW = 8
"""So many throttles at one call at a time, with no success between them, end a batch."""


@dataclass
class Pace:
    """Additive increase, multiplicative decrease, for one model. For one thread.

    `most` is the bound that was asked for; `columns` are the batch's columns that call this model.
    """

    most: int
    columns: list[int] = field(default_factory=list)
    limit: float = 0.0
    in_flight: int = 0
    throttles_in_a_row: int = 0
    wait_until: float = 0.0
    _halved_at: float = 0.0

    def __post_init__(self) -> None:
        self.limit = float(self.most)

    def free(self, now: float | None = None) -> int:
        """How many calls may be sent now; `now` is a `time.monotonic()`."""
        if (time.monotonic() if now is None else now) < self.wait_until:
            return 0
        return max(0, int(self.limit) - self.in_flight)

    def succeeded(self) -> None:
        """A call came through: one more may run after as many as run now."""
        self.throttles_in_a_row = 0
        self.limit = min(float(self.most), self.limit + 1 / self.limit)

    def throttled(self, sent_at: float, wait_s: float, now: float | None = None) -> None:
        """A call was refused: half as many.

        Calls that were sent before the last halving say nothing new. Once there is one call at a time, the
        wait that the service or the problem advises is kept, doubled with every further throttle.
        """
        now = time.monotonic() if now is None else now
        if sent_at < self._halved_at:
            return
        self._halved_at = now
        if self.limit < 2:
            self.throttles_in_a_row += 1
            self.wait_until = now + min(wait_s * 2 ** (self.throttles_in_a_row - 1), 60.0)
        self.limit = max(1.0, self.limit / 2)

    @property
    def hopeless(self) -> bool:
        """Whether the service goes on refusing although the calls come one by one, and apart."""
        return self.throttles_in_a_row > MOST_IN_A_ROW
