"""Runs leave as files and come back; a file that is none says where and changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services import run_store, run_tables
from services.clients import Identity
from services.run_files import import_file, to_lines
from services.run_store import RunFilter, RunStore
from services.runs import Call, Run, RunFormatError, new_id, to_json


def a_run(number: int = 0, user: str = "ana", state: Any = "done", **call: Any) -> Run:
    made: dict[str, Any] = {
        "operation": "Converse",
        "request": {"messages": [{"role": "user", "content": [{"text": f"prompt {number}"}]}]},
        "identity": Identity("aws", None, "us-east-1"),
        "model_id": "m",
        "user": user,
    }
    started_at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=number)
    return Run(id=new_id(), call=Call(**made | call), started_at=started_at, state=state, latency_ms=1.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    opened = RunStore(f"sqlite:///{tmp_path / 'runs.db'}")
    yield opened
    opened.close()


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\n\n"])
def test_many_runs_come_back_as_ones_own(store: RunStore, separator: str) -> None:
    runs = [a_run(1), a_run(2)]
    data = b"\xef\xbb\xbf" + to_lines(runs).replace("\n", separator).encode()
    imported = import_file(store, data, "bob")
    assert [run.call.request for run in imported] == [run.call.request for run in runs]
    assert {run.call.user for run in imported} == {"bob"}
    assert {run.id for run in imported}.isdisjoint(run.id for run in runs)
    assert store.count("bob") == 2
    assert len(import_file(store, data, "bob")) == 2, "a second time they are runs of their own"


def test_one_run_may_be_written_over_many_lines(store: RunStore) -> None:
    pretty = json.dumps(json.loads(to_json(a_run())), indent=2)
    assert len(import_file(store, pretty.encode(), "bob")) == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n \n", "empty"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"nonsense", "not JSON"),
        (b"[1, 2]", "not a run"),
        (to_lines([a_run()]).encode() + b"\n{}\n", "Line 3: "),
        (to_lines([a_run(), replace(a_run(), state="running")]).encode(), "Line 2: This run was not over"),
        (b"[" * 100_000, "."),
    ],
)
def test_a_bad_file_is_a_sentence_and_nothing_is_imported(store: RunStore, data: bytes, says: str) -> None:
    with pytest.raises(RunFormatError, match=says):
        import_file(store, data, "bob")
    assert store.count("bob") == 0


def test_filters_and_counts_agree(store: RunStore) -> None:
    mine, failed, other, private = (
        a_run(1),
        a_run(2, state="failed", kind="agent", model_id="n"),
        a_run(3, user="bob", model_id="o"),
        a_run(4, user="bob", model_id="secret"),
    )
    for run in (mine, failed, other, private):
        store.save(run)
    store.share(other.id, "bob", True)
    options: list[tuple[dict[str, Any], list[Run]]] = [
        ({}, [other, failed, mine]),
        ({"state": "failed"}, [failed]),
        ({"scope": "own"}, [failed, mine]),
        ({"scope": "shared"}, [other]),
        ({"scope": "own", "text": "PROMPT 1"}, [mine]),
        ({"kind": "agent", "model_id": "m"}, []),
    ]
    for filters, expected in options:
        assert [summary.id for summary in store.list("ana", RunFilter(**filters))] == [
            run.id for run in expected
        ]
        assert store.count("ana", RunFilter(**filters)) == len(expected), filters
    assert store.kinds_and_models("ana") == (("agent", "model"), ("m", "n", "o"))


def test_ten_thousand_runs_are_listed_at_once(store: RunStore) -> None:
    """What the page asks of the database stays far below the time in which a page is felt to wait."""
    rows = [run_store._row(a_run(number, model_id=f"m{number % 20}")) for number in range(10_000)]
    texts = [{"run_id": row["id"], "text": f"prompt {n} lorem ipsum"} for n, row in enumerate(rows)]
    store.count("ana")
    with store.engine.begin() as connection:
        connection.execute(sa.insert(run_tables.runs), rows)
        connection.execute(sa.insert(run_tables.texts), texts)
    asked = {
        "list": lambda: store.list("ana"),
        "last page": lambda: store.list("ana", offset=9_950),
        "count": lambda: store.count("ana"),
        "facets": lambda: store.kinds_and_models("ana"),
        "search": lambda: store.list("ana", RunFilter(text="lorem 4321")),
    }
    for name, ask in asked.items():
        best_s = min(_seconds(ask) for _ in range(3))
        assert best_s < 0.25, name  # measured: 0.02 at most; the rest is for busy machines


def _seconds(ask: Any) -> float:
    began = time.perf_counter()
    assert ask()
    return time.perf_counter() - began
