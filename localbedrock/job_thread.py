"""The thread of a queue of jobs. The queue is what is stored: a job that a stop interrupts is run again."""

from __future__ import annotations

import threading
from collections.abc import Callable


class JobThread:
    """Does one thing after the other until nothing waits, and sleeps until it is woken."""

    def __init__(self, name: str, take: Callable[[], bool], stopping: Callable[[str], bool]) -> None:
        """``take`` does what waits longest, False if nothing waits; ``stopping`` says whether the job with an
        id is to be stopped.
        """
        self._take = take
        self._stopping = stopping
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._current = ("", threading.Event())
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins with what waits already."""
        self._thread.start()

    @property
    def closing(self) -> threading.Event:
        """Set when the endpoint is stopping."""
        return self._closing

    @property
    def ends(self) -> threading.Event:
        """Set when the job that runs is to end."""
        return self._current[1]

    def begin(self, job_id: str) -> None:
        """From now on this job runs; it may be one that was to be stopped already."""
        self._current = (job_id, threading.Event())
        self.wake()

    def wake(self) -> None:
        """A job was made or is to be stopped."""
        job_id, ends = self._current
        if job_id and self._stopping(job_id):
            ends.set()
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Ends the thread, waiting at most this long; a running job stays as it is for the next start."""
        self._closing.set()
        self.ends.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.clear()
            try:
                if not self._take():
                    self._wake.wait()
            except Exception:
                if self._closing.is_set():
                    return
                raise
