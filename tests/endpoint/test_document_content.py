"""GetDocumentContent over HTTP: the URL gives the document to whoever has it, and to nobody afterwards."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from services import clients, source_documents
from services.citations import results_of
from services.clients import Identity
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
def s3(endpoint: Endpoint) -> Any:
    """S3, with the bucket of these tests."""
    made = endpoint.client("s3")
    made.create_bucket(Bucket=BUCKET)
    return made


@pytest.fixture(scope="module")
def in_s3(s3: Any, agent: Any) -> dict[str, str]:
    """A data source with one PDF in S3, ingested."""
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


def test_a_document_that_has_gone_from_s3(s3: Any, agent: Any, runtime: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="gone/a.txt", Body=b"words")
    base_id = make_base(agent)["knowledgeBaseId"]
    where = {"knowledgeBaseId": base_id, "dataSourceId": make_source(agent, base_id, BUCKET, "gone/")}
    sync(agent, base_id, where["dataSourceId"])
    s3.delete_object(Bucket=BUCKET, Key="gone/a.txt")
    code, message = refusal(runtime.get_document_content, **where, documentId=f"s3://{BUCKET}/gone/a.txt")
    assert code == "ValidationException"
    assert "cannot be read" in message


def test_the_workbench_opens_a_custom_document(
    runtime: Any, custom: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "client", lambda service, identity: runtime)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # meant for AWS
    location = {"type": "CUSTOM", "customDocumentLocation": {"id": "faq/1"}}
    metadata = {"x-amz-bedrock-kb-data-source-id": custom["dataSourceId"]}
    (source,) = results_of([{"content": {"text": "Grüße"}, "location": location, "metadata": metadata}])
    found = source_documents.fetch(
        Identity("local", "localbedrock", "us-east-1"), source, custom["knowledgeBaseId"]
    )
    assert isinstance(found, source_documents.SourceDocument), found
    assert (found.name, found.kind, found.text) == ("faq/1", "text", "Grüße")


def test_the_workbench_shows_the_extracted_text_of_what_it_cannot_draw(
    s3: Any, agent: Any, runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    html = b"<script>x</script><p>Some <b>words</b>."
    s3.put_object(Bucket=BUCKET, Key="html/a.html", Body=html)
    base_id = make_base(agent)["knowledgeBaseId"]
    source_id = make_source(agent, base_id, BUCKET, "html/")
    sync(agent, base_id, source_id)
    monkeypatch.setattr(clients, "client", lambda service, identity: s3 if service == "s3" else runtime)
    location = {"type": "S3", "s3Location": {"uri": f"s3://{BUCKET}/html/a.html"}}
    reference = {
        "content": {"text": "Some words."},
        "location": location,
        "metadata": {"x-amz-bedrock-kb-data-source-id": source_id},
    }
    (source,) = results_of([reference])
    identity = Identity("local", "localbedrock", "us-east-1", epoch=1)
    found = source_documents.fetch(identity, source, base_id)
    assert isinstance(found, source_documents.SourceDocument), found
    assert (found.kind, found.text, found.content) == ("text", "Some words.", html)
    assert found.note == source_documents.EXTRACTED_NOTE
    alone = source_documents.fetch(identity, source)
    assert isinstance(alone, source_documents.SourceDocument)
    assert alone.kind == "file"
