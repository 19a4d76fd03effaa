"""A guardrail suite from its cases to figures, flips and downloads; who may only look sends nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from components.guardrail_suite_editor import Draft
from services import guardrails, runtime
from services.guardrail_suites import cases as suite_cases
from services.guardrail_suites import store as suite_store
from services.guardrail_suites.cases import cases_of
from services.guardrail_suites.store import SuiteStore
from services.guardrails import Guardrails, GuardrailSummary
from services.runs import Call
from services.runtime import Opened
from tests.pages.conftest import Workspace
from tests.pages.looks import checked, texts

ROWS = [
    {"id": "word", "text": "bad words", "expected": "blocked", "policy": "word"},
    {"id": "miss", "text": "law $x$ <b>", "expected": "blocked", "policy": "topic", "item": "Legal"},
    {"id": "fine", "text": "good day", "expected": "passed"},
]


def view() -> None:
    """The suite alone, as the page calls it."""
    import streamlit as st

    from components.guardrail_suite import guardrail_suite
    from services.clients import Identity
    from services.users import LOCAL_USER, User

    if st.session_state.get("leave"):
        st.markdown("another page")
        return
    user = User("local", "Viewer", "viewer") if st.session_state.get("viewer") else LOCAL_USER
    identity = Identity("local", "localbedrock", st.session_state.get("region", "us-east-1"))
    identifier = st.session_state.get("guardrail", "gr1")
    guardrail_suite(identity, user, identifier=identifier, version="DRAFT")


class Guardrail:
    """Blocks "bad"; version 1 blocks "law" as well, by its topic. `hold` keeps answers back."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.error: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()

    def open(self, call: Call) -> Opened:
        assert self.hold.wait(20)
        self.calls.append(call)
        if self.error:
            raise self.error
        text = call.request["content"][-1]["text"]["text"]
        found: dict[str, Any] = {}
        if "bad" in text:
            found = {"wordPolicy": {"customWords": [{"match": "bad", "action": "BLOCKED"}]}}
        elif "law" in text and call.request["guardrailVersion"] == "1":
            found = {"topicPolicy": {"topics": [{"name": "Legal", "type": "DENY", "action": "BLOCKED"}]}}
        answer = {
            "action": "GUARDRAIL_INTERVENED" if found else "NONE",
            "usage": {"wordPolicyUnits": 1},
            "outputs": [],
            "assessments": [found | {"invocationMetrics": {"guardrailProcessingLatency": 12}}],
        }
        nothing = lambda: None  # noqa: E731
        return Opened({}, iter([("response", answer)]), time.perf_counter(), nothing, nothing)


@pytest.fixture
def guardrail(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Guardrail:
    fake = Guardrail()
    monkeypatch.setattr(runtime, "open_call", fake.open)
    versions = tuple(GuardrailSummary("gr1", "arn", "shop", version, "READY") for version in ("DRAFT", "1"))
    monkeypatch.setattr(guardrails, "guardrails", lambda identity: Guardrails(versions[:1]))
    monkeypatch.setattr(guardrails, "versions", lambda identity, identifier: Guardrails(versions))
    (tmp_path / "samples").mkdir()
    monkeypatch.setattr(suite_cases, "SAMPLES", tmp_path / "samples")
    return fake


@pytest.fixture
def store(guardrail: Guardrail) -> SuiteStore:
    return suite_store.store()


@pytest.fixture
def page(store: SuiteStore) -> AppTest:
    """The suite with three saved cases opened."""
    store.save("local", "mine", cases_of(ROWS).cases)
    app = checked(AppTest.from_function(view, default_timeout=20))
    app.button(key="guardrail_suite_load").click()
    return checked(app)


def over() -> None:
    """Wait for the end of all runs."""
    for thread in threading.enumerate():
        if thread.name.startswith("guardrail"):
            thread.join(20)


def check(app: AppTest) -> None:
    """Press the button and wait for the end."""
    app.button(key="guardrail_suite_run").click()
    app.run()
    over()
    checked(app)


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def frame(app: AppTest, column: str) -> Any:
    """The table that has this column."""
    return next(each.value for each in app.dataframe if column in each.value)


def test_from_the_cases_to_figures_with_the_misses_first(page: AppTest, guardrail: Guardrail) -> None:
    assert page.button(key="guardrail_suite_run").label == "Check 3 texts"
    check(page)
    assert len(guardrail.calls) == 3
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown == {
        "Accuracy": "66.7%",
        "Missed": "1",
        "False alarms": "0",
        "Wrong policy": "0",
        "Latency, p50": "12 ms",
        "Latency, p95": "12 ms",
    }
    matrix = frame(page, "Got blocked")
    assert matrix.to_numpy().tolist() == [["blocked", 1, 0, 1], ["masked", 0, 0, 0], ["passed", 0, 0, 1]]
    policies = frame(page, "Precision")
    assert list(policies["Policy"]) == ["any", "Denied topic", "Word filter"]
    assert list(policies["Recall"]) == [0.5, 0.0, 1.0]
    lines = frame(page, "Verdict")
    assert list(lines["ID"]) == ["miss", "word", "fine"]
    assert lines["Why"][1] == "Word filter → custom word “bad” → blocked"
    assert "Text units: Word filter 3" in texts(page)
    downloads = {str(getattr(each, "label", "")) for each in page.get("download_button")}
    assert downloads >= {"Download as CSV", "Download as JSON", "Download as pytest file"}


def test_a_draft_and_a_version_are_compared_by_what_flips(page: AppTest, guardrail: Guardrail) -> None:
    page.selectbox(key="guardrail_suite_second_widget").set_value("1")
    checked(page)
    assert page.button(key="guardrail_suite_run").label == "Check 3 texts on 2 versions"
    check(page)
    assert len(guardrail.calls) == 6
    flips = frame(page, "Change")
    assert list(flips["Change"]) == ["got worse", "equal", "equal"]
    assert (flips["Before"][0], flips["Now"][0], flips["ID"][0]) == ("blocked", "passed", "miss")
    said = texts(page)
    assert "shop · 1 → shop · DRAFT" in said
    assert ":red-badge[1 got worse] :gray-badge[2 equal] of 3 texts" in said


def test_lines_are_filtered_by_verdict_and_policy(page: AppTest, store: SuiteStore) -> None:
    check(page)
    (result,) = store.results("local")
    page.selectbox(key=f"guardrail_suite_policy_{result.id}").set_value("wordPolicy")
    checked(page)
    assert list(frame(page, "Verdict")["ID"]) == ["word"]


def test_the_cases_and_choices_outlive_a_change_of_page(page: AppTest) -> None:
    page.text_input(key="guardrail_suite_name").set_value("renamed")
    page.selectbox(key="guardrail_suite_second_widget").set_value("1")
    checked(page)
    page.session_state["leave"] = True
    checked(page)
    page.session_state["leave"] = False
    checked(page)
    assert page.text_input(key="guardrail_suite_name").value == "renamed"
    assert page.button(key="guardrail_suite_run").label == "Check 3 texts on 2 versions"


def test_a_file_with_bad_lines_gives_its_good_ones_and_names_the_others(page: AppTest) -> None:
    upload = page.file_uploader(key="guardrail_suite_file")
    upload.set_value(("new.csv", b"text,label\na,safe\nb,*what*\nc,attack\n", "text/csv"))
    checked(page)
    assert page.button(key="guardrail_suite_run").label == "Check 2 texts"
    assert "Line 3 expects “\\*what\\*”" in texts(page)
    assert page.text_input(key="guardrail_suite_name").value == "new"
    page.file_uploader(key="guardrail_suite_file").set_value(("bad.csv", b"foo\n1\n", "text/csv"))
    checked(page)
    assert page.button(key="guardrail_suite_run").label == "Check 2 texts"


def test_a_suite_may_begin_with_the_library(page: AppTest, tmp_path: Path, store: SuiteStore) -> None:
    assert "guardrail_suite_library_0" not in keys(page)
    (tmp_path / "samples" / "attack_library.csv").write_text("text,expected\nx,blocked\ny,passed\n")
    checked(page)
    page.button(key="guardrail_suite_library_0").click()
    checked(page)
    assert page.button(key="guardrail_suite_run").label == "Check 2 texts"
    page.button(key="guardrail_suite_save").click()
    checked(page)
    assert store.suites("local") == {"Attacks and benign look-alikes": 2, "mine": 3}


@pytest.mark.parametrize(("member", "value"), [("viewer", True), ("guardrail", "")])
def test_who_may_only_look_or_has_no_guardrail_sends_nothing(
    page: AppTest, guardrail: Guardrail, member: str, value: object
) -> None:
    page.session_state[member] = value
    checked(page)
    assert page.button(key="guardrail_suite_run").disabled
    assert guardrail.calls == []


def test_a_run_can_be_stopped_and_goes_on_later(
    page: AppTest, guardrail: Guardrail, store: SuiteStore
) -> None:
    rows = [{"text": f"text {n}", "expected": "passed"} for n in range(30)]
    store.save("local", "mine", cases_of(rows).cases)
    page.button(key="guardrail_suite_load").click()
    checked(page)
    guardrail.hold.clear()
    page.button(key="guardrail_suite_run").click()
    checked(page)
    stop = next(key for key in map(str, keys(page)) if key.startswith("guardrail_suite_stop"))
    page.button(key=stop).click()
    checked(page)
    assert page.button(key=stop).disabled
    guardrail.hold.set()
    over()
    checked(page)
    resume = page.button(key="guardrail_suite_resume")
    assert resume.label == f"Resume: {30 - len(guardrail.calls)} texts"
    page.session_state["region"] = "eu-west-1"
    checked(page)
    assert page.button(key="guardrail_suite_resume").disabled
    page.session_state["region"] = "us-east-1"
    checked(page)
    page.button(key="guardrail_suite_resume").click()
    page.run()
    over()
    checked(page)
    assert len(guardrail.calls) == 30
    assert "guardrail_suite_resume" not in keys(page)


def test_checks_that_fail_are_a_problem_card_and_can_be_made_again(
    page: AppTest, guardrail: Guardrail
) -> None:
    refusal = {"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}
    guardrail.error = ClientError(refusal, "ApplyGuardrail")
    check(page)
    assert {metric.label: metric.value for metric in page.metric}["Failed"] == "3"
    assert "Choose it again from the list" in texts(page)
    guardrail.error = None
    page.button(key="guardrail_suite_retry").click()
    page.run()
    over()
    checked(page)
    assert "Failed" not in {metric.label for metric in page.metric}


def test_a_result_and_a_suite_can_be_deleted(page: AppTest, store: SuiteStore) -> None:
    check(page)
    page.button(key="guardrail_suite_forget").click()
    checked(page)
    assert store.results("local") == ()
    page.button(key="guardrail_suite_delete").click()
    checked(page)
    assert store.suites("local") == {}
    assert page.button(key="guardrail_suite_run").label == "Check 3 texts"


def test_a_suite_of_five_thousand_lines_is_drawn_quickly(
    page: AppTest, guardrail: Guardrail, store: SuiteStore
) -> None:
    rows = [{"text": f"text {n} {('bad', 'law')[n % 2]}", "expected": "blocked"} for n in range(5_000)]
    store.save("local", "mine", cases_of(rows).cases)
    page.button(key="guardrail_suite_load").click()
    checked(page)
    check(page)
    assert len(guardrail.calls) == 5_000
    assert len(frame(page, "Verdict")) == 200
    begun = time.perf_counter()
    checked(page)
    assert time.perf_counter() - begun < 1  # less than a tenth on a quiet machine


def test_a_database_that_cannot_be_read_is_a_sentence(page: AppTest, workspace: Workspace) -> None:
    workspace.change(database_url="sqlite:////proc/nowhere/w.db")
    checked(page)
    assert "The cases in the table are kept." in texts(page)


def test_an_edit_on_one_page_of_the_table_keeps_the_others() -> None:
    rows = [{"text": f"text {n}", "expected": "passed"} for n in range(450)]
    draft = Draft()
    draft.rows = suite_cases.rows_of(cases_of(rows).cases)
    draft.turn_to(1)
    edited = draft.base.copy()
    edited.loc[0, "expected"] = "blocked"
    edited = pd.concat([edited.drop(index=[1]), pd.DataFrame([{"text": "new"}, {}])], ignore_index=True)
    draft.edit(edited)
    cases = draft.read.cases
    assert len(cases) == 449
    assert (cases[199].text, cases[200].expected, cases[201].text) == ("text 199", "blocked", "text 202")
    assert draft.read.faults == ("Row 400 expects nothing: write blocked, masked or passed.",)
    draft.edit(edited.fillna("").replace({"expected": {"": "masked"}}))
    assert [case.text for case in draft.read.cases if case.expected == "masked"] == ["new"]
    draft.turn_to(2)
    assert draft.now["text"].tolist()[-1] == "text 449"
