"""The wire between a real botocore client and handlers: answers, errors, streams, cancellation, fairness."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EventStreamError
from botocore.model import OperationNotFoundError

from localbedrock.context import Context, Handler, Inference
from localbedrock.errors import AwsError, model_error, model_stream_error, not_found, throttled, validation
from localbedrock.wire import dispatch
from tests.wire import KEY_ID, SECRET, RunningWire

MESSAGES = [{"role": "user", "content": [{"text": "a secret prompt"}]}]
DEADLINE = 10.0


def reply(text: str = "hi") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        "metrics": {"latencyMs": 1},
    }


def delta(text: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}


def serving(**handlers: Handler) -> RunningWire:
    return RunningWire({("bedrock-runtime", name): handler for name, handler in handlers.items()})


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.005)


def signed(wire: RunningWire, method: str, path: str, body: bytes = b"") -> tuple[str, bytes, dict[str, str]]:
    request = AWSRequest(method, wire.url + path, headers={"content-type": "application/json"}, data=body)
    SigV4Auth(Credentials(KEY_ID, SECRET), "bedrock", "us-east-1").add_auth(request)
    return path, body, dict(request.headers)


def post(wire: RunningWire, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=DEADLINE)
    try:
        target, content, headers = signed(wire, "POST", path, body)
        connection.request("POST", target, content, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_a_handler_gets_its_parameters_and_context_and_its_result_is_the_answer() -> None:
    seen: list[tuple[Context, dict[str, Any]]] = []

    def converse(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
        seen.append((ctx, params))
        return reply("ä 🎉")

    with serving(Converse=converse) as wire:
        answer = wire.client("bedrock-runtime").converse(modelId="a.b:0", messages=MESSAGES)
    assert answer["output"]["message"]["content"] == [{"text": "ä 🎉"}]
    ((ctx, params),) = seen
    assert params == {"modelId": "a.b:0", "messages": MESSAGES}
    assert ctx.request_id == answer["ResponseMetadata"]["RequestId"]
    assert (ctx.region, ctx.account_id) == ("us-east-1", "000000000000")
    assert ctx.store is wire.store


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (validation("It is wrong."), 400),
        (not_found("It is gone."), 404),
        (throttled("Too much."), 429),
        (model_error("It broke."), 424),
        (AwsError("ConflictException", "Twice."), 409),
    ],
)
def test_an_error_of_the_handler_is_the_clients_error(error: AwsError, status: int) -> None:
    def converse(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        raise error

    with serving(Converse=converse) as wire, pytest.raises(ClientError) as caught:
        wire.client("bedrock-runtime").converse(modelId="a.b", messages=MESSAGES)
    response: Any = caught.value.response
    assert response["Error"] == {"Code": error.code, "Message": error.message}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert response["ResponseMetadata"]["RequestId"]


def test_a_fault_of_the_handler_is_an_internal_error_without_stack_or_prompt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def converse(_ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError(f"could not handle {params}")

    with caplog.at_level(logging.DEBUG), serving(Converse=converse) as wire:
        status, headers, body = post(wire, "/model/a.b/converse", json.dumps({"messages": MESSAGES}).encode())
    assert status == 500
    assert headers["x-amzn-errortype"] == "InternalServerException"
    assert b"secret" not in body
    assert b"Traceback" not in body
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("localbedrock"))
    assert headers["x-amzn-requestid"] in ours
    assert "RuntimeError" in ours
    assert "secret" not in caplog.text


def test_an_answer_that_cannot_be_written_is_an_internal_error() -> None:
    with serving(Converse=lambda _ctx, _params: {"output": {1, 2}}) as wire:
        assert post(wire, "/model/a.b/converse", json.dumps({"messages": MESSAGES}).encode())[0] == 500


def test_a_stream_without_its_stream_is_an_internal_error() -> None:
    with serving(ConverseStream=lambda _ctx, _params: {}) as wire:
        assert post(wire, "/model/a.b/converse-stream", json.dumps({"messages": MESSAGES}).encode())[0] == 500


def test_an_operation_without_a_handler_says_so() -> None:
    with serving() as wire, pytest.raises(ClientError) as caught:
        wire.client("bedrock-agent").list_agents()
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert response["Error"]["Code"] == "UnknownOperationException"
    assert response["Error"]["Message"] == "The local endpoint does not offer ListAgents of bedrock-agent."


def test_a_path_that_no_operation_has_says_so() -> None:
    with serving() as wire:
        status, headers, _ = post(wire, "/nothing/here", b"")
    assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert headers["x-amzn-requestid"]


def test_a_handler_for_an_unknown_operation_is_refused_at_start() -> None:
    unused: Any = None
    with pytest.raises(OperationNotFoundError, match="Convers"):
        dispatch.Dispatcher(
            {("bedrock-runtime", "Convers"): lambda _ctx, _params: {}}, unused, unused, unused
        )


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b"\xff"])
def test_malformed_bodies_are_the_clients_fault(body: bytes) -> None:
    with serving(CountTokens=lambda _ctx, _params: {"inputTokens": 1}) as wire:
        status, headers, _ = post(wire, "/model/a.b/count-tokens", body)
    assert status == 400
    assert headers["x-amzn-errortype"] in {"SerializationException", "ValidationException"}


def test_token_counts_of_invoke_model_stand_in_headers() -> None:
    def invoke(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        ctx.report(Inference("a.b", "InvokeModel", 7, 9, 12.6, None, b"{}", b"{}"))
        return {"body": b"{}", "contentType": "application/json"}

    with serving(InvokeModel=invoke) as wire:
        answer = wire.client("bedrock-runtime").invoke_model(modelId="a.b", body=b"{}")
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert answer["body"].read() == b"{}"
    assert headers["x-amzn-bedrock-input-token-count"] == "7"
    assert headers["x-amzn-bedrock-output-token-count"] == "9"
    assert headers["x-amzn-bedrock-invocation-latency"] == "13"


def test_reports_carry_request_and_region_and_early_failures_are_reported_too() -> None:
    def converse(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        raise not_found("No such model.")

    with serving(Converse=converse) as wire:
        client = wire.client("bedrock-runtime")
        for request in ({"messages": MESSAGES}, {"messages": [{"role": "robot", "content": []}]}):
            with pytest.raises(ClientError):
                client.converse(modelId="a.b", **request)
    assert [(r[0].model_id, r[0].operation, r[2]) for r in wire.reports] == [
        ("a.b", "Converse", "us-east-1")
    ] * 2
    errors = [report[0].error for report in wire.reports]
    assert [error.code for error in errors if error] == ["ResourceNotFoundException", "ValidationException"]


# Streams


def test_each_event_leaves_at_once() -> None:
    """The handler makes its next event only after the client has read the last one."""
    read = threading.Semaphore(0)

    def stream(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        def events() -> Iterator[dict[str, Any]]:
            yield {"messageStart": {"role": "assistant"}}
            for n in range(5):
                assert read.acquire(timeout=DEADLINE), "the client did not get the event before"
                yield delta(str(n))

        return {"stream": events()}

    with serving(ConverseStream=stream) as wire:
        answer = wire.client("bedrock-runtime").converse_stream(modelId="a.b", messages=MESSAGES)
        texts = []
        for event in answer["stream"]:
            texts += [event["contentBlockDelta"]["delta"]["text"]] if "contentBlockDelta" in event else []
            read.release()
    assert texts == ["0", "1", "2", "3", "4"]


def test_an_error_before_the_stream_is_an_http_error() -> None:
    def stream(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        raise validation("Not like this.")

    with serving(ConverseStream=stream) as wire, pytest.raises(ClientError) as caught:
        wire.client("bedrock-runtime").converse_stream(modelId="a.b", messages=MESSAGES)
    assert not isinstance(caught.value, EventStreamError)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (model_stream_error("It broke."), "modelStreamErrorException"),
        (throttled("Slow down."), "throttlingException"),
        (RuntimeError("a secret prompt"), "internalServerException"),
    ],
)
def test_an_error_inside_the_stream_ends_it_as_an_exception(error: Exception, code: str) -> None:
    def stream(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        def events() -> Iterator[dict[str, Any]]:
            yield delta("partial")
            raise error

        return {"stream": events()}

    with serving(ConverseStream=stream) as wire:
        answer = wire.client("bedrock-runtime").converse_stream(modelId="a.b", messages=MESSAGES)
        with closing(answer["stream"]) as events:
            assert next(iter(events)) == delta("partial")
            with pytest.raises(EventStreamError) as caught:
                next(iter(events))
    response: Any = caught.value.response
    assert response["Error"]["Code"] == code
    assert "secret" not in response["Error"]["Message"]


def test_fifty_streams_run_side_by_side() -> None:
    """All of them are open at the same time: none waits for another to end."""
    together = threading.Barrier(50)

    def stream(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        def events() -> Iterator[dict[str, Any]]:
            together.wait(DEADLINE)
            yield delta("x")

        return {"stream": events()}

    def read(client: Any, results: list[Any]) -> None:
        answer = client.converse_stream(modelId="a.b", messages=MESSAGES)
        results.extend(answer["stream"])

    results: list[Any] = []
    with serving(ConverseStream=stream) as wire:
        client = wire.client("bedrock-runtime", max_pool_connections=50)
        threads = [threading.Thread(target=read, args=(client, results)) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
    assert results == [delta("x")] * 50


def test_what_is_too_much_at_once_is_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MAX_CONCURRENT", 1)
    entered, leave = threading.Event(), threading.Event()

    def converse(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        entered.set()
        leave.wait(DEADLINE)
        return reply()

    with serving(Converse=converse) as wire:
        client = wire.client("bedrock-runtime")
        first = threading.Thread(target=client.converse, kwargs={"modelId": "a.b", "messages": MESSAGES})
        first.start()
        assert entered.wait(DEADLINE)
        with pytest.raises(client.exceptions.ThrottlingException):
            client.converse(modelId="a.b", messages=MESSAGES)
        leave.set()
        first.join(DEADLINE)


def test_a_client_that_does_not_read_slows_its_handler_down() -> None:
    made = 0

    def stream(_ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        def events() -> Iterator[dict[str, Any]]:
            nonlocal made
            while made < 20_000:
                made += 1
                yield delta("x" * 10_000)

        return {"stream": events()}

    with serving(ConverseStream=stream) as wire:
        answer = wire.client("bedrock-runtime").converse_stream(modelId="a.b", messages=MESSAGES)
        events = iter(answer["stream"])
        next(events)
        stalled = -1
        while made != stalled:  # until nothing moves any more
            stalled = made
            threading.Event().wait(0.2)
        assert stalled < 5_000, "200 MB were made for a client that read 10 kB"
        answer["stream"].close()


# Clients that go away


def test_a_client_that_leaves_a_stream_stops_the_handler() -> None:
    closed_in: list[str] = []
    context: list[Context] = []

    def stream(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        context.append(ctx)

        def events() -> Iterator[dict[str, Any]]:
            pulled_in = threading.current_thread().name
            try:
                while True:
                    yield delta("x")
                    ctx.cancelled.wait(0.005)
            finally:
                closed_in.append(f"{pulled_in} {threading.current_thread().name}")

        return {"stream": events()}

    with serving(ConverseStream=stream) as wire:
        answer = wire.client("bedrock-runtime").converse_stream(modelId="a.b", messages=MESSAGES)
        next(iter(answer["stream"]))
        answer["stream"].close()
        assert context[0].cancelled.wait(DEADLINE)
        until(lambda: bool(closed_in))
    pulled, closed = closed_in[0].split()
    assert pulled == closed, "the iterator was not closed in its own thread"


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
def test_a_client_that_leaves_is_noticed_while_nothing_is_sent(operation: str) -> None:
    """The handler is still computing: no answer, no first event."""
    entered, noticed = threading.Event(), threading.Event()

    def compute(ctx: Context) -> None:
        entered.set()
        if ctx.cancelled.wait(DEADLINE):
            noticed.set()

    def converse(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        compute(ctx)
        return reply()

    def stream(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        def events() -> Iterator[dict[str, Any]]:
            compute(ctx)
            yield delta("x")

        return {"stream": events()}

    with serving(Converse=converse, ConverseStream=stream) as wire:
        verb = "converse" if operation == "Converse" else "converse-stream"
        path, body, headers = signed(
            wire, "POST", f"/model/a.b/{verb}", json.dumps({"messages": MESSAGES}).encode()
        )
        connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=DEADLINE)
        connection.request("POST", path, body, headers)
        assert entered.wait(DEADLINE)
        connection.close()
        assert noticed.wait(2), "the handler was not told within two seconds"


def test_a_stop_of_the_endpoint_is_no_answer_cut_short() -> None:
    """A handler that gives up because of the stop returns what it has: its client must not take it for a
    reply.
    """
    entered = threading.Event()

    def converse(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        entered.set()
        ctx.cancelled.wait(DEADLINE)
        return reply("half a sent")

    with serving(Converse=converse) as wire:
        client, failures = wire.client("bedrock-runtime"), list[ClientError]()

        def call() -> None:
            with pytest.raises(ClientError) as caught:
                client.converse(modelId="a.b", messages=MESSAGES)
            failures.append(caught.value)

        calling = threading.Thread(target=call)
        calling.start()
        assert entered.wait(DEADLINE)
        wire.dispatcher.stop()
        calling.join(DEADLINE)
    assert "ServiceUnavailableException" in str(failures)


def test_a_stop_of_the_endpoint_ends_streams_with_an_exception() -> None:
    def stream(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
        def events() -> Iterator[dict[str, Any]]:
            while not ctx.cancelled.is_set():
                yield delta("x")
                ctx.cancelled.wait(0.005)

        return {"stream": events()}

    with serving(ConverseStream=stream) as wire:
        answer = wire.client("bedrock-runtime").converse_stream(modelId="a.b", messages=MESSAGES)
        with closing(answer["stream"]) as events:
            next(iter(events))
            wire.dispatcher.stop()
            with pytest.raises(EventStreamError, match="serviceUnavailableException"):
                list(events)
