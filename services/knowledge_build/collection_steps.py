"""The vectors' side: the three policies of OpenSearch Serverless, the collection, and the index in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from services.knowledge_build.execution import Execution
from services.knowledge_build.instructions import Call, Instruction, Json, Measure, Var, Wait, at
from services.knowledge_build.plan import TAG, Plan, one_word
from services.knowledge_build.step import TO_DO, Allow, Found, Step, Values, owner_note
from services.knowledge_build.storage_steps import put_role_policy

JsonDict = dict[str, Any]
AOSS = "opensearchserverless"
FIELDS = {
    "vectorField": "bedrock-knowledge-base-default-vector",
    "textField": "AMAZON_BEDROCK_TEXT",
    "metadataField": "AMAZON_BEDROCK_METADATA",
}
"""The fields of the index, by the names that the console gives them."""
_GONE = ("ResourceNotFoundException",)


def _rule(kind: str, resource: str, permissions: Sequence[str] = ()) -> JsonDict:
    rule: JsonDict = {"ResourceType": kind, "Resource": [resource]}
    return rule | ({"Permission": [*permissions]} if permissions else {})


def _encryption(plan: Plan) -> JsonDict:
    return {"Rules": [_rule("collection", f"collection/{plan.collection}")], "AWSOwnedKey": True}


def _network(plan: Plan) -> list[JsonDict]:
    return [{"Rules": [_rule("collection", f"collection/{plan.collection}")], "AllowFromPublic": True}]


def _access(plan: Plan) -> list[JsonDict]:
    collection = ("aoss:CreateCollectionItems", "aoss:DescribeCollectionItems", "aoss:UpdateCollectionItems")
    index = (
        "aoss:CreateIndex",
        "aoss:DeleteIndex",
        "aoss:DescribeIndex",
        "aoss:ReadDocument",
        "aoss:UpdateIndex",
        "aoss:WriteDocument",
    )
    rules = [
        _rule("collection", f"collection/{plan.collection}", collection),
        _rule("index", f"index/{plan.collection}/*", index),
    ]
    return [{"Rules": rules, "Principal": [plan.caller_arn, plan.role_arn]}]


def _security_step(kind: str, title: str, why: str, document: Any) -> Step:
    """The step of an encryption or a network policy."""
    name = kind[:3]

    def arguments(plan: Plan) -> JsonDict:
        return {"type": kind, "name": plan.policy_name(name)}

    def build(plan: Plan) -> tuple[Instruction, ...]:
        policy = {**arguments(plan), "description": plan.mark, "policy": Json(document(plan))}
        return (Call(AOSS, "CreateSecurityPolicy", policy),)

    def look(execution: Execution, plan: Plan) -> Found:
        answer = execution.ask(AOSS, "GetSecurityPolicy", **arguments(plan))
        if answer is None:
            return TO_DO
        return _compared(answer["securityPolicyDetail"], document(plan), plan, f"The {kind} policy")

    def undo(plan: Plan, _: Values) -> tuple[Instruction, ...]:
        return (Call(AOSS, "DeleteSecurityPolicy", arguments(plan), fine=_GONE),)

    return Step(
        key=kind,
        title=title,
        why=why,
        makes=lambda plan: f"the {kind} policy {plan.policy_name(name)}",
        build=build,
        look=look,
        undo=undo,
        allow=lambda _: [(("aoss:CreateSecurityPolicy", "aoss:GetSecurityPolicy"), ("*",))],
        allow_undo=lambda _: [(("aoss:DeleteSecurityPolicy",), ("*",))],
    )


def _compared(detail: JsonDict, wanted: Any, plan: Plan, what: str) -> Found:
    if detail.get("description") != plan.mark:
        return Found("different", note=owner_note(f"{what} {detail.get('name')}"))
    found = detail.get("policy")
    if (json.loads(found) if isinstance(found, str) else found) != wanted:
        return Found("different", ours=True, note=f"{what} says something else than this plan.")
    return Found("done", ours=True)


def _policy_name(plan: Plan) -> JsonDict:
    return {"type": "data", "name": plan.policy_name("data")}


def _create_access_policy(plan: Plan) -> tuple[Instruction, ...]:
    policy = {**_policy_name(plan), "description": plan.mark, "policy": Json(_access(plan))}
    return (Call(AOSS, "CreateAccessPolicy", policy),)


def _look_for_access_policy(execution: Execution, plan: Plan) -> Found:
    """Done as well where somebody else is named in the caller's place: that one made the index."""
    answer = execution.ask(AOSS, "GetAccessPolicy", **_policy_name(plan))
    if answer is None:
        return TO_DO
    detail, wanted = answer["accessPolicyDetail"], _access(plan)
    found = detail.get("policy")
    principals = at(found, (0, "Principal")) or ()
    if plan.role_arn in principals:
        wanted[0]["Principal"] = principals
    return _compared(detail, wanted, plan, "The data access policy")


def _create_collection(plan: Plan) -> tuple[Instruction, ...]:
    collection = {
        "name": plan.collection,
        "type": "VECTORSEARCH",
        "description": plan.mark,
        "standbyReplicas": "DISABLED",
        "tags": [{"key": key, "value": value} for key, value in plan.tags.items()],
    }
    look = Call(
        AOSS,
        "BatchGetCollection",
        {"names": [plan.collection]},
        gives={
            "collection_id": ("collectionDetails", 0, "id"),
            "collection_arn": ("collectionDetails", 0, "arn"),
        },
    )
    statement = {"Effect": "Allow", "Action": ["aoss:APIAccessAll"], "Resource": [Var("collection_arn")]}
    return (
        Call(AOSS, "CreateCollection", collection, fine=("ConflictException",)),
        Wait(
            look,
            ("collectionDetails", 0, "status"),
            ("CREATING", "UPDATING"),
            ("ACTIVE",),
            failure=("collectionDetails", 0, "failureMessage"),
        ),
        put_role_policy(plan, "vectors", [statement]),
    )


def _look_for_collection(execution: Execution, plan: Plan) -> Found:
    answer = execution.ask(AOSS, "BatchGetCollection", names=[plan.collection]) or {}
    details = answer.get("collectionDetails") or ()
    if not details:
        return TO_DO
    detail = details[0]
    tags = execution.ask(AOSS, "ListTagsForResource", resourceArn=detail["arn"]) or {}
    values = {"collection_id": detail["id"], "collection_arn": detail["arn"]}
    if {"key": TAG, "value": plan.name} not in (tags.get("tags") or ()):
        return Found("different", note=owner_note(f"The collection {plan.collection}"))
    if detail["status"] == "FAILED":
        why = detail.get("failureMessage") or "AWS gives no reason"
        return Found(
            "different", True, values, f"The collection failed: {why}. Take it apart, and try again."
        )
    policy = execution.ask("iam", "GetRolePolicy", RoleName=plan.role, PolicyName="vectors")
    done = detail["status"] == "ACTIVE" and policy is not None
    return Found("done" if done else "to do", True, values, str(detail["status"]))


def _delete_collection(plan: Plan, values: Values) -> tuple[Instruction, ...]:
    delete = Call(AOSS, "DeleteCollection", {"id": values["collection_id"]}, fine=_GONE)
    look = Call(AOSS, "BatchGetCollection", {"names": [plan.collection]})
    return delete, Wait(look, ("collectionDetails", 0, "status"), ("DELETING",), ("",))


def _create_index(plan: Plan) -> tuple[Instruction, ...]:
    body, vector = one_word(plan)
    measure = Call("bedrock-runtime", "InvokeModel", {"modelId": plan.embedding_model_id, "body": Json(body)})
    schema = {
        "settings": {"index": {"knn": True}},
        "mappings": {
            "properties": {
                FIELDS["vectorField"]: {
                    "type": "knn_vector",
                    "dimension": Var("dimensions"),
                    "method": {"name": "hnsw", "engine": "faiss", "space_type": "l2"},
                },
                FIELDS["textField"]: {"type": "text", "index": True},
                FIELDS["metadataField"]: {"type": "text", "index": False},
            }
        },
    }
    index = {"id": Var("collection_id"), "indexName": plan.index, "indexSchema": schema}
    return (
        Measure(measure, vector, "dimensions"),
        Call(AOSS, "CreateIndex", index, fine=("ConflictException",), patient=True),
    )


def _look_for_index(execution: Execution, plan: Plan) -> Found:
    if "collection_id" not in execution.values:
        return TO_DO
    collection_id = execution.values["collection_id"]
    answer = execution.ask(AOSS, "GetIndex", id=collection_id, indexName=plan.index)
    if answer is None:
        return TO_DO
    schema = answer.get("indexSchema") or {}
    properties = (schema.get("mappings") or {}).get("properties") or {}
    if not set(FIELDS.values()) <= set(properties):
        return Found("different", True, note="The index has other fields than this plan.")
    return Found("done", ours=True)


def _delete_index(plan: Plan, values: Values) -> tuple[Instruction, ...]:
    arguments = {"id": values["collection_id"], "indexName": plan.index}
    return (Call(AOSS, "DeleteIndex", arguments, fine=_GONE),)


def _collection_arns(plan: Plan) -> str:
    return f"arn:{plan.partition}:aoss:{plan.region}:{plan.account}:collection/*"


def _allow_collection(plan: Plan) -> list[Allow]:
    linked = (
        f"arn:{plan.partition}:iam::{plan.account}:role/aws-service-role/observability.aoss.amazonaws.com/*"
    )
    return [
        (
            (
                "aoss:CreateCollection",
                "aoss:BatchGetCollection",
                "aoss:ListTagsForResource",
                "aoss:TagResource",
            ),
            ("*",),
        ),
        (("iam:GetRolePolicy", "iam:PutRolePolicy"), (plan.role_arn,)),
        (("iam:CreateServiceLinkedRole",), (linked,)),
    ]


def _allow_index(plan: Plan) -> list[Allow]:
    actions = ("aoss:APIAccessAll", "aoss:CreateIndex", "aoss:GetIndex")
    return [
        (actions, (_collection_arns(plan),)),
        (("bedrock:InvokeModel",), (plan.embedding_model_arn,)),
    ]


ENCRYPTION = _security_step(
    "encryption",
    "Encryption policy",
    "A collection is only made where an encryption policy covers its name; here with a key that AWS owns.",
    _encryption,
)
NETWORK = _security_step(
    "network",
    "Network policy",
    "It lets Bedrock reach the collection over its public address; who may read is said by the next policy.",
    _network,
)
ACCESS = Step(
    key="access",
    title="Data access policy",
    why="It names who may read and write the vectors: you, to make the index, and the role of Bedrock.",
    makes=lambda plan: f"the data access policy {plan.policy_name('data')}",
    build=_create_access_policy,
    look=_look_for_access_policy,
    undo=lambda plan, _: (Call(AOSS, "DeleteAccessPolicy", _policy_name(plan), fine=_GONE),),
    allow=lambda _: [(("aoss:CreateAccessPolicy", "aoss:GetAccessPolicy"), ("*",))],
    allow_undo=lambda _: [(("aoss:DeleteAccessPolicy",), ("*",))],
)
COLLECTION = Step(
    key="collection",
    title="OpenSearch Serverless collection",
    why="It keeps the vectors; without standby replicas, which is the smallest that there is.",
    makes=lambda plan: f"the collection {plan.collection} and all its vectors",
    build=_create_collection,
    look=_look_for_collection,
    undo=_delete_collection,
    allow=_allow_collection,
    allow_undo=lambda plan: [(("aoss:DeleteCollection",), (_collection_arns(plan),))],
)
INDEX = Step(
    key="index",
    title="Vector index",
    why="Its dimension must be that of the embedding model, which is measured by embedding one word.",
    makes=lambda plan: f"the index {plan.index}",
    build=_create_index,
    look=_look_for_index,
    undo=_delete_index,
    allow=_allow_index,
    allow_undo=lambda plan: [(("aoss:DeleteIndex",), (_collection_arns(plan),))],
)
