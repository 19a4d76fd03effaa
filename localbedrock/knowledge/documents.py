"""Documents of a data source: what became of them, and adding and deleting them without an ingestion job."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.knowledge import data_sources, direct
from localbedrock.knowledge.document_states import State
from localbedrock.knowledge.host import Host, KnowledgeHandler
from localbedrock.wire.paging import page

Source = dict[str, Any]


def ingest_documents(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Adds documents or replaces those of the same id; they are indexed in the background."""
    source = data_sources.find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    given = [(_id_of_content(source, document), document) for document in params["documents"]]
    ids = _unique([document_id for document_id, _ in given])
    for document_id, document in given:
        direct.keep(host.documents, source["dataSourceId"], document_id, document)
    host.documents.ask(source["dataSourceId"], ids, "ingest")
    host.wake()
    return {"documentDetails": [_detail(host, source, document_id) for document_id in ids]}


def get_documents(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """What became of the documents that are named, NOT_FOUND among it."""
    source = data_sources.find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    ids = [_id_of(source, identifier) for identifier in params["documentIdentifiers"]]
    return {"documentDetails": [_detail(host, source, document_id) for document_id in ids]}


def list_documents(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """What became of every document of a data source, in the order of their ids."""
    source = data_sources.find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    ids, more = page(host.documents.ids_of(source["dataSourceId"]), params, str)
    return {"documentDetails": [_detail(host, source, document_id) for document_id in ids]} | more


def delete_documents(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Takes documents out of the index in the background. What is in S3 stays."""
    source = data_sources.find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    ids = _unique([_id_of(source, identifier) for identifier in params["documentIdentifiers"]])
    known = [one for one in ids if host.documents.get(source["dataSourceId"], one) is not None]
    host.documents.ask(source["dataSourceId"], known, "delete")
    host.wake()
    return {"documentDetails": [_detail(host, source, document_id) for document_id in ids]}


def _id_of_content(source: Source, document: dict[str, Any]) -> str:
    content = document["content"]
    _check_type(source, content["dataSourceType"])
    if "accessControlList" in document.get("metadata", {}):
        raise validation(
            "The local endpoint has no access control for documents: leave accessControlList out."
        )
    if content["dataSourceType"] == "S3":
        if "s3" not in content:
            raise validation("A document of the type S3 needs an s3 content.")
        return _in_bucket(source, content["s3"]["s3Location"]["uri"])
    custom = content.get("custom")
    if custom is None:
        raise validation("A document of the type CUSTOM needs a custom content.")
    _check_custom(custom)
    return str(custom["customDocumentIdentifier"]["id"])


def _check_custom(custom: dict[str, Any]) -> None:
    wanted = {"S3_LOCATION": "s3Location", "IN_LINE": "inlineContent"}[custom["sourceType"]]
    if wanted not in custom:
        raise validation(f"A document with the sourceType {custom['sourceType']} needs an {wanted}.")
    inline = custom.get("inlineContent", {"type": ""})
    member = {"TEXT": "textContent", "BYTE": "byteContent"}.get(inline["type"], "type")
    if member not in inline:
        raise validation(f"An inlineContent of the type {inline['type']} needs a {member}.")


def _id_of(source: Source, identifier: dict[str, Any]) -> str:
    kind = identifier["dataSourceType"]
    _check_type(source, kind)
    if kind.lower() not in identifier:
        raise validation(f"A document identifier of the type {kind} needs {kind.lower()}.")
    return str(identifier["s3"]["uri"] if kind == "S3" else identifier["custom"]["id"])


def _check_type(source: Source, kind: str) -> None:
    own = source["dataSourceConfiguration"]["type"]
    if kind != own:
        raise validation(
            f"The data source {source['dataSourceId']} is of the type {own}, the document of {kind}."
        )


def _in_bucket(source: Source, uri: str) -> str:
    configuration = source["dataSourceConfiguration"]["s3Configuration"]
    bucket = configuration["bucketArn"].rpartition(":")[2]
    places = [f"s3://{bucket}/{prefix}" for prefix in configuration.get("inclusionPrefixes", [""])]
    if not uri.startswith(tuple(places)):
        raise validation(f"The document {uri} is not below the data source's {' or '.join(places)}.")
    return uri


def _unique(ids: list[str]) -> list[str]:
    if len(set(ids)) < len(ids):
        raise validation("The documents of one request must be different ones.")
    return ids


def _detail(host: Host, source: Source, document_id: str) -> dict[str, Any]:
    state = host.documents.get(source["dataSourceId"], document_id)
    if state is None:
        return _identity(source, document_id) | {"status": "NOT_FOUND"}
    return _of_state(source, state)


def _of_state(source: Source, state: State) -> dict[str, Any]:
    reason = {"statusReason": state.reason} if state.reason else {}
    named = _identity(source, state.document_id)
    return named | {"status": state.status, "updatedAt": state.updated} | reason


def _identity(source: Source, document_id: str) -> dict[str, Any]:
    kind = source["dataSourceConfiguration"]["type"]
    named = {"s3": {"uri": document_id}} if kind == "S3" else {"custom": {"id": document_id}}
    return {
        "knowledgeBaseId": source["knowledgeBaseId"],
        "dataSourceId": source["dataSourceId"],
        "identifier": {"dataSourceType": kind} | named,
    }


HANDLERS: dict[str, KnowledgeHandler] = {
    "IngestKnowledgeBaseDocuments": ingest_documents,
    "GetKnowledgeBaseDocuments": get_documents,
    "ListKnowledgeBaseDocuments": list_documents,
    "DeleteKnowledgeBaseDocuments": delete_documents,
}
