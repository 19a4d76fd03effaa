"""Knowledge bases as the service lists them, and files on their way in, well and badly formed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from services import clients, knowledge
from services.clients import Identity
from services.knowledge import DataSource, Document, IngestionJob
from services.knowledge_files import DocumentFile, checked, key_name
from services.problems import Problem

IDENTITY = Identity("aws", "team", "us-east-1")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = DataSource("DS12345678", "KB12345678", "docs", "AVAILABLE", "S3", "bucket-a", ("papers/",))
WHERE = {"knowledgeBaseId": "KB12345678", "dataSourceId": "DS12345678"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Stubber]]:
    """boto3 clients whose requests and answers are checked against the service models."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    made = {name: boto3.client(name, "us-east-1", **keys) for name in ("bedrock-agent", "s3")}
    stubs = {name: Stubber(client) for name, client in made.items()}
    monkeypatch.setattr(clients, "client", lambda service, _: made[service])
    for kept in (knowledge.knowledge_bases, knowledge.data_sources, knowledge.documents):
        kept.clear()
    for stub in stubs.values():
        stub.activate()
    yield stubs
    for stub in stubs.values():
        stub.assert_no_pending_responses()
    for kept in (knowledge.knowledge_bases, knowledge.data_sources, knowledge.documents):
        kept.clear()


def _summary(name: str) -> dict[str, Any]:
    return {"knowledgeBaseId": f"KB0000000{name}", "name": name, "status": "ACTIVE", "updatedAt": NOW}


def test_the_list_reads_every_page_is_sorted_and_kept_until_cleared(aws: dict[str, Stubber]) -> None:
    agent = aws["bedrock-agent"]
    agent.add_response("list_knowledge_bases", {"knowledgeBaseSummaries": [_summary("b")], "nextToken": "2"})
    agent.add_response("list_knowledge_bases", {"knowledgeBaseSummaries": [_summary("A")]})
    found = knowledge.knowledge_bases(IDENTITY)
    assert [one.name for one in found.items] == ["A", "b"]
    assert found.problem is None
    assert knowledge.knowledge_bases(IDENTITY) == found  # no third call
    knowledge.knowledge_bases.clear(IDENTITY)
    agent.add_response("list_knowledge_bases", {"knowledgeBaseSummaries": []})
    assert knowledge.knowledge_bases(IDENTITY).items == ()


def test_a_refused_list_is_a_problem_that_is_soon_asked_for_again(
    aws: dict[str, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = aws["bedrock-agent"]
    agent.add_client_error("list_knowledge_bases", "AccessDeniedException", "not authorized", 403)
    found = knowledge.knowledge_bases(IDENTITY)
    assert found.problem
    assert found.problem.kind == "access_denied"
    assert knowledge.knowledge_bases(IDENTITY) is found, "asked again at once"
    monkeypatch.setattr(knowledge, "PROBLEM_TTL_S", 0)
    agent.add_response("list_knowledge_bases", {"knowledgeBaseSummaries": [_summary("A")]})
    assert len(knowledge.knowledge_bases(IDENTITY).items) == 1


def test_a_data_source_says_where_its_documents_are(aws: dict[str, Stubber]) -> None:
    agent = aws["bedrock-agent"]
    row = {**WHERE, "name": "docs", "status": "AVAILABLE", "updatedAt": NOW}
    agent.add_response("list_data_sources", {"dataSourceSummaries": [row]})
    s3 = {"bucketArn": "arn:aws:s3:::bucket-a", "inclusionPrefixes": ["papers/"]}
    whole = {
        **row,
        "createdAt": NOW,
        "dataSourceConfiguration": {"type": "S3", "s3Configuration": s3},
        "vectorIngestionConfiguration": {"chunkingConfiguration": {"chunkingStrategy": "NONE"}},
    }
    agent.add_response("get_data_source", {"dataSource": whole}, WHERE)
    (source,) = knowledge.data_sources(IDENTITY, "KB12345678").items
    assert (source.bucket, source.prefix) == ("bucket-a", "papers/")
    assert source.chunking == {"chunkingStrategy": "NONE"}


def test_a_job_tells_what_it_changed(aws: dict[str, Stubber]) -> None:
    job = {
        **WHERE,
        "ingestionJobId": "JOB1234567",
        "status": "IN_PROGRESS",
        "startedAt": NOW,
        "updatedAt": NOW,
        "statistics": {
            "numberOfDocumentsScanned": 9,
            "numberOfNewDocumentsIndexed": 3,
            "numberOfModifiedDocumentsIndexed": 2,
            "numberOfMetadataDocumentsModified": 1,
            "numberOfDocumentsFailed": 1,
        },
        "failureReasons": ["a.pdf is encrypted"],
    }
    aws["bedrock-agent"].add_response("start_ingestion_job", {"ingestionJob": job}, WHERE)
    started = knowledge.start_ingestion(IDENTITY, "KB12345678", "DS12345678")
    assert isinstance(started, IngestionJob)
    assert started.active
    assert (started.scanned, started.new, started.modified, started.failed) == (9, 3, 3, 1)
    aws["bedrock-agent"].add_client_error("start_ingestion_job", "ConflictException", "one is running", 409)
    assert isinstance(knowledge.start_ingestion(IDENTITY, "KB12345678", "DS12345678"), Problem)


def test_documents_with_faults_come_first(aws: dict[str, Stubber]) -> None:
    def row(key: str, status: str) -> dict[str, Any]:
        identifier = {"dataSourceType": "S3", "s3": {"uri": f"s3://bucket-a/{key}"}}
        return {**WHERE, "status": status, "identifier": identifier, "statusReason": "why"}

    rows = [row("a.md", "INDEXED"), row("z.pdf", "FAILED")]
    aws["bedrock-agent"].add_response("list_knowledge_base_documents", {"documentDetails": rows}, WHERE)
    found = knowledge.documents(IDENTITY, "KB12345678", "DS12345678").items
    assert [(one.address[-5:], one.bad) for one in found] == [("z.pdf", True), ("/a.md", False)]


def test_files_go_below_the_prefix_and_leave_with_their_metadata(aws: dict[str, Stubber]) -> None:
    s3, agent = aws["s3"], aws["bedrock-agent"]
    s3.add_response("put_object", {}, {"Bucket": "bucket-a", "Key": "papers/a.md", "Body": b"text"})
    written, problem = knowledge.upload_documents(IDENTITY, SOURCE, [DocumentFile("a.md", b"text")])
    assert written == ("s3://bucket-a/papers/a.md",)
    assert problem is None
    for key in ("papers/a.md", "papers/a.md.metadata.json"):
        s3.add_response("delete_object", {}, {"Bucket": "bucket-a", "Key": key})
    identifier = {"dataSourceType": "S3", "s3": {"uri": written[0]}}
    agent.add_response("delete_knowledge_base_documents", {}, {**WHERE, "documentIdentifiers": [identifier]})
    assert knowledge.delete_documents(IDENTITY, SOURCE, [Document(written[0], "S3", "INDEXED")]) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\papers\\Q1 report?.pdf", "Q1-report-.pdf"),
        ("日本語.pdf", "日本語.pdf"),
        ("x" * 300 + ".pdf", "x" * 76 + ".pdf"),
        ("x" * 300 + ".pdf.metadata.json", "x" * 76 + ".pdf.metadata.json"),
        ("//", "document"),
    ],
)
def test_a_file_name_becomes_the_end_of_a_key(name: str, expected: str) -> None:
    assert key_name(name) == expected


def test_what_cannot_be_uploaded_is_said_file_by_file() -> None:
    found = checked(
        [
            DocumentFile("a.md", b"first"),
            DocumentFile("folder/A.md", b"second"),
            DocumentFile("b.exe", b"MZ"),
            DocumentFile("c.txt", b""),
            DocumentFile("a.md.metadata.json", b'{"metadataAttributes": {"year": 2024}}'),
            DocumentFile("lost.md.metadata.json", b'{"metadataAttributes": {}}'),
            DocumentFile("d.md", b"x"),
            DocumentFile("d.md.metadata.json", b"[1]"),
            DocumentFile("e.pdf", bytes(50 * 1024 * 1024 + 1)),
        ]
    )
    assert [file.name for file in found.files] == ["a.md", "a.md.metadata.json", "d.md"]
    assert found.documents == 2
    faults = "\n".join(found.faults)
    for words in ("already", "format", "empty", "not among", "JSON object", "50 MB is the most"):
        assert words in faults
    assert len(found.faults) == 6
