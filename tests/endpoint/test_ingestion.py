"""Ingestion over HTTP: documents in S3 and from calls become chunks, and only what differs is touched."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import Endpoint, start_endpoint
from tests.endpoint.knowledge_calls import (
    ENDED,
    counts,
    make_base,
    make_source,
    refusal,
    sync,
    wait_for_documents,
    wait_for_job,
)
from tests.processes import stop

BUCKET = "ingestion-documents"
SMALL = {
    "chunkingConfiguration": {
        "chunkingStrategy": "FIXED_SIZE",
        "fixedSizeChunkingConfiguration": {"maxTokens": 20, "overlapPercentage": 10},
    }
}
"""Many chunks of few documents: a job that takes a while."""


@pytest.fixture(scope="module")
def agent(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent")


@pytest.fixture(scope="module")
def s3(endpoint: Endpoint) -> Any:
    client = endpoint.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="module")
def base_id(agent: Any) -> str:
    return str(make_base(agent)["knowledgeBaseId"])


@pytest.fixture
def folder() -> str:
    """A prefix of its own for each test."""
    return f"{uuid4().hex}/"


def put(s3: Any, folder: str, **texts: str | dict[str, Any]) -> None:
    """Text files by name without ending; a dict is the metadata of the file that its name begins with."""
    for name, text in texts.items():
        if isinstance(text, dict):
            key, body = name.removesuffix("_metadata") + ".txt.metadata.json", json.dumps(text)
        else:
            key, body = f"{name}.txt", text
        s3.put_object(Bucket=BUCKET, Key=folder + key, Body=body.encode())


def statuses(agent: Any, base_id: str, source_id: str) -> dict[str, str]:
    """The status of every document of a data source, by the last part of its id."""
    pages = agent.get_paginator("list_knowledge_base_documents").paginate(
        knowledgeBaseId=base_id, dataSourceId=source_id, PaginationConfig={"PageSize": 2}
    )
    found = [detail for page in pages for detail in page["documentDetails"]]
    uris = [detail["identifier"].get("s3", detail["identifier"].get("custom")) for detail in found]
    return {
        str(next(iter(uri.values()))).rpartition("/")[2]: detail["status"]
        for uri, detail in zip(uris, found, strict=True)
    }


def sentences(number: int) -> bytes:
    """A text whose chunks all differ."""
    return " ".join(f"Sentence {place} of text {number}." for place in range(600)).encode()


def metadata(**attributes: Any) -> dict[str, Any]:
    return {"metadataAttributes": attributes}


def test_only_what_differs_is_touched(agent: Any, s3: Any, base_id: str, folder: str) -> None:
    put(
        s3,
        folder,
        a="Apples are red.",
        b="Bananas are yellow.",
        b_metadata=metadata(year=2024),
        c="Cherries.",
    )
    source_id = make_source(agent, base_id, BUCKET, folder)
    job = sync(agent, base_id, source_id)
    assert job["status"] == "COMPLETE"
    assert counts(job) == {"DocumentsScanned": 3, "MetadataDocumentsScanned": 1, "NewDocumentsIndexed": 3}
    assert "failureReasons" not in job
    assert statuses(agent, base_id, source_id) == dict.fromkeys(("a.txt", "b.txt", "c.txt"), "INDEXED")

    job = sync(agent, base_id, source_id)
    assert counts(job) == {"DocumentsScanned": 3, "MetadataDocumentsScanned": 1}

    put(s3, folder, a="Apples are green.", b_metadata=metadata(year=2025), d="Dates.")
    s3.delete_object(Bucket=BUCKET, Key=f"{folder}c.txt")
    job = sync(agent, base_id, source_id)
    assert counts(job) == {
        "DocumentsScanned": 3,
        "MetadataDocumentsScanned": 1,
        "NewDocumentsIndexed": 1,
        "ModifiedDocumentsIndexed": 1,
        "MetadataDocumentsModified": 1,
        "DocumentsDeleted": 1,
    }
    assert list(statuses(agent, base_id, source_id)) == ["a.txt", "b.txt", "d.txt"]


def test_what_is_ingested_is_retrieved_and_what_is_gone_is_not(
    endpoint: Endpoint, agent: Any, s3: Any, folder: str
) -> None:
    base_id = make_base(agent)["knowledgeBaseId"]
    put(s3, folder, tea="The tea is brewed at ninety degrees.", tea_metadata=metadata(year=2024))
    put(s3, folder, coffee="The coffee is ground fresh.")
    source_id = make_source(agent, base_id, BUCKET, folder)
    sync(agent, base_id, source_id)
    runtime = endpoint.client("bedrock-agent-runtime")

    def retrieved() -> list[dict[str, Any]]:
        answer = runtime.retrieve(knowledgeBaseId=base_id, retrievalQuery={"text": "How hot is tea brewed?"})
        return list(answer["retrievalResults"])

    uri = f"s3://{BUCKET}/{folder}tea.txt"
    best = retrieved()[0]
    assert best["content"]["text"] == "The tea is brewed at ninety degrees."
    assert best["location"] == {"type": "S3", "s3Location": {"uri": uri}}
    assert best["metadata"]["year"] == 2024
    assert best["metadata"]["x-amz-bedrock-kb-source-uri"] == uri
    put(s3, folder, tea="The tea is brewed at eighty degrees.")
    s3.delete_object(Bucket=BUCKET, Key=f"{folder}coffee.txt")
    sync(agent, base_id, source_id)
    assert [found["content"]["text"] for found in retrieved()] == ["The tea is brewed at eighty degrees."]
    agent.delete_data_source(knowledgeBaseId=base_id, dataSourceId=source_id)
    assert retrieved() == []


def test_a_document_that_cannot_be_read_fails_with_a_reason_and_not_the_job(
    agent: Any, s3: Any, base_id: str, folder: str
) -> None:
    put(s3, folder, good="Good.", bad_metadata={"no": "attributes"}, bad="Bad.", lone_metadata=metadata(a=1))
    s3.put_object(Bucket=BUCKET, Key=f"{folder}broken.pdf", Body=b"%PDF-1.7 and nothing else")
    s3.put_object(Bucket=BUCKET, Key=f"{folder}folder/", Body=b"")
    s3.put_object(Bucket=BUCKET, Key=f"{folder}ü <&> 100%+1.txt", Body=b"Not an easy name.")
    s3.put_object(Bucket=BUCKET, Key=f"{folder}good.txt.copy/good.txt", Body=b"The same name again.")
    source_id = make_source(agent, base_id, BUCKET, folder)
    job = sync(agent, base_id, source_id)
    assert job["status"] == "COMPLETE"
    assert counts(job) == {
        "DocumentsScanned": 5,
        "MetadataDocumentsScanned": 2,
        "NewDocumentsIndexed": 3,
        "DocumentsFailed": 2,
    }
    reasons = "\n".join(job["failureReasons"])
    assert all(name in reasons for name in ("broken.pdf", "bad.txt", "lone.txt.metadata.json"))
    assert statuses(agent, base_id, source_id)["broken.pdf"] == "FAILED"
    identifier = {"dataSourceType": "S3", "s3": {"uri": f"s3://{BUCKET}/{folder}broken.pdf"}}
    (detail,) = agent.get_knowledge_base_documents(
        knowledgeBaseId=base_id, dataSourceId=source_id, documentIdentifiers=[identifier]
    )["documentDetails"]
    assert detail["statusReason"] in reasons
    put(s3, folder, bad_metadata=metadata(year=1))
    assert counts(sync(agent, base_id, source_id))["NewDocumentsIndexed"] == 1


def test_a_file_that_is_too_large_is_refused_by_its_size(
    agent: Any, s3: Any, base_id: str, folder: str
) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{folder}large.txt", Body=b"x" * 100_000_000)
    try:
        source_id = make_source(agent, base_id, BUCKET, folder)
        job = sync(agent, base_id, source_id)
    finally:
        s3.delete_object(Bucket=BUCKET, Key=f"{folder}large.txt")
    assert counts(job) == {"DocumentsScanned": 1, "DocumentsFailed": 1}
    assert "50 MB" in job["failureReasons"][0]


def test_a_prefix_that_matches_nothing_and_a_bucket_that_is_not_there(
    agent: Any, s3: Any, base_id: str, folder: str
) -> None:
    job = sync(agent, base_id, make_source(agent, base_id, BUCKET, folder))
    assert (job["status"], counts(job)) == ("COMPLETE", {})
    job = sync(agent, base_id, make_source(agent, base_id, "no-such-bucket"))
    assert job["status"] == "FAILED"
    assert "NoSuchBucket" in job["failureReasons"][0]


def test_one_job_at_a_time_which_can_be_stopped_and_is_listed(
    agent: Any, s3: Any, base_id: str, folder: str
) -> None:
    for number in range(20):
        s3.put_object(Bucket=BUCKET, Key=f"{folder}{number}.txt", Body=sentences(number))
    source_id = make_source(agent, base_id, BUCKET, folder, vectorIngestionConfiguration=SMALL)
    where = {"knowledgeBaseId": base_id, "dataSourceId": source_id}
    job = agent.start_ingestion_job(**where)["ingestionJob"]
    assert job["status"] == "STARTING"
    for call in (agent.start_ingestion_job, agent.delete_data_source):
        code, message = refusal(call, **where)
        assert (code, job["ingestionJobId"] in message) == ("ConflictException", True)
    assert refusal(agent.delete_knowledge_base, knowledgeBaseId=base_id)[0] == "ConflictException"
    stopping = agent.stop_ingestion_job(**where, ingestionJobId=job["ingestionJobId"])["ingestionJob"]
    assert stopping["status"] == "STOPPING"
    stopped = wait_for_job(agent, where | {"ingestionJobId": job["ingestionJobId"]}, ENDED)
    indexed = counts(stopped).get("NewDocumentsIndexed", 0)
    assert (stopped["status"], indexed < 20) == ("STOPPED", True)
    assert len(statuses(agent, base_id, source_id)) == indexed
    code, _ = refusal(agent.stop_ingestion_job, **where, ingestionJobId=job["ingestionJobId"])
    assert code == "ConflictException"

    rest = sync(agent, base_id, source_id)
    assert counts(rest)["NewDocumentsIndexed"] == 20 - indexed
    ids = [rest["ingestionJobId"], job["ingestionJobId"]]

    def listed(**arguments: Any) -> list[str]:
        pages = agent.get_paginator("list_ingestion_jobs").paginate(
            **where, **arguments, PaginationConfig={"PageSize": 1}
        )
        return [item["ingestionJobId"] for page in pages for item in page["ingestionJobSummaries"]]

    assert listed() == ids
    assert listed(sortBy={"attribute": "STARTED_AT", "order": "ASCENDING"}) == ids[::-1]
    assert listed(sortBy={"attribute": "STATUS", "order": "ASCENDING"}) == ids
    only = [{"attribute": "STATUS", "operator": "EQ", "values": ["STOPPED"]}]
    assert listed(filters=only) == ids[1:]


def test_a_job_or_a_data_source_that_does_not_exist_is_not_found(agent: Any, base_id: str) -> None:
    where = {"knowledgeBaseId": base_id, "dataSourceId": make_source(agent, base_id, BUCKET)}
    for call in (agent.get_ingestion_job, agent.stop_ingestion_job):
        assert refusal(call, **where, ingestionJobId="ABCDEFGHIJ")[0] == "ResourceNotFoundException"
    where["dataSourceId"] = "ABCDEFGHIJ"
    assert refusal(agent.start_ingestion_job, **where)[0] == "ResourceNotFoundException"
    custom = {"knowledgeBaseId": base_id, "dataSourceId": make_source(agent, base_id)}
    code, message = refusal(agent.start_ingestion_job, **custom)
    assert (code, "IngestKnowledgeBaseDocuments" in message) == ("ValidationException", True)


def inline(document_id: str, text: str, **attributes: str) -> dict[str, Any]:
    content = {"type": "TEXT", "textContent": {"data": text}}
    document: dict[str, Any] = {"content": custom(document_id, sourceType="IN_LINE", inlineContent=content)}
    if attributes:
        values = [
            {"key": key, "value": {"type": "STRING", "stringValue": value}}
            for key, value in attributes.items()
        ]
        document["metadata"] = {"type": "IN_LINE_ATTRIBUTE", "inlineAttributes": values}
    return document


def custom(document_id: str, **members: Any) -> dict[str, Any]:
    named = {"customDocumentIdentifier": {"id": document_id}} | members
    return {"dataSourceType": "CUSTOM", "custom": named}


def custom_ids(*ids: str) -> list[dict[str, Any]]:
    return [{"dataSourceType": "CUSTOM", "custom": {"id": one}} for one in ids]


def test_documents_come_and_go_without_a_job(agent: Any, s3: Any, base_id: str, folder: str) -> None:
    where = {"knowledgeBaseId": base_id, "dataSourceId": make_source(agent, base_id)}
    put(s3, folder, far="From far away.", far_metadata=metadata(year=2020))
    uri = f"s3://{BUCKET}/{folder}far.txt"
    page = {"type": "BYTE", "byteContent": {"mimeType": "text/html", "data": b"<p>A page of HTML.</p>"}}
    pdf = {"type": "BYTE", "byteContent": {"mimeType": "application/pdf", "data": b"no PDF"}}
    far = {
        "content": custom("far", sourceType="S3_LOCATION", s3Location={"uri": uri}),
        "metadata": {"type": "S3_LOCATION", "s3Location": {"uri": f"{uri}.metadata.json"}},
    }
    gone = {"content": custom("gone", sourceType="S3_LOCATION", s3Location={"uri": f"{uri}.gone"})}
    given = [
        inline("note.pdf", "A note is text, whatever it is called.", team="docs"),
        {"content": custom("page", sourceType="IN_LINE", inlineContent=page)},
        {"content": custom("broken", sourceType="IN_LINE", inlineContent=pdf)},
        far,
        gone,
    ]
    details = agent.ingest_knowledge_base_documents(**where, documents=given)["documentDetails"]
    assert {detail["status"] for detail in details} <= {"STARTING", "IN_PROGRESS", "INDEXED", "FAILED"}
    ids = custom_ids("note.pdf", "page", "broken", "far", "gone", "unknown")
    details = wait_for_documents(agent, where, ids)
    assert [detail["status"] for detail in details] == [
        "INDEXED", "INDEXED", "FAILED", "INDEXED", "FAILED", "NOT_FOUND",
    ]  # fmt: skip
    assert all(details[place]["statusReason"] for place in (2, 4))
    assert len(statuses(agent, base_id, where["dataSourceId"])) == 5

    details = agent.delete_knowledge_base_documents(
        **where, documentIdentifiers=custom_ids("page", "unknown")
    )
    assert details["documentDetails"][1]["status"] == "NOT_FOUND"
    assert wait_for_documents(agent, where, custom_ids("page"))[0]["status"] == "NOT_FOUND"


def test_an_object_that_a_call_has_added_is_known_to_the_next_job(
    agent: Any, s3: Any, base_id: str, folder: str
) -> None:
    put(s3, folder, a="Apples.", a_metadata=metadata(year=2024), b="Bananas.")
    source_id = make_source(agent, base_id, BUCKET, folder)
    where = {"knowledgeBaseId": base_id, "dataSourceId": source_id}
    uri = f"s3://{BUCKET}/{folder}a.txt"
    content = {"dataSourceType": "S3", "s3": {"s3Location": {"uri": uri}}}
    agent.ingest_knowledge_base_documents(**where, documents=[{"content": content}])
    identifiers = [{"dataSourceType": "S3", "s3": {"uri": uri}}]
    assert wait_for_documents(agent, where, identifiers)[0]["status"] == "INDEXED"
    assert counts(sync(agent, base_id, source_id))["NewDocumentsIndexed"] == 1
    outside = {"dataSourceType": "S3", "s3": {"s3Location": {"uri": f"s3://{BUCKET}/elsewhere.txt"}}}
    code, message = refusal(agent.ingest_knowledge_base_documents, **where, documents=[{"content": outside}])
    assert (code, folder in message) == ("ValidationException", True)


@pytest.mark.parametrize(
    ("documents", "words"),
    [
        ([inline("a", "A"), inline("a", "B")], "different"),
        ([{"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": "s3://b/k"}}}}], "type CUSTOM"),
        ([{"content": custom("a", sourceType="IN_LINE")}], "needs an inlineContent"),
        ([{"content": custom("a", sourceType="IN_LINE", inlineContent={"type": "BYTE"})}], "byteContent"),
        ([{"content": {"dataSourceType": "CUSTOM"}}], "custom content"),
    ],
)
def test_documents_that_contradict_themselves_are_refused(
    agent: Any, base_id: str, documents: list[dict[str, Any]], words: str
) -> None:
    where = {"knowledgeBaseId": base_id, "dataSourceId": make_source(agent, base_id)}
    code, message = refusal(agent.ingest_knowledge_base_documents, **where, documents=documents)
    assert code == "ValidationException"
    assert words in message


def test_a_job_that_a_kill_has_interrupted_is_taken_up_again(tmp_path: Path) -> None:
    first = start_endpoint(tmp_path)
    try:
        agent, s3 = first.client("bedrock-agent"), first.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for number in range(12):
            s3.put_object(Bucket=BUCKET, Key=f"{number}.txt", Body=sentences(number))
        base_id = make_base(agent)["knowledgeBaseId"]
        source_id = make_source(agent, base_id, BUCKET, vectorIngestionConfiguration=SMALL)
        job = agent.start_ingestion_job(knowledgeBaseId=base_id, dataSourceId=source_id)["ingestionJob"]
        where = {name: job[name] for name in ("knowledgeBaseId", "dataSourceId", "ingestionJobId")}
        deadline = time.monotonic() + 60
        while not counts(agent.get_ingestion_job(**where)["ingestionJob"]).get("NewDocumentsIndexed"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        stop(first.process, signal.SIGKILL)
    second = start_endpoint(tmp_path)
    try:
        agent = second.client("bedrock-agent")
        job = wait_for_job(agent, where, ENDED)
        assert job["status"] == "COMPLETE"
        assert counts(job) == {"DocumentsScanned": 12, "NewDocumentsIndexed": 12}
        found = statuses(agent, base_id, source_id)
        assert (len(found), set(found.values())) == (12, {"INDEXED"})
        search = {"vectorSearchConfiguration": {"numberOfResults": 100}}
        results = second.client("bedrock-agent-runtime").retrieve(
            knowledgeBaseId=base_id, retrievalQuery={"text": "Sentence"}, retrievalConfiguration=search
        )["retrievalResults"]
        texts = [result["content"]["text"] for result in results]
        assert len(set(texts)) == len(texts) == 100  # no chunk is there twice
    finally:
        stop(second.process, signal.SIGTERM)
