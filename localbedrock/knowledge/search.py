"""The search behind Retrieve and RetrieveAndGenerate: embed, find, filter, rerank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.knowledge import bases, embedding, filters
from localbedrock.knowledge.host import Host
from localbedrock.knowledge.index import Hit, Row
from localbedrock.knowledge.rerank import reranked

DEFAULT_RESULTS = 5
CHUNK_KEY = "x-amz-bedrock-kb-chunk-id"
_AWS_KEYS = "x-amz-bedrock-kb-"
"""What ingestion adds to a document's own metadata, as AWS does."""


def search(
    host: Host, ctx: Context, knowledge_base_id: str, query: str, configuration: dict[str, Any]
) -> list[dict[str, Any]]:
    """The passages for a query, each in the shape of AWS's KnowledgeBaseRetrievalResult, the best first.

    ``knowledge_base_id`` is an id or an ARN; ``configuration`` is KnowledgeBaseRetrievalConfiguration or {}.
    The search is hybrid unless ``overrideSearchType`` says SEMANTIC: AWS leaves the choice to itself, and our
    index always has the words. As on AWS, ``numberOfResults`` counts chunks, so with hierarchical chunking
    there may be fewer results: chunks of one parent are answered by the parent, once. A reranked result has
    the reranker's score.

    AwsError for an unknown knowledge base, a query without text, a filter that is malformed, a reranking
    model that is none, and for what the local endpoint has not: implicit filters and managed search.
    """
    knowledge_base = bases.find(ctx, knowledge_base_id)
    settings = _settings(configuration)
    if not query.strip():
        raise validation("The query has no text: a knowledge base can't be searched for nothing.")
    hits = _hits(host, ctx, knowledge_base, query, settings)
    if "rerankingConfiguration" in settings:
        hits = _reranked(ctx, query, hits, settings["rerankingConfiguration"])
    return [_result(hit) for hit in hits]


def _settings(configuration: dict[str, Any]) -> dict[str, Any]:
    if "managedSearchConfiguration" in configuration:
        raise validation(
            "The local endpoint has no managed knowledge bases: give a vectorSearchConfiguration instead."
        )
    settings: dict[str, Any] = configuration.get("vectorSearchConfiguration", {})
    if "implicitFilterConfiguration" in settings:
        raise validation(
            "The local endpoint derives no filter from a question: "
            "give a filter in place of the implicitFilterConfiguration."
        )
    return settings


def _hits(
    host: Host, ctx: Context, knowledge_base: dict[str, Any], query: str, settings: dict[str, Any]
) -> list[Hit]:
    allow = _allow(settings["filter"]) if "filter" in settings else None
    vector = embedding.embed(ctx, knowledge_base, [query])[0]
    index = host.indexes.of(knowledge_base["knowledgeBaseId"])
    try:
        hits = index.search(
            vector,
            query,
            hybrid=settings.get("overrideSearchType") != "SEMANTIC",
            limit=settings.get("numberOfResults", DEFAULT_RESULTS),
            allow=allow,
        )
    except ValueError as error:
        raise validation(
            f"The embedding model no longer gives the vectors that the documents have. {error}"
        ) from None
    return _with_parents(hits)


def _allow(filter: dict[str, Any]) -> Callable[[Row], bool]:
    holds = filters.predicate(filter)
    return lambda row: holds(row.metadata)


def _with_parents(hits: list[Hit]) -> list[Hit]:
    """Chunks of one parent as the parent, where the first of them was."""
    found: dict[tuple[str, ...], Hit] = {}
    for hit in hits:
        row = hit.row
        key = (row.data_source_id, row.document_id, row.parent) if row.parent else (row.chunk_id,)
        found.setdefault(key, replace(hit, row=replace(row, text=row.parent or row.text)))
    return list(found.values())


def _reranked(ctx: Context, query: str, hits: list[Hit], configuration: dict[str, Any]) -> list[Hit]:
    settings = configuration.get("bedrockRerankingConfiguration")
    if settings is None:
        raise validation("A rerankingConfiguration needs a bedrockRerankingConfiguration.")
    shown = _shown_metadata(settings.get("metadataConfiguration"))
    texts = [shown(hit.row.metadata) + hit.row.text for hit in hits]
    order = reranked(ctx, settings["modelConfiguration"], query, texts)
    most = settings.get("numberOfRerankedResults", len(hits))
    return [replace(hits[place], score=score) for place, score in order[:most]]


def _shown_metadata(configuration: dict[str, Any] | None) -> Callable[[dict[str, Any]], str]:
    """What the reranker reads above a chunk: nothing, or a line for each metadata field that it is to see."""
    if configuration is None:
        return lambda _metadata: ""
    wanted = _wanted_fields(configuration)
    return lambda metadata: "".join(f"{key}: {value}\n" for key, value in metadata.items() if wanted(key))


def _wanted_fields(configuration: dict[str, Any]) -> Callable[[str], bool]:
    if configuration["selectionMode"] == "ALL":
        return _is_own
    selective = configuration.get("selectiveModeConfiguration", {})
    names = {field["fieldName"] for fields in selective.values() for field in fields}
    if "fieldsToInclude" in selective:
        return lambda key: key in names
    if "fieldsToExclude" in selective:
        return lambda key: _is_own(key) and key not in names
    raise validation(
        "The selectionMode SELECTIVE needs a selectiveModeConfiguration "
        "that says which fields to include or to exclude."
    )


def _is_own(key: str) -> bool:
    """Whether a field is the document's, and not one that AWS adds."""
    return not key.startswith(_AWS_KEYS)


def _result(hit: Hit) -> dict[str, Any]:
    return {
        "content": {"type": "TEXT", "text": hit.row.text},
        "location": hit.row.location,
        "metadata": hit.row.metadata,
        "score": hit.score,
        "documentId": hit.row.document_id,
    }
