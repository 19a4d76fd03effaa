"""What every test may ask for: the local endpoint as a process, AWS recordings, event-stream bytes."""

from __future__ import annotations

import configparser
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.config import Config
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import app_test

from tests import eventstream as eventstream_module
from tests.processes import first_line, stop

ROOT = Path(__file__).resolve().parent.parent
PROFILE = "localbedrock"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share what they start: one process runs them, and one all that want a browser."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        item.add_marker(pytest.mark.xdist_group("browser" if folder == "browser" else str(item.path)))


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the developer's AWS account, settings or workspace."""
    workspace = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "WORKBENCH_", "LOCALBEDROCK_")):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(workspace / "no-config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(workspace / "no-credentials"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("WORKBENCH_LOCAL_DATA", str(workspace / "local"))
        patch.setenv("WORKBENCH_USERS_FILE", str(workspace / "users.yaml"))
        patch.setenv("WORKBENCH_DATABASE_URL", f"sqlite:///{workspace / 'workbench.db'}")
        yield


class _RouterPagesManager(PagesManager):
    """Keeps AppTest on the st.navigation path although a pages/ folder exists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        PagesManager.uses_pages_directory = False


@pytest.fixture(autouse=True)
def router(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, AppTest runs a page's file alone after the first run, past Home.py and its gate."""
    monkeypatch.setattr(app_test, "PagesManager", _RouterPagesManager)


@dataclass(frozen=True)
class Endpoint:
    """A running `python -m localbedrock`."""

    url: str
    data_dir: Path
    process: subprocess.Popen[str]

    @property
    def env(self) -> dict[str, str]:
        """The variables that make any SDK or CLI use this endpoint."""
        return {
            "AWS_CONFIG_FILE": str(self.data_dir / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.data_dir / "credentials"),
            "AWS_PROFILE": PROFILE,
        }

    @property
    def keys(self) -> tuple[str, str]:
        """Access key id and secret."""
        credentials = configparser.ConfigParser()
        credentials.read(self.data_dir / "credentials")
        section = credentials[PROFILE]
        return section["aws_access_key_id"], section["aws_secret_access_key"]

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client of this endpoint; `config` goes to botocore's Config. Nothing is retried."""
        key_id, secret = self.keys
        session = boto3.Session(
            aws_access_key_id=key_id, aws_secret_access_key=secret, region_name="us-east-1"
        )
        settings = {"retries": {"total_max_attempts": 1}} | config
        return session.client(service, endpoint_url=self.url, config=Config(**settings))


def start_endpoint(data_dir: Path, *options: str) -> Endpoint:
    """An endpoint that serves; whoever starts it stops its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "localbedrock", "--data-dir", str(data_dir), *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        ready = first_line(process, seconds=120)
        assert ready.startswith("READY http://127.0.0.1:"), f"the endpoint said {ready!r}"
    except BaseException:
        stop(process, signal.SIGTERM)
        raise
    return Endpoint(ready.split()[1], data_dir, process)


@pytest.fixture(scope="session")
def endpoint(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The local endpoint, started once for all tests."""
    data_dir = tmp_path_factory.mktemp("localbedrock")
    started = start_endpoint(data_dir, "--port", "0", "--exit-with-parent")
    try:
        yield started
    finally:
        stop(started.process, signal.SIGTERM)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded AWS traffic that lies beside the project, where there is one."""
    folder = Path(os.environ.get("RECORDINGS_DIR", ROOT.parent / "shared" / "recordings"))
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}: set RECORDINGS_DIR")
    return folder


@pytest.fixture(scope="session")
def eventstream() -> ModuleType:
    """Makes event-stream bytes: `frame`, `frames`, `answer` (see tests/eventstream.py)."""
    return eventstream_module
