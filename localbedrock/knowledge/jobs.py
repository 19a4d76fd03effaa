"""Ingestion jobs as documents.

One is kept in the store (kind ``ingestion-job``, by its id) as GetIngestionJob answers it, with times as
ISO 8601 text.
"""

from __future__ import annotations

import threading
from typing import Any

from localbedrock.errors import conflict
from localbedrock.knowledge.resources import now
from localbedrock.store import Store

KIND = "ingestion-job"
ENDED = frozenset({"COMPLETE", "FAILED", "STOPPED"})

NO_STATISTICS = dict.fromkeys(
    (
        "numberOfDocumentsScanned",
        "numberOfMetadataDocumentsScanned",
        "numberOfNewDocumentsIndexed",
        "numberOfModifiedDocumentsIndexed",
        "numberOfMetadataDocumentsModified",
        "numberOfDocumentsDeleted",
        "numberOfDocumentsFailed",
    ),
    0,
)
"""The statistics of a job that has done nothing yet."""

changing = threading.RLock()
"""Held while a job is made or a data source goes, so that no job is made for one that is gone."""

Job = dict[str, Any]


def of_data_source(store: Store, data_source_id: str) -> list[Job]:
    """The jobs of a data source, the oldest first."""
    return [job for job in store.list(KIND) if job["dataSourceId"] == data_source_id]


def check_idle(store: Store, data_source_id: str) -> None:
    """Raises ConflictException while a job of the data source has not ended."""
    for job in of_data_source(store, data_source_id):
        if job["status"] not in ENDED:
            raise conflict(
                f"The ingestion job {job['ingestionJobId']} of the data source {data_source_id} is "
                f"{job['status']}. Wait until it has ended, or stop it, then try again."
            )


def forget(store: Store, data_source_id: str) -> None:
    """Removes the jobs of a data source that is gone."""
    for job in of_data_source(store, data_source_id):
        store.delete(KIND, job["ingestionJobId"])


def waiting(store: Store) -> Job | None:
    """The oldest job that has not ended. One that a stop of the endpoint interrupted is among them."""
    return next((job for job in store.list(KIND) if job["status"] not in ENDED), None)


def advance(store: Store, job: Job, status: str, **changes: Any) -> Job:
    """Moves a job on, unless it is being stopped and ``status`` is not an end; returns what is stored."""

    def change(current: Job | None) -> Job:
        merged = (current or job) | changes | {"updatedAt": now()}
        stays = merged["status"] == "STOPPING" and status not in ENDED
        return merged if stays else merged | {"status": status}

    return store.update(KIND, job["ingestionJobId"], change)


def end(store: Store, job: Job, status: str, reasons: list[str]) -> None:
    """Ends a job, with reasons beyond those that are known."""
    current = store.get(KIND, job["ingestionJobId"]) or job
    known = current.get("failureReasons", []) + reasons
    advance(store, job, status, **({"failureReasons": known} if known else {}))
