"""Batch inference jobs over HTTP: files in S3 in, answers in S3 out, and every way in which a job can end."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Endpoint, start_endpoint
from tests.processes import stop

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
EMBED = "amazon.titan-embed-text-v2:0"
ROLE = "arn:aws:iam::000000000000:role/batch"
BUCKET = "batch-jobs"
ENDED = {"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"}


@pytest.fixture(scope="module")
def bedrock(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock")


@pytest.fixture(scope="module")
def s3(endpoint: Endpoint) -> Any:
    client = endpoint.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def claude(text: str = "Hi", **changes: Any) -> dict[str, Any]:
    message = {"role": "user", "content": [{"type": "text", "text": text}]}
    return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 4, "messages": [message]} | changes


def jsonl(*inputs: dict[str, Any]) -> bytes:
    lines = [{"recordId": f"R{place}", "modelInput": given} for place, given in enumerate(inputs)]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def start(bedrock: Any, s3: Any, content: bytes | None, **changes: Any) -> str:
    """A job with one input file of its own; its ARN."""
    folder = f"job-{uuid4().hex}"
    if content is not None:
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/in.jsonl", Body=content)
    source, target = f"s3://{BUCKET}/{folder}/in.jsonl", f"s3://{BUCKET}/{folder}/out/"
    settings = {
        "jobName": folder,
        "roleArn": ROLE,
        "modelId": MODEL,
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": source}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": target}},
    }
    arn: str = bedrock.create_model_invocation_job(**settings | changes)["jobArn"]
    return arn


def wait(bedrock: Any, arn: str, until: set[str] = ENDED, seconds: float = 60) -> dict[str, Any]:
    """The job as soon as it has one of the statuses."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job: dict[str, Any] = bedrock.get_model_invocation_job(jobIdentifier=arn)
        if job["status"] in until:
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job is still {job['status']}")


def results(s3: Any, job: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The output lines of a job with one file, and its manifest."""
    prefix = job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].removeprefix(f"s3://{BUCKET}/")
    folder = f"{prefix.rstrip('/')}/{job['jobArn'].rpartition('/')[2]}"
    read = lambda name: s3.get_object(Bucket=BUCKET, Key=f"{folder}/{name}")["Body"].read()  # noqa: E731
    lines = read("in.jsonl.out").decode().splitlines()
    return [json.loads(line) for line in lines], json.loads(read("manifest.json.out"))


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_answers_and_errors_are_written_record_by_record(bedrock: Any, s3: Any) -> None:
    good, bad = claude(), claude(max_tokens="many")
    job = wait(bedrock, start(bedrock, s3, jsonl(good, bad, good)))
    assert job["status"] == "Completed"
    assert job["submitTime"] <= job["endTime"] <= job["lastModifiedTime"] < job["jobExpirationTime"]
    lines, manifest = results(s3, job)
    assert [line["recordId"] for line in lines] == ["R0", "R1", "R2"]
    assert [line["modelInput"] for line in lines] == [good, bad, good]
    assert lines[1]["error"]["errorCode"] == 400
    assert "modelOutput" not in lines[1]
    answers = [line["modelOutput"] for line in (lines[0], lines[2])]
    assert {answer["type"] for answer in answers} == {"message"}
    counts = {
        "totalRecordCount": 3,
        "processedRecordCount": 3,
        "successRecordCount": 2,
        "errorRecordCount": 1,
    }
    assert {name: job[name] for name in counts} == counts
    assert manifest == counts | {
        "inputTokenCount": sum(answer["usage"]["input_tokens"] for answer in answers),
        "outputTokenCount": sum(answer["usage"]["output_tokens"] for answer in answers),
    }


def test_converse_records_are_converse_requests(bedrock: Any, s3: Any) -> None:
    good = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 4}}
    bad = {"messages": [{"role": "user", "content": "Hi"}]}
    job = wait(bedrock, start(bedrock, s3, jsonl(good, bad), modelInvocationType="Converse"))
    (answered, refused), manifest = results(s3, job)
    usage = answered["modelOutput"]["usage"]
    assert answered["modelOutput"]["output"]["message"]["role"] == "assistant"
    assert refused["error"]["errorCode"] == 400
    assert manifest["outputTokenCount"] == usage["outputTokens"]


def test_embeddings_of_all_files_below_a_prefix(bedrock: Any, s3: Any) -> None:
    for name in ("in/a.jsonl", "in/deep/b.jsonl", "in/notes.txt", "in2/c.jsonl"):
        line = {"recordId": name, "modelInput": {"inputText": name}}
        s3.put_object(Bucket=BUCKET, Key=f"many/{name}", Body=json.dumps(line).encode())
    source = {"s3InputDataConfig": {"s3Uri": f"s3://{BUCKET}/many/in/"}}
    job = wait(bedrock, start(bedrock, s3, None, modelId=EMBED, inputDataConfig=source))
    assert (job["status"], job["successRecordCount"]) == ("Completed", 2)
    prefix = job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].removeprefix(f"s3://{BUCKET}/")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]
    assert [key.split("/", 3)[3] for key in keys] == ["a.jsonl.out", "deep/b.jsonl.out", "manifest.json.out"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no records"),
        (b"", "no records"),
        (b"{", "Line 1 of in.jsonl is not valid JSON"),
        (jsonl(claude()) + jsonl(claude()), "repeats the recordId"),
    ],
)
def test_input_that_cannot_be_read_fails_the_job(
    bedrock: Any, s3: Any, content: bytes | None, words: str
) -> None:
    job = wait(bedrock, start(bedrock, s3, content))
    assert job["status"] == "Failed"
    assert words in job["message"]


@pytest.mark.parametrize("which", ["input", "output"])
def test_a_bucket_that_does_not_exist_fails_the_job(bedrock: Any, s3: Any, which: str) -> None:
    where = {f"s3{which.title()}DataConfig": {"s3Uri": "s3://no-such-bucket/x"}}
    job = wait(bedrock, start(bedrock, s3, jsonl(claude()), **{f"{which}DataConfig": where}))
    assert job["status"] == "Failed"
    assert "no-such-bucket" in job["message"]
    assert "NoSuchBucket" in job["message"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"modelId": "no.such-model-v1:0"}, "model identifier is invalid"),
        ({"modelId": EMBED, "modelInvocationType": "Converse"}, "supported text or chat model"),
        ({"roleArn": "arn:aws:iam::1:role/x"}, "roleArn"),
        ({"jobName": "no spaces"}, "jobName"),
    ],
)
def test_a_request_that_is_wrong_makes_no_job(
    bedrock: Any, s3: Any, changes: dict[str, Any], words: str
) -> None:
    code, message = refusal(start, bedrock=bedrock, s3=s3, content=None, **changes)
    assert code == "ValidationException"
    assert words in message


def test_a_job_is_stopped_in_the_middle_and_keeps_what_it_has(bedrock: Any, s3: Any) -> None:
    long = claude("Tell me a long story.", max_tokens=2000)
    arn = start(bedrock, s3, jsonl(claude(), *[long] * 50))
    queued = start(bedrock, s3, jsonl(*[long] * 50))
    wait(bedrock, arn, {"InProgress"})
    assert bedrock.get_model_invocation_job(jobIdentifier=queued)["status"] == "Submitted"
    deadline = time.monotonic() + 30
    while bedrock.get_model_invocation_job(jobIdentifier=arn)["processedRecordCount"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for job_arn in (arn, queued):
        bedrock.stop_model_invocation_job(jobIdentifier=job_arn)
        assert bedrock.get_model_invocation_job(jobIdentifier=job_arn)["status"] in {"Stopping", "Stopped"}
    job = wait(bedrock, arn)
    assert wait(bedrock, queued)["status"] == job["status"] == "Stopped"
    lines, manifest = results(s3, job)
    assert len(lines) == manifest["processedRecordCount"] < manifest["totalRecordCount"] == 51
    assert refusal(bedrock.stop_model_invocation_job, jobIdentifier=arn)[0] == "ConflictException"


def test_a_call_from_outside_does_not_wait_for_a_job(bedrock: Any, s3: Any, endpoint: Endpoint) -> None:
    arn = start(bedrock, s3, jsonl(*[claude("Tell me a long story.", max_tokens=2000)] * 20))
    wait(bedrock, arn, {"InProgress"})
    endpoint.client("bedrock-runtime").converse(
        modelId=MODEL,
        messages=[{"role": "user", "content": [{"text": "Hi"}]}],
        inferenceConfig={"maxTokens": 2},
    )
    assert bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] == "InProgress"
    bedrock.stop_model_invocation_job(jobIdentifier=arn)
    wait(bedrock, arn)


def test_lists_are_filtered_sorted_and_paged(bedrock: Any, s3: Any) -> None:
    mark = f"list-{uuid4().hex[:8]}"
    began = datetime.now(UTC)
    arns = [start(bedrock, s3, None, jobName=f"{mark}-{place}") for place in range(3)]
    for arn in arns:
        wait(bedrock, arn)

    def listed(**arguments: Any) -> list[str]:
        pages = bedrock.get_paginator("list_model_invocation_jobs").paginate(nameContains=mark, **arguments)
        return [job["jobArn"] for page in pages for job in page["invocationJobSummaries"]]

    assert listed() == arns[::-1]
    assert listed(sortBy="CreationTime", sortOrder="Ascending", PaginationConfig={"PageSize": 2}) == arns
    assert listed(statusEquals="Failed", submitTimeAfter=began) == arns[::-1]
    assert listed(statusEquals="Completed") == listed(submitTimeBefore=began - timedelta(hours=1)) == []


def test_a_request_that_is_repeated_makes_one_job_and_jobs_have_tags(bedrock: Any, s3: Any) -> None:
    token, tags = uuid4().hex, [{"key": "a", "value": "b"}]
    arns = {start(bedrock, s3, None, clientRequestToken=token, tags=tags) for _ in range(2)}
    (arn,) = arns
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == tags


def test_a_job_that_does_not_exist_is_not_found(bedrock: Any) -> None:
    for call in (bedrock.get_model_invocation_job, bedrock.stop_model_invocation_job):
        assert refusal(call, jobIdentifier="abcdefghij12")[0] == "ResourceNotFoundException"


def test_a_job_survives_a_restart(tmp_path: Path) -> None:
    first = start_endpoint(tmp_path)
    try:
        bedrock, s3 = first.client("bedrock"), first.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        arn = start(bedrock, s3, jsonl(*[claude("Tell me a story.", max_tokens=40)] * 8))
        wait(bedrock, arn, {"InProgress"})
    finally:
        stop(first.process, signal.SIGTERM)
    second = start_endpoint(tmp_path)
    try:
        job = wait(second.client("bedrock"), arn)
        assert (job["status"], job["successRecordCount"]) == ("Completed", 8)
        lines, _ = results(second.client("s3"), job)
        assert [line["recordId"] for line in lines] == [f"R{place}" for place in range(8)]
    finally:
        stop(second.process, signal.SIGTERM)
