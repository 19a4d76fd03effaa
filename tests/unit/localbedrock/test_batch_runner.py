"""The runner of batch jobs where the services around it fail: the job says why, the queue goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from localbedrock.asgi import Answer
from localbedrock.batch import jobs
from localbedrock.batch.runner import Runner
from localbedrock.emulator import Call
from localbedrock.store import Store


def job(name: str, **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "jobArn": f"arn:aws:bedrock:us-east-1:000000000000:model-invocation-job/{name}",
        "jobName": name,
        "status": "Submitted",
        "modelInvocationType": "InvokeModel",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://bucket/in"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/out"}},
        "jobExpirationTime": (now + timedelta(hours=1)).isoformat(),
    } | changes


def run(deliver: Callable[[Call], Answer], *documents: dict[str, Any]) -> list[dict[str, Any]]:
    """The jobs after a runner has worked on them."""
    store = Store(":memory:")
    for document in documents:
        store.put(jobs.KIND, jobs.id_of(document), document)
    runner = Runner(store, cast(Any, None), deliver)
    try:
        for _ in range(200):
            if jobs.waiting(store) is None:
                break
            threading.Event().wait(0.05)
        return store.list(jobs.KIND)
    finally:
        runner.stop(5)
        store.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [(LookupError("There is no S3."), "There is no S3."), (TimeoutError(), "failed to process")],
)
def test_a_job_fails_with_a_sentence_and_the_next_one_is_tried(error: Exception, words: str) -> None:
    def deliver(_call: Call) -> Answer:
        raise error

    ended = run(deliver, job("first"), job("second"))
    assert [document["status"] for document in ended] == ["Failed", "Failed"]
    assert all(words in document["message"] and document["endTime"] for document in ended)


def test_a_job_that_could_not_begin_in_time_expires_and_one_that_was_stopping_is_stopped() -> None:
    def deliver(_call: Call) -> Answer:
        raise AssertionError("nothing is read")

    late = job("late", jobExpirationTime=datetime.now(UTC).isoformat())
    ended = run(deliver, late, job("stopping", status="Stopping"))
    assert [document["status"] for document in ended] == ["Expired", "Stopped"]
