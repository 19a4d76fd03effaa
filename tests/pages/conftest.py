"""A workspace for each page test: its own database and users file, and an endpoint that is said to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bcrypt
import pytest
from streamlit import config

from services import backend, run_store, settings, sign_in
from services.backend import BackendStatus
from services.run_store import RunStore


class Workspace:
    """The settings of one test; `change` alters them, `status` is what the local endpoint is said to be."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings.Settings(
            database_url=f"sqlite:///{folder / 'workbench.db'}",
            users_file=folder / "users.yaml",
            local_data=folder / "local",
        )
        self.status = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
        self._stores: dict[str, RunStore] = {}

    def change(self, **changes: object) -> None:
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        if self.settings.backend == "aws":
            self.status = BackendStatus("aws", None, "", None, 0)

    def store(self) -> RunStore:
        url = self.settings.database_url
        return self._stores.setdefault(url, RunStore(url))

    def close(self) -> None:
        for store in self._stores.values():
            store.close()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    here = Workspace(tmp_path)
    monkeypatch.setattr(settings, "get", lambda: here.settings)
    monkeypatch.setattr(run_store, "store", here.store)
    monkeypatch.setattr(backend, "status", lambda: here.status)
    gensalt = bcrypt.gensalt
    monkeypatch.setattr(bcrypt, "gensalt", lambda: gensalt(4))
    sign_in.limiter.clear()
    address = config.get_option("server.address")
    yield here
    here.close()
    config.set_option("server.address", address)
