"""What the tests of knowledge bases share: making one, its data sources, and waiting for its jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/knowledge"
MODEL = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
VECTORS = {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": MODEL}}
S3_VECTORS = {
    "type": "S3_VECTORS",
    "s3VectorsConfiguration": {"indexArn": "arn:aws:s3vectors:us-east-1:000000000000:bucket/b/index/i"},
}
ENDED = {"COMPLETE", "FAILED", "STOPPED"}
SETTLED = {"INDEXED", "FAILED", "NOT_FOUND"}


def make_base(agent: Any, **changes: Any) -> dict[str, Any]:
    """A knowledge base with a name of its own."""
    settings = {
        "name": f"base-{uuid4().hex}",
        "roleArn": ROLE,
        "knowledgeBaseConfiguration": VECTORS,
        "storageConfiguration": S3_VECTORS,
    }
    made: dict[str, Any] = agent.create_knowledge_base(**settings | changes)["knowledgeBase"]
    return made


def make_source(agent: Any, base_id: str, bucket: str = "", prefix: str = "", **changes: Any) -> str:
    """The id of a new data source: of a bucket, else of the type CUSTOM."""
    configuration: dict[str, Any] = {"type": "CUSTOM"}
    if bucket:
        s3: dict[str, Any] = {"bucketArn": f"arn:aws:s3:::{bucket}"}
        s3 |= {"inclusionPrefixes": [prefix]} if prefix else {}
        configuration = {"type": "S3", "s3Configuration": s3}
    settings = {"name": f"source-{uuid4().hex}", "dataSourceConfiguration": configuration}
    made = agent.create_data_source(knowledgeBaseId=base_id, **settings | changes)
    source_id: str = made["dataSource"]["dataSourceId"]
    return source_id


def sync(agent: Any, base_id: str, source_id: str, seconds: float = 60) -> dict[str, Any]:
    """An ingestion job that has ended."""
    where = {"knowledgeBaseId": base_id, "dataSourceId": source_id}
    job = agent.start_ingestion_job(**where)["ingestionJob"]
    where["ingestionJobId"] = job["ingestionJobId"]
    return wait_for_job(agent, where, ENDED, seconds)


def wait_for_job(agent: Any, where: dict[str, str], until: set[str], seconds: float = 60) -> dict[str, Any]:
    """The job as soon as it has one of the statuses."""
    return _wait(
        lambda: agent.get_ingestion_job(**where)["ingestionJob"], lambda job: job["status"] in until, seconds
    )


def wait_for_documents(agent: Any, where: dict[str, str], identifiers: list[dict[str, Any]]) -> list[Any]:
    """The documents as soon as nothing is to be done for them."""
    return _wait(
        lambda: agent.get_knowledge_base_documents(**where, documentIdentifiers=identifiers)[
            "documentDetails"
        ],
        lambda details: all(detail["status"] in SETTLED for detail in details),
        60,
    )


def _wait(ask: Callable[[], Any], enough: Callable[[Any], bool], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = ask()
        if enough(answer):
            return answer
        time.sleep(0.02)
    raise AssertionError(f"still {answer}")


def counts(job: dict[str, Any]) -> dict[str, int]:
    """The statistics that are not zero, by the middle of their names."""
    return {name.removeprefix("numberOf"): value for name, value in job["statistics"].items() if value}


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    """Code and message of the error that a call gets."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
