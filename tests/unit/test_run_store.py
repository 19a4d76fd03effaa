"""The history: private, complete, quick with thousands of runs, and never in the way of a reply."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from services import run_store, run_tables
from services.clients import Identity
from services.run_store import RunFilter, RunStore
from services.runs import Call, Run, RunEvent, RunFormatError, TokenUsage, new_id, to_json

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 11, 23, tzinfo=UTC)
BIG = bytes(range(256)) * 40


def a_run(
    number: int = 0, *, user: str = "ana", prompt: str = "Why?", reply: str = "Because.", **call: Any
) -> Run:
    response = {"output": {"message": {"role": "assistant", "content": [{"text": reply}]}}}
    fields: dict[str, Any] = {
        "operation": "Converse",
        "request": {"modelId": "m", "messages": [{"role": "user", "content": [{"text": prompt}]}]},
        "identity": Identity("aws", "dev", "eu-west-1"),
        "model_id": "m",
        "user": user,
        "tags": {"page": "playground"},
    }
    return Run(
        id=new_id(),
        call=Call(**(fields | call)),
        started_at=START + timedelta(seconds=number),
        state="done",
        latency_ms=5.5,
        ttft_ms=1.5,
        events=(RunEvent(5.5, "response", response),),
        response=response,
        usage=TokenUsage(1, 2, 3),
        cost_usd=0.5,
    )


def with_image(number: int = 0, data: bytes = BIG) -> Run:
    content = [{"image": {"format": "png", "source": {"bytes": data}}}, {"text": "What is it?"}]
    return a_run(number, request={"modelId": "m", "messages": [{"role": "user", "content": content}]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[RunStore]:
    opened = RunStore(f"sqlite:///{path}")
    yield opened
    opened.close()


def test_nothing_is_made_before_the_first_use(store: RunStore, path: Path) -> None:
    assert not path.exists()
    assert store.list("ana") == ()
    assert path.exists()


def test_only_the_owner_of_the_process_may_read_the_file(store: RunStore, path: Path) -> None:
    """Prompts stand in it."""
    old = os.umask(0)
    try:
        assert store.save(a_run()) is None
    finally:
        os.umask(old)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("data", [BIG, b"\x00small", b""])
def test_a_run_comes_back_as_it_was(store: RunStore, data: bytes) -> None:
    run = with_image(data=data)
    assert store.save(run) is None
    assert store.get(run.id, "ana") == run


def test_runs_survive_a_restart(store: RunStore, path: Path) -> None:
    run = a_run()
    store.save(run)
    with closing(RunStore(f"sqlite:///{path}")) as again:
        assert again.get(run.id, "ana") == run


def test_a_closed_store_is_one_file(store: RunStore, path: Path) -> None:
    """A copy of the file is the whole history once the server has ended."""
    run = a_run()
    store.save(run)
    assert len(list(path.parent.iterdir())) > 1
    store.close()
    assert list(path.parent.iterdir()) == [path]
    assert store.get(run.id, "ana") == run, "a reply that ends late is lost"


def test_saving_again_replaces(store: RunStore) -> None:
    run = with_image()
    store.save(run)
    store.save(replace(run, state="stopped"))
    assert [summary.state for summary in store.list("ana")] == ["stopped"]
    found = store.get(run.id, "ana")
    assert found == replace(run, state="stopped")


def test_a_summary_says_what_a_list_shows(store: RunStore) -> None:
    run = a_run()
    store.save(run)
    (summary,) = store.list("ana")
    assert summary == run_store.RunSummary(
        id=run.id,
        user="ana",
        shared=False,
        started_at=START,
        kind="model",
        operation="Converse",
        model_id="m",
        parent_id=None,
        backend="aws",
        profile="dev",
        region="eu-west-1",
        state="done",
        problem=None,
        usage=TokenUsage(1, 2, 3),
        ttft_ms=1.5,
        latency_ms=5.5,
        cost_usd=0.5,
        tags={"page": "playground"},
        prompt="Why?",
        reply="Because.",
    )


def test_a_run_is_private_until_it_is_shared(store: RunStore) -> None:
    run = a_run()
    store.save(run)
    assert store.get(run.id, "bob") is None
    assert store.list("bob") == ()
    assert not store.share(run.id, "bob", True), "only the owner shares"
    assert store.share(run.id, "ana", True)
    assert store.get(run.id, "bob") == replace(run, shared=True)
    assert [summary.shared for summary in store.list("bob")] == [True]
    assert store.share(run.id, "ana", False)
    assert store.get(run.id, "bob") is None


def test_nobody_deletes_or_overwrites_anothers_run(store: RunStore) -> None:
    """A run that is imported or made up may carry any id."""
    run = a_run()
    store.save(run)
    store.share(run.id, "ana", True)
    assert not store.delete(run.id, "bob")
    forged = replace(run, call=replace(run.call, user="bob"))
    assert store.save(forged) is not None
    found = store.get(run.id, "ana")
    assert found is not None
    assert found.call.user == "ana"


def test_delete(store: RunStore) -> None:
    run = a_run()
    store.save(run)
    assert store.delete(run.id, "ana")
    assert not store.delete(run.id, "ana")
    assert store.get(run.id, "ana") is None
    assert store.list("ana") == ()
    assert store.list("ana", RunFilter(text="because")) == ()


def count(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return found


def test_a_binary_is_stored_once_and_goes_with_its_last_run(store: RunStore, path: Path) -> None:
    """Each turn of a chat sends all earlier images again."""
    first, second, other = with_image(), with_image(), with_image(data=BIG + b"!")
    for run in (first, second, other):
        store.save(run)
    assert count(path, "binaries") == 2
    store.delete(first.id, "ana")
    assert count(path, "binaries") == 2
    assert store.get(second.id, "ana") == second
    store.delete(second.id, "ana")
    assert count(path, "binaries") == 1
    assert store.get(other.id, "ana") == other


def test_the_list_is_newest_first_in_pages(store: RunStore) -> None:
    for number in range(7):
        store.save(a_run(number, prompt=str(number)))
    assert [summary.prompt for summary in store.list("ana", limit=3)] == ["6", "5", "4"]
    assert [summary.prompt for summary in store.list("ana", limit=3, offset=6)] == ["0"]


def test_filters(store: RunStore) -> None:
    store.save(a_run(1, model_id="a"))
    store.save(a_run(2, model_id="b", kind="agent"))
    assert [summary.model_id for summary in store.list("ana", RunFilter(model_id="a"))] == ["a"]
    assert [summary.model_id for summary in store.list("ana", RunFilter(kind="agent"))] == ["b"]
    assert store.list("ana", RunFilter(kind="agent", model_id="a")) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("straße", True),
        ("STRASSE", True),
        ("100%", True),
        ("under_score", True),
        ("antwort straße", True),
        ("antwort   nowhere", False),
        ("10_%", False),
        ("%", True),
        ("'; DROP TABLE runs; --", False),
        ("nul", True),
        ("", True),
    ],
)
def test_search_takes_words_as_they_are(store: RunStore, text: str, found: bool) -> None:
    store.save(a_run(prompt="Die Straße, 100% under_score \\ nul\x00", reply="Die Antwort \ud83d"))
    assert bool(store.list("ana", RunFilter(text=text))) is found


def test_strange_texts_are_stored(store: RunStore) -> None:
    run = a_run(prompt="\x00 \ud83d", reply="\x00" * 500)
    assert store.save(run) is None
    assert store.get(run.id, "ana") == run


def test_import_makes_the_run_ones_own(store: RunStore) -> None:
    original = with_image()
    imported = store.import_json(to_json(replace(original, shared=True)), "bob")
    assert imported.id != original.id
    assert store.get(imported.id, "bob") == imported
    assert (imported.call.user, imported.shared) == ("bob", False)
    assert store.get(imported.id, "ana") is None
    with pytest.raises(RunFormatError):
        store.import_json("{}", "bob")
    with pytest.raises(RunFormatError):
        store.import_json(to_json(replace(original, state="running")), "bob")


def test_an_import_cannot_reach_into_the_store(store: RunStore) -> None:
    """A reference to a stored binary in a foreign file must not bring out another user's image."""
    private = with_image()
    store.save(private)
    sha256 = hashlib.sha256(BIG).hexdigest()
    text = to_json(a_run(prompt="PLACE")).replace('"PLACE"', f'{{"$sha256": "{sha256}"}}')
    with pytest.raises(RunFormatError):
        store.import_json(text, "bob")


def test_a_store_that_fails_gives_a_problem_and_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The reply is on screen; the history must not take it away, nor write prompts into the log."""
    (tmp_path / "file").write_text("no folder")
    store = RunStore(f"sqlite:///{tmp_path / 'file' / 'runs.db'}")
    with caplog.at_level(logging.DEBUG):
        problems = [store.save(a_run(prompt="SECRET")) for _ in range(3)]
    assert all(problem is not None and problem.code == "RunNotStored" for problem in problems)
    assert len(caplog.records) == 1
    assert "SECRET" not in caplog.text


def test_a_statement_that_fails_logs_no_prompt(
    store: RunStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.save(a_run())
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE run_texts")
    connection.close()
    problem = store.save(a_run(prompt="SECRET"))
    assert problem is not None
    assert "SECRET" not in caplog.text + problem.cause


def test_the_log_speaks_again_after_a_success(
    store: RunStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.save(a_run())
    for _ in range(2):
        with sqlite3.connect(path) as connection:
            connection.execute("ALTER TABLE run_texts RENAME TO away")
        connection.close()
        assert store.save(a_run()) is not None
        with sqlite3.connect(path) as connection:
            connection.execute("ALTER TABLE away RENAME TO run_texts")
        connection.close()
        assert store.save(a_run()) is None
    assert len(caplog.records) == 2


@pytest.mark.parametrize("url", ["nonsense", "nodriver://x/y", ""])
def test_a_url_that_is_none_gives_a_problem(url: str) -> None:
    assert RunStore(url).save(a_run()) is not None


def test_a_database_of_another_version_is_left_alone(store: RunStore, path: Path) -> None:
    store.save(a_run())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE workbench_schema SET version = 99")
    connection.close()
    with pytest.raises(run_tables.StoreError, match="another version"):
        RunStore(f"sqlite:///{path}").list("ana")


def test_many_threads_write_and_read_at_once(store: RunStore) -> None:
    """Every pane's worker saves its own run; the same image from all of them."""
    problems: list[object] = []

    def work(number: int) -> None:
        for turn in range(5):
            problems.append(store.save(with_image(number * 10 + turn)))
            store.list("ana")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == [None] * 40
    assert len(store.list("ana", limit=100)) == 40


def test_the_list_stays_quick_with_thousands_of_runs(store: RunStore) -> None:
    """It walks an index, reads no run's document, and one row for each run that it shows."""
    store.save(a_run())
    rows = [run_store._row(a_run(number, user="ana" if number % 2 else "bob")) for number in range(5000)]
    texts = [{"run_id": row["id"], "text": f"lorem ipsum {n} " * 100} for n, row in enumerate(rows)]
    statements: list[tuple[str, Any]] = []
    with store.engine.begin() as connection:
        connection.execute(sa.insert(run_tables.runs), rows)
        connection.execute(sa.insert(run_tables.texts), texts)
    sa.event.listen(
        store.engine, "before_cursor_execute", lambda *args: statements.append((args[2], args[3]))
    )
    asked: tuple[tuple[dict[str, Any], float], ...] = (
        ({}, 0.5),
        ({"offset": 2000}, 0.5),
        ({"only": RunFilter(text="lorem 4321")}, 2.0),
    )
    for options, most_s in asked:
        began = time.perf_counter()
        assert store.list("ana", **options)
        assert time.perf_counter() - began < most_s, options
    assert len(statements) == 3
    assert not any("document" in statement for statement, _ in statements)
    with store.engine.connect() as connection:
        statement, parameters = statements[0]
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    assert any("INDEX" in step for step in plan), plan


def test_the_schema_is_also_postgres() -> None:
    """Every statement that makes the schema compiles there, and no column is one that Postgres lacks."""
    dialect = postgresql.dialect()
    for table in run_tables.schema.sorted_tables:
        text = str(CreateTable(table, if_not_exists=True).compile(dialect=dialect))
        assert "IF NOT EXISTS" in text
        for index in table.indexes:
            assert "IF NOT EXISTS" in str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect))


def test_the_store_of_the_server_is_the_one_of_the_settings() -> None:
    run = a_run(user="test-the-store-of-the-server")
    assert run_store.keep(run) is None
    assert run_store.store().get(run.id, run.call.user) == run


def test_the_store_of_the_server_is_closed_at_its_end(path: Path) -> None:
    """Threads of the server still hold it then, so nothing else would close it."""
    script = (
        "import threading; from services import run_store; store = run_store.store(); store.list('ana')\n"
        "threading.Thread(target=lambda store: threading.Event().wait(), args=[store], daemon=True).start()"
    )
    environment = {**os.environ, "WORKBENCH_DATABASE_URL": f"sqlite:///{path}"}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True, timeout=60)
    assert list(path.parent.iterdir()) == [path]
