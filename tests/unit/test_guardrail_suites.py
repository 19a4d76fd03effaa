"""A suite checks every text once, through throttles, a stop, a kill and failures; 5,000 lines are quick."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services import batch_values, runtime
from services.clients import Identity
from services.guardrail_suites import reading, runner
from services.guardrail_suites.cases import Case, cases_of
from services.guardrail_suites.comparison import counts, flips_first
from services.guardrail_suites.runner import Runners, SuiteRunner
from services.guardrail_suites.store import SuiteStore
from services.guardrail_suites.values import Checked, SuiteResult, Target
from services.run_store import RunStore
from services.runs import Call
from services.runtime import Opened

AWS = Identity("aws", None, "us-east-1")
DRAFT, ONE = Target("gr1", "DRAFT", "mine · DRAFT"), Target("gr1", "1", "mine · 1")


def answer(text: str) -> dict[str, Any]:
    """Blocks what says "bad", masks what says "secret"."""
    action = "BLOCKED" if "bad" in text else "ANONYMIZED" if "secret" in text else "NONE"
    assessments = {
        "BLOCKED": {"wordPolicy": {"customWords": [{"match": "bad", "action": "BLOCKED"}]}},
        "ANONYMIZED": {
            "sensitiveInformationPolicy": {
                "regexes": [{"name": "secret", "match": "secret", "action": "ANONYMIZED"}]
            }
        },
        "NONE": {},
    }
    metrics = {"invocationMetrics": {"guardrailProcessingLatency": 7}}
    return {
        "action": "NONE" if action == "NONE" else "GUARDRAIL_INTERVENED",
        "usage": {"wordPolicyUnits": 1, "topicPolicyUnits": 0},
        "outputs": [],
        "assessments": [assessments[action] | metrics],
    }


class Guardrail:
    """Answers in this process; counts what it was asked, and how many at once."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.under_way = self.most_under_way = 0
        self.answer: Callable[[str, str], dict[str, Any]] = lambda text, version: answer(text)
        self.requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def open(self, call: Call) -> Opened:
        text, version = call.request["content"][-1]["text"]["text"], call.request["guardrailVersion"]
        with self._lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            found = self.answer(text, version)
            with self._lock:
                self.asked[text, version] += 1
                self.requests.append(call.request)
        finally:
            with self._lock:
                self.under_way -= 1
        nothing = lambda: None  # noqa: E731
        return Opened({"RequestId": "r"}, iter([("response", found)]), time.perf_counter(), nothing, nothing)


@pytest.fixture
def guardrail(monkeypatch: pytest.MonkeyPatch) -> Guardrail:
    fake = Guardrail()
    monkeypatch.setattr(runtime, "open_call", fake.open)
    return fake


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SuiteStore]:
    runs = RunStore(f"sqlite:///{tmp_path / 'w.db'}")
    yield SuiteStore(runs)
    runs.close()


def suite(*texts: str) -> tuple[Case, ...]:
    """Cases that expect what their text says: "bad" blocked, "secret" masked, else passed."""

    def row(text: str) -> dict[str, str]:
        expected = "blocked" if "bad" in text else "masked" if "secret" in text else "passed"
        policy = {"blocked": "word", "masked": "pii", "passed": ""}[expected]
        return {"text": text, "expected": expected, "policy": policy}

    return cases_of([row(text) for text in texts]).cases


def made(store: SuiteStore, cases: tuple[Case, ...], *targets: Target) -> list[SuiteResult]:
    ids = store.create("ana", "mine", cases, targets or (DRAFT,), AWS)
    return [now(store, each) for each in ids]


def now(store: SuiteStore, result_id: str) -> SuiteResult:
    result = store.result("ana", result_id)
    assert result
    return result


def run(store: SuiteStore, results: list[SuiteResult]) -> SuiteRunner:
    runner = SuiteRunner(store, [now(store, each.id) for each in results], AWS)
    assert runner.start()
    assert runner.wait(30)
    return runner


def got(store: SuiteStore, result: SuiteResult) -> list[str]:
    return [line.checked.got for line in reading.lines(store.engine, result.id)]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "ApplyGuardrail")


# The store.


def test_suites_belong_to_their_user(store: SuiteStore) -> None:
    cases = suite("a", "bad")
    store.save("ana", "mine", cases)
    store.save("ana", "mine", cases[:1])
    assert store.suites("ana") == {"mine": 1}
    assert store.suite("ana", "mine") == cases[:1]
    assert (store.suites("ben"), store.suite("ben", "mine")) == ({}, None)
    with pytest.raises(ValueError, match="one line"):
        store.save("ana", "a\nb", cases)
    assert not store.delete("ben", "mine")
    assert store.delete("ana", "mine")


def test_results_belong_to_their_user_and_the_oldest_go(
    store: SuiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.guardrail_suites.store.KEPT_RESULTS", 2)
    results = [made(store, suite("a"))[0] for _ in range(3)]
    assert {each.id for each in store.results("ana")} == {results[1].id, results[2].id}
    assert store.result("ben", results[2].id) is None
    assert not store.forget("ben", results[2].id)
    assert store.forget("ana", results[2].id)
    assert reading.cases(store.engine, results[2].id) == []


# The runner.


def test_every_text_is_checked_once_on_each_version(store: SuiteStore, guardrail: Guardrail) -> None:
    results = made(store, suite("a", "bad", "a secret"), DRAFT, ONE)
    run(store, results)
    assert set(guardrail.asked.values()) == {1}
    assert len(guardrail.asked) == 6
    for result in results:
        assert got(store, result) == ["passed", "blocked", "masked"]
        line = list(reading.lines(store.engine, result.id))[1]
        assert line.checked == Checked(
            "blocked", ("wordPolicy",), "Word filter → custom word “bad” → blocked", {"wordPolicyUnits": 1}, 7
        )
        assert now(store, result.id).waiting == 0
    assert guardrail.requests[0]["outputScope"] == "FULL"


def test_a_grounded_answer_is_sent_with_its_source_and_query(store: SuiteStore, guardrail: Guardrail) -> None:
    row = {"text": "42", "expected": "passed", "grounding_source": "It is 42.", "query": "What?"}
    run(store, made(store, cases_of([row]).cases))
    content = guardrail.requests[0]["content"]
    assert [part["text"]["qualifiers"] for part in content] == [
        ["grounding_source"],
        ["query"],
        ["guard_content"],
    ]
    assert guardrail.requests[0]["source"] == "OUTPUT"


def test_a_throttle_is_no_outcome(store: SuiteStore, guardrail: Guardrail) -> None:
    refused: set[str] = set()

    def once_refused(text: str, version: str) -> dict[str, Any]:
        if text not in refused and len(refused) < 3:
            refused.add(text)
            raise refusal("ThrottlingException")
        return answer(text)

    guardrail.answer = once_refused
    (result,) = made(store, suite(*(f"t{n}" for n in range(30))))
    run(store, [result])
    assert got(store, result) == ["passed"] * 30
    assert set(guardrail.asked.values()) == {1}


def test_what_fails_again_and_again_stops_the_run_and_can_be_checked_again(
    store: SuiteStore, guardrail: Guardrail
) -> None:
    def refuse(text: str, version: str) -> dict[str, Any]:
        raise refusal("AccessDeniedException")

    guardrail.answer = refuse
    (result,) = made(store, suite(*(f"t{n}" for n in range(200))))
    runner = run(store, [result])
    after = now(store, result.id)
    assert runner.stopped
    assert runner.problem
    assert after.waiting > 100
    assert after.note.startswith("10 checks in a row failed")
    guardrail.answer = lambda text, version: answer(text)
    assert store.reopen_failed("ana", result.id) == after.done
    run(store, [result])
    assert got(store, result) == ["passed"] * 200
    assert now(store, result.id).note == ""


def test_a_run_that_is_stopped_goes_on_where_it_was(store: SuiteStore, guardrail: Guardrail) -> None:
    (result,) = made(store, suite(*(f"t{n}" for n in range(100))))
    runner = SuiteRunner(store, [result], AWS)

    reached, hold = threading.Event(), threading.Event()

    def stop_midway(text: str, version: str) -> dict[str, Any]:
        if int(text.removeprefix("t")) >= 40:  # each of them: one thread alone may be late, and all be done
            runner.stop()
            reached.set()
            assert hold.wait(20)
        return answer(text)

    guardrail.answer = stop_midway
    assert runner.start()
    assert reached.wait(20)
    assert not SuiteRunner(store, [now(store, result.id)], AWS).start()
    assert not store.forget("ana", result.id)
    hold.set()
    assert runner.wait(30)
    half = now(store, result.id)
    assert 0 < half.waiting < 100
    assert half.runner is None
    guardrail.answer = lambda text, version: answer(text)
    run(store, [result])
    assert got(store, result) == ["passed"] * 100
    assert set(guardrail.asked.values()) == {1}


def test_after_a_kill_what_was_stored_is_not_asked_again(store: SuiteStore, guardrail: Guardrail) -> None:
    (result,) = made(store, suite(*(f"t{n}" for n in range(20))))
    dead = f"{batch_values.new_runner().rsplit(':', 2)[0]}:999999999:x"  # a process that is no more
    assert store.take([result.id], dead)
    lines = store.waiting(result.id, -1, 5)
    assert store.keep([result.id], dead, [(line, Checked("passed")) for line in lines])
    assert now(store, result.id).done == 5
    run(store, [result])
    assert len(guardrail.asked) == 15
    assert now(store, result.id).done == 20
    assert not store.keep([result.id], dead, [(lines[0], Checked("blocked"))])  # it was only asleep
    assert got(store, result) == ["passed"] * 20


def test_a_database_that_is_away_for_a_while_loses_nothing(
    store: SuiteStore, guardrail: Guardrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, failures = SuiteStore.keep, iter([OSError("full"), OSError("full")])

    def sometimes(*arguments: Any) -> bool:
        for failure in failures:
            raise failure
        return keep(*arguments)

    monkeypatch.setattr(SuiteStore, "keep", sometimes)
    (result,) = made(store, suite("a", "bad"))
    assert run(store, [result]).store_problem == ""
    assert got(store, result) == ["passed", "blocked"]


def test_one_result_is_worked_on_once_in_a_process(store: SuiteStore, guardrail: Guardrail) -> None:
    hold = threading.Event()

    def wait(text: str, version: str) -> dict[str, Any]:
        assert hold.wait(20)
        return answer(text)

    guardrail.answer = wait
    results = made(store, suite("a"))
    runners = Runners()
    assert runners.start(store, results, AWS)
    assert not runners.start(store, results, AWS)
    assert batch_values.is_alive(now(store, results[0].id))
    hold.set()
    first = runners.of(results[0].id)
    assert first
    assert first.wait(20)


def test_five_thousand_lines_are_quick_and_need_little(
    store: SuiteStore, guardrail: Guardrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    most_in_memory = 0

    class Watched(SuiteRunner):
        def _send(self) -> int:
            nonlocal most_in_memory
            most_in_memory = max(most_in_memory, len(self._waiting) + len(self._fresh))
            return super()._send()

    texts = [f"text {n} " + ("bad", "secret", "good")[n % 3] for n in range(5_000)]
    (result,) = made(store, suite(*texts))
    begun = time.perf_counter()
    watched = Watched(store, [result], AWS)
    assert watched.start()
    assert watched.wait(60)
    took_s = time.perf_counter() - begun
    assert now(store, result.id).done == 5_000
    assert took_s < 30  # about 3 on a quiet machine
    assert guardrail.most_under_way <= runner.AT_ONCE
    assert most_in_memory <= runner.READ_AT_ONCE + runner.STORED_AT_ONCE + 4 * runner.AT_ONCE

    begun = time.perf_counter()
    figures = reading.figures(store.engine, result.id)
    page = reading.page(store.engine, result.id, policy="wordPolicy", number=1)
    assert time.perf_counter() - begun < 1  # a few hundredths
    assert sum(tally.count for tally in figures.tallies) == 5_000
    assert len(figures.tallies) == 3
    assert figures.units == {"wordPolicyUnits": 5_000}
    assert (len(page.lines), page.total) == (reading.PAGE_ROWS, 1_667)


# Looking at results.


def test_the_worst_lines_come_first_and_can_be_filtered(store: SuiteStore, guardrail: Guardrail) -> None:
    right = suite("fine", "bad word")
    wrong = cases_of(
        [
            {"id": "miss", "text": "nice", "expected": "blocked", "policy": "topic"},
            {"id": "alarm", "text": "not bad", "expected": "passed"},
            {"id": "policy", "text": "bad topic", "expected": "blocked", "policy": "topic"},
        ]
    ).cases
    (result,) = made(store, (*right, *wrong))
    run(store, [result])
    page = reading.page(store.engine, result.id)
    assert [line.verdict for line in page.lines] == [
        "missed",
        "false alarm",
        "wrong policy",
        "right",
        "right",
    ]
    only = reading.page(store.engine, result.id, verdict="false alarm")
    assert [line.case.id for line in only.lines] == ["alarm"]
    topics = reading.page(store.engine, result.id, policy="topicPolicy")
    assert [line.case.id for line in topics.lines] == ["miss", "policy"]


def test_two_versions_are_compared_by_what_flips(store: SuiteStore, guardrail: Guardrail) -> None:
    guardrail.answer = lambda text, version: answer(
        text if version == "DRAFT" else {"bad one": "one", "fine": "bad fine"}.get(text, text)
    )
    draft, one = made(store, suite("bad one", "fine", "same"), DRAFT, ONE)
    run(store, [draft, one])
    pairs = reading.pairs(store.engine, draft.id, one.id)
    assert {key: n for key, n in counts(pairs).items() if n} == {"got worse": 2, "equal": 1}
    assert [(p.text, p.before.got, p.after.got) for p in flips_first(pairs)] == [
        ("bad one", "blocked", "passed"),
        ("fine", "passed", "blocked"),
        ("same", "passed", "passed"),
    ]
    back = flips_first(reading.pairs(store.engine, one.id, draft.id))
    assert [pair.change for pair in back] == ["got better", "got better", "equal"]


def test_results_of_different_suites_meet_where_they_check_the_same(
    store: SuiteStore, guardrail: Guardrail
) -> None:
    (first,) = made(store, suite("a", "b"))
    renamed = tuple(replace(case, id=f"new {case.id}") for case in suite("b", "c"))
    (second,) = made(store, renamed)
    run(store, [first])
    run(store, [second])
    assert [pair.text for pair in reading.pairs(store.engine, first.id, second.id)] == ["b"]
