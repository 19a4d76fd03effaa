"""One ingestion job: compares what is in S3 with what is in the index, and touches only what differs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from localbedrock.context import Context
from localbedrock.errors import AwsError
from localbedrock.knowledge import jobs, objects, sidecars
from localbedrock.knowledge.document_states import Change, State
from localbedrock.knowledge.host import Host
from localbedrock.knowledge.indexing import ROWS, Document, Indexer, Prepared, s3_document_location
from localbedrock.knowledge.jobs import NO_STATISTICS, Job
from localbedrock.s3 import Object, Place

NEW = "numberOfNewDocumentsIndexed"
MODIFIED = "numberOfModifiedDocumentsIndexed"
METADATA = "numberOfMetadataDocumentsModified"
DELETED = "numberOfDocumentsDeleted"
FAILED = "numberOfDocumentsFailed"

_FLUSH_SECONDS = 1.0
"""A slow job tells how far it is at least this often."""
_DOCUMENTS = 200
"""How many documents are written at once at most."""
_REASON_CHARACTERS = 2048
"""AWS's limit for one failure reason."""
_REASONS = 2048
"""AWS's limit for the reasons of one job."""


class Sync:
    """The work of one job on a data source of the type S3."""

    def __init__(
        self, host: Host, ctx: Context, job: Job, source: dict[str, Any], ends: Callable[[], bool]
    ) -> None:
        """``ends``: whether the job is to end before it is done."""
        self._states = host.documents
        self._store = ctx.store
        self._job = job
        self._source_id: str = source["dataSourceId"]
        self._configuration = source["dataSourceConfiguration"]["s3Configuration"]
        self._bucket = self._configuration["bucketArn"].rpartition(":")[2]
        self._s3 = host.s3(ctx.region)
        self._ends = ends
        self._indexer = Indexer(host, ctx, source)
        self._statistics = Counter(NO_STATISTICS)
        self._failures: dict[str, list[str]] = {}

    def run(self) -> None:
        """Works until all is done or the job is to end. S3Error if the bucket cannot be listed."""
        prefixes = self._configuration.get("inclusionPrefixes", [""])
        documents, metadata = objects.listing(self._s3, self._bucket, prefixes)
        self._statistics["numberOfDocumentsScanned"] = len(documents)
        self._statistics["numberOfMetadataDocumentsScanned"] = len(metadata)
        states = self._states.all_of(self._source_id)
        self._resume()
        for key in sorted(metadata.keys() - documents.keys()):
            self._note("There is no document beside the metadata file.", self._uri(key + sidecars.SUFFIX))
        self._tell()
        changed = self._changed(documents, metadata, states)
        touched = self._index(changed)
        listed = {self._uri(key) for key in documents}
        touched |= self._remove([state for state in states.values() if state.document_id not in listed])
        if touched:
            self._indexer.optimize()
        self._tell()

    def _changed(
        self, documents: dict[str, Object], metadata: dict[str, Object], states: dict[str, State]
    ) -> Iterator[Document]:
        for key, found in documents.items():
            uri, beside = self._uri(key), metadata.get(key)
            state = states.get(uri)
            etags = (found.etag, beside.etag if beside else "")
            outcome = self._outcome(state, *etags)
            if outcome:
                read = partial(objects.read, self._s3, self._bucket, found, beside)
                location = s3_document_location(uri)
                yield Document(uri, uri, location, read, state is not None, *etags, outcome)

    def _outcome(self, state: State | None, etag: str, metadata_etag: str) -> str:
        """The statistics that a document counts in; "" if it is in the index as it is."""
        if state is None:
            return NEW
        if state.status == "IN_PROGRESS" and state.job == self._job["ingestionJobId"]:
            return state.outcome  # this job was interrupted while it wrote the document
        if not state.etag:
            return NEW
        names = [MODIFIED] * (state.etag != etag) + [METADATA] * (state.metadata_etag != metadata_etag)
        return " ".join(names)

    def _index(self, changed: Iterator[Document]) -> bool:
        """Whether anything was written."""
        batch: list[Prepared] = []
        chunks, began, touched = 0, time.monotonic(), False
        for document in changed:
            if self._ends():
                break
            batch.append(self._indexer.prepare(document))
            chunks += len(batch[-1].chunks)
            late = time.monotonic() - began > _FLUSH_SECONDS
            if chunks >= ROWS or len(batch) >= _DOCUMENTS or late:
                self._write(batch)
                batch, chunks, began, touched = [], 0, time.monotonic(), True
        if batch and not self._ends():
            self._write(batch)
            touched = True
        return touched

    def _write(self, batch: list[Prepared]) -> None:
        self._states.put(self._source_id, [self._change(item, "IN_PROGRESS") for item in batch])
        try:
            self._indexer.replace(batch)
        except AwsError as error:  # the embedding model's: the job ends with it
            failed = [replace(item, reason=item.reason or error.message) for item in batch]
            self._states.put(self._source_id, [self._change(item, "FAILED") for item in failed])
            raise
        ends = [self._change(item, "FAILED" if item.reason else "INDEXED") for item in batch]
        self._states.put(self._source_id, ends)
        for item in batch:
            if item.reason:
                self._statistics[FAILED] += 1
                self._note(item.reason, item.document.uri)
            else:
                self._statistics.update(item.document.outcome.split())
        self._tell()

    def _change(self, item: Prepared, status: str) -> Change:
        document, job = item.document, self._job["ingestionJobId"]
        if status == "INDEXED":
            etags = (document.etag, document.metadata_etag)
            return Change(document.document_id, status, "", *etags, job, document.outcome)
        reason = item.reason if status == "FAILED" else ""
        return Change(document.document_id, status, reason, "", "", job, document.outcome)

    def _remove(self, gone: list[State]) -> bool:
        """Whether anything was removed."""
        for start in range(0, len(gone), ROWS):
            if self._ends():
                return start > 0
            ids = [state.document_id for state in gone[start : start + ROWS]]
            self._indexer.remove(ids)
            self._states.remove(self._source_id, ids)
            self._statistics[DELETED] += len(ids)
            self._tell()
        return bool(gone)

    def _resume(self) -> None:
        """Counts what the job had done before it was interrupted."""
        outcomes = self._states.outcomes(self._source_id, self._job["ingestionJobId"])
        for outcome, times in outcomes.items():
            self._statistics.update(dict.fromkeys(outcome.split(), times))
        self._statistics[DELETED] = self._job["statistics"][DELETED]

    def _note(self, reason: str, uri: str) -> None:
        self._failures.setdefault(reason, []).append(uri)

    def _tell(self) -> None:
        reasons = [_sentence(reason, uris) for reason, uris in self._failures.items()]
        changes: dict[str, Any] = {"statistics": dict(self._statistics)}
        if reasons:
            changes["failureReasons"] = reasons[:_REASONS]
        jobs.advance(self._store, self._job, "IN_PROGRESS", **changes)

    def _uri(self, key: str) -> str:
        return str(Place(self._bucket, key))


def _sentence(reason: str, uris: list[str]) -> str:
    """A reason with the files that it holds for, as many as there is room for."""
    room = _REASON_CHARACTERS - len(reason) - len(" [Files: , and 1,000,000 more]")
    named: list[str] = []
    for uri in uris:
        room -= len(uri) + 2
        if room < 0:
            break
        named.append(uri)
    more = f", and {len(uris) - len(named):,} more" if len(named) < len(uris) else ""
    return f"{reason} [Files: {', '.join(named)}{more}]"[:_REASON_CHARACTERS]
