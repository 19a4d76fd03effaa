"""What runners in the background share: waiting for what has ended, and storing it whatever happens."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from typing import TypeVar

from services import run_store
from services.run_tables import STORE_ERRORS
from services.runs import Run

log = logging.getLogger(__name__)

Item = TypeVar("Item")

_THROTTLES = frozenset({"throttled", "throttled_tokens", "model_not_ready"})


def throttled(run: Run) -> bool:
    """Whether a call was refused for its haste alone: it is not billed, and may be made again later."""
    problem = run.problem
    return bool(problem and problem.kind in _THROTTLES and not problem.billed and not run.events)


def arrived(waiting: queue.SimpleQueue[Item | None], timeout_s: float) -> list[Item]:
    """Everything in the queue; waits for the first thing that long. None only wakes the one who waits."""
    found: list[Item] = []
    try:
        first = waiting.get(timeout=timeout_s)
        found += [] if first is None else [first]
        while True:
            following = waiting.get_nowait()
            found += [] if following is None else [following]
    except queue.Empty:
        return found


def until_stored(step: Callable[[], None], tell: Callable[[str], None]) -> None:
    """Take the step until the database takes it: what is paid for and not stored would be paid for twice.

    `tell` gets the reason while it does not, and "" once it does.
    """
    wait_s, told = 0.1, False
    while True:
        try:
            step()
        except STORE_ERRORS as error:
            if not told:
                log.error("What has ended cannot be stored: %s", run_store.reason(error))
            told = True
            tell(run_store.reason(error))
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, 5.0)
        else:
            tell("")
            return
