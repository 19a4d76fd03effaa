"""Asks the questions of a test set with Retrieve, a few at a time, and keeps what came."""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services import run_store, runtime
from services.citations import results_of
from services.clients import Identity
from services.problems import Problem
from services.rag_settings import RagSettings, retrieve_call
from services.rag_test_metrics import DEFAULT_RESULTS, Outcome, Result, outcome_of
from services.rag_test_set import Question, QuestionSet
from services.rag_test_store import RagTests
from services.run_tables import STORE_ERRORS

log = logging.getLogger(__name__)

AT_ONCE = 4
"""A few: AWS allows an account 20 Retrieve calls a second."""
FAILURES_IN_A_ROW = 5
"""So many failed calls with no success between them end the run: the rest would fail as well."""


class RagTestRunner:
    """One test set at work with one setting. `start` it once; it ends by itself and stores its result."""

    def __init__(
        self, store: RagTests, questions: QuestionSet, settings: RagSettings, identity: Identity, user: str
    ) -> None:
        self.set_name = questions.name
        self.total = len(questions.questions)
        self.result_id = uuid.uuid4().hex
        self.problem: Problem | None = None
        """The latest problem of a call."""
        self.store_problem = ""
        """Why the result is not stored, "" where it is."""
        self.result: Result | None = None
        """What came, as soon as the run is over."""
        self._store, self._settings, self._identity, self._user = store, settings, identity, user
        self._questions = questions.questions
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._outcomes: dict[int, Outcome] = {}
        self._failures = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._over = threading.Event()

    def start(self) -> None:
        """Begin, in threads of its own."""
        for number in range(self.total):
            self._waiting.put(number)
        workers = [
            threading.Thread(target=self._work, name=f"rag-test-{number}", daemon=True)
            for number in range(min(AT_ONCE, self.total))
        ]
        for worker in workers:
            worker.start()
        threading.Thread(target=self._finish, args=(workers,), name="rag-test", daemon=True).start()

    def stop(self) -> None:
        """Ask no further question; what has come is kept."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop, or gave up."""
        return self._stopped.is_set()

    @property
    def done(self) -> int:
        """How many questions have been asked."""
        return len(self._outcomes)

    @property
    def live(self) -> bool:
        """True until the last call has ended and the result is stored."""
        return not self._over.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False on timeout."""
        return self._over.wait(timeout_s)

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                number = self._waiting.get_nowait()
            except queue.Empty:
                return
            outcome, problem = self._ask(self._questions[number])
            with self._lock:
                self._outcomes[number] = outcome
                self._failures = self._failures + 1 if problem else 0
                self.problem = problem or self.problem
                if self._failures >= FAILURES_IN_A_ROW:
                    self._stopped.set()

    def _ask(self, question: Question) -> tuple[Outcome, Problem | None]:
        call = retrieve_call(question.question, self._settings, self._identity, self._user)
        call = replace(call, tags={"page": "rag_chat", "test_set": self.set_name})
        try:
            run = runtime.call_once(call)
            sources = results_of((run.response or {}).get("retrievalResults") or [])
        except Exception as error:  # a question without an outcome would never end
            log.exception("A question of a test set broke off")
            problem = runtime.problem_of(error, call)
            return Outcome(question, (None,) * len(question.expected), problem=problem.title), problem
        outcome = outcome_of(question, sources, latency_ms=run.latency_ms, run_id=run.id)
        if run.problem:
            outcome = replace(outcome, problem=run.problem.title)
        return outcome, run.problem

    def _finish(self, workers: Sequence[threading.Thread]) -> None:
        for worker in workers:
            worker.join()
        self.result = Result(
            self.result_id,
            self.set_name,
            label_of(self._settings),
            datetime.now(UTC),
            self._settings,
            tuple(self._outcomes[number] for number in sorted(self._outcomes)),
            self.total,
        )
        try:
            if self._outcomes:
                self._store.keep(self._user, self.result)
        except STORE_ERRORS as error:
            self.store_problem = run_store.reason(error)
        finally:
            self._over.set()


class RagTestHub:
    """The runs of one browser session, the latest of which is shown."""

    def __init__(self) -> None:
        self.current: RagTestRunner | None = None

    def start(
        self, store: RagTests, questions: QuestionSet, settings: RagSettings, identity: Identity, user: str
    ) -> RagTestRunner | None:
        """Run a set; None while another one is under way."""
        if self.current and self.current.live:
            return None
        self.current = RagTestRunner(store, questions, settings, identity, user)
        self.current.start()
        return self.current

    def stop_all(self) -> None:
        """Ask nothing more: the session is over."""
        if self.current:
            self.current.stop()


def label_of(settings: RagSettings) -> str:
    """The retrieval settings in a few words: "KB1 · HYBRID · 5 results · reranked by ..."."""
    retrieval = settings.retrieval
    parts = [
        settings.knowledge_base_id,
        retrieval.search_type or "default search",
        f"{retrieval.number_of_results or DEFAULT_RESULTS} results",
    ]
    if retrieval.reranker:
        kept = f" to {retrieval.reranked_results}" if retrieval.reranked_results else ""
        parts.append(f"reranked by {retrieval.reranker}{kept}")
    if retrieval.filter:
        parts.append("filtered")
    return " · ".join(part for part in parts if part)
