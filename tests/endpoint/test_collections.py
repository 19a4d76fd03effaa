"""OpenSearch Serverless as a knowledge base needs it: collections with their policies, and vector indexes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import Endpoint
from tests.endpoint.knowledge_calls import make_base, refusal

FIELDS = {"vectorField": "vector", "textField": "text", "metadataField": "metadata"}


def schema(dimension: object = 1024) -> dict[str, Any]:
    method = {"name": "hnsw", "engine": "faiss", "space_type": "l2"}
    vector = {"type": "knn_vector", "dimension": dimension, "method": method}
    fields = {"vector": vector, "text": {"type": "text"}, "metadata": {"type": "text", "index": False}}
    return {"settings": {"index": {"knn": True}}, "mappings": {"properties": fields}}


@pytest.fixture(scope="module")
def aoss(endpoint: Endpoint) -> Any:
    return endpoint.client("opensearchserverless")


@pytest.fixture(scope="module")
def agent(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent")


@pytest.fixture(scope="module")
def collection(aoss: Any) -> Iterator[dict[str, Any]]:
    """A collection, made with its three policies and taken apart again."""
    name = f"c{uuid4().hex[:20]}"
    own = {"ResourceType": "collection", "Resource": [f"collection/{name}"]}
    index = {"ResourceType": "index", "Resource": [f"index/{name}/*"], "Permission": ["aoss:*"]}
    data = {
        "Rules": [own | {"Permission": ["aoss:*"]}, index],
        "Principal": ["arn:aws:iam::000000000000:role/knowledge"],
    }
    aoss.create_security_policy(
        name=name, type="encryption", policy=json.dumps({"Rules": [own], "AWSOwnedKey": True})
    )
    aoss.create_security_policy(
        name=name, type="network", policy=json.dumps([{"Rules": [own], "AllowFromPublic": True}])
    )
    aoss.create_access_policy(name=name, type="data", policy=json.dumps([data]))
    made = aoss.create_collection(name=name, type="VECTORSEARCH")["createCollectionDetail"]
    deadline = time.monotonic() + 20
    while (found := aoss.batch_get_collection(ids=[made["id"]])["collectionDetails"][0])[
        "status"
    ] != "ACTIVE":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    aoss.create_index(id=made["id"], indexName="small", indexSchema=schema(256))
    yield found
    assert aoss.delete_collection(id=made["id"])["deleteCollectionDetail"]["status"] == "DELETING"
    aoss.delete_access_policy(name=name, type="data")
    for kind in ("network", "encryption"):
        aoss.delete_security_policy(name=name, type=kind)
    assert not aoss.batch_get_collection(ids=[made["id"]])["collectionDetails"]
    assert refusal(aoss.create_index, id=made["id"], indexName="late")[0] == "ResourceNotFoundException"


def storage(collection: dict[str, Any], index: str, **changes: Any) -> dict[str, Any]:
    given = {"collectionArn": collection["arn"], "vectorIndexName": index, "fieldMapping": FIELDS}
    return {"type": "OPENSEARCH_SERVERLESS", "opensearchServerlessConfiguration": given | changes}


def test_an_index_is_made_read_changed_and_deleted(aoss: Any, collection: dict[str, Any]) -> None:
    where = {"id": collection["id"], "indexName": "whole-life"}
    aoss.create_index(**where, indexSchema=schema())
    assert aoss.get_index(**where)["indexSchema"] == schema()
    assert refusal(aoss.create_index, **where, indexSchema=schema())[0] == "ConflictException"
    aoss.update_index(**where, indexSchema={"mappings": {"properties": {"year": {"type": "integer"}}}})
    fields = aoss.get_index(**where)["indexSchema"]["mappings"]["properties"]
    assert list(fields) == ["vector", "text", "metadata", "year"]
    code, message = refusal(aoss.update_index, **where, indexSchema=schema(256))
    assert (code, "can't be changed" in message) == ("ValidationException", True)
    aoss.delete_index(**where)
    for call in (aoss.get_index, aoss.update_index, aoss.delete_index):
        assert refusal(call, **where)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"indexName": "Upper"}, "lower case"),
        ({"indexName": "_hidden"}, "indexName"),
        ({"indexSchema": []}, "mappings.properties"),
        ({"indexSchema": {"mappings": {"properties": {"a": "text"}}}}, "mappings.properties"),
        ({"indexSchema": {"settings": 1}}, "settings"),
        ({"indexSchema": schema("many")}, "from 1 to 16000"),
    ],
)
def test_an_index_that_could_not_be_is_refused(
    aoss: Any, collection: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    given = {"id": collection["id"], "indexName": "good", "indexSchema": schema()} | changes
    code, message = refusal(aoss.create_index, **given)
    assert code == "ValidationException"
    assert words in message


def test_a_collection_that_does_not_exist_has_no_indexes(aoss: Any) -> None:
    for call in (aoss.create_index, aoss.get_index, aoss.update_index, aoss.delete_index):
        code, message = refusal(call, id="nosuchcollection", indexName="x")
        assert (code, "nosuchcollection" in message) == ("ResourceNotFoundException", True)


def test_a_knowledge_base_is_made_on_an_index_that_fits(
    aoss: Any, agent: Any, collection: dict[str, Any]
) -> None:
    aoss.create_index(id=collection["id"], indexName="fits", indexSchema=schema())
    made = make_base(agent, storageConfiguration=storage(collection, "fits"))
    assert made["storageConfiguration"] == storage(collection, "fits")


@pytest.mark.parametrize(
    ("index", "changes", "words"),
    [
        ("none", {}, "no such index [none]"),
        ("small", {}, "invalid dimension: 1024. Dimension should be: 256"),
        ("small", {"fieldMapping": FIELDS | {"vectorField": "text"}}, "is not knn_vector type"),
        (
            "small",
            {"collectionArn": "arn:aws:aoss:us-east-1:000000000000:collection/nosuchcollection"},
            "nosuchcollection does not exist",
        ),
    ],
)
def test_a_knowledge_base_needs_a_collection_and_an_index_that_fit(
    agent: Any, collection: dict[str, Any], index: str, changes: dict[str, Any], words: str
) -> None:
    given = storage(collection, index, **changes)
    code, message = refusal(make_base, agent=agent, storageConfiguration=given)
    assert code == "ValidationException"
    assert "storage configuration provided is invalid" in message
    assert words in message
