"""Knowledge bases of the account, their data sources, documents and ingestion jobs (bedrock-agent and S3).

Nothing here raises: a list that could not be read comes with its `problem`, and an act returns a `Problem`
in place of what it made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

import streamlit as st
from botocore import xform_name

from services import clients, knowledge_files
from services.clients import Identity
from services.knowledge_files import DocumentFile
from services.problems import Problem, from_exception

JsonDict = dict[str, Any]
T = TypeVar("T")

LISTING_TTL_S = 60
PROBLEM_TTL_S = 5
"""So long a page does not ask again what has just failed: without a network each look takes seconds."""
MOST_DOCUMENTS = 10_000
MOST_JOBS = 50
_DELETED_AT_ONCE = 10
"""DeleteKnowledgeBaseDocuments takes no more identifiers in one call."""
ACTIVE_JOBS = frozenset({"STARTING", "IN_PROGRESS", "STOPPING"})
BAD_DOCUMENTS = frozenset(
    {"FAILED", "PARTIALLY_INDEXED", "METADATA_PARTIALLY_INDEXED", "METADATA_UPDATE_FAILED"}
)


@dataclass(frozen=True)
class Listing(Generic[T]):
    """What was listed, and why it is not all: AWS refused (`problem`), or there is more than is shown."""

    items: tuple[T, ...] = ()
    problem: Problem | None = None
    more: bool = False
    read_at: float = field(default_factory=time.monotonic, compare=False)


@dataclass(frozen=True)
class KnowledgeBase:
    """One knowledge base. ListKnowledgeBases tells neither ARN nor role nor models: then they are ""."""

    id: str
    name: str
    status: str
    description: str = ""
    updated_at: datetime | None = None
    arn: str = ""
    role_arn: str = ""
    embedding_model_arn: str = ""
    storage_type: str = ""
    failure_reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSource:
    """Where documents come from. `bucket` and `prefixes` are those of an S3 source, else "" and ()."""

    id: str
    knowledge_base_id: str
    name: str
    status: str
    type: str
    bucket: str = ""
    prefixes: tuple[str, ...] = ()
    chunking: Mapping[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None
    failure_reasons: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What the keys of new documents begin with."""
        return self.prefixes[0] if self.prefixes else ""


@dataclass(frozen=True)
class IngestionJob:
    """One sync. The numbers count documents; those of sidecars with metadata are left out.

    `failure_reasons` are told by GetIngestionJob alone, and () in a list.
    """

    id: str
    status: str
    started_at: datetime | None
    updated_at: datetime | None
    scanned: int = 0
    new: int = 0
    modified: int = 0
    deleted: int = 0
    failed: int = 0
    skipped: int = 0
    failure_reasons: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        return self.status in ACTIVE_JOBS


@dataclass(frozen=True)
class Document:
    """A document as the knowledge base knows it. `address` is the S3 URI or the custom id."""

    address: str
    kind: str
    status: str
    reason: str = ""
    updated_at: datetime | None = None

    @property
    def bad(self) -> bool:
        """Whether all or a part of it is missing from the index."""
        return self.status in BAD_DOCUMENTS


def _still_good(listing: Listing[Any]) -> bool:
    return listing.problem is None or time.monotonic() - listing.read_at < PROBLEM_TTL_S


@st.cache_resource(show_spinner=False, ttl=LISTING_TTL_S, max_entries=64, validate=_still_good)
def knowledge_bases(identity: Identity) -> Listing[KnowledgeBase]:
    """The knowledge bases of the account in this region, by name. Never raises.

    A problem is kept for seconds. `knowledge_bases.clear(identity)` makes the next call ask again.
    """
    return _listed(identity, "ListKnowledgeBases", "knowledgeBaseSummaries", {}, _summary, _by_name)


def get_knowledge_base(identity: Identity, knowledge_base_id: str) -> KnowledgeBase | Problem:
    """One knowledge base with everything that AWS tells of it. Not kept."""
    found = _call(identity, "GetKnowledgeBase", knowledgeBaseId=knowledge_base_id)
    return found if isinstance(found, Problem) else _knowledge_base(found["knowledgeBase"])


@st.cache_resource(show_spinner=False, ttl=LISTING_TTL_S, max_entries=256, validate=_still_good)
def data_sources(identity: Identity, knowledge_base_id: str) -> Listing[DataSource]:
    """The data sources of a knowledge base with their configuration, by name. A problem is kept for seconds.

    One call for the list and one for each source: the list does not say where documents come from.
    """
    where = {"knowledgeBaseId": knowledge_base_id}
    ids: Listing[str] = _listed(
        identity, "ListDataSources", "dataSourceSummaries", where, lambda row: str(row["dataSourceId"])
    )
    found: list[DataSource] = []
    problem = ids.problem
    for data_source_id in ids.items:
        answer = _call(identity, "GetDataSource", **where, dataSourceId=data_source_id)
        if isinstance(answer, Problem):
            problem = problem or answer
        else:
            found.append(_data_source(answer["dataSource"]))
    return Listing(tuple(sorted(found, key=lambda one: (one.name.lower(), one.id))), problem)


def ingestion_jobs(identity: Identity, knowledge_base_id: str, data_source_id: str) -> Listing[IngestionJob]:
    """The latest syncs of a data source, the newest first, at most MOST_JOBS. Not kept."""
    answer = _call(
        identity,
        "ListIngestionJobs",
        knowledgeBaseId=knowledge_base_id,
        dataSourceId=data_source_id,
        sortBy={"attribute": "STARTED_AT", "order": "DESCENDING"},
        maxResults=MOST_JOBS,
    )
    if isinstance(answer, Problem):
        return Listing(problem=answer)
    jobs = tuple(map(_job, answer.get("ingestionJobSummaries") or ()))
    return Listing(jobs, more=bool(answer.get("nextToken")))


def ingestion_job(
    identity: Identity, knowledge_base_id: str, data_source_id: str, job_id: str
) -> IngestionJob | Problem:
    """One sync with its reasons of failure. Not kept."""
    where = {"knowledgeBaseId": knowledge_base_id, "dataSourceId": data_source_id}
    answer = _call(identity, "GetIngestionJob", **where, ingestionJobId=job_id)
    return answer if isinstance(answer, Problem) else _job(answer["ingestionJob"])


def start_ingestion(
    identity: Identity, knowledge_base_id: str, data_source_id: str
) -> IngestionJob | Problem:
    """Begin a sync: what is new, changed or gone in the data source is brought into the index."""
    where = {"knowledgeBaseId": knowledge_base_id, "dataSourceId": data_source_id}
    answer = _call(identity, "StartIngestionJob", **where)
    return answer if isinstance(answer, Problem) else _job(answer["ingestionJob"])


def stop_ingestion(
    identity: Identity, knowledge_base_id: str, data_source_id: str, job_id: str
) -> IngestionJob | Problem:
    """Ask for the end of a sync; what is indexed by then stays."""
    where = {"knowledgeBaseId": knowledge_base_id, "dataSourceId": data_source_id}
    answer = _call(identity, "StopIngestionJob", **where, ingestionJobId=job_id)
    return answer if isinstance(answer, Problem) else _job(answer["ingestionJob"])


@st.cache_resource(show_spinner=False, ttl=LISTING_TTL_S, max_entries=32, validate=_still_good)
def documents(identity: Identity, knowledge_base_id: str, data_source_id: str) -> Listing[Document]:
    """The documents of a data source, those with faults first; at most MOST_DOCUMENTS. A problem is not kept.

    `documents.clear(identity, knowledge_base_id, data_source_id)` makes the next call ask again.
    """
    where = {"knowledgeBaseId": knowledge_base_id, "dataSourceId": data_source_id}
    return _listed(
        identity,
        "ListKnowledgeBaseDocuments",
        "documentDetails",
        where,
        _document,
        lambda one: (not one.bad, one.address),
        most=MOST_DOCUMENTS,
    )


def upload_documents(
    identity: Identity, source: DataSource, files: Sequence[DocumentFile]
) -> tuple[tuple[str, ...], Problem | None]:
    """Put files below the prefix of an S3 data source (S3 PutObject): the URIs written, and what stopped it.

    A file of the same name is replaced. They are searched after the next sync.
    """
    written: list[str] = []
    for file in files:
        key = source.prefix + file.name
        problem = _s3(identity, "PutObject", Bucket=source.bucket, Key=key, Body=file.data)
        if problem:
            return tuple(written), problem
        written.append(f"s3://{source.bucket}/{key}")
    return tuple(written), None


def delete_documents(identity: Identity, source: DataSource, found: Sequence[Document]) -> Problem | None:
    """Delete documents from their bucket, with their metadata, and from the index.

    Both are needed: what stays in the bucket comes back with the next sync.
    """
    for document in found:
        bucket, _, key = document.address.removeprefix("s3://").partition("/")
        if document.kind != "S3" or bucket != source.bucket:
            continue
        for each in (key, knowledge_files.sidecar_of(key)):
            if problem := _s3(identity, "DeleteObject", Bucket=bucket, Key=each):
                return problem
    where = {"knowledgeBaseId": source.knowledge_base_id, "dataSourceId": source.id}
    for start in range(0, len(found), _DELETED_AT_ONCE):
        identifiers = [_identifier(each) for each in found[start : start + _DELETED_AT_ONCE]]
        answer = _call(identity, "DeleteKnowledgeBaseDocuments", **where, documentIdentifiers=identifiers)
        if isinstance(answer, Problem):
            return answer
    documents.clear(identity, source.knowledge_base_id, source.id)
    return None


def _listed(
    identity: Identity,
    operation: str,
    member: str,
    arguments: JsonDict,
    read: Callable[[JsonDict], T],
    key: Callable[[T], Any] | None = None,
    most: int | None = None,
) -> Listing[T]:
    """All pages of a list; what was read before a page failed is kept."""
    rows: list[T] = []
    more, problem = False, None
    try:
        paginator = clients.client("bedrock-agent", identity).get_paginator(_method(operation))
        for row in _rows(paginator.paginate(**arguments), member):
            if most is not None and len(rows) == most:
                more = True
                break
            rows.append(read(row))
    except Exception as error:  # noqa: BLE001 (a list that is not there must not stop a page)
        problem = from_exception(error, operation=operation, identity=identity)
    return Listing(tuple(sorted(rows, key=key) if key else rows), problem, more)


def _rows(pages: Iterable[JsonDict], member: str) -> Iterable[JsonDict]:
    for page in pages:
        yield from page.get(member) or ()


def _call(identity: Identity, operation: str, **arguments: Any) -> JsonDict | Problem:
    try:
        call = getattr(clients.client("bedrock-agent", identity), _method(operation))
        answer: JsonDict = call(**arguments)
    except Exception as error:  # noqa: BLE001 (told on the page, whatever it is)
        return from_exception(error, operation=operation, identity=identity)
    return answer


def _s3(identity: Identity, operation: str, **arguments: Any) -> Problem | None:
    try:
        getattr(clients.client("s3", identity), _method(operation))(**arguments)
    except Exception as error:  # noqa: BLE001 (told on the page, whatever it is)
        return from_exception(error, operation=operation, identity=identity)
    return None


def _method(operation: str) -> str:
    return str(xform_name(operation))


def _by_name(one: KnowledgeBase) -> tuple[str, str]:
    return one.name.lower(), one.id


def _summary(row: Mapping[str, Any]) -> KnowledgeBase:
    return KnowledgeBase(
        id=str(row.get("knowledgeBaseId", "")),
        name=str(row.get("name", "")),
        status=str(row.get("status", "")),
        description=str(row.get("description", "")),
        updated_at=row.get("updatedAt"),
    )


def _knowledge_base(row: Mapping[str, Any]) -> KnowledgeBase:
    vector = (row.get("knowledgeBaseConfiguration") or {}).get("vectorKnowledgeBaseConfiguration") or {}
    return KnowledgeBase(
        id=str(row.get("knowledgeBaseId", "")),
        name=str(row.get("name", "")),
        status=str(row.get("status", "")),
        description=str(row.get("description", "")),
        updated_at=row.get("updatedAt"),
        arn=str(row.get("knowledgeBaseArn", "")),
        role_arn=str(row.get("roleArn", "")),
        embedding_model_arn=str(vector.get("embeddingModelArn", "")),
        storage_type=str((row.get("storageConfiguration") or {}).get("type", "")),
        failure_reasons=tuple(row.get("failureReasons") or ()),
    )


def _data_source(row: Mapping[str, Any]) -> DataSource:
    configuration = row.get("dataSourceConfiguration") or {}
    s3 = configuration.get("s3Configuration") or {}
    ingestion = row.get("vectorIngestionConfiguration") or {}
    return DataSource(
        id=str(row.get("dataSourceId", "")),
        knowledge_base_id=str(row.get("knowledgeBaseId", "")),
        name=str(row.get("name", "")),
        status=str(row.get("status", "")),
        type=str(configuration.get("type", "")),
        bucket=str(s3.get("bucketArn", "")).rpartition(":::")[2],
        prefixes=tuple(s3.get("inclusionPrefixes") or ()),
        chunking=ingestion.get("chunkingConfiguration") or {},
        updated_at=row.get("updatedAt"),
        failure_reasons=tuple(row.get("failureReasons") or ()),
    )


def _job(row: Mapping[str, Any]) -> IngestionJob:
    counts = row.get("statistics") or {}
    return IngestionJob(
        id=str(row.get("ingestionJobId", "")),
        status=str(row.get("status", "")),
        started_at=row.get("startedAt"),
        updated_at=row.get("updatedAt"),
        scanned=int(counts.get("numberOfDocumentsScanned") or 0),
        new=int(counts.get("numberOfNewDocumentsIndexed") or 0),
        modified=int(counts.get("numberOfModifiedDocumentsIndexed") or 0)
        + int(counts.get("numberOfMetadataDocumentsModified") or 0),
        deleted=int(counts.get("numberOfDocumentsDeleted") or 0),
        failed=int(counts.get("numberOfDocumentsFailed") or 0),
        skipped=int(counts.get("numberOfDocumentsSkipped") or 0),
        failure_reasons=tuple(row.get("failureReasons") or ()),
    )


def _document(row: Mapping[str, Any]) -> Document:
    identifier = row.get("identifier") or {}
    kind = str(identifier.get("dataSourceType", ""))
    inner = identifier.get("s3") or identifier.get("custom") or {}
    return Document(
        address=str(inner.get("uri") or inner.get("id") or ""),
        kind=kind,
        status=str(row.get("status", "")),
        reason=str(row.get("statusReason") or ""),
        updated_at=row.get("updatedAt"),
    )


def _identifier(document: Document) -> JsonDict:
    if document.kind == "S3":
        return {"dataSourceType": "S3", "s3": {"uri": document.address}}
    return {"dataSourceType": "CUSTOM", "custom": {"id": document.address}}
