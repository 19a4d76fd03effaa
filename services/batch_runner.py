"""Runs the waiting cells of a batch in the background, each exactly once.

Worker threads make the calls; one thread stores what has ended and claims what comes next, in one
transaction. A throttle is not billed, so a throttled cell waits again, and its model gets fewer calls at a
time. Whatever else fails stays failed until somebody says otherwise.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from services import background, batch_values, models
from services.batch_calls import cell_call
from services.batch_pace import Pace
from services.batch_store import BatchStore
from services.batch_values import Batch, Claim, Outcome
from services.clients import Identity
from services.conversations import RefusedError
from services.models import Model
from services.problems import Problem
from services.runtime import call_unstored

log = logging.getLogger(__name__)

MOST_THREADS = 32
"""As many connections as a client keeps."""
FAILURES_IN_A_ROW = 10
"""So many failures of a column with no success between them stop the batch: the rest would fail as well."""
BEAT_S = 5.0
RATE_OVER = 200
"""The latest cells by which the time left is estimated."""

EMPTY = Problem(
    code="EmptyPrompt",
    title="The prompt of this row is empty",
    cause="Its values leave nothing of the template but blanks, and a model takes no empty prompt.",
    fix="Fill the row in the file, or give the template a text of its own.",
)


@dataclass(frozen=True)
class _Ended:
    outcome: Outcome
    sent_at: float


class BatchRunner:
    """One batch at work. `start` it once; it ends by itself."""

    def __init__(self, store: BatchStore, batch: Batch, identity: Identity) -> None:
        self.batch = batch
        self.id = batch_values.new_runner()
        self.orphans = 0
        """Cells that were under way when an earlier runner died: asked again, and perhaps billed twice."""
        self.store_problem = ""
        """Why nothing can be stored at the moment; what has ended is kept and stored later."""
        self._store = store
        self._identity = identity
        self._cancelled = threading.Event()
        self._over = threading.Event()
        self._jobs: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[_Ended | None] = queue.SimpleQueue()
        self._ended_at: deque[float] = deque(maxlen=RATE_OVER)
        self._failures: Counter[int] = Counter()
        self._note = ""
        self._paces: dict[str, Pace] = {}
        for number, column in enumerate(batch.columns):
            pace = self._paces.setdefault(column.settings.model_id, Pace(batch.concurrency))
            pace.columns.append(number)
        self._threads = min(MOST_THREADS, batch.concurrency * len(self._paces))

    def start(self) -> bool:
        """Begin, unless another runner lives: then False. Raises STORE_ERRORS."""
        batch_values.living.add(self.id)
        started = False
        try:
            orphans = self._store.take(self.batch.id, self.id)
            if orphans is None:
                return False
            self.orphans = orphans
            self._values = self._store.values(self.batch.id)
            self._models = [self._model(column.settings.model_id) for column in self.batch.columns]
            for number in range(self._threads):
                threading.Thread(target=self._work, name=f"batch-{number}", daemon=True).start()
            threading.Thread(target=self._lead, name=f"batch-{self.batch.id}", daemon=True).start()
            started = True
            return True
        finally:
            if not started:
                batch_values.living.discard(self.id)

    def cancel(self) -> None:
        """Send no further call. Those under way come to their end, for they are billed; the rest waits."""
        self._cancelled.set()
        self._ended.put(None)

    @property
    def cancelled(self) -> bool:
        """Whether it was told to stop."""
        return self._cancelled.is_set()

    @property
    def live(self) -> bool:
        """True until the last call has ended and is stored."""
        return not self._over.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False on timeout."""
        return self._over.wait(timeout_s)

    @property
    def cells_per_s(self) -> float | None:
        """How many cells end in a second, of late; None before there is anything to tell."""
        times = list(self._ended_at)
        if len(times) < 2 or times[-1] == times[0]:
            return None
        return (len(times) - 1) / max(time.monotonic() - times[0], 0.001)

    @property
    def at_once(self) -> int:
        """How many calls may be under way now, over all models."""
        return sum(int(pace.limit) for pace in self._paces.values())

    def _model(self, model_id: str) -> Model | None:
        try:
            return models.resolve(self._identity, model_id) if model_id else None
        except ValueError:
            return None

    # In the worker threads.

    def _work(self) -> None:
        while (claim := self._jobs.get()) is not None:
            sent_at = time.monotonic()
            try:
                outcome = self._ask(claim)
            except Exception as error:  # a cell without an outcome would never end
                log.exception("Row %d of batch %s broke off", claim.row + 1, self.batch.id)
                outcome = Outcome(claim, problem=_unexpected(error))
            self._ended.put(_Ended(outcome, sent_at))

    def _ask(self, claim: Claim) -> Outcome:
        settings, model = self.batch.columns[claim.column].settings, self._models[claim.column]
        if model is None:
            return Outcome(claim, problem=_no_model(settings.model_id))
        tags = {"page": "model_playground", "batch": self.batch.id, "row": str(claim.row + 1)}
        try:
            call = cell_call(self.batch, settings, model, self._values[claim.row], self._identity, tags)
        except RefusedError as refused:
            return Outcome(claim, problem=refused.problem)
        if call is None:
            return Outcome(claim, problem=EMPTY)
        run = call_unstored(call)
        return Outcome(claim, run, released=background.throttled(run))

    # In the leading thread.

    def _lead(self) -> None:
        try:
            self._store_and_claim()
        finally:
            for _ in range(self._threads):
                self._jobs.put(None)
            batch_values.living.discard(self.id)
            self._over.set()

    def _store_and_claim(self) -> None:
        ended: list[_Ended] = []
        while True:
            outcomes = [self._judged(each) for each in ended]
            paused = self._paused()
            claims = self._advance(outcomes)
            for claim in claims:
                self._pace(claim).in_flight += 1
                self._jobs.put(claim)
            if not any(pace.in_flight for pace in self._paces.values()) and not paused:
                break
            ended = self._next_ended()
        self._retrying(lambda: self._store.release(self.batch.id, self.id, self._note))

    def _advance(self, outcomes: Sequence[Outcome]) -> list[Claim]:
        """Store the outcomes, however long that takes, and claim what may be sent now."""
        claims: list[Claim] = []

        def step() -> None:
            found = self._store.advance(self.batch.id, self.id, outcomes, self._wants())
            if found is None:  # another server took the batch over while this one stood still
                self._cancelled.set()
            claims[:] = found or []

        self._retrying(step)
        return claims

    def _wants(self) -> list[tuple[Sequence[int], int]]:
        if self._cancelled.is_set():
            return []
        room = self._threads - sum(pace.in_flight for pace in self._paces.values())
        wants: list[tuple[Sequence[int], int]] = []
        for pace in self._paces.values():
            count = min(pace.free(), room)
            if count > 0:
                wants.append((pace.columns, count))
                room -= count
        return wants

    def _paused(self) -> bool:
        """Whether a model that was throttled is waited for: there may be cells for it."""
        now = time.monotonic()
        return not self._cancelled.is_set() and any(now < pace.wait_until for pace in self._paces.values())

    def _next_ended(self) -> list[_Ended]:
        """What has ended; waits for the first, but not past the next heartbeat or the end of a pause."""
        now = time.monotonic()
        pauses = [pace.wait_until - now for pace in self._paces.values() if pace.wait_until > now]
        return background.arrived(self._ended, min([BEAT_S, *pauses]))

    def _judged(self, ended: _Ended) -> Outcome:
        """Let pace and failures learn from an outcome."""
        outcome, pace = ended.outcome, self._pace(ended.outcome.claim)
        pace.in_flight -= 1
        problem = outcome.problem or (outcome.run.problem if outcome.run else None)
        if outcome.released and problem:
            pace.throttled(ended.sent_at, problem.retry_after_s or 1.0)
            if pace.hopeless:
                self._stop_because(f"The service goes on refusing calls: {problem.title}.")
            return outcome
        self._ended_at.append(time.monotonic())
        if problem is None:
            pace.succeeded()
            self._failures[outcome.claim.column] = 0
        elif problem is not EMPTY:
            self._failures[outcome.claim.column] += 1
            if self._failures[outcome.claim.column] >= FAILURES_IN_A_ROW:
                label = self.batch.columns[outcome.claim.column].label
                self._stop_because(f"{FAILURES_IN_A_ROW} calls in a row failed in {label}: {problem.title}.")
        return outcome

    def _stop_because(self, note: str) -> None:
        self._note = self._note or note
        self._cancelled.set()

    def _pace(self, claim: Claim) -> Pace:
        return self._paces[self.batch.columns[claim.column].settings.model_id]

    def _retrying(self, step: Callable[[], None]) -> None:
        def tell(reason: str) -> None:
            self.store_problem = reason

        background.until_stored(step, tell)


class Runners:
    """The runners of this process, one for each batch, for all sessions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runners: dict[str, BatchRunner] = {}

    def of(self, batch_id: str) -> BatchRunner | None:
        """The runner that works on a batch, or was the last to do so in this process."""
        return self._runners.get(batch_id)

    def start(self, store: BatchStore, batch: Batch, identity: Identity) -> BatchRunner | None:
        """Run, or resume, a batch; None where it runs already. Raises STORE_ERRORS."""
        with self._lock:
            runner = BatchRunner(store, batch, identity)
            if not runner.start():
                return None
            self._runners[batch.id] = runner
            return runner


@st.cache_resource(show_spinner=False)
def runners(database_url: str) -> Runners:  # noqa: ARG001 (key)
    """The runners on this database."""
    return Runners()


def _no_model(model_id: str) -> Problem:
    cause = f"“{model_id}” is neither in the catalogue nor a well-formed model ID or ARN."
    return Problem(
        code="NoModel",
        title="This column has no model to ask",
        cause=cause if model_id else "No model was chosen in this pane.",
        fix="Choose a model in the pane and start a new batch.",
        action="choose_model",
    )


def _unexpected(error: Exception) -> Problem:
    return Problem(
        code=type(error).__name__,
        title=f"The call broke off: {type(error).__name__}",
        cause="The workbench met an error that it does not know; its log says more.",
        fix="Run the failed cells again, once you know that the call is not billed twice.",
        billed=True,
    )
