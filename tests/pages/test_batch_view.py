"""Batches from a file to the grid: what a person sees, and what an error or a kill leaves in place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from streamlit.testing.v1 import AppTest

from services import batch_jobs, batch_runner, batch_store, batch_values, models, recorder, runtime
from services.batch_values import Batch
from services.clients import Identity
from services.model_values import Model
from services.pricing import Price
from services.runs import Call
from services.runtime import Opened
from tests.pages.conftest import Workspace
from tests.pages.looks import checked

IDENTITY = Identity("local", "localbedrock", "us-east-1")
CSV = "question,lang\nWhat is a heron?,en\nWas ist ein Kranich?,de\n"
JOB_ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghijkl"
Answer = Callable[[Call], str]


def view() -> None:
    """The view alone, as the page calls it."""
    import streamlit as st

    from components.batch_view import batch_view
    from services.clients import Identity
    from services.conversations import Pane, Settings
    from services.users import LOCAL_USER

    panes = [
        Pane(Settings(model_id="a.one", parameters={"maxTokens": 100})),
        Pane(Settings(model_id="b.two", parameters={"maxTokens": 100})),
    ]
    if st.session_state.get("leave"):
        st.markdown("another page")
    else:
        batch_view(LOCAL_USER, Identity("local", "localbedrock", "us-east-1"), panes)


class Bedrock:
    """Answers every call with `answer`, and keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: Answer = lambda call: f"**{call.model_id}** says hi"

    def open(self, call: Call) -> Opened:
        self.calls.append(call)
        events: list[tuple[str, dict[str, Any]]] = [
            ("messageStart", {"role": "assistant"}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": self.answer(call)}}),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {}}),
        ]
        return Opened({"RequestId": "r"}, iter(events), time.perf_counter(), lambda: None, lambda: None)


@pytest.fixture
def bedrock(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Bedrock:
    fake = Bedrock()
    monkeypatch.setattr(runtime, "open_call", fake.open)
    price = Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)
    monkeypatch.setattr(models, "price_of", lambda identity, model_id: price)
    monkeypatch.setattr(recorder, "price_of", lambda identity, model_id: price)
    monkeypatch.setattr(
        models, "resolve", lambda identity, text: Model(text, "", f"Model {text}", "P", "foundation", text)
    )
    return fake


@pytest.fixture
def page(bedrock: Bedrock) -> AppTest:
    app = AppTest.from_function(view, default_timeout=20)
    return checked(app)


def paste(page: AppTest, text: str) -> None:
    page.text_area(key="playground_batch_paste").set_value(text)
    checked(page)


def start(page: AppTest) -> Batch:
    page.button(key="playground_batch_start").click()
    checked(page)
    return the_batch()


def the_batch() -> Batch:
    (batch,) = batch_store.store().latest("local")
    return batch


def finish(batch: Batch, workspace: Workspace) -> None:
    runner = batch_runner.runners(workspace.settings.database_url).of(batch.id)
    assert runner
    assert runner.wait(20)


def texts(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.error, page.warning, page.info, page.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def test_from_pasted_rows_to_a_grid(page: AppTest, bedrock: Bedrock, workspace: Workspace) -> None:
    paste(page, CSV)
    assert page.text_area(key="playground_batch_template").value == "{{question}}"
    assert page.button(key="playground_batch_start").label == "Start 4 calls"
    page.text_area(key="playground_batch_template").set_value("In {{lang}}: {{question}}")
    checked(page)
    assert "In en: What is a heron?" in texts(page)
    batch = start(page)
    finish(batch, workspace)
    checked(page)
    sent = sorted(
        (call.model_id, call.request["messages"][0]["content"][0]["text"]) for call in bedrock.calls
    )
    assert sent[0] == ("a.one", "In de: Was ist ein Kranich?")
    assert len(sent) == 4
    summary, grid = (frame.value for frame in page.dataframe)
    assert list(summary["Done"]) == [2, 2]
    assert list(grid["Model a.one"]) == ["**a.one** says hi"] * 2
    assert page.query_params["batch"] == batch.id


def test_a_batch_can_wait_for_a_job_without_a_single_call(page: AppTest, bedrock: Bedrock) -> None:
    """Over thousands of rows nobody wants to start, cancel and only then choose a batch inference job."""
    paste(page, CSV)
    page.button(key="playground_batch_keep").click()
    checked(page)
    assert bedrock.calls == []
    assert page.query_params["batch"] == the_batch().id
    labels = {button.label for button in page.button}
    assert {"Resume: 4 cells", "Create a job for Model a\\.one"} <= labels


def test_a_link_opens_the_batch_again_and_a_wrong_one_says_so(
    page: AppTest, workspace: Workspace, bedrock: Bedrock
) -> None:
    paste(page, CSV)
    batch = start(page)
    finish(batch, workspace)
    other = AppTest.from_function(view, default_timeout=20)
    other.query_params["batch"] = batch.id
    checked(other)
    assert len(other.dataframe) == 2
    other.query_params["batch"] = "nothing"
    checked(other)
    assert "does not exist" in texts(other)


@pytest.mark.parametrize("bad", ["a,b\n1\n", '{"a": 1', "a,a\n1,2"])
def test_rows_that_cannot_be_read_are_a_sentence_and_nothing_is_lost(page: AppTest, bad: str) -> None:
    paste(page, CSV)
    page.text_area(key="playground_batch_template").set_value("My own {{question}}")
    checked(page)
    paste(page, bad)
    assert page.error
    assert page.text_area(key="playground_batch_paste").value == bad
    assert page.text_area(key="playground_batch_template").value == "My own {{question}}"
    assert page.button(key="playground_batch_start").label == "Start 4 calls"


def test_the_draft_outlives_a_change_of_page(page: AppTest) -> None:
    paste(page, CSV)
    page.text_area(key="playground_batch_template").set_value("Kept {{lang}}")
    page.slider(key="playground_batch_at_once").set_value(7)
    checked(page)
    page.session_state["leave"] = True
    checked(page)
    page.session_state["leave"] = False
    checked(page)
    assert page.text_area(key="playground_batch_template").value == "Kept {{lang}}"
    assert page.text_area(key="playground_batch_paste").value == CSV
    assert page.slider(key="playground_batch_at_once").value == 7


def test_a_variable_without_a_column_is_asked_for(page: AppTest, bedrock: Bedrock) -> None:
    paste(page, CSV)
    page.text_area(key="playground_batch_template").set_value("{{topic}}?")
    checked(page)
    assert page.button(key="playground_batch_start").disabled
    page.selectbox(key="playground_batch_column_topic").set_value("lang")
    checked(page)
    assert not page.button(key="playground_batch_start").disabled
    assert "en?" in texts(page)


def test_the_price_is_said_before_the_start(page: AppTest) -> None:
    paste(page, CSV)
    said = texts(page)
    assert "2 rows × 2 columns" in said
    assert "with replies at most" in said


def test_after_a_kill_it_says_what_may_have_been_billed_and_resumes(
    page: AppTest, bedrock: Bedrock, workspace: Workspace
) -> None:
    store = batch_store.store()
    batch_id = store.create(
        "local",
        "killed",
        ["prompt"],
        [["p0"], ["p1"]],
        template="{{prompt}}",
        mapping={"prompt": "prompt"},
        columns=[batch_values.Column("One", _settings())],
        concurrency=2,
        identity=IDENTITY,
    )
    dead = batch_values.new_runner()
    store.take(batch_id, dead)
    assert store.advance(batch_id, dead, [], [((0,), 1)])
    page.query_params["batch"] = batch_id
    checked(page)
    assert "1 cells were under way" in texts(page)
    page.button(key="playground_batch_resume").click()
    checked(page)
    finish(the_batch(), workspace)
    checked(page)
    assert len(bedrock.calls) == 2
    assert not [button for button in page.button if button.key == "playground_batch_resume"]


def test_while_it_runs_it_can_be_cancelled(page: AppTest, bedrock: Bedrock, workspace: Workspace) -> None:
    go_on = threading.Event()

    def answer(call: Call) -> str:
        assert go_on.wait(20)
        return "late"

    bedrock.answer = answer
    paste(page, "prompt\n" + "\n".join(f"p{n}" for n in range(40)))
    batch = start(page)
    page.button(key="playground_batch_cancel").click()
    checked(page)
    assert page.button(key="playground_batch_cancel").disabled
    go_on.set()
    finish(batch, workspace)
    checked(page)
    assert page.button(key="playground_batch_resume").label.startswith("Resume: ")
    assert 0 < len(bedrock.calls) < 80


def test_failed_cells_run_again_when_somebody_says_so(
    page: AppTest, bedrock: Bedrock, workspace: Workspace
) -> None:
    def refuse(call: Call) -> str:
        raise RuntimeError("odd")

    bedrock.answer = refuse
    paste(page, "prompt\nHi")
    batch = start(page)
    finish(batch, workspace)
    checked(page)
    assert list(page.dataframe[0].value["Failed"]) == [1, 1]
    bedrock.answer = lambda call: "fine"
    page.button(key="playground_batch_retry").click()
    checked(page)
    finish(batch, workspace)
    checked(page)
    assert list(page.dataframe[0].value["Done"]) == [1, 1]


def test_a_batch_is_deleted_and_the_list_is_shown_again(
    page: AppTest, bedrock: Bedrock, workspace: Workspace
) -> None:
    paste(page, CSV)
    batch = start(page)
    finish(batch, workspace)
    checked(page)
    page.button(key="playground_batch_close").click()
    checked(page)
    page.button(key=f"playground_batch_open_{batch.id}").click()
    checked(page)
    page.button(key="playground_batch_delete").click()
    checked(page)
    assert batch_store.store().latest("local") == ()
    assert page.text_area(key="playground_batch_paste").value == CSV


def test_ten_thousand_cells_are_drawn_at_once(page: AppTest, workspace: Workspace) -> None:
    store = batch_store.store()
    batch_id = store.create(
        "local",
        "big",
        ["prompt"],
        [[f"prompt {n}"] for n in range(5000)],
        template="{{prompt}}",
        mapping={"prompt": "prompt"},
        columns=[batch_values.Column("One", _settings()), batch_values.Column("Two", _settings())],
        concurrency=2,
        identity=IDENTITY,
    )
    page.query_params["batch"] = batch_id
    checked(page)
    began = time.perf_counter()
    checked(page)
    assert time.perf_counter() - began < 1
    assert len(page.dataframe[1].value) == 200
    page.number_input(key="playground_batch_page_all").set_value(25)
    checked(page)
    assert list(page.dataframe[1].value["Row"])[-1] == 5000


def _settings() -> Any:
    from services.conversations import Settings

    return Settings(model_id="a.one")


def row_view() -> None:
    """The details of the first row of the only batch."""
    from components.batch_results import _row
    from services import batch_store
    from services.batch_grid import page

    store = batch_store.store()
    (batch,) = store.latest("local")
    _row(store, batch, 0, page(store.engine, batch).rows[0].cells)


def test_a_row_shows_its_prompt_and_whole_replies_made_harmless(
    page: AppTest, bedrock: Bedrock, workspace: Workspace
) -> None:
    bedrock.answer = lambda call: "word " * 200 + "$x$ ![](https://evil.example/p.png)"
    paste(page, CSV)
    batch = start(page)
    finish(batch, workspace)
    details = checked(AppTest.from_function(row_view, default_timeout=20))
    said = texts(details)
    assert "What is a heron?" in said
    assert said.count("word " * 200 + "\\$x\\$ \\![](https") == 2
    assert said.count("First ") == 2


def test_a_database_that_cannot_be_read_is_a_sentence(page: AppTest, workspace: Workspace) -> None:
    paste(page, CSV)
    workspace.change(database_url="sqlite:////proc/nowhere/w.db")
    checked(page)
    assert "Your file and template are kept" in texts(page)


def told(status: str) -> dict[str, Any]:
    """What GetModelInvocationJob says."""
    place = {"s3Uri": "s3://workbench-batch-jobs/x"}
    return {
        "jobArn": JOB_ARN,
        "modelId": "a.one",
        "roleArn": "arn:aws:iam::123456789012:role/batch",
        "submitTime": 0,
        "status": status,
        "inputDataConfig": {"s3InputDataConfig": place},
        "outputDataConfig": {"s3OutputDataConfig": place},
    }


@pytest.fixture
def aws(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Stubber]:
    """A batch of one column is open; what it asks of AWS is answered by these."""
    stubs = {name: Stubber(boto3.client(name, region_name="us-east-1")) for name in ("s3", "bedrock")}
    monkeypatch.setattr(batch_jobs, "client", lambda service, identity: stubs[service].client)
    for stub in stubs.values():
        stub.activate()
    page.query_params["batch"] = batch_store.store().create(
        "local",
        "jobs",
        ["prompt"],
        [["p0"], ["p1"]],
        template="{{prompt}}",
        mapping={"prompt": "prompt"},
        columns=[batch_values.Column("One", _settings())],
        concurrency=2,
        identity=IDENTITY,
    )
    checked(page)
    return stubs


def test_a_job_that_is_refused_is_a_problem_card_and_can_be_submitted_again(
    page: AppTest, aws: dict[str, Stubber]
) -> None:
    page.text_input(key="playground_batch_job_folder").set_value("s3://bucket/folder")
    page.text_input(key="playground_batch_job_role").set_value("arn:aws:iam::123456789012:role/batch")
    checked(page)
    aws["s3"].add_client_error("put_object", "NoSuchBucket")
    page.button(key="playground_batch_job_create_0").click()
    checked(page)
    assert "make the bucket" in texts(page)
    (job,) = batch_jobs.jobs(batch_store.store(), the_batch())
    aws["s3"].add_response("put_object", {})
    aws["bedrock"].add_response("create_model_invocation_job", {"jobArn": JOB_ARN})
    page.button(key=f"playground_batch_job_submit_{job.token}").click()
    checked(page)
    assert not page.error
    assert "**Submitted**" in texts(page)
    assert page.button(key=f"playground_batch_job_look_{job.token}").label == "Look now"
    assert page.text_input(key="playground_batch_job_folder").value == "s3://bucket/folder"


def test_a_local_job_is_made_and_stopped_with_nothing_typed(page: AppTest, aws: dict[str, Stubber]) -> None:
    assert batch_jobs.offer(IDENTITY).note in texts(page)
    aws["s3"].add_response("create_bucket", {}, {"Bucket": "workbench-batch-jobs"})
    aws["s3"].add_response("put_object", {})
    aws["bedrock"].add_response("create_model_invocation_job", {"jobArn": JOB_ARN})
    page.button(key="playground_batch_job_create_0").click()
    checked(page)
    (job,) = batch_jobs.jobs(batch_store.store(), the_batch())
    aws["bedrock"].add_response("stop_model_invocation_job", {}, {"jobIdentifier": JOB_ARN})
    aws["bedrock"].add_response("get_model_invocation_job", told("Stopped"))
    aws["s3"].add_response("list_objects_v2", {})
    page.button(key=f"playground_batch_job_stop_{job.token}").click()
    checked(page)
    assert not page.error
    assert "**Stopped**" in texts(page)
    assert page.button(key="playground_batch_resume").label.startswith("Resume: 2")


def test_what_no_job_could_be_made_with_is_said_before_any_cell_is_taken(
    page: AppTest, aws: dict[str, Stubber]
) -> None:
    page.text_input(key="playground_batch_job_role").set_value("admin")
    checked(page)
    page.button(key="playground_batch_job_create_0").click()
    checked(page)
    assert "service role" in page.toast[0].value
    assert page.text_input(key="playground_batch_job_role").value == "admin"
    assert batch_jobs.jobs(batch_store.store(), the_batch()) == ()


def watching() -> None:
    """The only batch's jobs as the timer of an open page finds them."""
    import streamlit as st

    from components.batch_jobs_form import _DRAWN, _watch
    from services import batch_jobs, batch_store
    from services.clients import Identity

    st.session_state.setdefault(_DRAWN, 0)
    (batch,) = batch_store.store().latest("local")
    jobs = batch_jobs.jobs(batch_store.store(), batch)
    st.markdown(", ".join(job.status for job in jobs))
    under_way = [job for job in jobs if not job.ended]
    if under_way:
        _watch(batch_store.store(), batch, under_way, Identity("local", "localbedrock", "us-east-1"))


def test_an_open_page_shows_what_becomes_of_a_job_by_itself(page: AppTest, aws: dict[str, Stubber]) -> None:
    job = batch_jobs.prepare(batch_store.store(), the_batch(), 0, "s3://bucket", "role")
    assert job
    batch_jobs._change(batch_store.store(), the_batch(), job, job_arn=JOB_ARN, status="Submitted")
    checked(page)  # drawing the page asks for nothing: a call would fail here
    for status in ("InProgress", "InProgress", "Failed"):
        aws["bedrock"].add_response("get_model_invocation_job", told(status))
    aws["s3"].add_response("list_objects_v2", {})
    watched = AppTest.from_function(watching, default_timeout=20)
    assert "InProgress" in texts(checked(watched))
    assert "Failed" in texts(checked(watched))
