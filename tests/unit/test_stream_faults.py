"""What goes wrong on the wire: a real boto3 client against a server that breaks in every way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config

from services import clients
from services.clients import Identity
from services.runs import Call, Run
from services.runtime import call_once, converse_request
from services.streaming import ReplyStream
from tests.eventstream import frame, frames
from tests.scripted_server import Exchange, ScriptedServer

HALF: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "half a "}}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "sentence"}}},
]
REST: list[dict[str, Any]] = [
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {
        "metadata": {
            "usage": {"inputTokens": 4, "outputTokens": 2, "totalTokens": 6},
            "metrics": {"latencyMs": 12},
        }
    },
]


def call(identity: Identity, operation: str = "ConverseStream", prompt: str = "Hi") -> Call:
    messages = [{"role": "user", "content": [{"text": prompt}]}]
    return Call(
        operation=operation,
        request=converse_request("local.model", messages),
        identity=identity,
        model_id="local.model",
    )


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def finished(stream: ReplyStream) -> Run:
    until(lambda: stream.finished, 10)
    return stream.run()


def text_of(run: Run) -> str:
    content = run.response["output"]["message"]["content"] if run.response else []
    return "".join(block["text"] for block in content)


def test_a_whole_stream_over_http(server: ScriptedServer, identity: Identity) -> None:
    server.play_stream(*HALF, *REST)
    run = finished(ReplyStream(call(identity)))
    assert (run.state, text_of(run), run.stop_reason) == ("done", "half a sentence", "end_turn")
    assert run.request_id == "11111111-2222-3333-4444-555555555555"
    assert run.ttft_ms is not None
    assert 0 < run.ttft_ms <= run.latency_ms


def test_the_first_token_is_there_before_the_second_is_sent(
    server: ScriptedServer, identity: Identity
) -> None:
    """No buffer on the way may hold a token back."""
    go_on = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frames(HALF[:2]))
        assert go_on.wait(5)
        exchange.send(frames(HALF[2:] + REST))
        exchange.end()

    server.play(script)
    stream = ReplyStream(call(identity))
    assert next(next(stream.blocks()).follow()) == "half a "
    go_on.set()
    assert text_of(finished(stream)) == "half a sentence"


def _mid_frame(exchange: Exchange) -> None:
    exchange.start_stream()
    exchange.send(frames(HALF) + frame("messageStop", {"stopReason": "end_turn"})[:-5])
    exchange.end()


def _between_frames(exchange: Exchange) -> None:
    exchange.start_stream()
    exchange.send(frames(HALF))
    exchange.end()


def _cut(exchange: Exchange) -> None:
    exchange.start_stream()
    exchange.send(frames(HALF))
    exchange.cut()


def _garbage(exchange: Exchange) -> None:
    exchange.start_stream()
    exchange.send(frames(HALF) + b"this is not a frame, but long enough to look like one")
    exchange.end()


def _bad_checksum(exchange: Exchange) -> None:
    exchange.start_stream()
    bad = bytearray(frame("contentBlockDelta", HALF[1]["contentBlockDelta"]))
    bad[-1] ^= 0xFF
    exchange.send(frames(HALF) + bytes(bad))
    exchange.end()


def _error_frame(exchange: Exchange) -> None:
    exchange.start_stream()
    error = frame("modelStreamErrorException", {"message": "The model broke"}, "exception")
    exchange.send(frames(HALF) + error)
    exchange.end()


def _throttled_midway(exchange: Exchange) -> None:
    exchange.start_stream()
    error = frame("throttlingException", {"message": "Too many requests"}, "exception")
    exchange.send(frames(HALF) + error)
    exchange.end()


@pytest.mark.parametrize(
    "script", [_mid_frame, _between_frames, _cut, _garbage, _bad_checksum, _error_frame, _throttled_midway]
)
def test_a_stream_that_breaks_keeps_its_text_and_says_why(
    server: ScriptedServer, identity: Identity, script: Callable[[Exchange], None]
) -> None:
    """Partial text stays, marked as failed, and the call is not made again: it was billed."""
    server.play(script)
    stream = ReplyStream(call(identity))
    shown = "".join("".join(block.follow()) for block in stream.blocks())
    run = finished(stream)
    assert shown == text_of(run) == "half a sentence"
    assert run.state == "failed"
    assert run.problem is not None
    assert run.problem.kind not in ("", "unknown"), run.problem
    assert run.usage is None
    assert len(server.requests) == 1


def test_an_empty_stream_is_a_failure_with_nothing_in_it(server: ScriptedServer, identity: Identity) -> None:
    server.play_stream()
    run = finished(ReplyStream(call(identity)))
    assert (run.state, run.response, run.ttft_ms) == ("failed", None, None)
    assert run.problem is not None


def test_a_stream_without_usage_is_done_and_unpriced(server: ScriptedServer, identity: Identity) -> None:
    """Cut off after messageStop: the reply is whole, its cost is unknown, which is not 0."""
    server.play_stream(*HALF, *REST[:2])
    run = finished(ReplyStream(call(identity)))
    assert (run.state, run.usage, run.cost_usd) == ("done", None, None)


@pytest.mark.parametrize(
    ("status", "code", "message", "action"),
    [
        (429, "ThrottlingException", "Too many requests, please wait before trying again.", "retry"),
        (500, "InternalServerException", "Internal error", "retry"),
        (403, "AccessDeniedException", "You don't have access to the model.", None),
        (400, "ValidationException", "The provided model identifier is invalid.", "choose_model"),
    ],
)
@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
def test_a_refusal_is_a_problem_and_is_not_repeated(
    server: ScriptedServer,
    identity: Identity,
    operation: str,
    status: int,
    code: str,
    message: str,
    action: str | None,
) -> None:
    server.play(lambda exchange: exchange.error(status, code, message))
    run = finished(ReplyStream(call(identity, operation)))
    assert (run.state, run.response) == ("failed", None)
    assert run.problem is not None
    assert run.problem.code == code
    assert run.problem.message == message
    assert action is None or run.problem.action == action
    assert run.request_id == "11111111-2222-3333-4444-555555555555"
    assert len(server.requests) == 1


def test_expired_credentials_are_read_anew_and_the_call_is_made_once_more(
    server: ScriptedServer, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expired(exchange: Exchange) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDRENEWED")
        exchange.error(403, "ExpiredTokenException", "The security token included in the request is expired")

    def answer(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frames([*HALF, *REST]))
        exchange.end()

    server.play(expired, answer)
    run = finished(ReplyStream(call(identity)))
    assert (run.state, text_of(run)) == ("done", "half a sentence")
    keys = [
        exchange.headers["Authorization"].split("Credential=")[1].split("/")[0]
        for exchange in server.requests
    ]
    assert keys == ["AKIDEXAMPLE", "AKIDRENEWED"]


def test_credentials_that_stay_expired_are_tried_twice_and_no_more(
    server: ScriptedServer, identity: Identity
) -> None:
    server.play(lambda exchange: exchange.error(403, "ExpiredTokenException", "The token is expired"))
    run = finished(ReplyStream(call(identity)))
    assert run.problem is not None
    assert run.problem.action == "renew_credentials"
    assert len(server.requests) == 2


def test_credentials_that_expire_midway_are_not_tried_again(
    server: ScriptedServer, identity: Identity
) -> None:
    """Something was generated, so something was billed."""

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frames(HALF) + frame("expiredTokenException", {"message": "expired"}, "exception"))
        exchange.end()

    server.play(script)
    run = finished(ReplyStream(call(identity)))
    assert (run.state, text_of(run)) == ("failed", "half a sentence")
    assert len(server.requests) == 1


def test_stop_in_a_blocked_read_hangs_up_at_once(server: ScriptedServer, identity: Identity) -> None:
    """The worker sits in recv, the server is silent: Stop must reach it, so that it stops decoding."""
    hung_up: list[float] = []

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frames(HALF))
        if exchange.wait_for_hangup(5):
            hung_up.append(time.monotonic())

    server.play(script)
    stream = ReplyStream(call(identity))
    block = next(stream.blocks())
    until(lambda: block.text == "half a sentence")
    began = time.monotonic()
    stream.stop()
    assert time.monotonic() - began < 0.1, "stop never waits"
    until(lambda: hung_up and stream.finished)
    assert hung_up[0] - began < 0.5
    run = stream.run()
    assert (run.state, run.problem, text_of(run)) == ("stopped", None, "half a sentence")


def test_stop_while_the_first_byte_is_awaited(server: ScriptedServer, identity: Identity) -> None:
    """The pane is free at once; the connection is closed as soon as the server answers."""
    stopped, hung_up = threading.Event(), threading.Event()

    def script(exchange: Exchange) -> None:
        assert stopped.wait(5)
        exchange.start_stream()
        if exchange.wait_for_hangup(5):
            hung_up.set()

    server.play(script)
    stream = ReplyStream(call(identity))
    until(lambda: server.requests)
    began = time.monotonic()
    stream.stop()
    assert list(stream.blocks()) == []
    assert time.monotonic() - began < 0.2
    stopped.set()
    assert hung_up.wait(5)
    run = finished(stream)
    assert (run.state, run.response) == ("stopped", None)


def test_a_server_that_says_nothing_ends_as_a_problem(
    server: ScriptedServer, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first byte, and in the middle of a stream: the time-out tells, and nothing is repeated."""
    config = clients._config
    monkeypatch.setattr(
        clients, "_config", lambda service, who: config(service, who).merge(Config(read_timeout=0.3))
    )
    release = threading.Event()

    def midway(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frames(HALF))
        release.wait(5)

    def silent(exchange: Exchange) -> None:
        release.wait(5)

    server.play(silent, midway)
    first, second = finished(ReplyStream(call(identity))), finished(ReplyStream(call(identity)))
    release.set()
    for run, text in ((first, ""), (second, "half a sentence")):
        assert (run.state, text_of(run)) == ("failed", text)
        assert run.problem is not None
        assert run.problem.code == "ReadTimeoutError"
    assert len(server.requests) == 2


def test_no_server_at_all_is_a_problem(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    run = finished(ReplyStream(call(identity)))
    assert run.state == "failed"
    assert run.problem is not None
    assert run.problem.kind not in ("", "unknown")


@pytest.mark.parametrize("prompt", ["x" * 1_000_000, "null \x00 and \ud83d half an emoji", "\u202egnol"])
def test_strange_prompts_arrive_or_fail_with_a_problem(
    server: ScriptedServer, identity: Identity, prompt: str
) -> None:
    server.play_stream(*HALF, *REST)
    run = finished(ReplyStream(call(identity, prompt=prompt)))
    assert run.state in ("done", "failed")
    assert (run.problem is None) == (run.state == "done")
    assert run.call.request["messages"][0]["content"][0]["text"] == prompt


def test_null_characters_in_a_reply_are_kept(server: ScriptedServer, identity: Identity) -> None:
    server.play_stream({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "a\x00b"}}}, *REST)
    assert text_of(finished(ReplyStream(call(identity)))) == "a\x00b"


def test_call_once_stores_and_never_raises(
    server: ScriptedServer, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Run] = []
    monkeypatch.setattr("services.run_store.keep", kept.append)
    server.play_stream(*HALF, *REST)
    good = call_once(call(identity))
    server.play(lambda exchange: exchange.error(429, "ThrottlingException", "Too many requests"))
    bad = call_once(call(identity))
    assert kept == [good, bad]
    assert (good.state, bad.state) == ("done", "failed")
