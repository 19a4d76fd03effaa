"""Knowledge bases of ``bedrock-agent``.

One is kept in the store (kind ``knowledge-base``, by its id) as GetKnowledgeBase answers it, with times as
ISO 8601 text. Whatever storage it names, its chunks are in an index of our own.
"""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context
from localbedrock.control import agent_tags
from localbedrock.errors import conflict, not_found, validation
from localbedrock.knowledge import embedding, jobs, storage
from localbedrock.knowledge.host import Host, KnowledgeHandler
from localbedrock.knowledge.resources import made_with, new_id, now, pick, remember, with_times
from localbedrock.wire.paging import page

KIND = "knowledge-base"

_GIVEN = ("name", "description", "roleArn", "knowledgeBaseConfiguration", "storageConfiguration")
_SUMMARY = ("knowledgeBaseId", "name", "description", "status", "updatedAt")
_DATA_SOURCE = "data-source"


def find(ctx: Context, id_or_arn: str) -> dict[str, Any]:
    """A knowledge base as it is stored, by id or ARN; ResourceNotFoundException if there is none."""
    prefix, _, knowledge_base_id = id_or_arn.rpartition("/")
    found = ctx.store.get(KIND, knowledge_base_id)
    here = f"arn:aws:bedrock:{ctx.region}:{ctx.account_id}:knowledge-base"
    if (
        found is None
        or prefix not in ("", here)
        or found["knowledgeBaseArn"] != f"{here}/{knowledge_base_id}"
    ):
        raise not_found(f"Knowledge Base with id {knowledge_base_id} does not exist.")
    return found


def create_knowledge_base(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A knowledge base without data sources, ready at once."""
    token = params.get("clientToken", "")
    if known := made_with(ctx, KIND, token):
        return {"knowledgeBase": with_times(known)}
    size = embedding.dimensions(ctx, _vector_configuration(params["knowledgeBaseConfiguration"]))
    storage.check(host, ctx, params.get("storageConfiguration"), size)
    _check_name(ctx, params["name"])
    knowledge_base_id = new_id()
    arn = f"arn:aws:bedrock:{ctx.region}:{ctx.account_id}:knowledge-base/{knowledge_base_id}"
    at = now()
    made = pick(params, *_GIVEN) | {
        "knowledgeBaseId": knowledge_base_id,
        "knowledgeBaseArn": arn,
        "status": "ACTIVE",
        "createdAt": at,
        "updatedAt": at,
    }
    agent_tags.put(ctx, arn, params.get("tags", {}))
    ctx.store.put(KIND, knowledge_base_id, made)
    remember(ctx, KIND, token, knowledge_base_id)
    return {"knowledgeBase": with_times(made)}


def get_knowledge_base(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One knowledge base."""
    return {"knowledgeBase": with_times(find(ctx, params["knowledgeBaseId"]))}


def list_knowledge_bases(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The region's knowledge bases, the oldest first."""
    items, more = page(_of_region(ctx), params, lambda item: str(item["knowledgeBaseId"]))
    return {"knowledgeBaseSummaries": [pick(with_times(item), *_SUMMARY) for item in items]} | more


def update_knowledge_base(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Replaces name, description and role; the configurations must be given as they are."""
    found = find(ctx, params["knowledgeBaseId"])
    for name in ("knowledgeBaseConfiguration", "storageConfiguration"):
        if name in params and params[name] != found.get(name):
            raise validation(f"The {name} of a knowledge base can't be changed: give it as it is.")
    _check_name(ctx, params["name"], but=found["knowledgeBaseId"])

    def change(document: dict[str, Any] | None) -> dict[str, Any]:
        kept = {name: value for name, value in (document or found).items() if name != "description"}
        return kept | pick(params, "name", "description", "roleArn") | {"updatedAt": now()}

    return {"knowledgeBase": with_times(ctx.store.update(KIND, found["knowledgeBaseId"], change))}


def delete_knowledge_base(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Deletes a knowledge base with its data sources, its index and what is known of its documents.

    ConflictException while an ingestion job has not ended. What is in S3 stays.
    """
    found = find(ctx, params["knowledgeBaseId"])
    knowledge_base_id: str = found["knowledgeBaseId"]
    sources = [s for s in ctx.store.list(_DATA_SOURCE) if s["knowledgeBaseId"] == knowledge_base_id]
    with jobs.changing:
        for source in sources:
            jobs.check_idle(ctx.store, source["dataSourceId"])
        for source in sources:
            ctx.store.delete(_DATA_SOURCE, source["dataSourceId"])
            jobs.forget(ctx.store, source["dataSourceId"])
    with host.documents.changing:
        for source in sources:
            host.documents.remove_data_source(source["dataSourceId"])
        ctx.store.delete(KIND, knowledge_base_id)
        host.indexes.drop(knowledge_base_id)
    agent_tags.forget(ctx, found["knowledgeBaseArn"])
    return {"knowledgeBaseId": knowledge_base_id, "status": "DELETING"}


def _vector_configuration(configuration: dict[str, Any]) -> dict[str, Any]:
    kind = configuration["type"]
    if kind != "VECTOR":
        raise validation(
            f"The local endpoint has no knowledge bases of the type {kind}: "
            "it keeps documents as vectors, with the type VECTOR and an embeddingModelArn."
        )
    if "vectorKnowledgeBaseConfiguration" not in configuration:
        raise validation("A knowledge base of the type VECTOR needs a vectorKnowledgeBaseConfiguration.")
    vector: dict[str, Any] = configuration["vectorKnowledgeBaseConfiguration"]
    if "supplementalDataStorageConfiguration" in vector:
        raise validation(
            "The local endpoint extracts no pictures from documents: "
            "leave the supplementalDataStorageConfiguration out."
        )
    return vector


def _check_name(ctx: Context, name: str, but: str = "") -> None:
    if any(item["name"] == name and item["knowledgeBaseId"] != but for item in _of_region(ctx)):
        raise conflict(f"KnowledgeBase with name {name} already exists.")


def _of_region(ctx: Context) -> list[dict[str, Any]]:
    here = f"arn:aws:bedrock:{ctx.region}:"
    return [item for item in ctx.store.list(KIND) if item["knowledgeBaseArn"].startswith(here)]


HANDLERS: dict[str, KnowledgeHandler] = {
    "CreateKnowledgeBase": create_knowledge_base,
    "GetKnowledgeBase": get_knowledge_base,
    "ListKnowledgeBases": list_knowledge_bases,
    "UpdateKnowledgeBase": update_knowledge_base,
    "DeleteKnowledgeBase": delete_knowledge_base,
}
