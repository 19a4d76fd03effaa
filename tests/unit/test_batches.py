"""A batch runs every cell exactly once: through throttles, a cancel, a full disk and the death of the app."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from botocore.exceptions import ClientError, ReadTimeoutError

from services import (
    batch_runner,
    batch_tables,
    batch_values,
    models,
    recorder,
    run_store,
    runtime,
)
from services.batch_grid import counts, csv_text, page, summaries
from services.batch_pace import MOST_IN_A_ROW, Pace
from services.batch_runner import BatchRunner, Runners
from services.batch_store import BatchStore
from services.batch_values import Batch, Claim, Column, Outcome
from services.clients import Identity
from services.conversations import Settings
from services.guardrails import GuardrailChoice
from services.model_values import Model
from services.prompt_caching import CachePoints
from services.run_store import RunStore
from services.runs import Call
from services.runtime import Opened
from tests import eventstream
from tests.scripted_server import Exchange, ScriptedServer

AWS = Identity("aws", None, "us-east-1")
Events = Iterator[tuple[str, dict[str, Any]]]


def says(text: str) -> Events:
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    return iter(
        [
            ("messageStart", {"role": "assistant"}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": usage, "metrics": {"latencyMs": 7}}),
        ]
    )


def refusal(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ConverseStream")


class Bedrock:
    """Answers with the prompt and the model, unless a test has its own `answer`; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.under_way = self.most_under_way = 0
        self.answer: Callable[[str, str], Events] = lambda prompt, model_id: says(f"{prompt} {model_id}")
        self._lock = threading.Lock()

    def open(self, call: Call) -> Opened:
        prompt = call.request["messages"][-1]["content"][0]["text"]
        with self._lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            events = self.answer(prompt, call.model_id)
            with self._lock:
                self.asked[prompt, call.model_id] += 1
        finally:
            with self._lock:
                self.under_way -= 1
        return Opened({"RequestId": "r"}, events, time.perf_counter(), lambda: None, lambda: None)


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Bedrock:
    fake = Bedrock()
    monkeypatch.setattr(runtime, "open_call", fake.open)
    monkeypatch.setattr(recorder, "price_of", lambda identity, model_id: None)
    monkeypatch.setattr(
        models,
        "resolve",
        lambda identity, text: Model(text, "", text, "P", "foundation", text),
    )
    return fake


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BatchStore]:
    runs = RunStore(f"sqlite:///{tmp_path / 'w.db'}")
    yield BatchStore(runs)
    runs.close()


def make(
    store: BatchStore, rows: int = 6, models: tuple[str, ...] = ("a.one", "b.two"), **more: Any
) -> Batch:
    fields: dict[str, Any] = {
        "template": "Q: {{prompt}}",
        "mapping": {"prompt": "prompt"},
        "columns": [Column(model_id, Settings(model_id=model_id, system="Be brief")) for model_id in models],
        "concurrency": 3,
        "identity": AWS,
    }
    texts = [[f"p{n}"] for n in range(rows)]
    batch = store.get(store.create("ana", "test", ["prompt"], texts, **(fields | more)), "ana")
    assert batch
    return batch


def run(store: BatchStore, batch: Batch) -> BatchRunner:
    runner = BatchRunner(store, batch, AWS)
    assert runner.start()
    assert runner.wait(20)
    return runner


def now(store: BatchStore, batch: Batch) -> Batch:
    found = store.get(batch.id, "ana")
    assert found
    return found


def test_every_cell_runs_once_and_is_a_run_of_the_history(store: BatchStore, bedrock: Bedrock) -> None:
    batch = make(store)
    run(store, batch)
    assert counts(store.engine, batch.id) == {
        "waiting": 0,
        "running": 0,
        "in_job": 0,
        "done": 12,
        "failed": 0,
    }
    assert len(bedrock.asked) == 12
    assert set(bedrock.asked.values()) == {1}
    cell = page(store.engine, batch).rows[4].cells[1]
    assert (cell.state, cell.reply, cell.input_tokens, cell.output_tokens) == ("done", "Q: p4 b.two", 3, 2)
    stored = RunStore(str(store.engine.url)).get(cell.run_id or "", "ana")
    assert stored
    assert stored.call.tags == {"page": "model_playground", "batch": batch.id, "row": "5"}
    assert stored.call.request["system"] == [{"text": "Be brief"}]
    assert stored.ttft_ms is not None
    assert not batch_values.is_alive(now(store, batch))


def test_the_settings_come_back_as_they_went_in(store: BatchStore) -> None:
    """A maxTokens of 100.0 would be refused before it is sent."""
    parameters: dict[str, float | str] = {"maxTokens": 100, "temperature": 0.0, "reasoningEffort": "low"}
    settings = Settings(
        model_id="a.one",
        parameters=parameters,
        stop_sequences=("x", "ü"),
        operation="InvokeModel",
        body_json='{"prompt": "{{prompt}}"}',
        guardrail=GuardrailChoice("g-1", "2", stream_mode="async"),
        cache_points=CachePoints(system=True, ttl="1h"),
    )
    batch = make(store, columns=[Column("A", settings)])
    assert batch.columns == (Column("A", settings),)
    assert [type(value) for value in batch.columns[0].settings.parameters.values()] == [int, float, str]


def test_no_more_calls_run_at_once_than_were_asked_for(store: BatchStore, bedrock: Bedrock) -> None:
    together = threading.Barrier(2, timeout=10)

    def answer(prompt: str, model_id: str) -> Events:
        together.wait()
        return says("x")

    bedrock.answer = answer
    run(store, make(store, rows=10, models=("a.one",), concurrency=2))
    assert bedrock.most_under_way == 2


def test_a_throttled_cell_waits_again_and_is_asked_again(store: BatchStore, bedrock: Bedrock) -> None:
    refused: Counter[str] = Counter()

    def answer(prompt: str, model_id: str) -> Events:
        refused[prompt] += 1
        if refused[prompt] == 1 and prompt in {"Q: p1", "Q: p4"}:
            raise refusal("ThrottlingException", "Too many requests")
        return says("x")

    bedrock.answer = answer
    batch = make(store, rows=8, models=("a.one",), concurrency=8)
    run(store, batch)
    assert counts(store.engine, batch.id)["done"] == 8
    assert set(bedrock.asked.values()) == {1}
    assert refused["Q: p1"] == refused["Q: p4"] == 2


def test_what_may_have_been_billed_is_not_asked_again(store: BatchStore, bedrock: Bedrock) -> None:
    tried: Counter[str] = Counter()

    def answer(prompt: str, model_id: str) -> Events:
        tried[prompt] += 1
        if prompt == "Q: p2":
            raise ReadTimeoutError(endpoint_url="https://x")
        return says("x")

    bedrock.answer = answer
    batch = make(store, rows=4, models=("a.one",))
    run(store, batch)
    run(store, now(store, batch))
    failed = page(store.engine, batch, only="failed")
    assert [row.number for row in failed.rows] == [2]
    assert failed.rows[0].cells[0].billed
    assert failed.rows[0].cells[0].problem
    assert tried["Q: p2"] == 1
    assert store.reopen_failed(batch.id, "eve") == 0
    assert store.reopen_failed(batch.id, "ana") == 1
    bedrock.answer = lambda prompt, model_id: says("now")
    run(store, now(store, batch))
    assert counts(store.engine, batch.id)["done"] == 4


def test_cancel_lets_calls_end_and_resume_runs_the_rest(store: BatchStore, bedrock: Bedrock) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def answer(prompt: str, model_id: str) -> Events:
        begun.release()
        assert go_on.wait(10)
        return says("x")

    bedrock.answer = answer
    batch = make(store, rows=9, models=("a.one",))
    runner = BatchRunner(store, batch, AWS)
    assert runner.start()
    for _ in range(3):
        assert begun.acquire(timeout=10)
    runner.cancel()
    go_on.set()
    assert runner.wait(10)
    assert counts(store.engine, batch.id) == {"waiting": 6, "running": 0, "in_job": 0, "done": 3, "failed": 0}
    run(store, now(store, batch))
    assert counts(store.engine, batch.id)["done"] == 9
    assert set(bedrock.asked.values()) == {1}


def test_after_the_app_was_killed_done_cells_stay_done(store: BatchStore, bedrock: Bedrock) -> None:
    """A runner that is not in this process's list of living ones is what a kill leaves behind."""
    batch = make(store, rows=5, models=("a.one",))
    dead = batch_values.new_runner()
    batch_values.living.add(dead)
    assert store.take(batch.id, dead) == 0
    claims = store.advance(batch.id, dead, [], [((0,), 3)])
    assert claims == [Claim(0, 0), Claim(1, 0), Claim(2, 0)]
    run_of_it = runtime.call_unstored(_call(batch))
    store.advance(batch.id, dead, [Outcome(Claim(0, 0), run_of_it)])
    bedrock.asked.clear()
    assert BatchRunner(store, now(store, batch), AWS).start() is False
    batch_values.living.discard(dead)

    runner = run(store, now(store, batch))
    assert runner.orphans == 2
    assert counts(store.engine, batch.id)["done"] == 5
    assert sorted(prompt for prompt, _ in bedrock.asked) == ["Q: p1", "Q: p2", "Q: p3", "Q: p4"]


def test_what_a_runner_stores_late_does_not_overwrite_its_successors_cell(
    store: BatchStore, bedrock: Bedrock
) -> None:
    batch = make(store, rows=1, models=("a.one",))
    late = batch_values.new_runner()
    assert store.take(batch.id, late) == 0
    claims = store.advance(batch.id, late, [], [((0,), 1)])
    run(store, now(store, batch))
    shown = page(store.engine, batch).rows[0].cells[0]
    assert claims
    assert store.advance(batch.id, late, [Outcome(claims[0], runtime.call_unstored(_call(batch)))]) is None
    assert page(store.engine, batch).rows[0].cells[0] == shown


def test_a_runner_of_another_machine_lives_as_long_as_its_heart_beats(store: BatchStore) -> None:
    batch = replace(make(store), runner="elsewhere:1:x", heartbeat_at=time.time())
    assert batch_values.is_alive(batch)
    assert not batch_values.is_alive(replace(batch, heartbeat_at=time.time() - batch_values.STALE_S - 1))


def test_two_claims_never_get_the_same_cell(store: BatchStore) -> None:
    batch = make(store, rows=60, models=("a.one", "b.two"))
    me = batch_values.new_runner()
    store.take(batch.id, me)
    found: list[Claim] = []

    def claim() -> None:
        while claims := store.advance(batch.id, me, [], [((0,), 3), ((1,), 2)]):
            found.extend(claims)

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 120


def test_a_reply_is_kept_until_the_database_takes_it(
    store: BatchStore, bedrock: Bedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = run_store.write, [2]

    def write(*args: Any) -> None:
        if failures[0]:
            failures[0] -= 1
            raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))
        real(*args)

    monkeypatch.setattr(run_store, "write", write)
    batch = make(store, rows=3, models=("a.one",))
    assert run(store, batch).store_problem == ""
    assert counts(store.engine, batch.id)["done"] == 3
    assert set(bedrock.asked.values()) == {1}


def test_a_column_that_always_fails_ends_the_batch_early(store: BatchStore, bedrock: Bedrock) -> None:
    def answer(prompt: str, model_id: str) -> Events:
        raise refusal("AccessDeniedException")

    bedrock.answer = answer
    batch = make(store, rows=100, models=("a.one",), concurrency=2)
    run(store, batch)
    found = counts(store.engine, batch.id)
    assert batch_runner.FAILURES_IN_A_ROW <= found["failed"] < 20
    assert found["waiting"] == 100 - found["failed"]
    assert "10 calls in a row failed in a.one" in now(store, batch).note


def test_an_empty_prompt_and_a_pane_without_a_model_cost_no_call(store: BatchStore, bedrock: Bedrock) -> None:
    batch = make(store, models=("a.one", ""), rows=1, template="{{prompt}} ", mapping={"prompt": "prompt"})
    with store.engine.begin() as connection:
        connection.execute(sa.update(batch_tables.rows).values(texts='[" "]'))
    run(store, batch)
    cells = page(store.engine, batch).rows[0].cells
    assert [cell.problem for cell in cells] == [
        "The prompt of this row is empty",
        "This column has no model to ask",
    ]
    assert not bedrock.asked


def test_the_filters_the_figures_and_the_csv(store: BatchStore, bedrock: Bedrock) -> None:
    bedrock.answer = lambda prompt, model_id: says("same" if prompt != "Q: p3" else f'"{model_id}", é')
    batch = make(store)
    run(store, batch)
    differ = page(store.engine, batch, only="differ")
    assert differ.total == 1
    assert [row.number for row in differ.rows] == [3]
    assert page(store.engine, batch, only="failed").total == 0
    first = summaries(store.engine, batch)[0]
    assert (first.done, first.failed, first.input_tokens, first.output_tokens) == (6, 0, 18, 12)
    assert first.latency_ms is not None
    assert (first.cost_usd, first.unpriced) == (None, 6)
    lines = csv_text(store.engine, batch).splitlines()
    assert lines[0].startswith("\ufeffprompt,a.one reply,a.one state,a.one problem,a.one input_tokens")
    assert len(lines) == 7
    assert lines[4].startswith('p3,"""a.one"", é",done,,3,2,')


def test_a_batch_is_its_owners_alone(store: BatchStore) -> None:
    batch = make(store)
    assert store.get(batch.id, "eve") is None
    assert store.latest("eve") == ()
    assert not store.delete(batch.id, "eve")
    assert [each.id for each in store.latest("ana")] == [batch.id]
    assert store.delete(batch.id, "ana")
    assert store.get(batch.id, "ana") is None
    assert counts(store.engine, batch.id)["waiting"] == 0


def test_a_batch_has_one_runner_in_a_process(store: BatchStore, bedrock: Bedrock) -> None:
    go_on = threading.Event()

    def answer(prompt: str, model_id: str) -> Events:
        assert go_on.wait(10)
        return says("x")

    bedrock.answer = answer
    batch, runners = make(store, rows=2, models=("a.one",)), Runners()
    first = runners.start(store, batch, AWS)
    assert first
    assert runners.start(store, now(store, batch), AWS) is None
    assert runners.of(batch.id) is first
    assert not store.delete(batch.id, "ana")
    go_on.set()
    assert first.wait(10)


def test_the_pace_halves_once_for_calls_sent_together_and_recovers() -> None:
    pace = Pace(8)
    pace.throttled(sent_at=1.0, wait_s=2, now=2.0)
    pace.throttled(sent_at=1.5, wait_s=2, now=2.1)
    assert (pace.limit, pace.free(2.2)) == (4, 4)
    for _ in range(40):
        pace.succeeded()
    assert int(pace.limit) == 8


def test_at_one_call_at_a_time_the_wait_doubles_until_it_is_hopeless() -> None:
    pace = Pace(1)
    pace.throttled(sent_at=0, wait_s=2, now=10)
    assert pace.free(11.9) == 0
    assert pace.free(12) == 1
    pace.throttled(sent_at=12, wait_s=2, now=13)
    assert pace.free(16.9) == 0
    for n in range(MOST_IN_A_ROW):
        pace.throttled(sent_at=100 + n, wait_s=2, now=100.5 + n)
    assert pace.hopeless
    pace.succeeded()
    assert not pace.hopeless


def _call(batch: Batch) -> Call:
    request = {"modelId": "a.one", "messages": [{"role": "user", "content": [{"text": "Q: p0"}]}]}
    return Call(operation="ConverseStream", request=request, identity=AWS, model_id="a.one", user=batch.owner)


KILLED = """
import sys
from services import models
from services.batch_runner import BatchRunner
from services.batch_store import BatchStore
from services.clients import Identity
from services.model_values import Model
from services.run_store import RunStore

models.resolve = lambda identity, text: Model(text, "", text, "P", "foundation", text)
store = BatchStore(RunStore(sys.argv[1]))
runner = BatchRunner(store, store.get(sys.argv[2], "ana"), Identity("aws", None, "us-east-1"))
assert runner.start()
runner.wait()
"""


def test_kill_9_in_the_middle_loses_and_repeats_nothing_that_is_done(
    store: BatchStore, server: ScriptedServer, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "price_of", lambda identity, model_id: None)
    monkeypatch.setattr(models, "resolve", lambda _, text: Model(text, "", text, "P", "foundation", text))
    batch = make(store, rows=60, models=("a.one",), concurrency=4)
    asked: list[str] = []
    enough = threading.Event()

    def answer(exchange: Exchange) -> None:
        asked.append(json.loads(exchange.body)["messages"][0]["content"][0]["text"])
        if len(asked) >= 25:
            enough.set()
        exchange.start_stream()
        exchange.send(eventstream.frames([{name: data} for name, data in says(asked[-1])]))
        exchange.end()

    server.play(answer)
    command = [sys.executable, "-c", KILLED, str(store.engine.url), batch.id]
    process = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2])
    try:
        assert enough.wait(30)
    finally:
        process.kill()
        process.wait()
    before = counts(store.engine, batch.id)
    done = {row.values[0] for row in page(store.engine, batch).rows if row.cells[0].state == "done"}
    assert 0 < before["done"] < 60
    first = len(asked)
    runner = BatchRunner(store, now(store, batch), identity)
    assert runner.start()
    assert runner.orphans == before["running"] <= 4
    assert runner.wait(30)
    assert counts(store.engine, batch.id)["done"] == 60
    assert not {f"Q: {value}" for value in done} & set(asked[first:])
    assert len(asked) <= 60 + runner.orphans
