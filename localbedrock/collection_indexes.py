"""Indexes of OpenSearch Serverless collections: four operations that MiniStack lacks.

MiniStack has the collections. An index is a schema that is kept here (kind ``collection-index``, id
``<collection id>/<index name>``): knowledge bases are checked against it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from localbedrock.asgi import Answer, Body, BodyTooLargeError, Receive, Scope, Send, header, send_answer
from localbedrock.emulator import Emulator, json_call
from localbedrock.errors import AwsError, conflict, internal, not_found, validation
from localbedrock.store import Store

KIND = "collection-index"
BATCH_GET = "OpenSearchServerless.BatchGetCollection"

_PREFIX = "OpenSearchServerless."
_COLLECTION = re.compile(r"[a-z0-9]{3,40}")
_NAME = re.compile(r"[^A-Z_\-+\s\"*\\<>|,/?#:][^A-Z\s\"*\\<>|,/?#:]{0,254}")
_LIMIT_BYTES = 1_000_000
_MOST_DIMENSIONS = 16_000

Schema = dict[str, Any]


def schema_of(store: Store, collection_id: str, name: str) -> Schema | None:
    """The schema of an index, or None."""
    found = store.get(KIND, _key(collection_id, name))
    schema: Schema | None = found["schema"] if found else None
    return schema


class CollectionIndexes:
    """An ASGI app for CreateIndex, GetIndex, UpdateIndex and DeleteIndex of ``opensearchserverless``."""

    def __init__(self, store: Store, emulator: Emulator) -> None:
        self._store = store
        self._emulator = emulator

    def serves(self, scope: Scope) -> bool:
        """Whether a request is one of the four."""
        return (
            self._emulator.present
            and scope["aws"].service == "aoss"
            and header(scope, "x-amz-target").removeprefix(_PREFIX) in _OPERATIONS
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request that the guard has let through."""
        operation = _OPERATIONS[header(scope, "x-amz-target").removeprefix(_PREFIX)]
        try:
            params = _params(await Body(scope, receive).read(_LIMIT_BYTES))
            await self._check_collection(params["id"], scope["aws"].region)
            document = await asyncio.to_thread(operation, self._store, params)
            answer = Answer(200, json.dumps(document).encode())
        except AwsError as error:
            answer = _refusal(error)
        except BodyTooLargeError:
            answer = _refusal(validation(f"An index schema has at most {_LIMIT_BYTES} bytes."))
        media_type = {"content-type": "application/x-amz-json-1.0", "x-amzn-RequestId": scope["request_id"]}
        await send_answer(send, Answer(answer.status, answer.body, answer.headers | media_type))

    async def _check_collection(self, collection_id: str, region: str) -> None:
        answer = await self._emulator.call(json_call("aoss", region, BATCH_GET, {"ids": [collection_id]}))
        if answer.status != 200:
            raise internal()
        if not json.loads(answer.body).get("collectionDetails"):
            raise not_found(f"Collection with id {collection_id} is not found")


def create_index(store: Store, params: dict[str, Any]) -> dict[str, Any]:
    """A new index; ConflictException if the collection has one of this name."""
    schema = _schema(params)

    def change(known: dict[str, Any] | None) -> dict[str, Any]:
        if known is not None:
            raise conflict(f"Index with name {params['indexName']} already exists")
        return {"collectionId": params["id"], "name": params["indexName"], "schema": schema}

    store.update(KIND, _key(params["id"], params["indexName"]), change)
    return {}


def get_index(store: Store, params: dict[str, Any]) -> dict[str, Any]:
    """An index's schema as it was given."""
    schema = schema_of(store, params["id"], params["indexName"])
    if schema is None:
        raise _unknown(params)
    return {"indexSchema": schema}


def update_index(store: Store, params: dict[str, Any]) -> dict[str, Any]:
    """Adds fields and changes settings; a field that is there stays what it is."""
    given = _schema(params)

    def change(known: dict[str, Any] | None) -> dict[str, Any]:
        if known is None:
            raise _unknown(params)
        fields, added = known["schema"]["mappings"]["properties"], given["mappings"]["properties"]
        for name in fields.keys() & added.keys():
            if fields[name] != added[name]:
                raise validation(f"The mapping of the field {name} can't be changed.")
        mappings = known["schema"]["mappings"] | given["mappings"] | {"properties": fields | added}
        settings = known["schema"].get("settings", {}) | given.get("settings", {})
        return known | {"schema": {"settings": settings, "mappings": mappings}}

    store.update(KIND, _key(params["id"], params["indexName"]), change)
    return {}


def delete_index(store: Store, params: dict[str, Any]) -> dict[str, Any]:
    """Removes an index; what a knowledge base has stored stays with the knowledge base."""
    if not store.delete(KIND, _key(params["id"], params["indexName"])):
        raise _unknown(params)
    return {}


_OPERATIONS: dict[str, Callable[[Store, dict[str, Any]], dict[str, Any]]] = {
    "CreateIndex": create_index,
    "GetIndex": get_index,
    "UpdateIndex": update_index,
    "DeleteIndex": delete_index,
}


def _key(collection_id: str, name: str) -> str:
    return f"{collection_id}/{name}"


def _params(body: bytes) -> dict[str, Any]:
    try:
        params = json.loads(body)
    except (ValueError, RecursionError):
        raise validation("The request is not valid JSON.") from None
    if not isinstance(params, dict):
        raise validation("The request is not a JSON object.")
    for name, pattern in (("id", _COLLECTION), ("indexName", _NAME)):
        value = params.get(name)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise validation(f"Value at '{name}' is missing or does not name a {_WHAT[name]}.")
    return params


_WHAT = {
    "id": "collection: give its id, not its name or ARN",
    "indexName": "index: lower case, without spaces, not beginning with _ or -",
}


def _schema(params: dict[str, Any]) -> Schema:
    """The schema of a request, with ``mappings.properties`` in any case."""
    schema: Any = params.get("indexSchema", {})
    mappings: Any = schema.get("mappings", {}) if isinstance(schema, dict) else None
    fields = mappings.get("properties", {}) if isinstance(mappings, dict) else None
    if not isinstance(fields, dict) or not all(isinstance(field, dict) for field in fields.values()):
        raise validation("The indexSchema must be an object with mappings.properties: an object per field.")
    if not isinstance(schema.get("settings", {}), dict):
        raise validation("The settings of the indexSchema must be an object.")
    for name, field in fields.items():
        if field.get("type") == "knn_vector" and not _is_size(field.get("dimension")):
            raise validation(
                f"The field {name} is a knn_vector: its dimension is from 1 to {_MOST_DIMENSIONS}."
            )
    return dict(schema) | {"mappings": mappings | {"properties": fields}}


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_DIMENSIONS


def _unknown(params: dict[str, Any]) -> AwsError:
    return not_found(f"Index with name {params['indexName']} is not found")


def _refusal(error: AwsError) -> Answer:
    # In the JSON protocol every refusal is a 400 and every fault of ours a 500.
    status = 500 if error.status >= 500 else 400
    body = json.dumps({"__type": error.code, "message": error.message}).encode()
    return Answer(status, body, {"x-amzn-ErrorType": error.code})
