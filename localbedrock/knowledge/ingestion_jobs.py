"""Ingestion jobs of ``bedrock-agent``: one reads a data source and brings the index up to date with it."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context
from localbedrock.errors import conflict, not_found, validation
from localbedrock.knowledge import data_sources, jobs
from localbedrock.knowledge.host import Host, KnowledgeHandler
from localbedrock.knowledge.jobs import ENDED, KIND, NO_STATISTICS, Job
from localbedrock.knowledge.resources import made_with, new_id, now, pick, remember, with_times
from localbedrock.wire.paging import page

_SUMMARY = (
    "knowledgeBaseId", "dataSourceId", "ingestionJobId", "description", "status", "startedAt", "updatedAt",
    "statistics",
)  # fmt: skip


def start_ingestion_job(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A job in the queue; the bucket is looked at by the job itself.

    ConflictException while another job of the data source has not ended.
    """
    source = data_sources.find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    token = params.get("clientToken", "")
    if known := made_with(ctx, KIND, token):
        return {"ingestionJob": with_times(known)}
    if source["dataSourceConfiguration"]["type"] == "CUSTOM":
        raise validation(
            "A data source of the type CUSTOM has nothing to read: "
            "add its documents with IngestKnowledgeBaseDocuments."
        )
    at = now()
    job = pick(params, "description") | {
        "knowledgeBaseId": source["knowledgeBaseId"],
        "dataSourceId": source["dataSourceId"],
        "ingestionJobId": new_id(),
        "status": "STARTING",
        "statistics": NO_STATISTICS,
        "startedAt": at,
        "updatedAt": at,
    }
    with jobs.changing:
        data_sources.find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
        jobs.check_idle(ctx.store, source["dataSourceId"])
        ctx.store.put(KIND, job["ingestionJobId"], job)
    remember(ctx, KIND, token, job["ingestionJobId"])
    host.wake()
    return {"ingestionJob": with_times(job)}


def get_ingestion_job(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One job."""
    return {"ingestionJob": with_times(_find(ctx, params))}


def list_ingestion_jobs(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A data source's jobs that pass the filter; the newest first unless asked otherwise."""
    source = data_sources.find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    found = jobs.of_data_source(ctx.store, source["dataSourceId"])
    for wanted in params.get("filters", []):
        found = [job for job in found if job["status"] in wanted["values"]]
    order = params.get("sortBy", {"attribute": "STARTED_AT", "order": "DESCENDING"})
    if order["attribute"] == "STATUS":
        found.sort(key=lambda job: str(job["status"]))
    if order["order"] == "DESCENDING":
        found.reverse()
    items, more = page(found, params, lambda job: str(job["ingestionJobId"]))
    return {"ingestionJobSummaries": [pick(with_times(job), *_SUMMARY) for job in items]} | more


def stop_ingestion_job(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Asks a job to stop; the runner does it. What it has indexed stays."""
    job = _find(ctx, params)

    def change(current: Job | None) -> Job:
        if current is None or current["status"] in ENDED:
            raise conflict(f"The ingestion job {job['ingestionJobId']} has ended: it can't be stopped.")
        return current | {"status": "STOPPING", "updatedAt": now()}

    stopping = ctx.store.update(KIND, job["ingestionJobId"], change)
    host.wake()
    return {"ingestionJob": with_times(stopping)}


def _find(ctx: Context, params: dict[str, Any]) -> Job:
    source = data_sources.find(ctx, params["knowledgeBaseId"], params["dataSourceId"])
    job = ctx.store.get(KIND, params["ingestionJobId"])
    if job is None or job["dataSourceId"] != source["dataSourceId"]:
        raise not_found(
            f"Ingestion job with id {params['ingestionJobId']} does not exist in the data source "
            f"{source['dataSourceId']}."
        )
    return job


HANDLERS: dict[str, KnowledgeHandler] = {
    "StartIngestionJob": start_ingestion_job,
    "GetIngestionJob": get_ingestion_job,
    "ListIngestionJobs": list_ingestion_jobs,
    "StopIngestionJob": stop_ingestion_job,
}
