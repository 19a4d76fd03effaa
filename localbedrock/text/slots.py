"""Turns at the model: so many at once, the others in the order they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

_LOOK_S = 0.05


class Slots:
    """A semaphore that is strictly first come, first served, and whose waiters can give up."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def take(self, wanted: Callable[[], bool]) -> bool:
        """Wait for a slot; False (and no slot) if ``wanted`` turns false first."""
        turn = threading.Event()
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                return True
            self._waiting.append(turn)
        while not turn.wait(_LOOK_S):
            if not wanted() and self._withdraw(turn):
                return False
        return True

    def give_back(self) -> None:
        """Hand the slot to the one who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1

    def _withdraw(self, turn: threading.Event) -> bool:
        """Leave the line; False if the slot was handed over in that very moment."""
        with self._lock:
            if turn.is_set():
                return False
            self._waiting.remove(turn)
            return True
