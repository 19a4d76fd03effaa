"""GetDocumentContent: where a document of a data source can be downloaded, as it is or as extracted text.

A document in S3 is downloaded from where it is. What is in no bucket (the content of a direct call, extracted
text) is put into a bucket of the endpoint's own for as long as its URL is good.
"""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

from localbedrock.context import Context
from localbedrock.errors import not_found, validation
from localbedrock.knowledge import bases, data_sources, direct, objects
from localbedrock.knowledge.host import Host, KnowledgeHandler
from localbedrock.knowledge.parsing import UnreadableError, parse
from localbedrock.s3 import S3, Place, S3Error

URL_SECONDS = 300
"""AWS's lifetime of the URL."""
_JSON = "application/json"


def get_document_content(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A presigned URL of a document's content. ``documentId`` is an s3:// URI or the id of a custom document.

    EXTRACTED is JSON; AWS does not say of what shape. Here it is ``{"documentId", "pages": [{"pageNumber",
    "text"}]}``, with ``pageNumber`` null for a format without pages. ResourceNotFoundException for a document
    that the data source does not have, ValidationException for one that has gone from S3 or cannot be read.
    """
    base = bases.find(ctx, params["knowledgeBaseId"])
    source = data_sources.find(ctx, base["knowledgeBaseId"], params["dataSourceId"])
    document_id: str = params["documentId"]
    s3 = host.s3(ctx.region)
    try:
        content = direct.raw_content(host, ctx.region, source["dataSourceId"], document_id)
        if content is None:
            raise not_found(f"Document {document_id} does not exist in data source {source['dataSourceId']}.")
        mime_type, data = content.mime_type, content.data
        if params.get("outputFormat") == "EXTRACTED":
            mime_type, data = _JSON, _extracted(document_id, content)
        elif document_id.startswith("s3://"):
            return _answer(host, ctx, Place.of(document_id), mime_type, len(data))
        return _answer(host, ctx, _put(s3, ctx, data), mime_type, len(data))
    except (S3Error, UnreadableError) as error:
        raise validation(f"Document {document_id} cannot be read: {error}") from None


def _extracted(document_id: str, content: objects.Content) -> bytes:
    pages = [
        {"pageNumber": page.number, "text": page.text}
        for page in parse(content.name, content.data, content.mime_type)
    ]
    return json.dumps({"documentId": document_id, "pages": pages}, ensure_ascii=False).encode()


def _answer(host: Host, ctx: Context, place: Place, mime_type: str, size: int) -> dict[str, Any]:
    return {
        "presignedUrl": host.presigned(ctx.region, place, URL_SECONDS),
        "mimeType": mime_type,
        "documentContentLength": size,
    }


def _put(s3: S3, ctx: Context, data: bytes) -> Place:
    """Puts a copy into the endpoint's own bucket, out of which those with expired URLs are removed."""
    bucket = Place(f"bedrock-document-content-{ctx.account_id}-{ctx.region}", "")
    try:
        s3.check_bucket(bucket)
    except S3Error:
        s3.put(bucket, b"")  # creates it
    now = int(time.time())
    for old in list(s3.objects(bucket)):
        if int(old.key.partition("/")[0]) < now:
            s3.delete(Place(bucket.bucket, old.key))
    place = bucket.under(f"{now + URL_SECONDS}/{uuid4()}")
    s3.put(place, data)
    return place


HANDLERS: dict[str, KnowledgeHandler] = {"GetDocumentContent": get_document_content}
