"""Data sources of ``bedrock-agent``: where the documents of a knowledge base come from.

One is kept in the store (kind ``data-source``, by its id) as GetDataSource answers it, with times as ISO 8601
text.
"""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context
from localbedrock.errors import conflict, not_found, validation
from localbedrock.knowledge import bases, jobs
from localbedrock.knowledge.host import Host, KnowledgeHandler
from localbedrock.knowledge.resources import made_with, new_id, now, pick, remember, with_times
from localbedrock.wire.paging import page

KIND = "data-source"

_GIVEN = (
    "name", "description", "dataSourceConfiguration", "dataDeletionPolicy",
    "serverSideEncryptionConfiguration", "vectorIngestionConfiguration",
)  # fmt: skip
_SUMMARY = ("knowledgeBaseId", "dataSourceId", "name", "description", "status", "updatedAt")
_STRATEGIES = {
    "FIXED_SIZE": "fixedSizeChunkingConfiguration",
    "HIERARCHICAL": "hierarchicalChunkingConfiguration",
    "SEMANTIC": "semanticChunkingConfiguration",
    "NONE": "",
}
_REFUSED = {
    "parsingConfiguration": "parses documents by itself, without a model",
    "customTransformationConfiguration": "calls no function of yours on chunks",
    "contextEnrichmentConfiguration": "enriches no chunks with a model",
}


def find(ctx: Context, knowledge_base_id: str, data_source_id: str) -> dict[str, Any]:
    """A data source as it is stored; ResourceNotFoundException if the knowledge base has none of this id."""
    bases.find(ctx, knowledge_base_id)
    found = ctx.store.get(KIND, data_source_id)
    if found is None or found["knowledgeBaseId"] != knowledge_base_id:
        raise not_found(
            f"DataSource with id {data_source_id} in the Knowledge Base {knowledge_base_id} does not exist."
        )
    return found


def create_data_source(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A data source; nothing is read before a job is started or documents are sent."""
    knowledge_base_id = bases.find(ctx, params["knowledgeBaseId"])["knowledgeBaseId"]
    token = params.get("clientToken", "")
    if known := made_with(ctx, KIND, token):
        return {"dataSource": with_times(known)}
    _check(params)
    _check_name(ctx, knowledge_base_id, params["name"])
    at = now()
    made = {"dataDeletionPolicy": "DELETE"} | pick(params, *_GIVEN) | {
        "knowledgeBaseId": knowledge_base_id,
        "dataSourceId": new_id(),
        "status": "AVAILABLE",
        "createdAt": at,
        "updatedAt": at,
    }  # fmt: skip
    ctx.store.put(KIND, made["dataSourceId"], made)
    remember(ctx, KIND, token, made["dataSourceId"])
    return {"dataSource": with_times(made)}


def get_data_source(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One data source."""
    return {"dataSource": with_times(find(ctx, params["knowledgeBaseId"], params["dataSourceId"]))}


def list_data_sources(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The data sources of a knowledge base, the oldest first."""
    knowledge_base_id = bases.find(ctx, params["knowledgeBaseId"])["knowledgeBaseId"]
    items, more = page(_of(ctx, knowledge_base_id), params, lambda item: str(item["dataSourceId"]))
    return {"dataSourceSummaries": [pick(with_times(item), *_SUMMARY) for item in items]} | more


def update_data_source(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Replaces everything but the chunking, which must be given as it is, and the type."""
    found = find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    _check(params)
    if params["dataSourceConfiguration"]["type"] != found["dataSourceConfiguration"]["type"]:
        raise validation("The type of a data source can't be changed.")
    if chunking(params) != chunking(found):
        raise validation(
            "The chunkingConfiguration of a data source can't be changed: give it as it is, "
            "or make a new data source."
        )
    _check_name(ctx, found["knowledgeBaseId"], params["name"], but=found["dataSourceId"])

    def change(document: dict[str, Any] | None) -> dict[str, Any]:
        kept = pick(document or found, "knowledgeBaseId", "dataSourceId", "status", "createdAt")
        return {"dataDeletionPolicy": "DELETE"} | pick(params, *_GIVEN) | kept | {"updatedAt": now()}

    return {"dataSource": with_times(ctx.store.update(KIND, found["dataSourceId"], change))}


def delete_data_source(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Deletes a data source; its chunks go too unless its dataDeletionPolicy is RETAIN. S3 stays as it is.

    ConflictException while an ingestion job has not ended.
    """
    found = find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    knowledge_base_id, data_source_id = found["knowledgeBaseId"], found["dataSourceId"]
    with jobs.changing:
        jobs.check_idle(ctx.store, data_source_id)
        ctx.store.delete(KIND, data_source_id)
        jobs.forget(ctx.store, data_source_id)
    with host.documents.changing:
        if found["dataDeletionPolicy"] == "DELETE":
            host.indexes.of(knowledge_base_id).delete_data_source(data_source_id)
        host.documents.remove_data_source(data_source_id)
    return {"knowledgeBaseId": knowledge_base_id, "dataSourceId": data_source_id, "status": "DELETING"}


def chunking(source: dict[str, Any]) -> dict[str, Any]:
    """A data source's ChunkingConfiguration; {} is AWS's default."""
    configuration: dict[str, Any] = source.get("vectorIngestionConfiguration", {}).get(
        "chunkingConfiguration", {}
    )
    return configuration


def _check(params: dict[str, Any]) -> None:
    """Raises ValidationException for what the local endpoint cannot read, and what contradicts itself."""
    configuration = params["dataSourceConfiguration"]
    kind = configuration["type"]
    if kind not in ("S3", "CUSTOM"):
        raise validation(
            f"The local endpoint has no data sources of the type {kind}: it reads documents from S3, "
            "and takes them directly with a data source of the type CUSTOM."
        )
    if kind == "S3" and "s3Configuration" not in configuration:
        raise validation("A data source of the type S3 needs an s3Configuration.")
    for name, why in _REFUSED.items():
        if name in params.get("vectorIngestionConfiguration", {}):
            raise validation(f"The local endpoint {why}: leave the {name} out.")
    if configured := chunking(params):
        _check_chunking(configured)


def _check_chunking(configuration: dict[str, Any]) -> None:
    strategy = configuration["chunkingStrategy"]
    wanted = _STRATEGIES[strategy]
    given = [name for name in _STRATEGIES.values() if name in configuration]
    if wanted and wanted not in given:
        raise validation(f"The chunking strategy {strategy} needs a {wanted}.")
    if others := [name for name in given if name != wanted]:
        raise validation(f"The chunking strategy {strategy} can't have a {others[0]}.")
    if strategy == "HIERARCHICAL":
        parent, child = (level["maxTokens"] for level in configuration[wanted]["levelConfigurations"])
        if child >= parent:
            raise validation("The child chunks of hierarchical chunking must be smaller than their parents.")
        if configuration[wanted]["overlapTokens"] >= child:
            raise validation(
                "The overlapTokens of hierarchical chunking must be fewer than a child chunk has."
            )


def _check_name(ctx: Context, knowledge_base_id: str, name: str, but: str = "") -> None:
    if any(item["name"] == name and item["dataSourceId"] != but for item in _of(ctx, knowledge_base_id)):
        raise conflict(
            f"DataSource with name {name} already exists in the Knowledge Base {knowledge_base_id}."
        )


def _of(ctx: Context, knowledge_base_id: str) -> list[dict[str, Any]]:
    return [item for item in ctx.store.list(KIND) if item["knowledgeBaseId"] == knowledge_base_id]


HANDLERS: dict[str, KnowledgeHandler] = {
    "CreateDataSource": create_data_source,
    "GetDataSource": get_data_source,
    "ListDataSources": list_data_sources,
    "UpdateDataSource": update_data_source,
    "DeleteDataSource": delete_data_source,
}
