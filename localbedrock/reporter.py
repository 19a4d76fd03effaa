"""Delivers metrics and invocation logs behind the backs of the requests they are about."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from localbedrock import invocation_logs, metrics
from localbedrock.asgi import Answer
from localbedrock.context import GuardrailCheck, Inference
from localbedrock.emulator import Call
from localbedrock.guardrails import metrics as guardrail_metrics
from localbedrock.invocation_logs import Logged
from localbedrock.store import Store

BATCH_SECONDS = 0.5
"""How long inferences are gathered before they are delivered together."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Waiting:
    told: Inference | GuardrailCheck
    request_id: str
    region: str
    at: datetime


class Reporter:
    """A queue and the thread that empties it."""

    def __init__(self, store: Store, deliver: Callable[[Call], Answer]) -> None:
        """``deliver`` makes one call to the emulator and blocks until it is answered."""
        self._store = store
        self._deliver = deliver
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._complained: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    def report(self, told: Inference | GuardrailCheck, request_id: str, region: str) -> None:
        """Takes an inference or a guardrail's check; returns at once."""
        self._queue.put(_Waiting(told, request_id, region, datetime.now(UTC)))

    def stop(self, seconds: float) -> None:
        """Delivers what is waiting, for at most this long, and ends the thread."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        last = False
        while not last:
            waiting = [self._queue.get()]
            self._stopping.wait(BATCH_SECONDS)
            while not self._queue.empty():
                waiting.append(self._queue.get())
            last = None in waiting
            batch = [each for each in waiting if each is not None]
            for region in {each.region for each in batch}:
                self._send(region, [each for each in batch if each.region == region])

    def _send(self, region: str, waiting: list[_Waiting]) -> None:
        checks = [(each.told, each.at) for each in waiting if isinstance(each.told, GuardrailCheck)]
        self._make("metrics of guardrails", guardrail_metrics.calls(region, checks))
        batch = [
            Logged(each.told, each.request_id, each.region, each.at)
            for each in waiting
            if isinstance(each.told, Inference)
        ]
        self._make("metrics", metrics.calls(region, [(logged.inference, logged.at) for logged in batch]))
        config = self._store.get(invocation_logs.KIND, region)
        if config is not None:
            self._make("invocation logs", invocation_logs.calls(config, batch))

    def _make(self, what: str, calls: Iterable[Call]) -> None:
        for call in calls:
            try:
                answer = self._deliver(call)
            except Exception as error:  # noqa: BLE001 - reporting must never end
                self._complain(what, call, type(error).__name__)
                return
            if answer.status >= 300 and b"ResourceAlreadyExistsException" not in answer.body:
                self._complain(what, call, _code(answer))
                return

    def _complain(self, what: str, call: Call, why: str) -> None:
        """One line per kind of trouble, not one per call."""
        key = f"{what} {call.service} {why}"
        if key not in self._complained:
            self._complained.add(key)
            _log.warning("%s are not delivered to %s: %s", what, call.service, why)


def _code(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status}"
