"""The document that a retrieved passage comes from (S3: GetObject, or Bedrock: GetDocumentContent)."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

import streamlit as st

from services import clients, problems
from services.citations import Source
from services.clients import Identity
from services.locations import DATA_SOURCE_KEY
from services.passages import passage_of, with_marks
from services.problems import Problem

Kind = Literal["markdown", "text", "pdf", "file", "link", "passage"]

MOST_BYTES = 50 * 1024 * 1024
"""AWS's quota for a file of a data source; what is larger was never indexed under this name."""
LOOK_TTL_S = 60
FETCH_TIMEOUT_S = 20
EXTRACTED_NOTE = "This is the text that was extracted from the file."
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

    `kind` "file" is a format that is not shown as it is (HTML, DOCX, CSV ...) and of which no extracted text
    is to be had. "link" and "passage" have no content: a browser can open the one, of the other the passage
    is all there is. `text` is there for "markdown" and "text"; `note` says where it is from, or why there is
    none. `digest` is SHA-256 of the content.
    """

    name: str
    kind: Kind
    content: bytes = b""
    digest: str = ""
    text: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Where:
    """How a document is named to GetDocumentContent."""

    identity: Identity
    knowledge_base_id: str
    data_source_id: str
    document_id: str

    @property
    def known(self) -> bool:
        return bool(self.knowledge_base_id and self.data_source_id)


class _TooLargeError(Exception):
    """The document has more bytes than are fetched; the argument is how many."""


def fetch(identity: Identity, source: Source, knowledge_base_id: str = "") -> SourceDocument | Problem:
    """The document of a passage. Never raises.

    `knowledge_base_id` is what a document that is no S3 object can be asked for with.
    """
    location = source.location
    where = _Where(
        identity, knowledge_base_id, str(source.metadata.get(DATA_SOURCE_KEY) or ""), location.address
    )
    try:
        if location.kind == "S3" and location.address.startswith("s3://"):
            return _readable(_s3_document(identity, location.address), where)
        if location.kind == "Custom" and where.known:
            return _readable(_custom_document(where), where)
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
    show_spinner=False,
    max_entries=256,
    hash_funcs={SourceDocument: lambda document: (document.digest, document.kind)},
)
def passage_place(document: SourceDocument, passage: str) -> tuple[int, int] | None:
    """The characters of the document's text that are the passage; None where it is not found."""
    place = passage_of(document.text, passage)
    return with_marks(document.text, place, passage) if place else None


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
def _custom_document(where: _Where) -> SourceDocument:
    content, mime_type = _content(where, "RAW")
    return _document(where.document_id, content, mime_type)


def _readable(document: SourceDocument, where: _Where) -> SourceDocument:
    """Of a format that is not shown as it is, the text that was extracted from it, where it is to be had."""
    if document.kind != "file" or not where.known:
        return document
    try:
        text = _extracted(where, document.digest)
    except Exception:  # noqa: BLE001 (the document and the passage are there, and that is said)
        return document
    return replace(document, kind="text", text=text, note=EXTRACTED_NOTE) if text.strip() else document


@st.cache_resource(show_spinner=False, max_entries=8)
def _extracted(where: _Where, _digest: str) -> str:
    """AWS does not say of what shape the JSON is; KeyError, TypeError or ValueError for an unknown one."""
    content, _ = _content(where, "EXTRACTED")
    return "\n\n".join(str(page["text"]) for page in json.loads(content)["pages"])


def _content(where: _Where, output_format: str) -> tuple[bytes, str]:
    """Content and MIME type (GetDocumentContent, and the URL that it gives)."""
    found = clients.client("bedrock-agent-runtime", where.identity).get_document_content(
        knowledgeBaseId=where.knowledge_base_id,
        dataSourceId=where.data_source_id,
        documentId=where.document_id,
        outputFormat=output_format,
    )
    if found.get("documentContentLength", 0) > MOST_BYTES:
        raise _TooLargeError(found["documentContentLength"])
    url = str(found["presignedUrl"])
    is_local = where.identity.backend == "local"
    wanted = "http" if is_local else "https"
    if urlsplit(url).scheme != wanted:
        raise ValueError(f"the service gave an address that is not {wanted}")
    # The environment's proxies are for AWS; the local endpoint is on this machine.
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if is_local else []))
    with opener.open(url, timeout=FETCH_TIMEOUT_S) as answer:
        return _read(answer), str(found.get("mimeType") or "")


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
