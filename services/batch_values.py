"""What batches are made of, and how to tell whether somebody works on one."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from services.clients import Identity
from services.conversations import Settings
from services.problems import Problem
from services.runs import Run, TokenUsage

STALE_S = 30.0
"""A runner on another machine that has shown no life for so long is taken for dead."""

CellState = Literal["waiting", "running", "in_job", "done", "failed"]


@dataclass(frozen=True)
class Column:
    """What every row is sent with: a pane's settings, and the name that the grid shows."""

    label: str
    settings: Settings


@dataclass(frozen=True)
class Batch:
    """A batch as it was made. `version` rises with every change; `note` says why it was stopped by itself.

    `runner` is the runner that works on it, or did when it died.
    """

    id: str
    owner: str
    name: str
    created_at: datetime
    headers: tuple[str, ...]
    template: str
    mapping: Mapping[str, str]
    columns: tuple[Column, ...]
    row_count: int
    concurrency: int
    backend: str
    profile: str | None
    region: str
    version: int
    note: str
    runner: str | None
    heartbeat_at: float | None

    @property
    def cell_count(self) -> int:
        """Rows times columns."""
        return self.row_count * len(self.columns)

    def made_by(self, identity: Identity) -> bool:
        """Whether calls of this identity go where the batch's first calls went."""
        place = (identity.backend, identity.profile, identity.region)
        return place == (self.backend, self.profile, self.region)


@dataclass(frozen=True)
class Claim:
    """A cell that is this runner's to call: `row` and `column` from 0."""

    row: int
    column: int


@dataclass(frozen=True)
class Received:
    """A reply that no call of the workbench brought, so that there is no run and no time of it."""

    text: str
    usage: TokenUsage | None


@dataclass(frozen=True)
class Outcome:
    """What became of a claimed cell. `released`: it was throttled, was not billed, and waits again."""

    claim: Claim
    run: Run | None = None
    problem: Problem | None = None
    released: bool = False
    received: Received | None = None


def new_runner() -> str:
    """A name for a runner of this process, by which others can tell whether it lives."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"


living: set[str] = set()
"""The runners of this process that are at work."""


class Work(Protocol):
    """What a runner works on: a batch, or a guardrail suite."""

    @property
    def runner(self) -> str | None: ...

    @property
    def heartbeat_at(self) -> float | None: ...


def is_alive(work: Work) -> bool:
    """Whether a runner works on it: on this machine its process is looked up, else its heartbeat."""
    if work.runner is None:
        return False
    host, pid, _ = work.runner.rsplit(":", 2)
    if host == socket.gethostname():
        if int(pid) == os.getpid():
            return work.runner in living
        if not _process_lives(int(pid)):
            return False
    return (work.heartbeat_at or 0) > time.time() - STALE_S


def _process_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
