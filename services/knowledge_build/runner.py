"""Builds a plan in a background thread, step by step, or takes it apart in reverse; a page looks on.

A build asks AWS before every step what there is already, so it may be begun again after an error, a Stop or
a restart of the workbench: what is done is passed over, what is somebody else's is left alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import streamlit as st

from services import knowledge
from services.clients import Identity
from services.knowledge_build.execution import Execution, FailedError, StoppedError
from services.knowledge_build.plan import Plan
from services.knowledge_build.step import Found, Step
from services.problems import Problem

log = logging.getLogger(__name__)

Task = Literal["build", "take apart"]
StepState = Literal["waiting", "running", "done", "failed", "kept"]
"""`kept`: it was not taken apart, because it is not the workbench's, or is not there."""


@dataclass(frozen=True)
class Progress:
    """How far one step is. `detail` is what there is to say of it, in a few words."""

    state: StepState = "waiting"
    detail: str = ""
    seconds: float | None = None
    problem: Problem | None = None


class Builder:
    """One plan at work. `start` it once; it ends by itself. Its attributes may be read from any thread."""

    def __init__(
        self, identity: Identity, plan: Plan, steps: Sequence[Step], files: Mapping[str, bytes], task: Task
    ) -> None:
        """`files` are the documents of the plan by name."""
        self.plan = plan
        self.task = task
        self.steps = tuple(steps)
        self.files = files
        self.knowledge_base_id = ""
        """Of the knowledge base, once there is one."""
        self._identity = identity
        self._stopped = threading.Event()
        self._over = threading.Event()
        self._progress: dict[str, Progress] = {step.key: Progress() for step in self.steps}
        self._current = ""

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._lead, name=f"knowledge-build-{self.plan.slug}", daemon=True).start()

    def stop(self) -> None:
        """Make no further call. What AWS is doing by then it goes on with."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped.is_set()

    @property
    def live(self) -> bool:
        """True until it has ended."""
        return not self._over.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False on timeout."""
        return self._over.wait(timeout_s)

    def progress(self, step: Step) -> Progress:
        """How far a step is."""
        return self._progress[step.key]

    @property
    def succeeded(self) -> bool:
        """Whether it came to its end with nothing failed."""
        return not self.live and all(
            each.state in ("done", "kept") and not each.problem for each in self._progress.values()
        )

    def _lead(self) -> None:
        execution = Execution(self._identity, self.files, self._stopped, self._tell)
        try:
            if self.task == "build":
                self._build(execution)
            else:
                self._take_apart(execution)
        finally:
            knowledge.knowledge_bases.clear(self._identity)
            if self.knowledge_base_id:
                knowledge.data_sources.clear(self._identity, self.knowledge_base_id)
            self._over.set()
            if self.succeeded:
                self.files = {}  # nobody needs them any more

    def _build(self, execution: Execution) -> None:
        for step in self.steps:
            if not self._one(step, partial(self._build_step, execution, step)):
                return
            self.knowledge_base_id = execution.values.get("knowledge_base_id", "")

    def _build_step(self, execution: Execution, step: Step) -> None:
        found = step.look(execution, self.plan)
        execution.values |= found.values
        if found.state == "different":
            raise FailedError(_different(found))
        if found.state == "done":
            self._tell("Was there already")
            return
        execution.run(step.build(self.plan))

    def _take_apart(self, execution: Execution) -> None:
        """Look at everything first, for deleting needs ids that looking gives; then delete in reverse."""
        found: dict[str, Found] = {}
        for step in self.steps:
            if not self._one(step, partial(self._look, execution, step, found), last=False):
                return
        for step in reversed(self.steps):
            here = found[step.key]
            if not here.ours:
                note = here.note if here.state == "different" else "Is not there"
                self._set(step, Progress("kept", note))
            elif not self._one(step, partial(self._undo, execution, step)):
                return

    def _look(self, execution: Execution, step: Step, found: dict[str, Found]) -> None:
        found[step.key] = step.look(execution, self.plan)
        execution.values |= found[step.key].values

    def _undo(self, execution: Execution, step: Step) -> None:
        execution.run(step.undo(self.plan, execution.values))

    def _one(self, step: Step, work: Callable[[], None], *, last: bool = True) -> bool:
        """Do the work of a step; False where that ends the whole."""
        self._current = step.key
        begun = time.monotonic()
        self._set(step, Progress("running"))
        problem = None
        try:
            self._check()
            work()
        except StoppedError:
            self._set(step, Progress("waiting", "Stopped"))
            return False
        except FailedError as error:
            problem = error.problem
        except Exception as error:
            log.exception("Step %s of a knowledge base broke off", step.key)
            problem = _unexpected(error)
        state: StepState = "failed" if problem else "done" if last else "waiting"
        detail = self._progress[step.key].detail
        self._set(step, Progress(state, detail, time.monotonic() - begun, problem))
        return problem is None

    def _check(self) -> None:
        if self._stopped.is_set():
            raise StoppedError

    def _tell(self, detail: str) -> None:
        self._progress[self._current] = replace(self._progress[self._current], detail=detail)

    def _set(self, step: Step, progress: Progress) -> None:
        self._progress[step.key] = progress


class Builders:
    """The latest builder of each knowledge base, for all sessions of this process."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.Lock()
        self._builders: dict[tuple[Identity, str], Builder] = {}

    def of(self, identity: Identity, name: str) -> Builder | None:
        """The builder that works on this name, or was the last to do so."""
        return self._builders.get((_place(identity), name))

    def live(self, identity: Identity) -> Builder | None:
        """A builder that is at work for this identity."""
        return next(
            (b for (place, _), b in self._builders.items() if place == _place(identity) and b.live), None
        )

    def start(self, identity: Identity, builder: Builder) -> Builder:
        """Start a builder, unless one works on this name: then that one is returned."""
        key = _place(identity), builder.plan.name
        with self._lock:
            existing = self._builders.get(key)
            if existing and existing.live:
                return existing
            self._builders[key] = builder
            builder.start()
            return builder


def _place(identity: Identity) -> Identity:
    return replace(identity, epoch=0)  # renewed credentials are the same person


@st.cache_resource(show_spinner=False)
def builders() -> Builders:
    """The builders of this process."""
    return Builders()


def _different(found: Found) -> Problem:
    fix = (
        "Take it apart below and build again, or choose another name."
        if found.ours
        else "Choose another name."
    )
    return Problem(
        code="Different",
        title="This exists already, and is not what the plan says",
        cause=found.note,
        fix=fix,
    )


def _unexpected(error: Exception) -> Problem:
    return Problem(
        code=type(error).__name__,
        title=f"The step broke off: {type(error).__name__}",
        cause="The workbench met an error that it does not know; its log says more.",
        fix="Go on from this step; what is built is found again.",
        action="retry",
    )
