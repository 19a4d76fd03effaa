"""Works on ingestion jobs, and on documents that calls add and delete, in a thread of its own: one at a time.

The queue is what is stored, so what a stop of the endpoint has interrupted is taken up again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import uuid4

from localbedrock.context import Context
from localbedrock.errors import AwsError, internal
from localbedrock.job_thread import JobThread
from localbedrock.keys import ACCOUNT_ID
from localbedrock.knowledge import bases, data_sources, direct, jobs
from localbedrock.knowledge.document_states import Change, State
from localbedrock.knowledge.host import Host
from localbedrock.knowledge.jobs import Job
from localbedrock.knowledge.sync import Sync
from localbedrock.s3 import S3Error
from localbedrock.store import Store

if TYPE_CHECKING:
    from localbedrock.text.host import ModelHost

_log = logging.getLogger(__name__)


class Runner:
    """The worker; ``host.wake`` wakes it."""

    def __init__(self, store: Store, models: ModelHost, host: Host) -> None:
        self._store = store
        self._models = models
        self._host = host
        self._thread = JobThread("ingestion", self._work, self._stopping)
        host.wake = self._thread.wake
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ends the thread, waiting at most this long; a running job stays as it is for the next start."""
        self._thread.stop(seconds)

    def _stopping(self, job_id: str) -> bool:
        job = self._store.get(jobs.KIND, job_id)
        return job is not None and job["status"] == "STOPPING"

    def _work(self) -> bool:
        """Does what waits longest, documents first; False if nothing waits."""
        state = self._host.documents.asked()
        if state is not None:
            self._do_document(state)
            return True
        job = jobs.waiting(self._store)
        if job is not None:
            self._do_job(job)
        return job is not None

    def _do_document(self, state: State) -> None:
        try:
            source = self._store.get(data_sources.KIND, state.data_source_id)
            direct.work(self._host, self._context(source["knowledgeBaseId"] if source else ""), state)
        except Exception as error:  # noqa: BLE001 - one document's fault must not end the queue
            if self._thread.closing.is_set():
                return
            _log.error("a document could not be worked on: %s", type(error).__name__)
            self._host.documents.done(state, Change(state.document_id, "FAILED", internal().message))

    def _do_job(self, job: Job) -> None:
        self._thread.begin(job["ingestionJobId"])
        try:
            end, reasons = self._sync(job), []
        except (S3Error, AwsError) as error:
            end, reasons = "FAILED", [error.message if isinstance(error, AwsError) else str(error)]
        except Exception as error:  # noqa: BLE001 - one job's fault must not end the queue
            if self._thread.closing.is_set():
                return
            _log.error("ingestion job %s failed with %s", job["ingestionJobId"], type(error).__name__)
            end, reasons = "FAILED", [internal().message]
        if not self._thread.closing.is_set():
            jobs.end(self._store, job, end, reasons)

    def _sync(self, job: Job) -> str:
        """Runs a job; the status in which it ends."""
        ends = self._thread.ends
        if not ends.is_set():
            ctx = self._context(job["knowledgeBaseId"])
            source = data_sources.find(ctx, job["knowledgeBaseId"], job["dataSourceId"])
            Sync(self._host, ctx, job, source, ends.is_set).run()
        return "STOPPED" if ends.is_set() else "COMPLETE"

    def _context(self, knowledge_base_id: str) -> Context:
        base = self._store.get(bases.KIND, knowledge_base_id)
        region = str(base["knowledgeBaseArn"]).split(":")[3] if base else ""
        return Context(
            str(uuid4()),
            region,
            ACCOUNT_ID,
            self._store,
            self._models,
            self._thread.closing,
            lambda _inference: None,
        )
