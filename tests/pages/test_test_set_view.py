"""A test set from its questions to figures, misses and flips; who may only look sends nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from services import rag_test_set, rag_test_store, runtime
from services.problems import Problem
from services.rag_test_set import Question, QuestionSet
from services.rag_test_store import RagTests
from services.runs import Call, Run
from tests.pages.conftest import Workspace
from tests.pages.looks import checked, texts

QUESTIONS = (
    Question("alpha", ("alpha.md",), "A", "plain"),
    Question("beta", ("other.md",), "", "keyword"),
)


def view() -> None:
    """The view alone, as the page calls it."""
    import streamlit as st

    from components.test_set_view import test_set_view
    from services.clients import Identity
    from services.rag_settings import RagSettings, RetrievalSettings
    from services.users import LOCAL_USER, User

    if st.session_state.get("leave"):
        st.markdown("another page")
        return
    user = User("local", "Viewer", "viewer") if st.session_state.get("viewer") else LOCAL_USER
    retrieval = RetrievalSettings(3, st.session_state.get("search", "SEMANTIC"))
    settings = RagSettings(st.session_state.get("kb", "KB12345678"), retrieval=retrieval)
    test_set_view(Identity("local", "localbedrock", "us-east-1"), user, settings)


class Retriever:
    """Finds `<question>.md` first; with HYBRID, `other.md` as well."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.problem: Problem | None = None
        self.hold = threading.Event()
        self.hold.set()

    def call_once(self, call: Call) -> Run:
        assert self.hold.wait(20)
        self.calls.append(call)
        search = call.request["retrievalConfiguration"]["vectorSearchConfiguration"]
        names = [call.request["retrievalQuery"]["text"]]
        if search["overrideSearchType"] == "HYBRID":
            names = ["other", "third"]
        results = [
            {
                "content": {"text": f"about {name} $x$"},
                "location": {"type": "S3", "s3Location": {"uri": f"s3://b/{name}.md"}},
                "score": 0.5,
            }
            for name in names
        ]
        response: dict[str, Any] = {"retrievalResults": results}
        return Run(
            id=f"run-{len(self.calls)}",
            call=call,
            started_at=datetime.now(UTC),
            state="failed" if self.problem else "done",
            latency_ms=4.0,
            response=None if self.problem else response,
            problem=self.problem,
        )


@pytest.fixture
def retriever(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Retriever:
    fake = Retriever()
    monkeypatch.setattr(runtime, "call_once", fake.call_once)
    return fake


@pytest.fixture
def store(retriever: Retriever) -> RagTests:
    return rag_test_store.store()


@pytest.fixture
def page(store: RagTests) -> AppTest:
    """The view with a saved set of two questions opened."""
    store.save("local", QuestionSet("mine", QUESTIONS))
    app = checked(AppTest.from_function(view, default_timeout=20))
    app.button(key="rag_test_load").click()
    return checked(app)


def ask(app: AppTest) -> None:
    """Press the button and wait for the end of the run."""
    app.button(key="rag_test_run").click()
    app.run()
    for thread in threading.enumerate():
        if thread.name.startswith("rag-test"):
            thread.join(20)
    checked(app)


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def test_from_the_questions_to_figures_with_the_misses_first(page: AppTest, retriever: Retriever) -> None:
    assert page.button(key="rag_test_run").label == "Ask 2 questions"
    ask(page)
    assert len(retriever.calls) == 2
    assert {metric.label: metric.value for metric in page.metric} == {
        "MRR": "0.500",
        "Hit rate@1": "50.0%",
        "Hit rate@3": "50.0%",
    }
    by_kind, rows = (frame.value for frame in page.dataframe[-2:])
    assert list(by_kind["Kind"]) == ["all", "keyword", "plain"]
    assert list(rows["Question"]) == ["beta", "alpha"]
    assert list(rows["What came"]) == ["beta.md", "alpha.md"]


def test_two_settings_are_compared_by_the_questions_that_flip(page: AppTest, store: RagTests) -> None:
    ask(page)
    first = store.results("local")[0].id
    page.session_state["search"] = "HYBRID"
    checked(page)
    ask(page)
    page.selectbox(key="rag_test_beside_widget").set_value(first)
    checked(page)
    assert "**1 won, 1 lost** of 2 questions" in texts(page)
    flips = next(frame.value for frame in page.dataframe if "Change" in frame.value)
    assert list(zip(flips["Change"], flips["Question"], strict=True)) == [("lost", "alpha"), ("won", "beta")]
    page.session_state["leave"] = True
    checked(page)
    page.session_state["leave"] = False
    checked(page)
    assert page.selectbox(key="rag_test_beside_widget").value == first


def test_the_questions_outlive_a_change_of_page(page: AppTest) -> None:
    page.text_input(key="rag_test_name").set_value("renamed")
    checked(page)
    page.session_state["leave"] = True
    checked(page)
    page.session_state["leave"] = False
    checked(page)
    assert page.text_input(key="rag_test_name").value == "renamed"
    assert page.button(key="rag_test_run").label == "Ask 2 questions"


def test_the_sample_questions_are_one_click_away_and_can_be_saved(page: AppTest, store: RagTests) -> None:
    page.button(key="rag_test_sample").click()
    checked(page)
    count = len(rag_test_set.sample())
    assert page.button(key="rag_test_run").label == f"Ask {count} questions"
    page.button(key="rag_test_save").click()
    checked(page)
    assert {each.name: len(each.questions) for each in store.sets("local")} == {
        "Sample questions": count,
        "mine": 2,
    }


def test_a_file_that_cannot_be_used_leaves_the_questions_in_place(page: AppTest) -> None:
    page.file_uploader(key="rag_test_file").set_value(
        ("q.csv", b"question,expected_source\nq,\n", "text/csv")
    )
    checked(page)
    assert "Row 1 names no expected source" in texts(page)
    assert page.button(key="rag_test_run").label == "Ask 2 questions"
    good = b"question,expected_source\none,a.md\ntwo,b.md\nthree,c.md\n"
    page.file_uploader(key="rag_test_file").set_value(("good.csv", good, "text/csv"))
    checked(page)
    assert page.button(key="rag_test_run").label == "Ask 3 questions"
    assert page.text_input(key="rag_test_name").value == "good"
    assert not page.error


@pytest.mark.parametrize(("member", "value"), [("viewer", True), ("kb", "")])
def test_who_may_only_look_or_has_no_knowledge_base_sends_nothing(
    page: AppTest, retriever: Retriever, member: str, value: object
) -> None:
    page.session_state[member] = value
    checked(page)
    assert page.button(key="rag_test_run").disabled
    assert retriever.calls == []


def test_while_it_runs_it_can_be_stopped(page: AppTest, retriever: Retriever) -> None:
    retriever.hold.clear()
    page.button(key="rag_test_run").click()
    checked(page)
    assert "rag_test_run" not in keys(page)
    page.button(key="rag_test_stop").click()
    checked(page)
    assert page.button(key="rag_test_stop").disabled
    retriever.hold.set()
    for thread in threading.enumerate():
        if thread.name.startswith("rag-test"):
            thread.join(20)
    checked(page)
    assert "rag_test_run" in keys(page)


def test_calls_that_fail_are_a_problem_card_and_no_misses(page: AppTest, retriever: Retriever) -> None:
    retriever.problem = Problem(
        code="X", title="No such knowledge base", cause="It is gone.", fix="Choose another."
    )
    ask(page)
    said = texts(page)
    assert "Choose another" in said
    assert "0 questions, 2 failed" in said
    assert not page.metric


def test_a_result_and_a_set_can_be_deleted(page: AppTest, store: RagTests) -> None:
    ask(page)
    page.button(key="rag_test_forget").click()
    checked(page)
    assert store.results("local") == ()
    page.button(key="rag_test_delete").click()
    checked(page)
    assert store.sets("local") == ()
    assert page.button(key="rag_test_run").label == "Ask 2 questions"


def test_a_database_that_cannot_be_read_is_a_sentence(page: AppTest, workspace: Workspace) -> None:
    workspace.change(database_url="sqlite:////proc/nowhere/w.db")
    checked(page)
    assert "The questions in the editor are kept." in texts(page)
