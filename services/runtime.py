"""Calls to `bedrock-runtime`: Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

import urllib3.exceptions
from botocore import xform_name
from botocore.eventstream import EventStream
from botocore.exceptions import ReadTimeoutError, ResponseStreamingError
from botocore.response import StreamingBody

from services import backend, run_store
from services.clients import client, renew
from services.families import METRICS
from services.problems import Problem, from_exception
from services.recorder import Recorder
from services.runs import Call, Run

Json = dict[str, Any]

# The last chunk of a stream has Bedrock's counts. What a guardrail puts in a reply's place has none.
_LAST_CHUNK_MEMBERS = frozenset({METRICS, "amazon-bedrock-guardrailAction", "amazon-bedrock-trace"})


@dataclass(frozen=True)
class Opened:
    """A call that AWS accepted.

    `events` yields (event name, payload): the stream's events, or one ("response", answer). The body of an
    InvokeModel call, and each of its chunks, is parsed JSON; what is no JSON object stays as
    `{"bytes": ...}`. `metadata` is boto3's ResponseMetadata, `sent_at` a `time.perf_counter()`.

    `close` belongs to the thread that reads. `abort` may be called by any other: it ends a read that blocks,
    and does not block itself.
    """

    metadata: Json
    events: Iterator[tuple[str, Json]]
    sent_at: float
    close: Callable[[], None]
    abort: Callable[[], None]


def open_call(call: Call) -> Opened:
    """Make the call. Raises what boto3 raises. A local endpoint that is just being started is waited for.

    Expired credentials are read anew and the call is made once more: AWS refuses them before a model is
    asked, so nothing is billed twice. Nothing else is repeated.
    """
    if call.identity.backend == "local":
        backend.wait_while_starting()
    try:
        return _open(call)
    except Exception as error:
        if problem_of(error, call).action != "renew_credentials":
            raise
    return _open(replace(call, identity=renew(call.identity)))


def call_once(call: Call) -> Run:
    """Make the call and wait for its end. The run is stored; a failure is in its `problem`, never raised."""
    run = call_unstored(call)
    run_store.keep(run)
    return run


def call_unstored(call: Call) -> Run:
    """As `call_once`, for a caller that stores the run itself."""
    recorder, problem = Recorder(call), None
    try:
        opened = open_call(call)
        recorder.answered(opened.metadata, opened.sent_at)
        with closing(opened):
            for name, data in opened.events:
                recorder.add(name, data)
    except Exception as error:  # noqa: BLE001 (the caller gets a Run, whatever happened)
        problem = problem_of(error, call)
    recorder.end()
    return recorder.run("failed" if problem else "done", problem)


def problem_of(error: Exception, call: Call) -> Problem:
    """The problem behind an exception of this call."""
    return from_exception(
        error,
        operation=call.operation,
        model_id=call.model_id,
        identity=call.identity,
        attempt=call.attempt,
    )


def converse_request(
    model_id: str,
    messages: Sequence[Json],
    *,
    system: str = "",
    inference_config: Mapping[str, Any] | None = None,
    additional: Json | None = None,
) -> Json:
    """The keyword arguments of `converse` and `converse_stream`.

    Only what is given is in it: a parameter left out is not sent, which is not the same as 0. Messages go
    out verbatim, reasoning with its signature and redacted reasoning included: AWS refuses changed ones.
    """
    optional = {
        "system": [{"text": system}] if system.strip() else [],
        "inferenceConfig": dict(inference_config or {}),
        "additionalModelRequestFields": dict(additional or {}),
    }
    given = {name: value for name, value in optional.items() if value}
    return {"modelId": model_id, "messages": list(messages), **given}


def _open(call: Call) -> Opened:
    method = getattr(client(call.service, call.identity), xform_name(call.operation))
    request = dict(call.request)
    if isinstance(request.get("body"), dict | list):
        request["body"] = json.dumps(request["body"]).encode()
    sent_at = time.perf_counter()
    answer = method(**request)
    metadata = answer.pop("ResponseMetadata", {})
    source = next((v for v in answer.values() if isinstance(v, EventStream | StreamingBody)), None)
    if source is None:
        return Opened(metadata, iter([("response", answer)]), sent_at, _nothing, _nothing)
    read = _stream if isinstance(source, EventStream) else _body
    return Opened(metadata, read(source, call), sent_at, source.close, lambda: _abort(source))


def _body(body: StreamingBody, _call: Call) -> Iterator[tuple[str, Json]]:
    yield "response", _parsed(body.read())


def _stream(stream: EventStream, call: Call) -> Iterator[tuple[str, Json]]:
    """The events, until the stream ends as its operation says it must.

    botocore takes a connection that closes between two frames, or within one, for the end of the stream, and
    lets urllib3's errors through. Here both are botocore's own errors.
    """
    ended = False
    try:
        for event in stream:
            for name, data in event.items():
                payload = _parsed(data["bytes"]) if "bytes" in data else data
                ended = ended or _ends(call.operation, name, payload)
                yield name, payload
    except urllib3.exceptions.ReadTimeoutError as error:
        raise ReadTimeoutError(endpoint_url=error.url or call.service, error=error) from error
    except urllib3.exceptions.HTTPError as error:
        raise ResponseStreamingError(error=error) from error
    if not ended:
        raise ResponseStreamingError(error="the connection was closed before the reply was complete")


def _ends(operation: str, name: str, payload: Json) -> bool:
    """True for the event without which a reply is not whole."""
    if operation == "ConverseStream":
        return name == "messageStop"
    if operation == "InvokeModelWithResponseStream":
        return payload.get("type") == "message_stop" or not _LAST_CHUNK_MEMBERS.isdisjoint(payload)
    return True


def _parsed(data: bytes) -> Json:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {"bytes": data}
    return value if isinstance(value, dict) else {"bytes": data}


def _abort(source: EventStream | StreamingBody) -> None:
    """End a read that blocks in another thread. `close` would wait for that read, up to its time-out.

    urllib3's `HTTPResponse.shutdown` is made for this. botocore does not pass it on, so it is reached through
    a private member; where that is gone, the worker notices the stop with the next event or time-out.
    """
    shutdown = getattr(getattr(source, "_raw_stream", None), "shutdown", None)
    if shutdown:
        with suppress(OSError, RuntimeError, TypeError, ValueError):  # it ended at this very moment
            shutdown()


def _nothing() -> None:
    """There is nothing to close: the whole answer is here."""
