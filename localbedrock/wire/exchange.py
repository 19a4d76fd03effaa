"""One request between the event loop, which talks to the client, and the worker thread, which answers it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localbedrock.asgi import Answer, ClientGoneError

PENDING_LIMIT_BYTES = 256 * 1024
"""More than this never waits for a slow client: its worker waits instead."""


@dataclass(frozen=True)
class StreamHead:
    """The beginning of an answer whose body follows piece by piece."""

    status: int
    headers: dict[str, str]


class Exchange:
    """Carries an answer from its worker thread to the event loop, and the client's departure back.

    The worker calls ``begin`` once, then, for a stream, ``put`` for every piece and ``end``. The event loop
    awaits ``head`` and ``take``. ``close`` may come from either side; after it ``put`` raises
    ``ClientGoneError``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.cancelled = threading.Event()
        self.head: asyncio.Future[Answer | StreamHead] = loop.create_future()
        self._loop = loop
        self._changed = threading.Condition()
        self._pieces: list[bytes] = []
        self._pending_bytes = 0
        self._ended = False
        self._closed = False
        self._wake = asyncio.Event()

    def begin(self, head: Answer | StreamHead) -> None:
        """Worker: the whole answer, or the beginning of a streamed one."""
        self._on_loop(self._set_head, head)

    def put(self, piece: bytes) -> None:
        """Worker: the next piece of a stream; waits while the client is behind."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._pending_bytes < PENDING_LIMIT_BYTES)
            if self._closed:
                raise ClientGoneError
            sleeping = not self._pieces
            self._pieces.append(piece)
            self._pending_bytes += len(piece)
        if sleeping:
            self._on_loop(self._wake.set)

    def end(self) -> None:
        """Worker: there are no more pieces."""
        with self._changed:
            self._ended = True
        self._on_loop(self._wake.set)

    async def take(self) -> bytes | None:
        """Event loop: all that is waiting, as soon as anything is; None after the last piece."""
        while True:
            await self._wake.wait()
            with self._changed:
                pieces, self._pieces, self._pending_bytes = self._pieces, [], 0
                ended = self._ended
                self._wake.clear()
                self._changed.notify_all()
            if pieces:
                if ended:
                    self._wake.set()
                return b"".join(pieces)
            if ended:
                return None

    def close(self) -> None:
        """Nobody listens any more: tells the handler and frees a worker that waits in ``put``."""
        self.cancelled.set()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _set_head(self, head: Answer | StreamHead) -> None:
        if not self.head.done():
            self.head.set_result(head)

    def _on_loop(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop has ended: the process stops
            self.close()
