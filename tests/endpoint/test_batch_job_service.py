"""The workbench's batches as batch inference jobs of the local endpoint: through S3, back into the cells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from services import models
from services.batch_grid import Cell, counts, page
from services.batch_jobs import ENDED, Job, give_up, jobs, look, offer, prepare, stop, submit
from services.batch_store import BatchStore
from services.batch_values import Batch, Column
from services.clients import Identity, client
from services.conversations import Settings, converse_call
from services.problems import from_exception
from services.replies import read
from services.run_store import RunStore
from services.streaming import ReplyStream

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
ROLE = "arn:aws:iam::123456789012:role/batch"
SHORT = {"maxTokens": 6, "temperature": 0.0}
COLUMNS = (
    Column("Converse", Settings(model_id=MODEL, system="Be brief.", parameters=SHORT)),
    Column("InvokeModel", Settings(model_id=MODEL, operation="InvokeModel", parameters=SHORT)),
    Column("Long", Settings(model_id=MODEL, system="Tell a long story.", parameters={"maxTokens": 2000})),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BatchStore]:
    runs = RunStore(f"sqlite:///{tmp_path / 'w.db'}")
    yield BatchStore(runs)
    runs.close()


def bucket(identity: Identity) -> str:
    """A folder in a bucket of its own."""
    name = f"work-{uuid4().hex}"
    client("s3", identity).create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture
def batch(store: BatchStore, identity: Identity) -> Batch:
    batch_id = store.create(
        "ana",
        "birds",
        ["bird"],
        [["heron"], ["crane"], [""], ["stork"]],
        template="{{bird}}",
        mapping={"bird": "bird"},
        columns=COLUMNS,
        concurrency=2,
        identity=identity,
    )
    found = store.get(batch_id, "ana")
    assert found
    return found


def submitted(store: BatchStore, batch: Batch, column: int, folder: str, identity: Identity) -> Job:
    job = prepare(store, batch, column, folder, offer(identity).role_arn)
    assert job
    submit(store, batch, job, identity)
    return found(store, batch, job)


def found(store: BatchStore, batch: Batch, job: Job) -> Job:
    return next(each for each in jobs(store, batch) if each.token == job.token)


def watch(until: Callable[[str], bool], status: Callable[[], str], seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while not until(now := status()):
        assert time.monotonic() < deadline, now
        time.sleep(0.05)
    return now


def ended(store: BatchStore, batch: Batch, job: Job, identity: Identity) -> Job:
    watch(ENDED.__contains__, lambda: look(store, batch, job, identity))
    return found(store, batch, job)


def cells(store: BatchStore, batch: Batch, column: int) -> list[Cell]:
    return [row.cells[column] for row in page(store.engine, batch).rows]


def asked(identity: Identity, batch: Batch, column: int, prompt: str) -> str:
    """What the model says to the prompt in a call of its own."""
    model = models.resolve(identity, MODEL)
    chosen = batch.columns[column].settings
    call = converse_call(chosen, model, (), [{"text": prompt}], identity=identity, user="ana", tags={})
    stream = ReplyStream(call)
    assert stream.wait(60)
    run = stream.run()
    assert run.state == "done"
    return read(run.call.operation, run.response or {}).text


@pytest.mark.parametrize("column", [0, 1])
def test_a_column_goes_through_s3_and_its_answers_come_into_its_cells(
    store: BatchStore, batch: Batch, identity: Identity, column: int
) -> None:
    """With the folder and role that are offered: a person without an account has no others."""
    job = submitted(store, batch, column, offer(identity).folder, identity)
    assert (job.status, counts(store.engine, batch.id)["in_job"]) == ("Submitted", 3)
    job = ended(store, batch, job, identity)
    assert (job.status, job.message) == ("Completed", "")
    answered = cells(store, batch, column)
    assert [cell.state for cell in answered] == ["done", "done", "failed", "done"]
    assert "empty" in (answered[2].problem or "").lower()
    for row, bird in ((0, "heron"), (1, "crane"), (3, "stork")):
        cell = answered[row]
        assert cell.reply == asked(identity, batch, column, bird)
        assert cell.input_tokens
        assert 0 < (cell.output_tokens or 0) <= SHORT["maxTokens"]
    for other in {0, 1, 2} - {column}:
        assert {cell.state for cell in cells(store, batch, other)} == {"waiting"}


def test_a_stopped_job_lets_its_cells_wait(store: BatchStore, batch: Batch, identity: Identity) -> None:
    job = submitted(store, batch, 2, bucket(identity), identity)
    watch("InProgress".__eq__, lambda: look(store, batch, job, identity))
    assert {cell.state for cell in cells(store, batch, 2)} == {"in_job", "failed"}
    stop(job, identity)
    assert ended(store, batch, job, identity).status == "Stopped"
    states = [cell.state for cell in cells(store, batch, 2)]
    assert states[2:] == ["failed", "waiting"]
    stop(job, identity)  # one that has ended is no error
    assert prepare(store, batch, 2, job.folder, ROLE)


def test_a_folder_in_a_bucket_that_is_missing_is_a_problem_and_the_cells_come_back(
    store: BatchStore, batch: Batch, identity: Identity
) -> None:
    job = prepare(store, batch, 0, "s3://no-such-bucket/jobs", ROLE)
    assert job
    with pytest.raises(ClientError) as caught:
        submit(store, batch, job, identity)
    problem = from_exception(caught.value, operation="CreateModelInvocationJob", identity=identity)
    assert problem.kind == "s3_bucket_missing"
    assert "bucket" in problem.title
    assert "make the bucket in us-east-1" in problem.fix
    give_up(store, batch, job)
    assert [cell.state for cell in cells(store, batch, 0)] == ["waiting", "waiting", "failed", "waiting"]


def test_a_bucket_that_goes_away_under_a_job_fails_it_and_keeps_no_cell(
    store: BatchStore, batch: Batch, identity: Identity
) -> None:
    ahead = submitted(store, batch, 2, bucket(identity), identity)
    job = submitted(store, batch, 0, bucket(identity), identity)
    name, s3 = job.folder.removeprefix("s3://"), client("s3", identity)
    s3.delete_object(Bucket=name, Key=f"{job.token}.jsonl")
    s3.delete_bucket(Bucket=name)
    stop(ahead, identity)
    job = ended(store, batch, job, identity)
    assert job.status == "Failed"
    assert name in job.message
    assert [cell.state for cell in cells(store, batch, 0)] == ["waiting", "waiting", "failed", "waiting"]
