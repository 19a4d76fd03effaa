"""From a thread that is called back to an iterator that can be closed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Generic, TypeVar

T = TypeVar("T")

_ROOM = 64
_LOOK_S = 0.1


class _End:
    """Stands in the queue behind the last item."""


_END = _End()
_Item = tuple[T] | BaseException | _End


class Pump(Generic[T]):
    """Runs ``produce`` in a thread and yields what it emits, as it is emitted.

    ``produce`` is given ``emit``, which returns False when nobody wants more. It stops when the
    iterator is closed or ``cancelled`` is set; ``interrupt`` (optional) is then called to wake a
    producer that is stuck in I/O. The queue is bounded: a slow reader holds the producer back. An
    exception of ``produce`` is raised in the reader.
    """

    def __init__(
        self,
        produce: Callable[[Callable[[T], bool]], None],
        cancelled: threading.Event,
        interrupt: Callable[[], None] | None = None,
    ) -> None:
        self._produce = produce
        self._cancelled = cancelled
        self._interrupt = interrupt
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._queue: queue.SimpleQueue[_Item[T]] = queue.SimpleQueue()

    def wanted(self) -> bool:
        """Whether anybody still waits for more."""
        return not (self._stopped.is_set() or self._cancelled.is_set())

    def items(self) -> Generator[T, None, None]:
        """Start, and yield until the end; closing the generator stops the producer."""
        with closing(self.batches()) as batches:
            for batch in batches:
                yield from batch

    def batches(self) -> Generator[list[T], None, None]:
        """As :meth:`items`, but all that waits at once; never an empty list."""
        thread = threading.Thread(target=self._run, name="generation", daemon=True)
        thread.start()
        try:
            while self.wanted():
                try:
                    batch, end = self._waiting(self._queue.get(timeout=_LOOK_S))
                except queue.Empty:
                    continue
                if batch:
                    yield batch
                if isinstance(end, BaseException):
                    raise end
                if end is _END:
                    return
        finally:
            self._stopped.set()
            if self._interrupt is not None and thread.is_alive():
                self._interrupt()

    def rest(self, seconds: float) -> None:
        """Wait so long for items to gather, or until there will be no more."""
        self._ended.wait(seconds)

    def _waiting(self, first: _Item[T]) -> tuple[list[T], _Item[T] | None]:
        """The items from `first` on, up to the end if that is among them."""
        batch: list[T] = []
        item = first
        while isinstance(item, tuple):
            batch.append(item[0])
            if self._queue.empty():
                return batch, None
            item = self._queue.get()
        return batch, item

    def _run(self) -> None:
        end: _Item[T] = _END
        try:
            self._produce(self._emit)
        except Exception as error:  # noqa: BLE001  it is raised again in the reader's thread
            end = error
        self._queue.put(end)
        self._ended.set()

    def _emit(self, item: T) -> bool:
        while self._queue.qsize() >= _ROOM and self.wanted():
            self._stopped.wait(_LOOK_S)
        self._queue.put((item,))
        return self.wanted()
