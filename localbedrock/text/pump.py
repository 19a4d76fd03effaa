"""From a thread that is called back to an iterator that can be closed."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

T = TypeVar("T")

_ROOM = 64
_LOOK_S = 0.1


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
        self._queue: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(_ROOM)

    def wanted(self) -> bool:
        """Whether anybody still waits for more."""
        return not (self._stopped.is_set() or self._cancelled.is_set())

    def items(self) -> Generator[T, None, None]:
        """Start, and yield until the end; closing the generator stops the producer."""
        thread = threading.Thread(target=self._run, name="generation", daemon=True)
        thread.start()
        try:
            while self.wanted():
                try:
                    item = self._queue.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item[0]
        finally:
            self._stopped.set()
            if self._interrupt is not None and thread.is_alive():
                self._interrupt()

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            self._produce(self._emit)
        except Exception as error:  # noqa: BLE001  it is raised again in the reader's thread
            end = error
        self._put(end)

    def _emit(self, item: T) -> bool:
        return self._put((item,))

    def _put(self, item: tuple[T] | BaseException | None) -> bool:
        while self.wanted():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=_LOOK_S)
                return self.wanted()
        return False
