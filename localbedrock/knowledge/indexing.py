"""Documents into chunks with vectors, and those into the index of their knowledge base."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from localbedrock.context import Context
from localbedrock.knowledge import bases, chunking, data_sources, embedding, parsing
from localbedrock.knowledge.chunking import Chunk
from localbedrock.knowledge.host import Host
from localbedrock.knowledge.index import Row
from localbedrock.knowledge.objects import Content
from localbedrock.knowledge.parsing import UnreadableError
from localbedrock.s3 import S3Error

ROWS = 500
"""How many chunks go into the index at once."""

_log = logging.getLogger(__name__)


class GoneError(Exception):
    """The data source was deleted in the meantime."""


@dataclass(frozen=True)
class Document:
    """A document to be indexed. ``read`` raises UnreadableError or S3Error with a sentence.

    ``location`` is AWS's RetrievalResultLocation, ``uri`` what its metadata call it. ``known``: the index may
    have chunks of it.
    """

    document_id: str
    uri: str
    location: dict[str, Any]
    read: Callable[[], Content]
    known: bool
    etag: str = ""
    metadata_etag: str = ""
    outcome: str = ""


@dataclass(frozen=True)
class Prepared:
    """A document in chunks, or the reason why there are none."""

    document: Document
    reason: str = ""
    chunks: Sequence[Chunk] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


class Indexer:
    """Indexes documents of one data source."""

    def __init__(self, host: Host, ctx: Context, source: dict[str, Any]) -> None:
        self._host = host
        self._ctx = ctx
        self._source_id: str = source["dataSourceId"]
        self._chunking = data_sources.chunking(source)
        self._base = bases.find(ctx, source["knowledgeBaseId"])
        self._index = host.indexes.of(source["knowledgeBaseId"])

    def prepare(self, document: Document) -> Prepared:
        """Reads a document; what is wrong with it is a reason, never an error."""
        try:
            content = document.read()
            pages = parsing.parse(content.name, content.data, content.mime_type)
            chunks = chunking.chunk(pages, self._chunking, self._ctx.models.embedder)
        except (UnreadableError, S3Error) as error:
            return Prepared(document, str(error))
        except Exception as error:  # noqa: BLE001 - one document's fault must not end the job
            _log.error("a document could not be read: %s", type(error).__name__)
            return Prepared(document, "The document could not be read.")
        if not chunks:
            return Prepared(document, "The document has no text.")
        return Prepared(document, "", chunks, content.metadata)

    def replace(self, batch: Sequence[Prepared]) -> None:
        """Puts the chunks of documents in place of those that the index has of them.

        AwsError if the embedding model fails, GoneError if the data source is gone.
        """
        chunks = [(item, chunk) for item in batch for chunk in item.chunks]
        vectors = (
            embedding.embed(self._ctx, self._base, [chunk.text for _, chunk in chunks]) if chunks else []
        )
        rows = [self._row(item, chunk, vector) for (item, chunk), vector in zip(chunks, vectors, strict=True)]
        with self._host.documents.changing:
            if self._ctx.store.get(data_sources.KIND, self._source_id) is None:
                raise GoneError
            if known := [item.document.document_id for item in batch if item.document.known]:
                self._index.delete_documents(self._source_id, known)
            for start in range(0, len(rows), ROWS):
                self._index.add(rows[start : start + ROWS])

    def remove(self, document_ids: Sequence[str]) -> None:
        """Takes documents out of the index; GoneError if the data source is gone."""
        with self._host.documents.changing:
            if self._ctx.store.get(data_sources.KIND, self._source_id) is None:
                raise GoneError
            self._index.delete_documents(self._source_id, document_ids)

    def optimize(self) -> None:
        """After the last change."""
        with self._host.documents.changing:
            if self._ctx.store.get(data_sources.KIND, self._source_id) is not None:
                self._index.optimize()

    def _row(self, item: Prepared, chunk: Chunk, vector: Sequence[float]) -> Row:
        chunk_id = str(uuid4())
        metadata = item.metadata | {
            "x-amz-bedrock-kb-source-uri": item.document.uri,
            "x-amz-bedrock-kb-data-source-id": self._source_id,
            "x-amz-bedrock-kb-chunk-id": chunk_id,
        }
        if chunk.page is not None:
            metadata["x-amz-bedrock-kb-document-page-number"] = float(chunk.page)
        return Row(
            chunk_id,
            item.document.document_id,
            self._source_id,
            chunk.text,
            chunk.parent,
            chunk.page,
            item.document.location,
            metadata,
            vector,
        )


def s3_document_location(uri: str) -> dict[str, Any]:
    """The RetrievalResultLocation of an object."""
    return {"type": "S3", "s3Location": {"uri": uri}}
