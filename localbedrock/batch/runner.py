"""Runs batch inference jobs in a thread of its own: one job and one record at a time.

So a job takes one of the places at the model, and calls from outside find the others free. A job that was
running when the endpoint stopped is run again from its first record.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from localbedrock.batch import jobs, records
from localbedrock.batch.jobs import Job
from localbedrock.batch.records import Counts, InputError, Record
from localbedrock.context import Context, Inference
from localbedrock.errors import AwsError, internal
from localbedrock.job_thread import JobThread
from localbedrock.keys import ACCOUNT_ID
from localbedrock.runtime import HANDLERS
from localbedrock.s3 import S3, Deliver, Place, S3Error
from localbedrock.store import Store
from localbedrock.wire.operations import Operation
from localbedrock.wire.parse import Readers
from localbedrock.wire.request import Request
from localbedrock.wire.response import Writers
from localbedrock.wire.routing import load_services

if TYPE_CHECKING:
    from localbedrock.text.host import ModelHost

_RUNTIME = "bedrock-runtime"

_MESSAGE_CHARACTERS = 2048
"""The most that GetModelInvocationJob may say."""

_log = logging.getLogger(__name__)


class Runner:
    """The queue's worker; the queue is the store."""

    def __init__(self, store: Store, models: ModelHost, deliver: Deliver) -> None:
        self._store = store
        self._models = models
        self._deliver = deliver
        self._operations: dict[str, Operation] = {}
        self._thread = JobThread("batch", self._take, self._stopping)
        self._thread.start()

    def wake(self) -> None:
        """A job was made or is to be stopped."""
        self._thread.wake()

    def stop(self, seconds: float) -> None:
        """Ends the thread, waiting at most this long; a running job stays as it is for the next start."""
        self._thread.stop(seconds)

    def _stopping(self, job_id: str) -> bool:
        job = self._store.get(jobs.KIND, job_id)
        return job is not None and job["status"] == "Stopping"

    def _take(self) -> bool:
        """Runs the job that waits longest; False if none does."""
        job = jobs.waiting(self._store)
        if job is None:
            return False
        self._thread.begin(jobs.id_of(job))
        try:
            self._work(job)
        except (InputError, S3Error) as error:
            jobs.advance(self._store, job, "Failed", message=str(error)[:_MESSAGE_CHARACTERS])
        except Exception as error:  # noqa: BLE001 - one job's fault must not end the queue
            if not self._thread.closing.is_set():
                _log.error("batch job %s failed with %s", jobs.id_of(job), type(error).__name__)
                jobs.advance(self._store, job, "Failed", message=internal().message)
        return True

    def _work(self, job: Job) -> None:
        expires = datetime.fromisoformat(job["jobExpirationTime"])
        if job["status"] == "Stopping":
            jobs.advance(self._store, job, "Stopped")
            return
        if datetime.now(UTC) > expires:
            jobs.advance(self._store, job, "Expired", message="The job did not begin before its timeout.")
            return
        region = str(job["jobArn"]).split(":")[3]
        s3 = S3(self._deliver, region)
        jobs.advance(self._store, job, "Validating")
        source = Place.of(job["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])
        target = Place.of(job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])
        s3.check_bucket(target)
        files = records.read(s3.files(source))
        counts = Counts(totalRecordCount=sum(map(len, files.values())))
        if not counts.totalRecordCount:
            raise InputError(f"There are no records in .jsonl files at {source}.")
        jobs.advance(self._store, job, "Scheduled", **counts.of_job())
        jobs.advance(self._store, job, "InProgress")
        folder = target.under(jobs.id_of(job))
        end = self._answer_all(
            job, files, counts, expires, lambda name, data: s3.put(folder.under(name), data)
        )
        if end:
            jobs.advance(self._store, job, end, **counts.of_job())

    def _answer_all(
        self,
        job: Job,
        files: dict[str, list[Record]],
        counts: Counts,
        expires: datetime,
        write: Callable[[str, bytes], None],
    ) -> str:
        """Answers record after record and writes the results; the status in which the job ends.

        Empty if the endpoint is stopping: then nothing is written, and the job stays in progress.
        """
        end = "Completed"
        for name, lines in files.items():
            written = []
            for record in lines:
                end = self._end_of(job, expires)
                if end != "Completed":
                    break
                line = self._answer(job, record, counts)
                if line is not None:
                    written.append(line)
                    jobs.advance(self._store, job, "InProgress", **counts.of_job())
            if self._thread.closing.is_set():
                return ""
            if written:
                write(f"{name}.out", "".join(line + "\n" for line in written).encode())
        # A stop that came with the last record has cut it off.
        end = self._end_of(job, expires) if counts.processedRecordCount < counts.totalRecordCount else end
        write("manifest.json.out", counts.manifest())
        return end

    def _end_of(self, job: Job, expires: datetime) -> str:
        """How the job would end now."""
        current = self._store.get(jobs.KIND, jobs.id_of(job)) or job
        if current["status"] == "Stopping" or self._thread.closing.is_set():
            return "Stopped"
        return "PartiallyCompleted" if datetime.now(UTC) > expires else "Completed"

    def _answer(self, job: Job, record: Record, counts: Counts) -> str | None:
        """The output line of a record; None if it was cut off."""
        inferences: list[Inference] = []
        try:
            output = self._ask(job, record, inferences.append)
            line = records.answered(record, output)
            counts.successRecordCount += 1
        except Exception as error:  # noqa: BLE001 - one record's fault must not end the job
            if self._thread.ends.is_set():
                return None
            line = records.failed(record, error if isinstance(error, AwsError) else internal())
            counts.errorRecordCount += 1
        counts.processedRecordCount += 1
        counts.inputTokenCount += sum(inference.input_tokens for inference in inferences)
        counts.outputTokenCount += sum(inference.output_tokens for inference in inferences)
        return line

    def _ask(self, job: Job, record: Record, report: Callable[[Inference], None]) -> Any:
        """What the operation of the job's type answers to the record as its body."""
        operation = self._operation(job["modelInvocationType"])
        region = str(job["jobArn"]).split(":")[3]
        request_id = str(uuid4())
        ctx = Context(request_id, region, ACCOUNT_ID, self._store, self._models, self._thread.ends, report)
        body = json.dumps(record.model_input).encode()
        headers = {"content-type": "application/json"}
        params = operation.request.parse(Request({"modelId": job["modelId"]}, "", headers, body))
        output = operation.handler(ctx, params)
        return json.loads(operation.response.answer(output, request_id).body)

    def _operation(self, name: str) -> Operation:
        if name not in self._operations:
            model = load_services((_RUNTIME,))[_RUNTIME].operation_model(name)
            self._operations[name] = Operation(model, HANDLERS[_RUNTIME, name], Readers(), Writers())
        return self._operations[name]
