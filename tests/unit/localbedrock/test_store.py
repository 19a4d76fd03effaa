"""Documents survive, come back in order, and are safe from each other's threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localbedrock.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "s.db")
    yield opened
    opened.close()


def test_put_get_list_delete(store: Store) -> None:
    store.put("kind", "b", {"n": 1, "text": "ä"})
    store.put("kind", "a", {"n": 2})
    store.put("other", "a", {"n": 3})
    assert store.get("kind", "b") == {"n": 1, "text": "ä"}
    assert [document["n"] for document in store.list("kind")] == [1, 2]
    assert store.delete("kind", "b") is True
    assert store.delete("kind", "b") is False
    assert store.get("kind", "b") is None


def test_a_replaced_document_keeps_its_place(store: Store) -> None:
    store.put("kind", "x", {"n": 1})
    store.put("kind", "y", {"n": 2})
    store.put("kind", "x", {"n": 3})
    assert [document["n"] for document in store.list("kind")] == [3, 2]


def test_updates_from_many_threads_do_not_lose_each_other(store: Store) -> None:
    def count() -> None:
        for _ in range(25):
            store.update("kind", "n", lambda document: {"n": (document or {"n": 0})["n"] + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("kind", "n") == {"n": 100}


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    script = (
        "import sys; from localbedrock.store import Store; s = Store(sys.argv[1])\n"
        "for n in range(50): s.put('kind', str(n), {'n': n}); print(n, flush=True)\n"
        "sys.stdin.read()"
    )
    path = tmp_path / "s.db"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "49":
                break
        os.kill(process.pid, signal.SIGKILL)
    again = Store(path)
    try:
        assert [document["n"] for document in again.list("kind")] == list(range(50))
    finally:
        again.close()
