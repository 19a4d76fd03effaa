"""The local endpoint's process: started once, restarted when it dies, given up, not left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services import backend, clients, endpoint_process, settings

STUB = """
import json, os, pathlib, signal, socket, sys, threading
port, data = int(sys.argv[1]), pathlib.Path(sys.argv[2])
def stop_at_end_of_input():
    while os.read(0, 1024):
        pass
    os._exit(0)
threading.Thread(target=stop_at_end_of_input, daemon=True).start()
with (data / "starts").open("a") as starts:
    starts.write(f"{os.getpid()} {port}\\n")
(data / "environment.json").write_text(json.dumps(dict(os.environ)))
mode = (data / "mode").read_text()
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode == "locked":
    sys.exit("The data directory is in use by process 4711: stop that one.")
if mode == "broken":
    sys.exit("first line\\nThe models cannot be loaded: no such file.")
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    listener.bind(("127.0.0.1", port))
except OSError:
    sys.exit(f"Port {port} on 127.0.0.1 is taken.")
listener.listen()
if mode == "liar":
    print("READY http://127.0.0.1:nonsense", flush=True)
elif mode != "silent":
    print(f"READY http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
if mode == "dying":
    os.kill(os.getpid(), signal.SIGKILL)
signal.pause()
while mode == "stubborn":
    signal.pause()
"""


class Stub:
    """A stand-in for the endpoint whose behaviour a test chooses."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir()
        self.mode("")

    def mode(self, name: str) -> None:
        (self.data / "mode").write_text(name)

    @property
    def starts(self) -> list[tuple[int, int]]:
        """(pid, port asked for) of every start."""
        lines = (self.data / "starts").read_text().splitlines()
        return [(int(pid), int(port)) for pid, port in map(str.split, lines)]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    script = tmp_path / "stub.py"
    script.write_text(STUB)
    chosen = settings.Settings(backend="local", local_data=tmp_path / "local")
    monkeypatch.setattr(settings, "get", lambda: chosen)
    monkeypatch.setattr(
        endpoint_process, "command", lambda port, data: [sys.executable, str(script), str(port), str(data)]
    )
    monkeypatch.setattr(backend, "FIRST_PAUSE_S", 0.01)
    backend.stop()
    yield Stub(tmp_path / "local")
    backend.stop()


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Returns when the condition holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen; the endpoint is {backend.status()}"
        threading.Event().wait(0.02)


def listening(url: str | None) -> bool:
    address = urlsplit(url or "")
    with contextlib.suppress(OSError), socket.create_connection((address.hostname, address.port or 0), 5):
        return True
    return False


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_it_is_started_and_stopped(stub: Stub) -> None:
    assert backend.status().state == "starting"
    steps: list[str] = []
    ready = backend.ensure(steps.append)
    assert (ready.state, ready.restarts) == ("ready", 0)
    assert ready.url is not None
    assert ready.url.startswith("http://127.0.0.1:")
    assert steps
    assert steps[0].startswith("Starting the local endpoint")
    assert backend.status() == ready == backend.ensure()
    ((pid, _),) = stub.starts
    assert ready.pid == pid
    backend.stop()
    assert not alive(pid)
    assert backend.status().state == "starting"


def test_many_sessions_start_one_process(stub: Stub) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: backend.ensure(), range(8)))
    assert len(found) == 1
    assert len(stub.starts) == 1


def test_it_learns_nothing_of_the_developers_account(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment it gets what Python needs and its own settings."""
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "OPENAI_API_KEY", "LOCALBEDROCK_OPENAI_URL"):
        monkeypatch.setenv(name, "x")
    backend.ensure()
    seen = json.loads((stub.data / "environment.json").read_text())
    assert seen["PATH"] == os.environ["PATH"]
    assert seen["LOCALBEDROCK_OPENAI_URL"] == "x"
    assert not {"AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "OPENAI_API_KEY"} & set(seen)
    assert not [name for name in seen if name.startswith(("AWS_", "WORKBENCH_"))]


def test_a_killed_endpoint_comes_back_on_the_same_port(stub: Stub) -> None:
    first = backend.ensure()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: backend.status().restarts == 1 and backend.status().state == "ready")
    second = backend.status()
    assert second.url == first.url
    assert second.pid != first.pid
    assert len(stub.starts) == 2


def test_a_call_may_wait_for_a_restart_but_starts_nothing(stub: Stub) -> None:
    backend.wait_while_starting()
    assert backend.status().state == "starting", "nobody asked for an endpoint"
    first = backend.ensure()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: backend.status() != first)
    backend.wait_while_starting()
    assert (backend.status().state, backend.status().restarts) == ("ready", 1)


def test_a_port_that_was_taken_meanwhile_is_given_up(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "FIRST_PAUSE_S", 0.5)
    first = backend.ensure()
    assert first.pid is not None
    assert first.url is not None
    os.kill(first.pid, signal.SIGKILL)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: taken(thief, first.url))
        until(lambda: backend.status().state == "ready" and backend.status().url != first.url)


def taken(thief: socket.socket, url: str | None) -> bool:
    with contextlib.suppress(OSError):
        thief.bind(("127.0.0.1", int((url or "").rpartition(":")[2])))
        thief.listen()
        return True
    return False


def test_an_endpoint_that_cannot_start_fails_at_once_and_says_why(stub: Stub) -> None:
    stub.mode("broken")
    failed = backend.ensure()
    assert failed.state == "failed"
    assert "exit code 1" in failed.detail
    assert failed.detail.endswith("first line\nThe models cannot be loaded: no such file.")
    assert len(stub.starts) == 1
    assert backend.ensure() == failed, "a page that loads again does not start it again"
    assert len(stub.starts) == 1


def test_only_the_last_run_is_quoted(stub: Stub) -> None:
    (stub.data / "log").mkdir()
    (stub.data / "log" / "endpoint.log").write_text("a fault of yesterday\n")
    stub.mode("broken")
    assert "yesterday" not in backend.ensure().detail


def test_a_fault_of_the_supervision_itself_does_not_leave_pages_waiting(
    stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.mode("liar")
    failed = backend.ensure()
    assert failed.state == "failed"
    assert "nonsense" in caplog.text
    assert not alive(stub.starts[0][0])
    stub.mode("")
    assert backend.restart().state == "ready"


def test_it_can_be_restarted_by_hand_after_a_failure(stub: Stub) -> None:
    stub.mode("broken")
    assert backend.ensure().state == "failed"
    stub.mode("")
    assert backend.restart().state == "ready"


def test_a_restart_by_hand_keeps_the_port(stub: Stub) -> None:
    first = backend.ensure()
    second = backend.restart()
    assert (second.state, second.url) == ("ready", first.url)
    assert second.pid != first.pid
    assert first.pid is not None
    assert not alive(first.pid)


def test_an_endpoint_that_never_gets_ready_is_ended(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_process, "START_TIMEOUT_S", 1.0)
    stub.mode("silent")
    failed = backend.ensure()
    assert failed.state == "failed"
    assert "not ready after 1 seconds" in failed.detail
    assert not alive(stub.starts[0][0])


def test_an_endpoint_that_dies_again_and_again_is_given_up(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "MAX_PAUSE_S", 0.01)
    stub.mode("dying")
    backend.ensure()
    until(lambda: backend.status().state == "failed")
    assert "signal 9" in backend.status().detail
    assert len(stub.starts) == backend.MAX_QUICK_DEATHS + 1


def test_an_endpoint_that_does_not_obey_is_killed(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_process, "STOP_TIMEOUT_S", 0.2)
    stub.mode("stubborn")
    pid = backend.ensure().pid
    backend.stop()
    assert pid is not None
    assert not alive(pid)


def test_a_python_that_cannot_be_started_is_a_failure(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_process, "command", lambda port, data: [str(stub.data / "no-python")])
    failed = backend.ensure()
    assert failed.state == "failed"
    assert "cannot be started" in failed.detail


def test_stopping_while_it_starts_does_not_wait_for_the_timeout(stub: Stub) -> None:
    stub.mode("silent")
    waiting = threading.Thread(target=backend.ensure)
    waiting.start()
    until(lambda: (stub.data / "starts").exists() and bool(stub.starts))
    backend.stop()
    waiting.join(10)
    assert not waiting.is_alive()
    assert not alive(stub.starts[0][0])


def test_a_large_log_begins_anew(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_process, "LOG_BYTES", 10)
    (stub.data / "log").mkdir()
    log = stub.data / "log" / "endpoint.log"
    log.write_text("more than ten bytes\n")
    stub.mode("broken")
    backend.ensure()
    assert log.read_text().startswith("first line")
    assert (stub.data / "log" / "endpoint.old.log").read_text() == "more than ten bytes\n"


def test_a_data_folder_that_stays_locked_is_a_failure_that_names_the_holder(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds it does not answer: after some patience the endpoint's own words are shown."""
    monkeypatch.setattr(backend, "SHARED_WAIT_S", 0.5)
    monkeypatch.setattr(backend, "SHARED_CHECK_S", 0.05)
    stub.mode("locked")
    failed = backend.ensure()
    assert failed.state == "failed"
    assert "in use by process 4711" in failed.detail
    assert len(stub.starts) > 1


def test_with_aws_there_is_no_process(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings.Settings(backend="aws", local_data=stub.data)
    monkeypatch.setattr(settings, "get", lambda: chosen)
    for found in (backend.ensure(), backend.status(), backend.restart()):
        assert (found.state, found.pid) == ("aws", None)
    assert not (stub.data / "starts").exists()


def test_the_real_command_runs_the_endpoint_of_this_python() -> None:
    command = endpoint_process.command(0, Path("/data"))
    assert command[:3] == [sys.executable, "-m", "localbedrock"]
    assert command[3:] == ["--port", "0", "--data-dir", "/data", "--exit-with-parent"]


WORKBENCH = "from services import backend; print(backend.ensure().pid, flush=True); input()"


def test_two_workbenches_share_an_endpoint_and_the_second_inherits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real endpoint. When the first workbench is killed by force, its endpoint goes with it, and the
    second starts its own.
    """
    backend.stop()
    chosen = settings.Settings(backend="local", local_data=tmp_path / "local")
    monkeypatch.setattr(settings, "get", lambda: chosen)
    monkeypatch.setattr(backend, "SHARED_CHECK_S", 0.05)
    first = subprocess.Popen(
        [sys.executable, "-c", WORKBENCH],
        cwd=settings.ROOT,
        env=os.environ | {"WORKBENCH_LOCAL_DATA": str(tmp_path / "local")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert first.stdout is not None
        assert int(first.stdout.readline())
        shared = backend.ensure()
        assert (shared.state, shared.pid) == ("ready", None)
        assert "Another workbench" in shared.detail
        identity = clients.default_identity()
        assert clients.client("bedrock", identity).list_foundation_models()["modelSummaries"]
        first.kill()
        until(lambda: not listening(shared.url))
        until(lambda: backend.status().state == "ready" and backend.status().pid is not None)
        assert clients.client("bedrock", identity).list_foundation_models()["modelSummaries"]
    finally:
        first.kill()
        first.communicate()
        backend.stop()
        clients._access.clear()
