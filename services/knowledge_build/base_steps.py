"""Bedrock's side: the knowledge base, its data source, and the first sync."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.knowledge_build.collection_steps import FIELDS
from services.knowledge_build.execution import Execution
from services.knowledge_build.instructions import Call, Instruction, Var, Wait, at
from services.knowledge_build.plan import TAG, Plan
from services.knowledge_build.step import TO_DO, Allow, Found, Step, Values, owner_note

JsonDict = dict[str, Any]
AGENT = "bedrock-agent"
_GONE = ("ResourceNotFoundException",)
_BASE = {"knowledgeBaseId": Var("knowledge_base_id")}
_SOURCE = {**_BASE, "dataSourceId": Var("data_source_id")}
_JOB = {**_SOURCE, "ingestionJobId": Var("ingestion_job_id")}
_JOB_ACTIVE = ("STARTING", "IN_PROGRESS", "STOPPING")
_COUNTS = {
    "numberOfDocumentsScanned": "scanned",
    "numberOfNewDocumentsIndexed": "new",
    "numberOfModifiedDocumentsIndexed": "changed",
    "numberOfDocumentsDeleted": "deleted",
    "numberOfDocumentsFailed": "failed",
}


def _create_base(plan: Plan) -> tuple[Instruction, ...]:
    base = {
        "name": plan.name,
        "roleArn": plan.role_arn,
        "knowledgeBaseConfiguration": {
            "type": "VECTOR",
            "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": plan.embedding_model_arn},
        },
        "storageConfiguration": {
            "type": "OPENSEARCH_SERVERLESS",
            "opensearchServerlessConfiguration": {
                "collectionArn": Var("collection_arn"),
                "vectorIndexName": plan.index,
                "fieldMapping": FIELDS,
            },
        },
        "tags": plan.tags,
    }
    gives = {"knowledge_base_id": ("knowledgeBase", "knowledgeBaseId")}
    return (
        Call(AGENT, "CreateKnowledgeBase", base, gives=gives, patient=True),
        Wait(
            Call(AGENT, "GetKnowledgeBase", _BASE),
            ("knowledgeBase", "status"),
            ("CREATING", "UPDATING"),
            ("ACTIVE",),
            failure=("knowledgeBase", "failureReasons"),
        ),
    )


def _look_for_base(execution: Execution, plan: Plan) -> Found:
    rows = execution.rows(AGENT, "ListKnowledgeBases", "knowledgeBaseSummaries")
    base_id = next((row["knowledgeBaseId"] for row in rows if row["name"] == plan.name), None)
    answer = execution.ask(AGENT, "GetKnowledgeBase", knowledgeBaseId=base_id) if base_id else None
    if answer is None:
        return TO_DO
    base = answer["knowledgeBase"]
    tags = execution.ask(AGENT, "ListTagsForResource", resourceArn=base["knowledgeBaseArn"]) or {}
    values = {"knowledge_base_id": base_id}
    if (tags.get("tags") or {}).get(TAG) != plan.name:
        return Found("different", note=owner_note(f"A knowledge base {plan.name}"))
    if base["status"] == "FAILED":
        why = "; ".join(base.get("failureReasons") or ()) or "AWS gives no reason"
        return Found("different", True, values, f"It failed: {why}. Take it apart, and try again.")
    model = at(base, ("knowledgeBaseConfiguration", "vectorKnowledgeBaseConfiguration", "embeddingModelArn"))
    if model != plan.embedding_model_arn:
        note = f"The knowledge base was made with {str(model).rpartition('/')[2]}, which cannot be changed."
        return Found("different", True, values, note)
    return Found("done" if base["status"] == "ACTIVE" else "to do", True, values, str(base["status"]))


def _delete_base(_: Plan, values: Values) -> tuple[Instruction, ...]:
    where = {"knowledgeBaseId": values["knowledge_base_id"]}
    gone = Wait(
        Call(AGENT, "GetKnowledgeBase", where),
        ("knowledgeBase", "status"),
        ("DELETING",),
        ("",),
        failure=("knowledgeBase", "failureReasons"),
    )
    return Call(AGENT, "DeleteKnowledgeBase", where, fine=_GONE), gone


def _source_configuration(plan: Plan) -> JsonDict:
    s3 = {"bucketArn": plan.bucket_arn, "inclusionPrefixes": [plan.prefix]}
    return {"type": "S3", "s3Configuration": s3}


def _create_source(plan: Plan) -> tuple[Instruction, ...]:
    source: JsonDict = {
        **_BASE,
        "name": plan.data_source,
        "dataSourceConfiguration": _source_configuration(plan),
    }
    if chunking := plan.chunking.configuration:
        source["vectorIngestionConfiguration"] = {"chunkingConfiguration": chunking}
    gives = {"data_source_id": ("dataSource", "dataSourceId")}
    return (Call(AGENT, "CreateDataSource", source, gives=gives),)


def _look_for_source(execution: Execution, plan: Plan) -> Found:
    if "knowledge_base_id" not in execution.values:
        return TO_DO
    where = {"knowledgeBaseId": execution.values["knowledge_base_id"]}
    rows = execution.rows(AGENT, "ListDataSources", "dataSourceSummaries", **where)
    source_id = next((row["dataSourceId"] for row in rows if row["name"] == plan.data_source), None)
    if source_id is None:
        return TO_DO
    answer = execution.ask(AGENT, "GetDataSource", **where, dataSourceId=source_id) or {}
    source = answer.get("dataSource") or {}
    values = {"data_source_id": source_id}
    s3 = (source.get("dataSourceConfiguration") or {}).get("s3Configuration") or {}
    if s3.get("bucketArn") != plan.bucket_arn:
        return Found("different", True, values, "The data source reads another bucket.")
    chunking = at(source, ("vectorIngestionConfiguration", "chunkingConfiguration")) or {}
    if plan.chunking.configuration and chunking != plan.chunking.configuration:
        note = "The data source cuts documents in another way, which cannot be changed: take it apart first."
        return Found("different", True, values, note)
    return Found("done", True, values, str(source.get("status", "")))


def _delete_source(_: Plan, values: Values) -> tuple[Instruction, ...]:
    where = {"knowledgeBaseId": values["knowledge_base_id"], "dataSourceId": values["data_source_id"]}
    gone = Wait(
        Call(AGENT, "GetDataSource", where),
        ("dataSource", "status"),
        ("DELETING",),
        ("",),
        failure=("dataSource", "failureReasons"),
    )
    return Call(AGENT, "DeleteDataSource", where, fine=_GONE), gone


def _sync(_: Plan) -> tuple[Instruction, ...]:
    gives = {"ingestion_job_id": ("ingestionJob", "ingestionJobId")}
    return (
        Call(AGENT, "StartIngestionJob", _SOURCE, gives=gives),
        Wait(
            Call(AGENT, "GetIngestionJob", _JOB),
            ("ingestionJob", "status"),
            _JOB_ACTIVE,
            ("COMPLETE",),
            failure=("ingestionJob", "failureReasons"),
            tell=lambda answer: counts(at(answer, ("ingestionJob", "statistics")) or {}),
        ),
    )


def counts(statistics: Mapping[str, Any]) -> str:
    """The statistics of a sync in words, e.g. "12 scanned, 12 new"."""
    return ", ".join(f"{statistics[key]} {word}" for key, word in _COUNTS.items() if statistics.get(key))


def _look_for_sync(execution: Execution, plan: Plan) -> Found:
    """Done where the last sync is complete and began after the last document came."""
    values = execution.values
    if "data_source_id" not in values:
        return TO_DO
    answer = execution.ask(
        AGENT,
        "ListIngestionJobs",
        knowledgeBaseId=values["knowledge_base_id"],
        dataSourceId=values["data_source_id"],
        sortBy={"attribute": "STARTED_AT", "order": "DESCENDING"},
        maxResults=1,
    )
    jobs = (answer or {}).get("ingestionJobSummaries") or ()
    if not jobs:
        return TO_DO
    job = jobs[0]
    words = counts(job.get("statistics") or {})
    if job["status"] in _JOB_ACTIVE:
        return Found("to do", True, {"ingestion_job_id": job["ingestionJobId"]}, words)
    changed = [entry["LastModified"] for entry in execution.objects(plan.bucket, plan.prefix)]
    fresh = job["status"] == "COMPLETE" and all(when <= job["startedAt"] for when in changed)
    return Found("done" if fresh else "to do", True, note=words)


def _stop_sync(_: Plan, values: Values) -> tuple[Instruction, ...]:
    if "ingestion_job_id" not in values:
        return ()
    where = {
        "knowledgeBaseId": values["knowledge_base_id"],
        "dataSourceId": values["data_source_id"],
        "ingestionJobId": values["ingestion_job_id"],
    }
    ended = ("COMPLETE", "FAILED", "STOPPED")
    stop = Call(AGENT, "StopIngestionJob", where, fine=("ConflictException", "ValidationException"))
    return stop, Wait(Call(AGENT, "GetIngestionJob", where), ("ingestionJob", "status"), _JOB_ACTIVE, ended)


def _arns(plan: Plan) -> str:
    return f"arn:{plan.partition}:bedrock:{plan.region}:{plan.account}:knowledge-base/*"


def _allow_base(plan: Plan) -> list[Allow]:
    named = ("bedrock:GetKnowledgeBase", "bedrock:ListTagsForResource", "bedrock:TagResource")
    return [
        (("bedrock:CreateKnowledgeBase", "bedrock:ListKnowledgeBases"), ("*",)),
        (named, (_arns(plan),)),
        (("iam:PassRole",), (plan.role_arn,)),
    ]


BASE = Step(
    key="base",
    title="Knowledge base",
    why="It joins the embedding model, the role and the index; its ID is what a question is asked of.",
    makes=lambda plan: f"the knowledge base {plan.name}",
    build=_create_base,
    look=_look_for_base,
    undo=_delete_base,
    allow=_allow_base,
    allow_undo=lambda plan: [(("bedrock:DeleteKnowledgeBase",), (_arns(plan),))],
)
SOURCE = Step(
    key="source",
    title="Data source",
    why="It says where the documents are and how they are cut into chunks.",
    makes=lambda plan: f"its data source {plan.data_source}",
    build=_create_source,
    look=_look_for_source,
    undo=_delete_source,
    allow=lambda plan: [
        (
            ("bedrock:CreateDataSource", "bedrock:GetDataSource", "bedrock:ListDataSources"),
            (_arns(plan),),
        )
    ],
    allow_undo=lambda plan: [(("bedrock:DeleteDataSource",), (_arns(plan),))],
)
SYNC = Step(
    key="sync",
    title="Sync",
    why="Bedrock reads, cuts and embeds the documents; later syncs take up only what has changed.",
    makes=lambda _: "its sync, if one is running",
    build=_sync,
    look=_look_for_sync,
    undo=_stop_sync,
    allow=lambda plan: [
        (
            ("bedrock:StartIngestionJob", "bedrock:GetIngestionJob", "bedrock:ListIngestionJobs"),
            (_arns(plan),),
        ),
        (("s3:ListBucket",), (plan.bucket_arn,)),
    ],
    allow_undo=lambda plan: [(("bedrock:StopIngestionJob",), (_arns(plan),))],
)
