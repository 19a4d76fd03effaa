"""GetDocumentContent over HTTP: the URL gives the document to whoever has it, and to nobody afterwards."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.conftest import Endpoint
from tests.endpoint.knowledge_calls import make_base, make_source, refusal, sync, wait_for_documents
from tests.pdfs import pdf

BUCKET = "document-content"
KEY = "docs/a b+ü.pdf"
PDF = pdf(["First page"], ["Second page"])


@pytest.fixture(scope="module")
def agent(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent")


@pytest.fixture(scope="module")
def runtime(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent-runtime")


@pytest.fixture(scope="module")
def in_s3(endpoint: Endpoint, agent: Any) -> dict[str, str]:
    """A data source with one PDF in S3, ingested."""
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=PDF)
    base_id = make_base(agent)["knowledgeBaseId"]
    source_id = make_source(agent, base_id, BUCKET, "docs/")
    assert sync(agent, base_id, source_id)["status"] == "COMPLETE"
    return {"knowledgeBaseId": base_id, "dataSourceId": source_id}


@pytest.fixture(scope="module")
def custom(agent: Any) -> dict[str, str]:
    """A data source with one custom document, ingested."""
    base_id = make_base(agent)["knowledgeBaseId"]
    where = {"knowledgeBaseId": base_id, "dataSourceId": make_source(agent, base_id)}
    inline = {"type": "TEXT", "textContent": {"data": "Grüße"}}
    content = {
        "dataSourceType": "CUSTOM",
        "custom": {
            "customDocumentIdentifier": {"id": "faq/1"},
            "sourceType": "IN_LINE",
            "inlineContent": inline,
        },
    }
    agent.ingest_knowledge_base_documents(**where, documents=[{"content": content}])
    wait_for_documents(agent, where, [{"dataSourceType": "CUSTOM", "custom": {"id": "faq/1"}}])
    return where


def download(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        content: bytes = answer.read()
        return content


def test_a_document_in_s3_is_downloaded_as_it_is(runtime: Any, in_s3: dict[str, str]) -> None:
    found = runtime.get_document_content(**in_s3, documentId=f"s3://{BUCKET}/{KEY}")
    assert download(found["presignedUrl"]) == PDF
    assert (found["mimeType"], found["documentContentLength"]) == ("application/pdf", len(PDF))
    assert "X-Amz-Expires=300" in found["presignedUrl"]


def test_extracted_text_is_json_by_page(runtime: Any, in_s3: dict[str, str]) -> None:
    document_id = f"s3://{BUCKET}/{KEY}"
    found = runtime.get_document_content(**in_s3, documentId=document_id, outputFormat="EXTRACTED")
    content = download(found["presignedUrl"])
    assert json.loads(content) == {
        "documentId": document_id,
        "pages": [{"pageNumber": 1, "text": "First page"}, {"pageNumber": 2, "text": "Second page"}],
    }
    assert (found["mimeType"], found["documentContentLength"]) == ("application/json", len(content))


def test_a_custom_document_is_found_by_its_id(runtime: Any, custom: dict[str, str]) -> None:
    found = runtime.get_document_content(**custom, documentId="faq/1", outputFormat="RAW")
    assert download(found["presignedUrl"]).decode() == "Grüße"
    assert found["mimeType"] == "text/plain"


def test_the_url_is_good_for_this_document_alone(runtime: Any, custom: dict[str, str]) -> None:
    url = runtime.get_document_content(**custom, documentId="faq/1")["presignedUrl"]
    for changed in (url.replace("Expires=300", "Expires=3000"), url.replace("/bedrock-document", "/other")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            download(changed)
        assert caught.value.code == 403
        caught.value.close()


def test_what_is_not_there(runtime: Any, in_s3: dict[str, str], custom: dict[str, str]) -> None:
    code, message = refusal(runtime.get_document_content, **in_s3, documentId=f"s3://{BUCKET}/other.pdf")
    assert code == "ResourceNotFoundException"
    assert "other.pdf" in message
    code, _ = refusal(runtime.get_document_content, **custom, documentId="faq/2")
    assert code == "ResourceNotFoundException"
    code, _ = refusal(
        runtime.get_document_content, **in_s3 | {"dataSourceId": "AAAAAAAAAA"}, documentId="faq/1"
    )
    assert code == "ResourceNotFoundException"


def test_a_document_that_has_gone_from_s3(endpoint: Endpoint, agent: Any, runtime: Any) -> None:
    s3 = endpoint.client("s3")
    s3.put_object(Bucket=BUCKET, Key="gone/a.txt", Body=b"words")
    base_id = make_base(agent)["knowledgeBaseId"]
    where = {"knowledgeBaseId": base_id, "dataSourceId": make_source(agent, base_id, BUCKET, "gone/")}
    sync(agent, base_id, where["dataSourceId"])
    s3.delete_object(Bucket=BUCKET, Key="gone/a.txt")
    code, message = refusal(runtime.get_document_content, **where, documentId=f"s3://{BUCKET}/gone/a.txt")
    assert code == "ValidationException"
    assert "cannot be read" in message
