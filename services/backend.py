"""The local endpoint's life: started once per server, watched, restarted when it dies, stopped at exit.

In `aws` mode there is no process, and every function says so.

Two workbenches on one machine may share a data folder. The endpoint of the first one locks it; the second
one then uses that endpoint, which answers calls signed with the folder's keys, until it goes away.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from services import clients, settings
from services.endpoint_process import EndpointProcess

QUICK_DEATH_S = 60.0
MAX_QUICK_DEATHS = 5
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0
SHARED_CHECK_S = 1.0
SHARED_WAIT_S = 60.0
_LOCKED = "in use"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BackendStatus:
    """How the local endpoint is. `detail` is a sentence; after a failure the last lines of its log follow.

    `pid` is None while another workbench's endpoint is used; `restarts` counts the restarts after a death.
    """

    state: Literal["starting", "ready", "failed", "aws"]
    url: str | None
    detail: str
    pid: int | None
    restarts: int


_AWS = BackendStatus("aws", None, "Calls go to AWS.", None, 0)
_NOT_STARTED = BackendStatus("starting", None, "The local endpoint is not started yet.", None, 0)


def ensure(progress: Callable[[str], None] | None = None) -> BackendStatus:
    """Start the local endpoint unless it was started, and wait until it is ready or has failed.

    Any number of threads may call it. `progress` gets a line of text about twice a second while it waits.
    """
    global _supervisor
    if settings.get().backend == "aws":
        return _AWS
    with _lock:
        if _supervisor is None:
            _supervisor = _Supervisor()
        supervisor = _supervisor
    return supervisor.wait(progress)


def wait_while_starting() -> None:
    """Return as soon as a start that is under way has ended, well or not; at once where there is none."""
    supervisor = _supervisor
    if supervisor:
        supervisor.wait()


def status() -> BackendStatus:
    """How it is now. Never waits."""
    if settings.get().backend == "aws":
        return _AWS
    supervisor = _supervisor
    return supervisor.status if supervisor else _NOT_STARTED


def restart() -> BackendStatus:
    """Stop the endpoint and start it again, on the port it had; waits as `ensure` does."""
    global _supervisor
    if settings.get().backend == "aws":
        return _AWS
    with _lock:
        port = _supervisor.stop() if _supervisor else 0
        _supervisor = _Supervisor(port)
        supervisor = _supervisor
    return supervisor.wait()


def stop() -> None:
    """Stop the endpoint and its supervision. Does nothing where there is none."""
    global _supervisor
    with _lock:
        if _supervisor:
            _supervisor.stop()
        _supervisor = None


class _Supervisor:
    """Keeps one endpoint running until it is stopped or gives up; all of it in a thread of its own."""

    def __init__(self, port: int = 0) -> None:
        self.status = _NOT_STARTED
        self._port = port
        self._restarts = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint-supervisor", daemon=True)
        self._thread.start()

    def wait(self, progress: Callable[[str], None] | None = None) -> BackendStatus:
        """Return when the endpoint is no longer starting."""
        began = time.monotonic()
        while (now := self.status).state == "starting":
            if progress:
                progress(f"{now.detail} ({time.monotonic() - began:.0f} s)")
            with self._changed:
                if self.status is now:
                    self._changed.wait(0.5)
        return now

    def stop(self) -> int:
        """End everything. Returns the port that the endpoint had; 0 if it failed."""
        self._stopping.set()
        self._thread.join()
        self._set("failed", "The local endpoint was stopped.")
        return self._port

    def _run(self) -> None:
        try:
            self._keep_running()
        except Exception:
            logger.exception("The supervision of the local endpoint has failed")
            self._set(
                "failed", "The supervision of the local endpoint has failed; the server's log says why."
            )

    def _keep_running(self) -> None:
        quick_deaths = 0
        patient_until = time.monotonic() + SHARED_WAIT_S
        self._set("starting", "Starting the local endpoint")
        while True:
            born = time.monotonic()
            served, reason = self._live()
            if self._stopping.is_set():
                return
            if served:
                patient_until = time.monotonic() + SHARED_WAIT_S
            elif _LOCKED in reason and time.monotonic() < patient_until:
                # Another workbench's endpoint is starting, or on its way out.
                self._stopping.wait(SHARED_CHECK_S)
                continue
            quick_deaths = quick_deaths + 1 if time.monotonic() - born < QUICK_DEATH_S else 1
            hopeless = not served and self._port == 0  # on any free port: the next start would fail alike
            if hopeless or quick_deaths > MAX_QUICK_DEATHS:
                self._port = 0
                self._set("failed", f"The local endpoint does not run. {reason}")
                return
            if not served:
                self._port = 0  # somebody else may have taken the port
            self._restarts += 1
            self._set("starting", "The local endpoint has ended and is being started again")
            self._stopping.wait(min(FIRST_PAUSE_S * 2 ** (quick_deaths - 1), MAX_PAUSE_S))

    def _live(self) -> tuple[bool, str]:
        """One life of an endpoint, ours or one that is shared: whether it ever served, and why it ended."""
        try:
            process = EndpointProcess(self._port, settings.get().local_data)
        except OSError as error:
            return False, f"It cannot be started: {error}."
        try:
            served = process.wait_until_ready(self._stopping)
            if served:
                self._port = urlsplit(process.url or "").port or 0
                self._set("ready", "The local endpoint is ready.", process.url, process.pid)
                while process.alive and not self._stopping.wait(0.1):
                    pass
            reason = process.why_it_ended()
        finally:
            process.end()
        return served or self._use_shared(), reason

    def _use_shared(self) -> bool:
        """Use the endpoint that serves this data folder already, as long as it answers. False without one."""
        url = None if self._stopping.is_set() else _shared_url()
        if url is None:
            return False
        self._set("ready", "Another workbench here has the same data folder; its endpoint is used.", url)
        while not self._stopping.wait(SHARED_CHECK_S) and _shared_url() == url:
            pass
        return True

    def _set(
        self,
        state: Literal["starting", "ready", "failed"],
        detail: str,
        url: str | None = None,
        pid: int | None = None,
    ) -> None:
        with self._changed:
            self.status = BackendStatus(state, url, detail, pid, self._restarts)
            self._changed.notify_all()


def _shared_url() -> str | None:
    """Where the endpoint of this data folder answers a call signed with the folder's keys, if one does."""
    try:
        bedrock = clients.client("bedrock", clients.default_identity())
        bedrock.list_foundation_models()
    except (*clients.CALL_ERRORS, clients.LocalEndpointError):
        return None
    return str(bedrock.meta.endpoint_url)


_lock = threading.Lock()
# Not in st.cache_resource: "Clear cache" in the app's menu must not orphan the process.
_supervisor: _Supervisor | None = None
atexit.register(stop)
