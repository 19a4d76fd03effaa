"""The documents' side: the S3 bucket, the documents in it, and the role by which Bedrock reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from services.knowledge_build.execution import Execution
from services.knowledge_build.instructions import Call, Empty, Instruction, Json, Upload
from services.knowledge_build.plan import TAG, Plan
from services.knowledge_build.step import TO_DO, Allow, Found, Step, Values, owner_note

JsonDict = dict[str, Any]
POLICIES = ("models", "documents", "vectors")
"""The inline policies of the role. The last one names the collection, so it is put when that exists."""


def put_role_policy(plan: Plan, name: str, statements: Sequence[JsonDict]) -> Call:
    """PutRolePolicy for one inline policy of the role."""
    document = {"Version": "2012-10-17", "Statement": [*statements]}
    return Call(
        "iam",
        "PutRolePolicy",
        {"RoleName": plan.role, "PolicyName": name, "PolicyDocument": Json(document)},
    )


def _create_bucket(plan: Plan) -> tuple[Instruction, ...]:
    arguments: JsonDict = {"Bucket": plan.bucket}
    if plan.region != "us-east-1":  # that region has no name here, and S3 refuses it
        arguments["CreateBucketConfiguration"] = {"LocationConstraint": plan.region}
    tags = [{"Key": key, "Value": value} for key, value in plan.tags.items()]
    return (
        Call("s3", "CreateBucket", arguments, fine=("BucketAlreadyOwnedByYou",)),
        Call("s3", "PutBucketTagging", {"Bucket": plan.bucket, "Tagging": {"TagSet": tags}}),
    )


def _look_for_bucket(execution: Execution, plan: Plan) -> Found:
    listed = execution.ask("s3", "ListObjectsV2", Bucket=plan.bucket, MaxKeys=1)
    if listed is None:
        return TO_DO
    tags = execution.ask_or("s3", "GetBucketTagging", "NoSuchTagSet", Bucket=plan.bucket) or {}
    if {"Key": TAG, "Value": plan.name} in (tags.get("TagSet") or ()):
        return Found("done", ours=True, values={"bucket_is_ours": True})
    return Found("different", note=owner_note(f"The bucket {plan.bucket}"))


def _upload(plan: Plan) -> tuple[Instruction, ...]:
    return (Upload(plan.bucket, plan.prefix, plan.documents),)


def _look_for_documents(execution: Execution, plan: Plan) -> Found:
    """Done where every document of the plan is there with its content, or any is and the plan has none."""
    objects = execution.objects(plan.bucket, plan.prefix)
    etags = {entry["Key"]: entry["ETag"].strip('"') for entry in objects}
    if not etags:
        return TO_DO
    if not execution.values.get("bucket_is_ours"):
        return Found("different", note="The documents are in a bucket that the workbench did not make.")
    note = f"{len(etags)} files in the bucket"
    for name in plan.documents:
        content = execution.files.get(name)
        known = etags.get(plan.prefix + name)
        if known is None or (content is not None and known != _md5(content)):
            return Found("to do", ours=True, note=note)
    return Found("done", ours=True, note=note)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _create_role(plan: Plan) -> tuple[Instruction, ...]:
    tags = [{"Key": key, "Value": value} for key, value in plan.tags.items()]
    role = {
        "RoleName": plan.role,
        "AssumeRolePolicyDocument": Json(_trust(plan)),
        "Description": plan.mark,
        "Tags": tags,
    }
    create = Call("iam", "CreateRole", role, fine=("EntityAlreadyExists",))
    return create, *(put_role_policy(plan, name, found) for name, found in _role_statements(plan).items())


def _trust(plan: Plan) -> JsonDict:
    bases = f"arn:{plan.partition}:bedrock:{plan.region}:{plan.account}:knowledge-base/*"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": plan.account},
            "ArnLike": {"aws:SourceArn": bases},
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _role_statements(plan: Plan) -> dict[str, list[JsonDict]]:
    own = {"StringEquals": {"aws:ResourceAccount": plan.account}}
    return {
        "models": [
            {"Effect": "Allow", "Action": ["bedrock:InvokeModel"], "Resource": [plan.embedding_model_arn]}
        ],
        "documents": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [plan.bucket_arn],
                "Condition": own,
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": [f"{plan.bucket_arn}/{plan.prefix}*"],
                "Condition": own,
            },
        ],
    }


def _look_for_role(execution: Execution, plan: Plan) -> Found:
    role = execution.ask("iam", "GetRole", RoleName=plan.role)
    if role is None:
        return TO_DO
    if {"Key": TAG, "Value": plan.name} not in (role["Role"].get("Tags") or ()):
        return Found("different", note=owner_note(f"The role {plan.role}"))
    for name, statements in _role_statements(plan).items():
        policy = execution.ask("iam", "GetRolePolicy", RoleName=plan.role, PolicyName=name)
        if policy is None or policy["PolicyDocument"].get("Statement") != statements:
            return Found("to do", ours=True, note="The role lacks a policy")
    return Found("done", ours=True)


def _delete_role(plan: Plan, _: Values) -> tuple[Instruction, ...]:
    policies = [
        Call(
            "iam",
            "DeleteRolePolicy",
            {"RoleName": plan.role, "PolicyName": name},
            fine=("NoSuchEntity",),
        )
        for name in POLICIES
    ]
    return *policies, Call("iam", "DeleteRole", {"RoleName": plan.role}, fine=("NoSuchEntity",))


def _bucket_actions(plan: Plan) -> list[Allow]:
    actions = ("s3:CreateBucket", "s3:ListBucket", "s3:GetBucketTagging", "s3:PutBucketTagging")
    return [(actions, (plan.bucket_arn,))]


def _objects(plan: Plan) -> str:
    return f"{plan.bucket_arn}/{plan.prefix}*"


BUCKET = Step(
    key="bucket",
    title="S3 bucket",
    why="Bedrock reads the documents from S3 when it syncs.",
    makes=lambda plan: f"the S3 bucket {plan.bucket}",
    build=_create_bucket,
    look=_look_for_bucket,
    undo=lambda plan, _: (Call("s3", "DeleteBucket", {"Bucket": plan.bucket}, fine=("NoSuchBucket",)),),
    allow=_bucket_actions,
    allow_undo=lambda plan: [(("s3:DeleteBucket",), (plan.bucket_arn,))],
)
DOCUMENTS = Step(
    key="documents",
    title="Documents",
    why="A file name.metadata.json beside a document holds the attributes that questions can filter by.",
    makes=lambda plan: f"all objects below s3://{plan.bucket}/{plan.prefix}",
    build=_upload,
    look=_look_for_documents,
    undo=lambda plan, _: (Empty(plan.bucket, plan.prefix),),
    allow=lambda plan: [(("s3:ListBucket",), (plan.bucket_arn,)), (("s3:PutObject",), (_objects(plan),))],
    allow_undo=lambda plan: [(("s3:DeleteObject",), (_objects(plan),))],
)
ROLE = Step(
    key="role",
    title="IAM role",
    why="Bedrock assumes it to read the documents and to call the embedding model, and may do nothing else.",
    makes=lambda plan: f"the IAM role {plan.role}",
    build=_create_role,
    look=_look_for_role,
    undo=_delete_role,
    allow=lambda plan: [
        (
            ("iam:CreateRole", "iam:GetRole", "iam:GetRolePolicy", "iam:PutRolePolicy", "iam:TagRole"),
            (plan.role_arn,),
        )
    ],
    allow_undo=lambda plan: [(("iam:DeleteRole", "iam:DeleteRolePolicy"), (plan.role_arn,))],
)
