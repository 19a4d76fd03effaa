"""Passages of a document that comes with the question instead of from a knowledge base."""

from __future__ import annotations

from typing import Any

import numpy as np

from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.knowledge.chunking import chunk
from localbedrock.knowledge.content_words import words
from localbedrock.knowledge.host import Host
from localbedrock.knowledge.parsing import UnreadableError, parse
from localbedrock.s3 import Place, S3Error

TARGET = "EXTERNAL_SOURCES"
"""What a session over such a document is bound to."""
LIMIT_BYTES = 10 * 1024 * 1024
RESULTS = 5


def search(host: Host, ctx: Context, source: dict[str, Any], query: str) -> list[dict[str, Any]]:
    """The nearest passages of an ExternalSource, in the shape of AWS's RetrievedReference, the best first.

    The document is read, chunked as a knowledge base does by default, and forgotten. AwsError for one that is
    missing, too large or unreadable.
    """
    name, content, mime_type, location = _document(host, ctx, source)
    if len(content) > LIMIT_BYTES:
        raise validation(f"The document {name} is larger than the limit of {LIMIT_BYTES // 2**20} MB.")
    try:
        texts = [each.parent or each.text for each in _chunks(ctx, name, content, mime_type)]
    except UnreadableError as error:
        raise validation(f"The document {name} cannot be read: {error}") from None
    if not texts:
        return []
    embedded = np.array([each.vector for each in ctx.models.embedder.embed([query, *texts])])
    asked = words(query).content
    shared = [len(asked & words(text).content) / max(len(asked), 1) for text in texts]
    best = np.argsort(-(embedded[1:] @ embedded[0] + np.array(shared)), kind="stable")[:RESULTS]
    return [{"content": {"text": texts[place], "type": "TEXT"}, "location": location} for place in best]


def _chunks(ctx: Context, name: str, content: bytes, mime_type: str) -> list[Any]:
    return [
        each for each in chunk(parse(name, content, mime_type), {}, ctx.models.embedder) if each.text.strip()
    ]


def _document(host: Host, ctx: Context, source: dict[str, Any]) -> tuple[str, bytes, str, dict[str, Any]]:
    """Name, content, MIME type ("" if it is not said) and location; AWS has no location type for bytes."""
    if source["sourceType"] == "S3":
        uri = _member(source, "s3Location")["uri"]
        place = Place.of(uri)
        try:
            content = host.s3(ctx.region).get(place)
        except S3Error as error:
            raise validation(str(error)) from None
        location = {"type": "S3", "s3Location": {"uri": uri}}
        return place.key.rpartition("/")[2], content, "", location
    given = _member(source, "byteContent")
    name = given["identifier"]
    location = {"type": "CUSTOM", "customDocumentLocation": {"id": name}}
    return name, given["data"], given["contentType"], location


def _member(source: dict[str, Any], name: str) -> dict[str, Any]:
    if name not in source:
        raise validation(f"The source type {source['sourceType']} needs {name}.")
    member: dict[str, Any] = source[name]
    return member
