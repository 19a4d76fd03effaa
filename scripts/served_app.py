"""A workbench server and a Chromium to look at it: for the browser tests, the screenshots and the bench."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Playwright

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 120
STOP_SECONDS = 20
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGS = (
    "--no-sandbox",  # Chromium's own sandbox does not start as root, as in containers and CI
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class App:
    """A running `streamlit run Home.py` with a workspace of its own."""

    url: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    log_path: Path

    def log(self) -> str:
        """All that the server has printed so far."""
        return self.log_path.read_text("utf-8", "replace")

    def wait(self) -> None:
        """Returns when the server answers; RuntimeError with its log when it ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the app did not come up:\n{self.log()}")

    def stop(self) -> None:
        """SIGTERM, then waits; RuntimeError if the server had to be killed."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the app did not stop in {STOP_SECONDS} s:\n{self.log()}") from None


def start_app(data_dir: Path, env: Mapping[str, str] | None = None, args: tuple[str, ...] = ()) -> App:
    """Starts a server on a free port, its files in `data_dir`; does not wait for it.

    `env` is added to this process's environment, `args` go to `streamlit run`.
    """
    port = free_port()
    log_path = data_dir / "server.log"
    own = {**workspace(data_dir), "WORKBENCH_PORT": str(port)}
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.run", *args],
            cwd=ROOT,
            env={**os.environ, **own, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return App(f"http://127.0.0.1:{port}", data_dir, process, log_path)


def workspace(data_dir: Path) -> dict[str, str]:
    """The variables that keep everything of a workbench in one folder."""
    return {
        "WORKBENCH_LOCAL_DATA": str(data_dir / "local"),
        "WORKBENCH_USERS_FILE": str(data_dir / "users.yaml"),
        "WORKBENCH_DATABASE_URL": f"sqlite:///{data_dir / 'workbench.db'}",
    }


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def launch_chromium(playwright: Playwright) -> Browser:
    """The system's Chromium, else Playwright's own download; playwright's Error where there is neither."""
    system = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    return playwright.chromium.launch(executable_path=system, args=list(CHROMIUM_ARGS))
