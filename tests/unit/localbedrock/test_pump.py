"""From a producer's thread to an iterator."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from localbedrock.text.pump import Pump


def test_items_arrive_in_order_and_end() -> None:
    def produce(emit: Callable[[int], bool]) -> None:
        for number in range(200):
            assert emit(number)

    assert list(Pump(produce, threading.Event()).items()) == list(range(200))


def test_an_item_is_there_before_the_producer_is_done() -> None:
    """What makes a stream a stream."""
    seen = threading.Event()

    def produce(emit: Callable[[str], bool]) -> None:
        emit("first")
        assert seen.wait(5), "the first item never reached the reader"
        emit("second")

    items = Pump(produce, threading.Event()).items()
    assert next(items) == "first"
    seen.set()
    assert list(items) == ["second"]


def test_a_producers_error_is_raised_where_items_are_read() -> None:
    def produce(emit: Callable[[str], bool]) -> None:
        emit("one")
        raise ValueError("broken")

    items = Pump(produce, threading.Event()).items()
    assert next(items) == "one"
    with pytest.raises(ValueError, match="broken"):
        next(items)


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_who_stops_reading_stops_the_producer(how: str) -> None:
    cancelled, ended, interrupted = threading.Event(), threading.Event(), threading.Event()

    def produce(emit: Callable[[int], bool]) -> None:
        number = 0
        while emit(number):
            number += 1
        ended.set()

    items = Pump(produce, cancelled, interrupted.set).items()
    assert next(items) == 0
    if how == "close":
        items.close()
    else:
        cancelled.set()
        list(items)
    assert ended.wait(5), "the producer goes on although nobody reads"


def test_a_slow_reader_holds_the_producer_back() -> None:
    produced: list[int] = []

    def produce(emit: Callable[[int], bool]) -> None:
        for number in range(10_000):
            produced.append(number)
            if not emit(number):
                return

    items = Pump(produce, threading.Event()).items()
    next(items)
    items.close()
    assert len(produced) < 1000


def test_what_gathers_while_the_reader_rests_is_handed_out_together() -> None:
    gathered = threading.Event()

    def produce(emit: Callable[[str], bool]) -> None:
        emit("first")
        assert gathered.wait(5)
        emit("second")
        emit("third")

    pump = Pump(produce, threading.Event())
    batches = pump.batches()
    assert next(batches) == ["first"]
    gathered.set()
    pump.rest(30)  # ends with the producer, not with the time
    assert list(batches) == [["second", "third"]]
