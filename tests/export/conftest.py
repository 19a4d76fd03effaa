"""An environment of its own for exported code: the AWS CLI, LangChain and LlamaIndex, pinned."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripted_server import identity, server

__all__ = ["identity", "server"]

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements-export.txt"
VENV = ROOT / ".venv-export"
BUILD_S = 400


@pytest.fixture(scope="session")
def export_bin() -> Path:
    """The `bin` folder of .venv-export, made where it is not there for these requirements and this Python.

    Skips where it cannot be made, such as without a network; in CI that is a failure.
    """
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    done = VENV / "requirements.sha256"
    with REQUIREMENTS.open() as lock:  # two test runs at once would spoil each other's folder
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (done.exists() and done.read_text() == wanted):
            problem = _build()
            if problem and os.environ.get("CI"):
                pytest.fail(problem)
            if problem:
                pytest.skip(problem)
            done.write_text(wanted)
    return VENV / "bin"


def _build() -> str:
    """Make the environment anew; why not, or ""."""
    shutil.rmtree(VENV, ignore_errors=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    commands = (
        [sys.executable, "-m", "venv", str(VENV)],
        [*pip, "--no-compile", "--retries", "1", "-r", str(REQUIREMENTS)],
    )
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_S)
        except subprocess.SubprocessError as error:
            said = str(getattr(error, "stderr", None) or error).strip().splitlines()
            return f"the environment of the exported code cannot be made: {said[-1] if said else error}"
    return ""
