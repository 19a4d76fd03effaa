"""The waiting cells of a column as one batch inference job of Bedrock: through S3, in hours.

`prepare` claims the cells, `submit` writes their records to S3 and calls CreateModelInvocationJob, `look`
calls GetModelInvocationJob and, once the job has ended, joins what it wrote to the cells. The job's token
is its `clientRequestToken`: to submit again after a crash makes no second job.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from services import batch_tables as tables
from services import models
from services.batch_calls import cell_call
from services.batch_runner import EMPTY
from services.batch_store import BatchStore
from services.batch_values import Batch, Claim, Outcome, Received
from services.clients import Identity, client
from services.conversations import RefusedError
from services.problems import Problem, from_answer
from services.replies import read
from services.runs import Call

ENDED = frozenset({"Completed", "PartiallyCompleted", "Stopped", "Expired", "Failed"})
"""The states after which a job writes nothing more."""
PREPARING = "Preparing"
"""Our own word for a job that AWS has not been asked for yet, or not successfully."""

# S3Uri and RoleArn in botocore's bedrock model; what does not match would be refused after it was uploaded.
_FOLDER = re.compile(r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](/[-!_*'().a-z0-9A-Z]+)*/?")
_ROLE = re.compile(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+")


@dataclass(frozen=True)
class Job:
    """A job of one column.

    `status` is AWS's word, or PREPARING; `message` is AWS's sentence, if it has one.
    """

    token: str
    batch_id: str
    column: int
    folder: str
    role_arn: str
    job_arn: str | None
    status: str
    message: str
    created_at: float

    @property
    def ended(self) -> bool:
        """Whether its results are joined."""
        return self.status in ENDED


@dataclass(frozen=True)
class Offer:
    """A folder and a role that a job may have without anybody's preparing them; `note` says so."""

    folder: str = ""
    role_arn: str = ""
    note: str = ""


_LOCAL_OFFER = Offer(
    folder="s3://workbench-batch-jobs",
    role_arn="arn:aws:iam::123456789012:role/not-checked-locally",
    note="Locally this bucket is made when a job needs it, and no role is checked.",
)


def offer(identity: Identity) -> Offer:
    """What a form begins with. Empty on AWS, where only the account's owner knows folder and role."""
    return _LOCAL_OFFER if identity.backend == "local" else Offer()


def jobs(store: BatchStore, batch: Batch) -> tuple[Job, ...]:
    """The jobs of a batch, oldest first."""
    at = tables.jobs.c
    query = sa.select(tables.jobs).where(at.batch_id == batch.id).order_by(at.created_at)
    with store.engine.connect() as connection:
        return tuple(Job(**row) for row in connection.execute(query).mappings())


def folder_fault(folder: str) -> str:
    """What is wrong with an S3 folder, as a sentence; "" where nothing is."""
    if _FOLDER.fullmatch(folder):
        return ""
    return "The S3 folder must look like s3://bucket/folder, with no other signs than -!_*'(). in its names."


def role_fault(role_arn: str) -> str:
    """What is wrong with the ARN of a role, as a sentence; "" where nothing is."""
    if _ROLE.fullmatch(role_arn):
        return ""
    return "The service role must look like arn:aws:iam::123456789012:role/name."


def prepare(store: BatchStore, batch: Batch, column: int, folder: str, role_arn: str) -> Job | None:
    """Claim the column's waiting cells for a job; None where none waits.

    `folder` (s3://bucket/folder) takes input and output; `role_arn` is the service role that Bedrock assumes.
    """
    cell = tables.cells.c
    job = Job(
        token=uuid.uuid4().hex,
        batch_id=batch.id,
        column=column,
        folder=folder.rstrip("/"),
        role_arn=role_arn,
        job_arn=None,
        status=PREPARING,
        message="",
        created_at=time.time(),
    )
    with store.engine.begin() as connection:
        claimed = connection.execute(
            sa.update(tables.cells)
            .where(cell.batch_id == batch.id, cell.column == column, cell.state == "waiting")
            .values(state="in_job", runner=job.token)
        )
        if claimed.rowcount == 0:
            return None
        connection.execute(sa.insert(tables.jobs).values(asdict(job)))
        _touch(connection, batch)
    return job


def submit(store: BatchStore, batch: Batch, job: Job, identity: Identity) -> None:
    """Write the records and create the job. May be repeated. Raises what boto3 raises, and ValueError.

    The bucket of `offer` is made; any other has to be there. Cells whose prompt is refused before any call
    fail here, and are not in the job.
    """
    records, refused = _records(store, batch, job, identity)
    if refused:
        store.receive(batch.id, job.token, refused)
    if not records:
        _change(store, batch, job, status="Failed", message="No cell of the column could be sent.")
        return
    bucket, prefix = _place(job)
    settings = batch.columns[job.column].settings
    body = "".join(json.dumps(record) + "\n" for record in records).encode()
    s3 = client("s3", identity)
    if bucket == urlsplit(offer(identity).folder).netloc:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=f"{prefix}{job.token}.jsonl", Body=body)
    answer = client("bedrock", identity).create_model_invocation_job(
        jobName=f"workbench-{job.token}",
        clientRequestToken=job.token,
        roleArn=job.role_arn,
        modelId=settings.model_id,
        modelInvocationType=settings.operation,
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/{prefix}{job.token}.jsonl"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}/{prefix}{job.token}-output/"}},
    )
    _change(store, batch, job, job_arn=answer["jobArn"], status="Submitted", message="")


def give_up(store: BatchStore, batch: Batch, job: Job) -> None:
    """Forget a job that AWS refused: its cells wait again."""
    _release(store, batch, job)
    with store.engine.begin() as connection:
        connection.execute(sa.delete(tables.jobs).where(tables.jobs.c.token == job.token))


def stop(job: Job, identity: Identity) -> None:
    """Ask for the end of a job; `look` tells when it has come. Raises what boto3 raises."""
    bedrock = client("bedrock", identity)
    with suppress(bedrock.exceptions.ConflictException):  # it has ended by itself
        bedrock.stop_model_invocation_job(jobIdentifier=job.job_arn)


def look(store: BatchStore, batch: Batch, job: Job, identity: Identity) -> str:
    """Ask for the job's state, and join its results when it has ended. Raises what boto3 raises."""
    found = client("bedrock", identity).get_model_invocation_job(jobIdentifier=job.job_arn)
    status, message = found["status"], found.get("message", "")
    if status in ENDED:
        try:
            store.receive(batch.id, job.token, _outcomes(batch, job, _output(job, identity)))
        except client("s3", identity).exceptions.NoSuchBucket:  # nobody will ever read from it
            message = message or "Its bucket does not exist any more, and its answers with it."
        _release(store, batch, job)  # what the job did not come to
    _change(store, batch, job, status=status, message=message)
    return str(status)


def _records(
    store: BatchStore, batch: Batch, job: Job, identity: Identity
) -> tuple[list[dict[str, Any]], list[Outcome]]:
    """The lines of the input file, and the cells that cannot be sent."""
    settings, values = batch.columns[job.column].settings, store.values(batch.id)
    model = models.resolve(identity, settings.model_id)
    records: list[dict[str, Any]] = []
    refused: list[Outcome] = []
    for row in store.rows_of(batch.id, job.token):
        try:
            call = cell_call(batch, settings, model, values[row], identity, {})
        except RefusedError as error:
            refused.append(Outcome(Claim(row, job.column), problem=error.problem))
            continue
        if call is None:
            refused.append(Outcome(Claim(row, job.column), problem=EMPTY))
            continue
        records.append({"recordId": f"row{row:08d}", "modelInput": _model_input(call)})
    return records, refused


def _model_input(call: Call) -> Any:
    """The body of the request. How a stream is guarded means nothing to a job."""
    if "body" in call.request:
        return call.request["body"]
    body = {name: value for name, value in call.request.items() if name != "modelId"}
    if guardrail := body.get("guardrailConfig"):
        body["guardrailConfig"] = {k: v for k, v in guardrail.items() if k != "streamProcessingMode"}
    return body


def _output(job: Job, identity: Identity) -> Iterable[bytes]:
    """The lines that the job has written; none where it wrote no file."""
    bucket, prefix = _place(job)
    s3 = client("s3", identity)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}{job.token}-output/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    for key in keys:
        if key.endswith(".jsonl.out"):
            yield from s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines()


def _outcomes(batch: Batch, job: Job, lines: Iterable[bytes]) -> list[Outcome]:
    operation = batch.columns[job.column].settings.operation
    outcomes: list[Outcome] = []
    for line in lines:
        if not line.strip():
            continue
        record = json.loads(line)
        claim = Claim(int(str(record["recordId"]).removeprefix("row")), job.column)
        if error := record.get("error"):
            outcomes.append(Outcome(claim, problem=_problem(error, operation)))
        else:
            reply = read(operation, record.get("modelOutput") or {})
            outcomes.append(Outcome(claim, received=Received(reply.text, reply.usage)))
    return outcomes


def _problem(error: Mapping[str, Any], operation: str) -> Problem:
    status = str(error.get("errorCode", ""))
    return from_answer(status, str(error.get("errorMessage", "")), operation=operation)


def _place(job: Job) -> tuple[str, str]:
    """Bucket, and the beginning of every key."""
    parts = urlsplit(job.folder)
    path = parts.path.strip("/")
    return parts.netloc, f"{path}/" if path else ""


def _release(store: BatchStore, batch: Batch, job: Job) -> None:
    cell = tables.cells.c
    with store.engine.begin() as connection:
        connection.execute(
            sa.update(tables.cells)
            .where(cell.batch_id == batch.id, cell.runner == job.token, cell.state == "in_job")
            .values(state="waiting", runner=None)
        )
        _touch(connection, batch)


def _change(store: BatchStore, batch: Batch, job: Job, **values: Any) -> None:
    with store.engine.begin() as connection:
        connection.execute(sa.update(tables.jobs).where(tables.jobs.c.token == job.token).values(values))
        _touch(connection, batch)


def _touch(connection: sa.Connection, batch: Batch) -> None:
    at = tables.batches.c
    connection.execute(sa.update(tables.batches).where(at.id == batch.id).values(version=at.version + 1))
