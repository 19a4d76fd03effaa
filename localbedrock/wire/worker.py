"""What happens to a request in its thread: parsing, the handler, the answer or the events one by one."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localbedrock.asgi import Answer, ClientGoneError
from localbedrock.context import Context, GuardrailCheck, Inference
from localbedrock.errors import AwsError, internal, unavailable
from localbedrock.keys import ACCOUNT_ID
from localbedrock.store import Store
from localbedrock.wire.eventstream import CONTENT_TYPE, EventStreamWriter
from localbedrock.wire.exchange import Exchange, StreamHead
from localbedrock.wire.operations import Operation
from localbedrock.wire.request import Request
from localbedrock.wire.response import error_answer

if TYPE_CHECKING:
    from localbedrock.text.host import ModelHost

Report = Callable[[Inference | GuardrailCheck, str, str], None]
"""Takes an inference or a guardrail's check, the id of its request and its region; returns at once."""

_INFERENCE = frozenset({"Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One request of one operation, and the way back to its client."""

    operation: Operation
    request: Request
    exchange: Exchange
    request_id: str
    region: str


class Worker:
    """Does jobs, each in the thread that calls :meth:`run`."""

    def __init__(self, store: Store, models: ModelHost, report: Report) -> None:
        self._store = store
        self._models = models
        self._report = report
        self.stopping = False
        """Once set, what is still running ends as stopped, not as complete."""

    def run(self, job: Job) -> None:
        """From parsing to the last byte. Never raises: whatever goes wrong is the client's answer."""
        reports = _Reports(lambda inference: self._report(inference, job.request_id, job.region))
        params: dict[str, Any] = {}
        try:
            params = job.operation.request.parse(job.request)
            output = job.operation.handler(self._context(job, reports), params)
            if job.operation.stream is not None:
                self._stream(job, job.operation.stream, output)
                return
            self._check_running()
            answer = job.operation.response.answer(output, job.request_id)
            job.exchange.begin(_with_token_counts(answer, job.operation, reports.last))
        except Exception as error:  # noqa: BLE001 - a handler's fault must not cost the client its answer
            failure = _as_aws_error(error, job)
            reports.failed(job.operation, params or job.request.labels, failure)
            job.exchange.begin(error_answer(failure, job.request_id))

    def _context(self, job: Job, report: Callable[[Inference], None]) -> Context:
        cancelled = job.exchange.cancelled
        return Context(
            job.request_id,
            job.region,
            ACCOUNT_ID,
            self._store,
            self._models,
            cancelled,
            report,
            lambda check: self._report(check, job.request_id, job.region),
        )

    def _stream(self, job: Job, stream: EventStreamWriter, output: dict[str, Any]) -> None:
        status, headers = job.operation.response.head(output)
        events = job.operation.response.events(output)
        headers |= {"content-type": CONTENT_TYPE, "x-amzn-requestid": job.request_id}
        job.exchange.begin(StreamHead(status, headers))
        try:
            self._send(events, stream, job.exchange)
        except ClientGoneError:
            pass
        except Exception as error:  # noqa: BLE001 - as above: it ends the stream as an exception message
            with contextlib.suppress(ClientGoneError):
                job.exchange.put(stream.exception(_as_aws_error(error, job)))
        finally:
            job.exchange.end()

    def _send(self, events: Iterator[dict[str, Any]], stream: EventStreamWriter, exchange: Exchange) -> None:
        """Sends events as they come; the iterator is closed here, in the thread that pulled it."""
        try:
            for event in events:
                exchange.put(stream.event(event))
            self._check_running()
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def _check_running(self) -> None:
        if self.stopping:
            raise unavailable("The endpoint was stopped before the reply was complete.")


class _Reports:
    """``ctx.report`` of one request: passes inferences on and remembers the last one."""

    def __init__(self, send: Callable[[Inference], None]) -> None:
        self._send = send
        self.last: Inference | None = None

    def __call__(self, inference: Inference) -> None:
        self.last = inference
        self._send(inference)

    def failed(self, operation: Operation, params: Mapping[str, Any], error: AwsError) -> None:
        """Reports an inference that failed before its handler could."""
        if self.last is None and operation.name in _INFERENCE and "modelId" in params:
            self(Inference(str(params["modelId"]), operation.name, 0, 0, 0.0, None, {}, None, error))


def _as_aws_error(error: Exception, job: Job) -> AwsError:
    if isinstance(error, AwsError):
        return error
    # Where it happened, never what was in it: the text of an exception may hold a prompt.
    where, name = _last_frame(error), type(error).__name__
    _log.error("request %s: %s failed with %s at %s", job.request_id, job.operation.name, name, where)
    return internal()


def _last_frame(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"


def _with_token_counts(answer: Answer, operation: Operation, inference: Inference | None) -> Answer:
    """Bedrock counts InvokeModel's tokens in headers, as the bodies of some families do not."""
    if operation.name != "InvokeModel" or inference is None:
        return answer
    counts = {
        "x-amzn-bedrock-input-token-count": str(inference.input_tokens),
        "x-amzn-bedrock-output-token-count": str(inference.output_tokens),
        "x-amzn-bedrock-invocation-latency": str(round(inference.latency_ms)),
    }
    return Answer(answer.status, answer.body, answer.headers | counts)
