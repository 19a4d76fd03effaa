"""Documents that calls add and delete one by one, without an ingestion job."""

from __future__ import annotations

import mimetypes
from dataclasses import replace
from functools import partial
from typing import Any

from localbedrock.context import Context
from localbedrock.errors import AwsError
from localbedrock.knowledge import data_sources, objects, sidecars
from localbedrock.knowledge.document_states import Change, DocumentStates, State
from localbedrock.knowledge.host import Host
from localbedrock.knowledge.indexing import Document, GoneError, Indexer, s3_document_location
from localbedrock.knowledge.objects import Content
from localbedrock.knowledge.parsing import UnreadableError
from localbedrock.s3 import S3, Object, Place, S3Error

INLINE = "inline"
"""The source of a document whose content came with the call."""


def keep(states: DocumentStates, data_source_id: str, document_id: str, given: dict[str, Any]) -> None:
    """Keeps a KnowledgeBaseDocument until it is indexed, and what it has inline for good.

    The body is ``{"custom", "source", "mime_type", "metadata"}``: whether the id is the caller's own; an s3://
    URI or INLINE; attributes, an s3:// URI or None.
    """
    content, data, mime_type = given["content"], b"", ""
    custom = content.get("custom")
    if custom is None:
        source = content["s3"]["s3Location"]["uri"]
    elif custom["sourceType"] == "S3_LOCATION":
        source = custom["s3Location"]["uri"]
    elif custom["inlineContent"]["type"] == "TEXT":
        source, mime_type = INLINE, "text/plain"
        data = custom["inlineContent"]["textContent"]["data"].encode()
    else:
        source, mime_type = INLINE, custom["inlineContent"]["byteContent"]["mimeType"]
        data = custom["inlineContent"]["byteContent"]["data"]
    body = {
        "custom": custom is not None,
        "source": source,
        "mime_type": mime_type,
        "metadata": _metadata(given.get("metadata")),
    }
    states.keep(data_source_id, document_id, body, data)


def _metadata(given: dict[str, Any] | None) -> dict[str, Any] | str | None:
    if given is None:
        return None
    if given["type"] == "S3_LOCATION":
        return str(given["s3Location"]["uri"])
    members = {"BOOLEAN": "booleanValue", "NUMBER": "numberValue", "STRING": "stringValue"}
    return {
        item["key"]: item["value"][members.get(item["value"]["type"], "stringListValue")]
        for item in given["inlineAttributes"]
    }


def raw_content(host: Host, region: str, data_source_id: str, document_id: str) -> Content | None:
    """A document as it was sent, or as it is in S3 now; None for one that is not known."""
    kept = host.documents.kept(data_source_id, document_id)
    if kept is None:
        state = host.documents.get(data_source_id, document_id)
        if state is None or not document_id.startswith("s3://"):
            return None
        kept = {"source": document_id}, b""
    body, data = kept
    if body["source"] == INLINE:
        return Content(document_id, body["mime_type"], data, {})
    place = Place.of(body["source"])
    name = place.key.rpartition("/")[2]
    mime_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Content(name, mime_type, host.s3(region).get(place), {})


def work(host: Host, ctx: Context, state: State) -> None:
    """Does what a direct call has asked for one document; what goes wrong is its status."""
    source = ctx.store.get(data_sources.KIND, state.data_source_id)
    if source is None:
        host.documents.remove_data_source(state.data_source_id)
        return
    try:
        indexer = Indexer(host, ctx, source)
        if state.work == "delete":
            host.documents.progress(state, "DELETE_IN_PROGRESS")
            indexer.remove([state.document_id])
            host.documents.remove_asked(state)
        else:
            host.documents.progress(state, "IN_PROGRESS")
            host.documents.done(state, _ingest(host, ctx, indexer, state))
    except GoneError:
        host.documents.remove_data_source(state.data_source_id)


def _ingest(host: Host, ctx: Context, indexer: Indexer, state: State) -> Change:
    kept = host.documents.kept(state.data_source_id, state.document_id)
    try:
        document = _document(host.s3(ctx.region), state, *(kept or ({}, b"")))
        prepared = indexer.prepare(document)
        indexer.replace([prepared])
    except (UnreadableError, S3Error, AwsError) as error:
        reason = error.message if isinstance(error, AwsError) else str(error)
        return Change(state.document_id, "FAILED", reason)
    if prepared.reason:
        return Change(state.document_id, "FAILED", prepared.reason)
    return Change(state.document_id, "INDEXED", "", document.etag, document.metadata_etag)


def _document(s3: S3, state: State, body: dict[str, Any], data: bytes) -> Document:
    """The document that a call has described."""
    document_id = state.document_id
    if body["custom"]:
        location = {"type": "CUSTOM", "customDocumentLocation": {"id": document_id}}
        return Document(document_id, document_id, location, partial(_read, s3, body, data), known=True)
    place = Place.of(document_id)
    etag, metadata_etag = objects.find(s3, place).etag, ""
    beside = _sidecar(s3, place) if body["metadata"] is None else None
    if beside is not None:
        body = body | {"metadata": str(Place(place.bucket, beside.key))}
        metadata_etag = beside.etag
    location = s3_document_location(document_id)
    read = partial(_read, s3, body, data)
    return Document(document_id, document_id, location, read, True, etag, metadata_etag)


def _read(s3: S3, body: dict[str, Any], data: bytes) -> Content:
    attributes = body["metadata"] or {}
    if isinstance(attributes, str):
        place = Place.of(attributes)
        attributes = objects.read_metadata(s3, place.bucket, objects.find(s3, place))
    if body["source"] == INLINE:
        return Content("", body["mime_type"], data, attributes)
    place = Place.of(body["source"])
    content = objects.read(s3, place.bucket, objects.find(s3, place), None)
    return replace(content, metadata=attributes)


def _sidecar(s3: S3, place: Place) -> Object | None:
    """The metadata file beside an object, as an ingestion job would find it."""
    try:
        return objects.find(s3, Place(place.bucket, place.key + sidecars.SUFFIX))
    except UnreadableError:
        return None
