"""One run of the local endpoint as a child process: start it, wait until it serves, say why it ended, end it.

Its environment is scrubbed: of the workbench's own it gets what Python needs and `LOCALBEDROCK_*`, so no AWS
key of the developer is within its reach. It ends when its standard input closes, however the workbench ends.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from services import settings

START_TIMEOUT_S = 120.0
"""A first start reads the model from a cold disk."""
STOP_TIMEOUT_S = 10.0
LOG_BYTES = 5_000_000
TAIL_LINES = 12

_PASSED_ON = re.compile(r"PATH|HOME|LANG|LC_\w+|TMPDIR|TZ|PYTHONPATH|(DY)?LD_LIBRARY_PATH|LOCALBEDROCK_\w+")


class EndpointProcess:
    """A started child. `url` is set once it serves; `log` is the file that holds what it writes to stderr."""

    def __init__(self, port: int, data_dir: Path) -> None:
        """Start it on `port` (0: any). Raises OSError where that cannot be done."""
        self.url: str | None = None
        self.log = data_dir / "log" / "endpoint.log"
        self._log_start = _prepare(self.log)
        with self.log.open("ab") as errors:
            self._process = subprocess.Popen(
                command(port, data_dir),
                cwd=settings.ROOT,
                env=environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C in the terminal is for the server, which then ends the child
            )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="endpoint-output", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self, stopping: threading.Event) -> bool:
        """Whether it serves now; False when it ended, took too long or was to stop before."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not stopping.is_set() and time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                with suppress(subprocess.TimeoutExpired):  # it closed its output, so it is about to end
                    self._process.wait(STOP_TIMEOUT_S)
                return False
            if line.startswith("READY "):
                self.url = line.removeprefix("READY ").strip()
                return True
        return False

    def end(self) -> None:
        """End it: first gently, so that it can save; then by force."""
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def why_it_ended(self) -> str:
        """A sentence, and the last lines that this run wrote to the log."""
        code = self._process.poll()
        if code is None:
            reason = f"It was not ready after {START_TIMEOUT_S:.0f} seconds."
        elif code < 0:
            reason = f"It was ended by signal {-code}."
        else:
            reason = f"It ended with exit code {code}."
        tail = self._tail()
        return f"{reason} Its last words:\n{tail}" if tail else f"{reason} Its log is {self.log}."

    def _tail(self) -> str:
        """The last lines that this run wrote to the log."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def _read(self) -> None:
        """Takes what the child prints, to its end: a full pipe would stop it."""
        output: IO[str] | None = self._process.stdout
        if output is None:
            return
        with output:
            for line in output:
                self._lines.put(line)
        self._lines.put(None)


def command(port: int, data_dir: Path) -> list[str]:
    """The command line of the endpoint."""
    module = [sys.executable, "-m", "localbedrock"]
    return [*module, "--port", str(port), "--data-dir", str(data_dir), "--exit-with-parent"]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the child may know of the workbench's environment."""
    passed_on = {name: value for name, value in environ.items() if _PASSED_ON.fullmatch(name)}
    return passed_on | {"PYTHONUNBUFFERED": "1"}


def _prepare(log: Path) -> int:
    """Makes the log's folder, begins a new file when the old one is large, returns where this run starts."""
    log.parent.mkdir(parents=True, exist_ok=True)
    size = log.stat().st_size if log.exists() else 0
    if size > LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))
        return 0
    return size
