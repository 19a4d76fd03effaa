"""Batch inference jobs as documents, and the operations on them.

A job is kept in the store (kind ``model-invocation-job``, by its id) as GetModelInvocationJob answers it,
with times as ISO 8601 text.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from localbedrock.catalogue import resolve
from localbedrock.context import Context, Handler
from localbedrock.control import tags
from localbedrock.errors import conflict, not_found, validation
from localbedrock.runtime.engines import NOT_A_CHAT_MODEL
from localbedrock.store import Store
from localbedrock.wire.paging import page

KIND = "model-invocation-job"
ENDED = frozenset({"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"})
DEFAULT_TIMEOUT_HOURS = 24
"""The least that a job may ask for."""

_TOKENS = "model-invocation-job-token"
_TIMES = ("submitTime", "lastModifiedTime", "endTime", "jobExpirationTime")
_GIVEN = (
    "jobName", "roleArn", "clientRequestToken", "modelId", "inputDataConfig", "outputDataConfig", "vpcConfig",
)  # fmt: skip

Job = dict[str, Any]


def handlers(wake: Callable[[], None]) -> dict[tuple[str, str], Handler]:
    """The operations; ``wake`` tells the runner that a job was made or is to be stopped."""

    def create(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
        answer = create_job(ctx, params)
        wake()
        return answer

    def stop(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
        answer = stop_job(ctx, params)
        wake()
        return answer

    operations: dict[str, Handler] = {
        "CreateModelInvocationJob": create,
        "GetModelInvocationJob": get_job,
        "ListModelInvocationJobs": list_jobs,
        "StopModelInvocationJob": stop,
    }
    return {("bedrock", name): handler for name, handler in operations.items()}


def create_job(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A job in the queue. What is in S3 is looked at later, by the job itself."""
    token = params.get("clientRequestToken", "")
    if token and (known := ctx.store.get(_TOKENS, token)):
        return {"jobArn": known["jobArn"]}
    kind = params.get("modelInvocationType", "InvokeModel")
    model = resolve(ctx, params["modelId"])
    if kind == "Converse" and not model.chats:
        raise validation(NOT_A_CHAT_MODEL)
    tags.check(params.get("tags", []))
    job_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    arn = f"arn:aws:bedrock:{ctx.region}:{ctx.account_id}:model-invocation-job/{job_id}"
    now = datetime.now(UTC)
    hours = params.get("timeoutDurationInHours", DEFAULT_TIMEOUT_HOURS)
    job = {name: params[name] for name in _GIVEN if name in params} | {
        "jobArn": arn,
        "status": "Submitted",
        "submitTime": now.isoformat(),
        "lastModifiedTime": now.isoformat(),
        "timeoutDurationInHours": hours,
        "jobExpirationTime": (now + timedelta(hours=hours)).isoformat(),
        "modelInvocationType": kind,
    }
    tags.put(ctx, arn, params.get("tags", []))
    if token:
        ctx.store.put(_TOKENS, token, {"jobArn": arn})
    ctx.store.put(KIND, job_id, job)
    return {"jobArn": arn}


def get_job(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One job, by id or ARN."""
    return _with_times(_find(ctx, params["jobIdentifier"]))


def list_jobs(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The region's jobs that pass all the filters; the newest first unless asked otherwise."""
    here = f"arn:aws:bedrock:{ctx.region}:"
    jobs = [_with_times(job) for job in ctx.store.list(KIND) if job["jobArn"].startswith(here)]
    jobs = [job for job in jobs if _matches(job, params)]
    if params.get("sortOrder", "Descending") == "Descending":
        jobs.reverse()
    items, more = page(jobs, params, lambda job: str(job["jobArn"]))
    return {"invocationJobSummaries": items} | more


def stop_job(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Asks a job to stop; the runner does it."""
    job = _find(ctx, params["jobIdentifier"])

    def change(job: Job | None) -> Job:
        if job is None or job["status"] in ENDED:
            raise conflict("The job has ended: only a job that has not can be stopped.")
        return job | {"status": "Stopping", "lastModifiedTime": datetime.now(UTC).isoformat()}

    ctx.store.update(KIND, id_of(job), change)
    return {}


def id_of(job: Job) -> str:
    """A job's id."""
    return str(job["jobArn"]).rpartition("/")[2]


def waiting(store: Store) -> Job | None:
    """The oldest job that has not ended. One that a stop of the endpoint interrupted is among them."""
    return next((job for job in store.list(KIND) if job["status"] not in ENDED), None)


def advance(store: Store, job: Job, status: str, **changes: Any) -> Job:
    """Moves a job on, unless it is being stopped and ``status`` is not an end; returns what is stored."""

    def change(current: Job | None) -> Job:
        now = datetime.now(UTC).isoformat()
        merged = (current or job) | changes | {"lastModifiedTime": now}
        if status in ENDED:
            return merged | {"status": status, "endTime": now}
        return merged if merged["status"] == "Stopping" else merged | {"status": status}

    return store.update(KIND, id_of(job), change)


def _find(ctx: Context, identifier: str) -> Job:
    job = ctx.store.get(KIND, identifier.rpartition("/")[2])
    if job is None or not str(job["jobArn"]).startswith(f"arn:aws:bedrock:{ctx.region}:"):
        raise not_found(
            "The specified model invocation job does not exist. Check the identifier and try again."
        )
    return job


def _matches(job: Job, params: dict[str, Any]) -> bool:
    after, before = params.get("submitTimeAfter"), params.get("submitTimeBefore")
    return (
        params.get("statusEquals") in (None, job["status"])
        and params.get("nameContains", "") in job["jobName"]
        and (after is None or job["submitTime"] > after)
        and (before is None or job["submitTime"] < before)
    )


def _with_times(job: Job) -> Job:
    return job | {name: datetime.fromisoformat(job[name]) for name in _TIMES if name in job}
