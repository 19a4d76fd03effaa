"""Test sets: files read or refused by row, sources told apart, sets and results that belong to their user."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services import rag_test_metrics, rag_test_runner, rag_test_set, runtime
from services.batch_files import BatchFileError
from services.clients import Identity
from services.locations import Location
from services.problems import Problem
from services.rag_settings import RagSettings, RetrievalSettings
from services.rag_test_metrics import Found, Outcome, Result
from services.rag_test_runner import FAILURES_IN_A_ROW, RagTestHub, RagTestRunner, label_of
from services.rag_test_set import Question, QuestionSet, matches, questions_of, read
from services.rag_test_store import KEPT_RESULTS, RagTests
from services.run_store import RunStore
from services.runs import Call, Run

IDENTITY = Identity("local", "localbedrock", "us-east-1")
S3 = Location("S3", "s3://help/manuals/Return Policy-2023.md")


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("Return Policy-2023.md", True),
        ("return policy-2023.MD", True),
        ("s3://help/manuals/Return Policy-2023.md", True),
        ("s3://help/manuals/", True),
        ("manuals/return policy", True),
        ("Policy-2023", True),
        ("Policy-2023.md", False),  # another file, whose name only ends alike
        ("return-policy.md", False),
        ("  ", False),
    ],
)
def test_a_file_name_is_whole_and_anything_else_is_a_part(expected: str, found: bool) -> None:
    assert matches(expected, S3) is found


def test_a_web_page_is_found_by_its_name_and_its_address_in_either_spelling() -> None:
    page = Location("Web", "https://help.example/manuals/Return%20Policy.html")
    assert matches("Return Policy.html", page)
    assert matches("manuals/return policy", page)
    assert matches("manuals/Return%20Policy", page)
    assert not matches("Policy.html", page)


def test_a_custom_documents_id_is_compared_as_it_stands() -> None:
    assert matches("doc-7.v2", Location("Custom", "doc-7.v2"))
    assert matches("doc-7", Location("Custom", "doc-7.v2"))


def test_csv_and_jsonl_are_read_alike() -> None:
    csv = b"Question,Expected_Source,answer,kind\nHow long?,a.md | b.md,45 days,plain\n\nWho?,c.md,,\n"
    jsonl = (
        b'{"question": "How long?", "expected_source": ["a.md", "b.md"], "answer": "45 days", '
        b'"kind": "plain"}\n'
        b'{"question": "Who?", "expected_source": "c.md"}\n'
    )
    wanted = (Question("How long?", ("a.md", "b.md"), "45 days", "plain"), Question("Who?", ("c.md",)))
    assert read(csv, "q.csv") == read(jsonl, "q.jsonl") == wanted
    assert read(rag_test_set.csv_text(wanted).encode()) == wanted


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"question,answer\na,b\n", "no column “expected_source”; the file has “question”, “answer”"),
        (b"text,source\na,b\n", "no column “question”"),
        (b"question,expected_source\na,x\n,x\n", "Row 2 has no question."),
        (b"question,expected_source\na,\n", "Row 1 names no expected source (“a”)."),
        (b"question,expected_source\na,|\n", "Row 1 names no expected source"),
        (b"question,expected_source\na,x\na,y\n", "Row 2 asks the same as row 1"),
        (b"question,expected_source\na,x,y\n", "Line 2 has 3 values"),
        (b"\xff\xfe\xfd", "not UTF-8"),
        (b"", "empty"),
    ],
)
def test_what_cannot_be_used_is_named(data: bytes, said: str) -> None:
    with pytest.raises(BatchFileError) as caught:
        read(data)
    assert said in str(caught.value)


def test_no_more_faults_and_questions_than_anybody_can_use() -> None:
    with pytest.raises(BatchFileError) as caught:
        questions_of([{"question": "", "expected": "x"}] * 9)
    assert caught.value.faults[-1] == "4 more rows cannot be used either."
    rows = [{"question": str(n), "expected": "x"} for n in range(rag_test_set.MOST_QUESTIONS + 1)]
    with pytest.raises(BatchFileError, match="takes up to 2,000"):
        questions_of(rows)


def test_the_editors_empty_rows_and_half_characters_do_no_harm() -> None:
    rows = [{"question": "", "expected": "", "answer": " "}, {"question": "a\ud83d\0", "expected": "x"}]
    assert questions_of(rows) == (Question("a?", ("x",)),)


# ---- stored ------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RagTests]:
    runs = RunStore(f"sqlite:///{tmp_path / 'workbench.db'}")
    yield RagTests(runs)
    runs.close()


def a_result(number: int = 0) -> Result:
    question = Question("Wo? 🎈", ("a.md", "b.md"), "there", "plain")
    settings = RagSettings(
        "KB", retrieval=RetrievalSettings(3, "HYBRID", {"equals": {"key": "y", "value": 1}})
    )
    found = (Found("a.md", "s3://b/a.md", 2, 0.5, "text"),)
    created = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    outcome = Outcome(question, (1, None), found, 12.5, "run", "")
    return Result(f"r{number:03}", "mine", "label", created, settings, (outcome,), 2)


def test_sets_and_results_are_each_users_own_and_come_back_whole(store: RagTests, tmp_path: Path) -> None:
    mine = QuestionSet("mine", (a_result().outcomes[0].question,))
    store.save("ana", mine)
    store.save("ana", mine)
    store.keep("ana", a_result())
    again = RunStore(f"sqlite:///{tmp_path / 'workbench.db'}")
    fresh = RagTests(again)
    assert fresh.sets("ana") == (mine,)
    assert fresh.sets("bob") == ()
    assert [summary.set_name for summary in fresh.results("ana")] == ["mine"]
    assert fresh.result("ana", "r000") == a_result()
    assert fresh.result("bob", "r000") is None
    assert not fresh.forget("bob", "r000")
    assert not fresh.delete("bob", "mine")
    assert fresh.forget("ana", "r000")
    assert fresh.delete("ana", "mine")
    assert not fresh.sets("ana")
    assert not fresh.results("ana")
    again.close()


def test_the_oldest_results_go(store: RagTests) -> None:
    store.keep("bob", a_result(999))
    for number in range(KEPT_RESULTS + 2):
        store.keep("ana", a_result(number))
    ids = [summary.id for summary in store.results("ana")]
    assert ids[0] == f"r{KEPT_RESULTS + 1:03}"
    assert (len(ids), ids[-1]) == (KEPT_RESULTS, "r002")
    assert len(store.results("bob")) == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb"])
def test_a_bad_name_is_refused(store: RagTests, name: str) -> None:
    with pytest.raises(ValueError, match="one line of up to 100 characters"):
        store.save("ana", QuestionSet(name, ()))


# ---- asked -------------------------------------------------------------------------------------------


class Retriever:
    """Answers Retrieve with one passage of `<question>.md`, or as `answer` says."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.problem: Problem | None = None
        self.hold = threading.Event()
        self.hold.set()

    def call_once(self, call: Call) -> Run:
        assert self.hold.wait(20)
        self.calls.append(call)
        text = call.request["retrievalQuery"]["text"]
        location = {"type": "S3", "s3Location": {"uri": f"s3://b/{text}.md"}}
        response: dict[str, Any] = {"retrievalResults": [{"content": {"text": "t"}, "location": location}]}
        return Run(
            id=f"run-{text}",
            call=call,
            started_at=datetime.now(UTC),
            state="failed" if self.problem else "done",
            latency_ms=5.0,
            response=None if self.problem else response,
            problem=self.problem,
        )


@pytest.fixture
def retriever(monkeypatch: pytest.MonkeyPatch) -> Retriever:
    fake = Retriever()
    monkeypatch.setattr(runtime, "call_once", fake.call_once)
    return fake


def a_runner(store: RagTests, count: int) -> RagTestRunner:
    questions = tuple(Question(f"q{n}", (f"q{n}.md" if n else "other.md",)) for n in range(count))
    settings = RagSettings("KB", retrieval=RetrievalSettings(3, "SEMANTIC"))
    return RagTestRunner(store, QuestionSet("mine", questions), settings, IDENTITY, "ana")


def test_every_question_is_asked_once_and_the_result_is_in_their_order(
    store: RagTests, retriever: Retriever
) -> None:
    runner = a_runner(store, 10)
    runner.start()
    assert runner.wait(20)
    assert sorted(call.request["retrievalQuery"]["text"] for call in retriever.calls) == [
        f"q{n}" for n in range(10)
    ]
    call = retriever.calls[0]
    assert call.request["retrievalConfiguration"] == {
        "vectorSearchConfiguration": {"numberOfResults": 3, "overrideSearchType": "SEMANTIC"}
    }
    assert (call.kind, call.user, call.tags["test_set"]) == ("knowledge_base", "ana", "mine")
    result = store.result("ana", runner.result_id)
    assert result == runner.result
    assert result
    assert [outcome.rank for outcome in result.outcomes] == [None] + [1] * 9
    assert result.outcomes[1].run_id == "run-q1"
    assert rag_test_metrics.measure(result.outcomes, (1,)).hit_rate == {1: 0.9}


def test_stop_keeps_what_has_come(store: RagTests, retriever: Retriever) -> None:
    retriever.hold.clear()
    runner = a_runner(store, 50)
    runner.start()
    runner.stop()
    retriever.hold.set()
    assert runner.wait(20)
    assert runner.done <= rag_test_runner.AT_ONCE
    assert runner.result
    assert runner.result.total == 50


def test_calls_that_all_fail_end_the_run(store: RagTests, retriever: Retriever) -> None:
    retriever.problem = Problem(code="AccessDenied", title="No", cause="c", fix="f")
    runner = a_runner(store, 50)
    runner.start()
    assert runner.wait(20)
    assert FAILURES_IN_A_ROW <= runner.done < FAILURES_IN_A_ROW + rag_test_runner.AT_ONCE
    assert runner.problem is retriever.problem
    result = store.result("ana", runner.result_id)
    assert result
    assert {outcome.problem for outcome in result.outcomes} == {"No"}
    assert rag_test_metrics.measure(result.outcomes, (1,)).questions == 0


def test_a_database_that_fails_loses_no_result(
    store: RagTests, retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(user: str, result: Result) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(store, "keep", refuse)
    runner = a_runner(store, 3)
    runner.start()
    assert runner.wait(20)
    assert "disk full" in runner.store_problem
    assert runner.result
    assert len(runner.result.outcomes) == 3


def test_a_session_runs_one_set_at_a_time(store: RagTests, retriever: Retriever) -> None:
    hub = RagTestHub()
    retriever.hold.clear()
    questions = QuestionSet("mine", (Question("q", ("q.md",)),))
    assert hub.start(store, questions, RagSettings("KB"), IDENTITY, "ana")
    assert not hub.start(store, questions, RagSettings("KB"), IDENTITY, "ana")
    hub.stop_all()
    retriever.hold.set()
    assert hub.current
    assert hub.current.wait(20)


def test_settings_are_said_in_a_few_words() -> None:
    settings = RagSettings("KB", retrieval=RetrievalSettings(10, "HYBRID", {"a": 1}, "rerank-v1", 4))
    assert label_of(settings) == "KB · HYBRID · 10 results · reranked by rerank-v1 to 4 · filtered"
    assert label_of(RagSettings("KB")) == "KB · default search · 5 results"
    assert label_of(replace(settings, retrieval=RetrievalSettings())) == "KB · default search · 5 results"


def test_what_is_exported_can_be_read_elsewhere() -> None:
    rows = rag_test_metrics.csv_text(a_result()).splitlines()
    assert rows[1] == "Wo? 🎈,a.md|b.md,plain,there,1,a.md,12.5,run,"
    document = json.loads(rag_test_metrics.json_text(a_result()))
    assert document["metrics"]["mrr"] == 1.0
    assert document["metrics"]["recall"] == {"1": 0.5, "3": 0.5}
    assert document["by_kind"]["plain"]["questions"] == 1
    assert document["result"]["outcomes"][0]["question"]["question"] == "Wo? 🎈"
