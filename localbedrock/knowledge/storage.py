"""The storage that a knowledge base names. It is checked, not used: the chunks are in an index of our own."""

from __future__ import annotations

import json
from typing import Any

from localbedrock import collection_indexes
from localbedrock.context import Context
from localbedrock.emulator import json_call
from localbedrock.errors import AwsError, validation
from localbedrock.knowledge.host import Host

_MEMBERS = {
    "OPENSEARCH_SERVERLESS": "opensearchServerlessConfiguration",
    "OPENSEARCH_MANAGED_CLUSTER": "opensearchManagedClusterConfiguration",
    "PINECONE": "pineconeConfiguration",
    "REDIS_ENTERPRISE_CLOUD": "redisEnterpriseCloudConfiguration",
    "RDS": "rdsConfiguration",
    "MONGO_DB_ATLAS": "mongoDbAtlasConfiguration",
    "NEPTUNE_ANALYTICS": "neptuneAnalyticsConfiguration",
    "S3_VECTORS": "s3VectorsConfiguration",
}


def check(host: Host, ctx: Context, configuration: dict[str, Any] | None, dimensions: int | None) -> None:
    """Raises ValidationException for a storage that could not hold vectors of so many dimensions.

    Only OpenSearch Serverless is here to be asked; without an emulator nothing is.
    """
    if configuration is None:
        raise validation("A knowledge base of the type VECTOR needs a storageConfiguration.")
    kind = configuration["type"]
    member = _MEMBERS[kind]
    if member not in configuration:
        raise validation(f"A storageConfiguration of the type {kind} needs its {member}.")
    if kind == "OPENSEARCH_SERVERLESS":
        _check_collection(host, ctx, configuration[member], dimensions)


def _check_collection(host: Host, ctx: Context, given: dict[str, Any], dimensions: int | None) -> None:
    arn, name = given["collectionArn"], given["vectorIndexName"]
    call = json_call("aoss", ctx.region, collection_indexes.BATCH_GET, {"ids": [arn.rpartition("/")[2]]})
    try:
        answer = host.deliver(call)
    except LookupError:  # there is no emulator
        return
    if answer.status != 200:
        raise _invalid(f"OpenSearch Serverless answered with the status code {answer.status}")
    details = json.loads(answer.body).get("collectionDetails", [])
    found = next((item for item in details if item["arn"] == arn), None)
    if found is None:
        raise _invalid(f"the collection {arn} does not exist")
    if found["status"] != "ACTIVE":
        raise _invalid(f"the collection {arn} is {found['status']}, not ACTIVE")
    schema = collection_indexes.schema_of(ctx.store, found["id"], name)
    if schema is None:
        raise _invalid(f"status code: 404, no such index [{name}]")
    field = given["fieldMapping"]["vectorField"]
    mapping = schema["mappings"]["properties"].get(field, {})
    if mapping.get("type") != "knn_vector":
        raise _invalid(f"status code: 400, field '{field}' of the index [{name}] is not knn_vector type")
    if dimensions is not None and mapping["dimension"] != dimensions:
        raise _invalid(
            f"status code: 400, Query vector has invalid dimension: {dimensions}. "
            f"Dimension should be: {mapping['dimension']}"
        )


def _invalid(why: str) -> AwsError:
    return validation(
        f"The knowledge base storage configuration provided is invalid... Request failed: {why}"
    )
