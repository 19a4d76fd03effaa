"""A column as a batch inference job: what is asked of S3 and Bedrock, and what its results become."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from services import batch_jobs, models
from services.batch_grid import counts, page
from services.batch_jobs import (
    folder_fault,
    give_up,
    jobs,
    look,
    offer,
    prepare,
    role_fault,
    stop,
    submit,
)
from services.batch_store import BatchStore
from services.batch_values import Batch, Column, new_runner
from services.clients import Identity
from services.conversations import Settings
from services.guardrails import GuardrailChoice
from services.model_values import Model
from services.run_store import RunStore

AWS = Identity("aws", None, "us-east-1")
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghijkl"
ROLE = "arn:aws:iam::123456789012:role/batch"
FOLDER = "s3://my-bucket/work/"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BatchStore]:
    runs = RunStore(f"sqlite:///{tmp_path / 'w.db'}")
    yield BatchStore(runs)
    runs.close()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Stubber]]:
    """Stubs that validate what is sent and what is answered against the service models."""
    keys = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    stubs = {name: Stubber(boto3.client(name, **keys)) for name in ("s3", "bedrock")}
    monkeypatch.setattr(batch_jobs, "client", lambda service, identity: stubs[service].client)
    monkeypatch.setattr(models, "resolve", lambda _, text: Model(text, "", text, "P", "foundation", text))
    for stub in stubs.values():
        stub.activate()
    yield stubs
    for stub in stubs.values():
        stub.assert_no_pending_responses()


@pytest.fixture
def batch(store: BatchStore) -> Batch:
    columns = [Column(name, Settings(model_id=name, system="Be brief")) for name in ("a.one", "b.two")]
    batch_id = store.create(
        "ana",
        "test",
        ["prompt"],
        [["p0"], ["p1"], ["p2"]],
        template="Q: {{prompt}}",
        mapping={"prompt": "prompt"},
        columns=columns,
        concurrency=2,
        identity=AWS,
    )
    found = store.get(batch_id, "ana")
    assert found
    return found


def submitted(store: BatchStore, batch: Batch, aws: dict[str, Stubber]) -> batch_jobs.Job:
    job = prepare(store, batch, 1, FOLDER, ROLE)
    assert job
    key = f"work/{job.token}.jsonl"
    aws["s3"].add_response("put_object", {}, {"Bucket": "my-bucket", "Key": key, "Body": ANY})
    asked: dict[str, Any] = {
        "jobName": ANY,
        "clientRequestToken": job.token,
        "roleArn": ROLE,
        "modelId": "b.two",
        "modelInvocationType": "Converse",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://my-bucket/{key}"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://my-bucket/work/{job.token}-output/"}},
    }
    aws["bedrock"].add_response("create_model_invocation_job", {"jobArn": ARN}, asked)
    submit(store, batch, job, AWS)
    return jobs(store, batch)[0]


def answered(job: batch_jobs.Job, status: str) -> dict[str, Any]:
    return {
        "jobArn": ARN,
        "modelId": "b.two",
        "roleArn": ROLE,
        "submitTime": 0,
        "status": status,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://my-bucket/x"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://my-bucket/y"}},
    }


def wrote(aws: dict[str, Stubber], *records: dict[str, Any]) -> None:
    body = "\n".join(map(json.dumps, records)).encode()
    listed = [{"Key": "work/t-output/abc/t.jsonl.out"}, {"Key": "work/t-output/abc/manifest.json.out"}]
    aws["s3"].add_response("list_objects_v2", {"Contents": listed})
    aws["s3"].add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))})


def said(row: int, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"text": text}]}
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    output = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}
    return {"recordId": f"row{row:08d}", "modelInput": {}, "modelOutput": output}


def test_a_job_takes_the_waiting_cells_of_its_column_and_no_runner_gets_them(
    store: BatchStore, batch: Batch, aws: dict[str, Stubber]
) -> None:
    job = submitted(store, batch, aws)
    assert (job.job_arn, job.status) == (ARN, "Submitted")
    assert counts(store.engine, batch.id)["in_job"] == 3
    assert prepare(store, batch, 1, FOLDER, ROLE) is None
    me = new_runner()
    assert store.take(batch.id, me) == 0
    claims = store.advance(batch.id, me, [], [((0, 1), 10)]) or []
    assert {claim.column for claim in claims} == {0}


def test_records_are_converse_requests_without_the_model(
    store: BatchStore, batch: Batch, aws: dict[str, Stubber]
) -> None:
    job = prepare(store, batch, 1, FOLDER, ROLE)
    assert job
    records, refused = batch_jobs._records(store, batch, job, AWS)
    assert not refused
    assert records[1] == {
        "recordId": "row00000001",
        "modelInput": {
            "messages": [{"role": "user", "content": [{"text": "Q: p1"}]}],
            "system": [{"text": "Be brief"}],
        },
    }


def test_a_guardrail_goes_along_without_what_only_streams_have(
    store: BatchStore, batch: Batch, aws: dict[str, Stubber]
) -> None:
    guarded = Settings(model_id="a.one", guardrail=GuardrailChoice("g-1", "2", stream_mode="async"))
    job = prepare(store, batch, 0, FOLDER, ROLE)
    assert job
    records, _ = batch_jobs._records(store, replace(batch, columns=(Column("A", guarded),)), job, AWS)
    sent = records[0]["modelInput"]["guardrailConfig"]
    assert (sent["guardrailIdentifier"], sent["guardrailVersion"]) == ("g-1", "2")
    assert "streamProcessingMode" not in sent


def test_results_are_joined_and_what_the_job_did_not_come_to_waits_again(
    store: BatchStore, batch: Batch, aws: dict[str, Stubber]
) -> None:
    job = submitted(store, batch, aws)
    aws["bedrock"].add_response("get_model_invocation_job", answered(job, "InProgress"))
    assert look(store, batch, job, AWS) == "InProgress"
    assert counts(store.engine, batch.id)["in_job"] == 3
    aws["bedrock"].add_response("get_model_invocation_job", answered(job, "PartiallyCompleted"))
    error = {"recordId": "row00000000", "error": {"errorCode": 400, "errorMessage": "bad request"}}
    wrote(aws, said(2, "Two"), error)
    look(store, batch, job, AWS)
    cells = [row.cells[1] for row in page(store.engine, batch).rows]
    assert [cell.state for cell in cells] == ["failed", "waiting", "done"]
    assert (cells[2].reply, cells[2].input_tokens, cells[2].output_tokens) == ("Two", 3, 2)
    assert (cells[2].latency_ms, cells[2].cost_usd, cells[2].run_id) == (None, None, None)
    assert jobs(store, batch)[0].ended


def test_a_job_that_aws_refuses_gives_its_cells_back(
    store: BatchStore, batch: Batch, aws: dict[str, Stubber]
) -> None:
    job = prepare(store, batch, 0, FOLDER, ROLE)
    assert job
    aws["s3"].add_client_error("put_object", "AccessDenied")
    with pytest.raises(Exception, match="AccessDenied"):
        submit(store, batch, job, AWS)
    give_up(store, batch, job)
    assert counts(store.engine, batch.id)["waiting"] == 6
    assert jobs(store, batch) == ()


def test_a_bucket_that_is_gone_with_the_answers_keeps_no_cell(
    store: BatchStore, batch: Batch, aws: dict[str, Stubber]
) -> None:
    job = submitted(store, batch, aws)
    aws["bedrock"].add_response("get_model_invocation_job", answered(job, "Completed"))
    aws["s3"].add_client_error("list_objects_v2", "NoSuchBucket")
    look(store, batch, job, AWS)
    assert counts(store.engine, batch.id)["waiting"] == 6
    assert "bucket does not exist any more" in jobs(store, batch)[0].message


def test_answers_that_may_not_be_read_yet_are_not_given_up(
    store: BatchStore, batch: Batch, aws: dict[str, Stubber]
) -> None:
    job = submitted(store, batch, aws)
    aws["bedrock"].add_response("get_model_invocation_job", answered(job, "Completed"))
    aws["s3"].add_client_error("list_objects_v2", "AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        look(store, batch, job, AWS)
    assert counts(store.engine, batch.id)["in_job"] == 3
    assert not jobs(store, batch)[0].ended


@pytest.mark.parametrize("ended", [False, True])
def test_a_job_is_stopped_and_one_that_has_ended_is_no_error(
    store: BatchStore, batch: Batch, aws: dict[str, Stubber], ended: bool
) -> None:
    job = submitted(store, batch, aws)
    if ended:
        aws["bedrock"].add_client_error("stop_model_invocation_job", "ConflictException")
    else:
        aws["bedrock"].add_response("stop_model_invocation_job", {}, {"jobIdentifier": ARN})
    stop(job, AWS)


def test_an_aws_account_gets_no_bucket_by_itself() -> None:
    """`submitted` fails on any call to S3 but the upload; what is typed there is the account owner's."""
    assert offer(AWS) == batch_jobs.Offer()
    local = offer(Identity("local", "localbedrock", "us-east-1"))
    assert folder_fault(local.folder) == role_fault(local.role_arn) == ""


@pytest.mark.parametrize("role", ["", "batch", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x"])
def test_an_arn_that_names_no_role_is_said(role: str) -> None:
    assert "arn:aws:iam::123456789012:role/name" in role_fault(role)
    assert role_fault(ROLE) == ""


@pytest.mark.parametrize(
    "folder", ["", "my-bucket/x", "https://s3/x", "s3:///x", "s3://b/x", "s3://bucket/ö y"]
)
def test_a_folder_that_is_none_of_s3_is_said(folder: str) -> None:
    assert "s3://bucket/folder" in folder_fault(folder)
    assert folder_fault(FOLDER) == ""
