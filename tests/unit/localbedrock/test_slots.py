"""Turns at the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from localbedrock.text.slots import Slots


def _until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.005)


def _wait_in_line(
    slots: Slots, order: list[int], number: int, wanted: Callable[[], bool]
) -> threading.Thread:
    def run() -> None:
        if slots.take(wanted):
            order.append(number)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_who_waits_longest_is_next() -> None:
    slots = Slots(1)
    assert slots.take(lambda: True)
    order: list[int] = []
    threads = []
    for number in range(4):
        threads.append(_wait_in_line(slots, order, number, lambda: True))
        _until(lambda number=number: len(slots._waiting) == number + 1)  # type: ignore[misc]
    for number in range(4):
        slots.give_back()
        _until(lambda number=number: len(order) == number + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]


def test_a_newcomer_does_not_jump_the_line() -> None:
    slots = Slots(1)
    assert slots.take(lambda: True)
    order: list[int] = []
    waiting = _wait_in_line(slots, order, 1, lambda: True)
    _until(lambda: len(slots._waiting) == 1)
    slots.give_back()
    assert not slots.take(lambda: False), "the slot belongs to the one who waited"
    waiting.join()
    assert order == [1]


def test_who_gives_up_leaves_the_line_and_takes_no_slot() -> None:
    slots = Slots(1)
    assert slots.take(lambda: True)
    assert not slots.take(lambda: False)
    slots.give_back()
    assert slots.take(lambda: True), "the slot is free again"
