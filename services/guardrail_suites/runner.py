"""Checks the texts of a suite with ApplyGuardrail in the background, a few at a time.

Worker threads make the calls; one thread sends what may be sent and stores what has ended, in batches, each
second at the latest. A throttle is no outcome: its text waits again, and fewer calls are made at a time.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from services import background, batch_values, runtime
from services.batch_pace import Pace
from services.clients import Identity
from services.guardrail_results import Grounding, apply_call, result_of
from services.guardrail_suites.names import BY_FINDING
from services.guardrail_suites.store import SuiteStore
from services.guardrail_suites.values import Checked, Line, SuiteResult, reason
from services.problems import Problem

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Calls under way, while AWS refuses none."""
FAILURES_IN_A_ROW = 10
"""So many failed checks with no success between them end the run: the rest would fail as well."""
STORED_AT_ONCE = 200
READ_AT_ONCE = 200
STORE_EVERY_S = 1.0


@dataclass(frozen=True)
class _Ended:
    """A call that has ended; `checked` is None where it was throttled."""

    line: Line
    checked: Checked | None
    problem: Problem | None
    sent_at: float


class SuiteRunner:
    """A suite at work on one or more versions of a guardrail. `start` it once; it ends by itself."""

    def __init__(self, store: SuiteStore, results: Sequence[SuiteResult], identity: Identity) -> None:
        self.id = batch_values.new_runner()
        self.total = sum(result.total for result in results)
        self.done = sum(result.done for result in results)
        self.failed = 0
        self.problem: Problem | None = None
        """The latest problem of a call."""
        self.store_problem = ""
        """Why nothing can be stored at the moment; what has ended is kept and stored later."""
        self._store, self._identity = store, identity
        self._results = {result.id: result for result in results}
        self._read_to = dict.fromkeys(self._results, -1)  # of the results that are not read to their end
        self._waiting: deque[Line] = deque()
        self._fresh: list[tuple[Line, Checked]] = []
        self._stored_at = time.monotonic()
        self._pace = Pace(AT_ONCE)
        self._failures, self._note = 0, ""
        self._jobs: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[_Ended | None] = queue.SimpleQueue()
        self._stopped, self._over = threading.Event(), threading.Event()

    def start(self) -> bool:
        """Begin, in threads of its own; False where another runner works on these. Raises STORE_ERRORS."""
        batch_values.living.add(self.id)
        taken = False
        try:
            taken = self._store.take(self._results, self.id)
        finally:
            if not taken:
                batch_values.living.discard(self.id)
        if taken:
            for number in range(AT_ONCE):
                threading.Thread(target=self._work, name=f"guardrail-{number}", daemon=True).start()
            threading.Thread(target=self._lead, name="guardrail-suite", daemon=True).start()
        return taken

    def stop(self) -> None:
        """Send no further text; the calls under way come to their end, and the rest waits."""
        self._stopped.set()
        self._ended.put(None)

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop, or gave up."""
        return self._stopped.is_set()

    @property
    def live(self) -> bool:
        """True until the last call has ended and is stored."""
        return not self._over.is_set()

    @property
    def at_once(self) -> int:
        """How many calls may be under way now."""
        return int(self._pace.limit)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False on timeout."""
        return self._over.wait(timeout_s)

    # In the worker threads.

    def _work(self) -> None:
        while (line := self._jobs.get()) is not None:
            sent_at = time.monotonic()
            try:
                checked, problem = self._check(line)
            except Exception as error:  # a line without an outcome would never end
                log.exception("Line %d of a guardrail suite broke off", line.position + 1)
                checked, problem = Checked("failed", why=f"The check broke off: {type(error).__name__}"), None
            self._ended.put(_Ended(line, checked, problem, sent_at))

    def _check(self, line: Line) -> tuple[Checked | None, Problem | None]:
        case, result = line.case, self._results[line.result_id]
        call = apply_call(
            case.text,
            result.identifier,
            self._identity,
            version=result.guardrail_version,
            source=case.source,
            grounding=Grounding(case.grounding_source, case.query) if case.grounding_source else None,
            user=result.owner,
        )
        run = runtime.call_unstored(call)
        if background.throttled(run):
            return None, run.problem
        found = result_of(run)
        if found.outcome == "failed":
            return Checked("failed", why=run.problem.title if run.problem else "No answer"), run.problem
        acted = [BY_FINDING.get(each.policy, each.policy) for each in found.findings if each.acted]
        latency_ms = run.latency_ms if found.latency_ms is None else found.latency_ms
        why = reason(found.findings) or (found.reason if found.outcome != "passed" else "")
        return Checked(found.outcome, tuple(dict.fromkeys(acted)), why, found.units, latency_ms), None

    # In the leading thread.

    def _lead(self) -> None:
        try:
            while self._send() or self._pace.in_flight or self._more():
                for ended in background.arrived(self._ended, self._patience()):
                    self._judge(ended)
                self._keep(STORED_AT_ONCE)
            self._keep(0)
            background.until_stored(
                lambda: self._store.release(self._results, self.id, self._note), self._tell
            )
        finally:
            for _ in range(AT_ONCE):
                self._jobs.put(None)
            batch_values.living.discard(self.id)
            self._over.set()

    def _more(self) -> bool:
        """Whether there is something left to send, now or after a pause."""
        return bool(self._waiting) and not self._stopped.is_set()

    def _send(self) -> int:
        """Send as many texts as may be sent; how many they were."""
        if self._stopped.is_set():
            return 0
        if len(self._waiting) < AT_ONCE:
            background.until_stored(self._read, self._tell)
        count = min(self._pace.free(), len(self._waiting))
        for _ in range(count):
            self._pace.in_flight += 1
            self._jobs.put(self._waiting.popleft())
        return count

    def _read(self) -> None:
        """Read on, the versions side by side, so that a run that is stopped can be compared."""
        read = {
            result_id: self._store.waiting(result_id, position, READ_AT_ONCE)
            for result_id, position in self._read_to.items()
        }
        self._read_to = {result_id: lines[-1].position for result_id, lines in read.items() if lines}
        lines = [line for found in read.values() for line in found]
        self._waiting.extend(sorted(lines, key=lambda line: line.position))

    def _patience(self) -> float:
        """How long to wait for something to end: until the next look at the store, or the end of a pause."""
        pause = self._pace.wait_until - time.monotonic()
        return min(STORE_EVERY_S, pause) if pause > 0 else STORE_EVERY_S

    def _judge(self, ended: _Ended) -> None:
        """Let pace and failures learn from a call that has ended."""
        self._pace.in_flight -= 1
        self.problem = ended.problem or self.problem
        if ended.checked is None:
            self._waiting.appendleft(ended.line)
            self._pace.throttled(ended.sent_at, (ended.problem and ended.problem.retry_after_s) or 1.0)
            if self._pace.hopeless:
                self._stop_because("The service goes on refusing calls.")
            return
        self._fresh.append((ended.line, ended.checked))
        self.done += 1
        if ended.checked.got != "failed":
            self._failures = 0
            self._pace.succeeded()
            return
        self.failed += 1
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            self._stop_because(f"{FAILURES_IN_A_ROW} checks in a row failed: {ended.checked.why}.")

    def _keep(self, at_least: int) -> None:
        """Store what has ended, once it is so much or a second old; it is a sign of life as well."""
        due = time.monotonic() - self._stored_at >= STORE_EVERY_S
        if not due and len(self._fresh) < max(at_least, 1):
            return

        def step() -> None:
            if not self._store.keep(list(self._results), self.id, self._fresh):
                self._stopped.set()  # another server took the run over while this one stood still

        background.until_stored(step, self._tell)
        self._fresh = []
        self._stored_at = time.monotonic()

    def _stop_because(self, note: str) -> None:
        self._note = self._note or note
        self._stopped.set()

    def _tell(self, reason: str) -> None:
        self.store_problem = reason


class Runners:
    """The runners of this process, for all sessions: by the id of a result."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runners: dict[str, SuiteRunner] = {}

    def of(self, result_id: str) -> SuiteRunner | None:
        """The runner that works on a result, or was the last to do so in this process."""
        return self._runners.get(result_id)

    def start(self, store: SuiteStore, results: Sequence[SuiteResult], identity: Identity) -> bool:
        """Run, or resume, these results; False where they run already. Raises STORE_ERRORS."""
        with self._lock:
            runner = SuiteRunner(store, results, identity)
            if not runner.start():
                return False
            self._runners.update(dict.fromkeys((result.id for result in results), runner))
            return True


@st.cache_resource(show_spinner=False)
def runners(database_url: str) -> Runners:  # noqa: ARG001 (key)
    """The runners on this database."""
    return Runners()
