"""The document that a retrieved passage comes from (S3: GetObject, or Bedrock: GetDocumentContent)."""

from __future__ import annotations

import hashlib
import urllib.request
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import streamlit as st

from services import clients, problems
from services.citations import Source
from services.clients import Identity
from services.locations import DATA_SOURCE_KEY
from services.passages import passage_of
from services.problems import Problem

Kind = Literal["markdown", "text", "pdf", "file", "link", "passage"]

MOST_BYTES = 50 * 1024 * 1024
"""AWS's quota for a file of a data source; what is larger was never indexed under this name."""
LOOK_TTL_S = 60
FETCH_TIMEOUT_S = 20
_KINDS: dict[str, Kind] = {
    "md": "markdown",
    "markdown": "markdown",
    "txt": "text",
    "pdf": "pdf",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/plain": "text",
    "application/pdf": "pdf",
}
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class SourceDocument:
    """A source document.

    `kind` "file" is a format that is not shown as it is (HTML, DOCX, CSV ...); "link" and "passage" have no
    content: a browser can open the one, of the other the passage is all there is, and `note` says why.
    `text` is the text of Markdown and text files. `digest` is SHA-256 of the content.
    """

    name: str
    kind: Kind
    content: bytes = b""
    digest: str = ""
    text: str = ""
    note: str = ""


class _TooLargeError(Exception):
    """The document has more bytes than are fetched; the argument is how many."""


def fetch(identity: Identity, source: Source, knowledge_base_id: str = "") -> SourceDocument | Problem:
    """The document of a passage. Never raises.

    `knowledge_base_id` is what a document that is no S3 object can be asked for with.
    """
    location = source.location
    try:
        if location.kind == "S3" and location.address.startswith("s3://"):
            return _s3_document(identity, location.address)
        data_source_id = source.metadata.get(DATA_SOURCE_KEY)
        if location.kind == "Custom" and knowledge_base_id and isinstance(data_source_id, str):
            return _custom_document(identity, knowledge_base_id, data_source_id, location.address)
    except _TooLargeError as error:
        return Problem(
            code="DocumentTooLarge",
            title="The document is too large to be shown",
            cause=f"{location.title} has {int(str(error)) / 1024**2:,.0f} MB; "
            f"at most {MOST_BYTES // 1024**2} MB are fetched.",
            fix="Open it where it is stored.",
        )
    except Exception as error:  # noqa: BLE001 (a document that cannot be fetched must not stop the page)
        operation = "GetObject" if location.kind == "S3" else "GetDocumentContent"
        return problems.from_exception(error, operation=operation, identity=identity)
    if location.is_web:
        return SourceDocument(location.title, "link", note="This document is on the web; it is not fetched.")
    return SourceDocument(location.title, "passage", note=_why_not(source))


@st.cache_resource(
    show_spinner=False, max_entries=256, hash_funcs={SourceDocument: lambda document: document.digest}
)
def passage_place(document: SourceDocument, passage: str) -> tuple[int, int] | None:
    """The characters of the document's text that are the passage; None where it is not found."""
    return passage_of(document.text, passage)


def _why_not(source: Source) -> str:
    if source.location.kind == "SQL":
        return "The passage is a row that this query gave; there is no document behind it."
    if source.location.kind == "Custom":
        return "A custom document can only be fetched where its knowledge base and data source are known."
    return "The service did not say where the document can be fetched, so the passage is all there is."


def _s3_document(identity: Identity, uri: str) -> SourceDocument:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return _object(identity, bucket, key, _etag(identity, bucket, key))


@st.cache_data(show_spinner=False, ttl=LOOK_TTL_S, max_entries=256)
def _etag(identity: Identity, bucket: str, key: str) -> str:
    """The version of an object, so that one that was replaced is fetched again (S3: HeadObject)."""
    head = clients.client("s3", identity).head_object(Bucket=bucket, Key=key)
    if head["ContentLength"] > MOST_BYTES:
        raise _TooLargeError(head["ContentLength"])
    return str(head["ETag"])


@st.cache_resource(show_spinner=False, max_entries=8)
def _object(identity: Identity, bucket: str, key: str, etag: str) -> SourceDocument:
    answer = clients.client("s3", identity).get_object(Bucket=bucket, Key=key, IfMatch=etag)
    content = _read(answer["Body"])
    return _document(key.rpartition("/")[2], content, str(answer.get("ContentType") or ""))


@st.cache_resource(show_spinner=False, ttl=LOOK_TTL_S, max_entries=8)
def _custom_document(
    identity: Identity, knowledge_base_id: str, data_source_id: str, document_id: str
) -> SourceDocument:
    found = clients.client("bedrock-agent-runtime", identity).get_document_content(
        knowledgeBaseId=knowledge_base_id,
        dataSourceId=data_source_id,
        documentId=document_id,
        outputFormat="RAW",
    )
    if found.get("documentContentLength", 0) > MOST_BYTES:
        raise _TooLargeError(found["documentContentLength"])
    url = str(found["presignedUrl"])
    wanted = "http" if identity.backend == "local" else "https"
    if urlsplit(url).scheme != wanted:
        raise ValueError(f"the service gave an address that is not {wanted}")
    # The environment's proxies are for AWS; the local endpoint is on this machine.
    proxies = [urllib.request.ProxyHandler({})] if identity.backend == "local" else []
    with urllib.request.build_opener(*proxies).open(url, timeout=FETCH_TIMEOUT_S) as answer:
        return _document(document_id, _read(answer), str(found.get("mimeType") or ""))


def _read(body: Any) -> bytes:
    content: bytes = body.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _TooLargeError(len(content))
    return content


def _document(name: str, content: bytes, mime_type: str) -> SourceDocument:
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    kind = _KINDS.get(ending) or _KINDS.get(mime_type.partition(";")[0].strip().lower()) or "file"
    text = _decoded(content) if kind in ("markdown", "text") else ""
    if text is None:
        return SourceDocument(name, "file", content, _digest(content), note="Its text is not UTF-8.")
    return SourceDocument(name, kind, content, _digest(content), text)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _decoded(content: bytes) -> str | None:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return None
