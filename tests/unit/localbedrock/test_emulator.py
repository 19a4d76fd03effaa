"""The seam to the services around Bedrock: what reaches the app behind it, and what comes back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any

import pytest

from localbedrock.asgi import Answer, App, Receive, Scope, Send, ask
from localbedrock.emulator import Call, Emulator, json_call
from localbedrock.sigv4 import Claim


def answering(seen: list[Scope], *, lifespan: bool = True) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        if scope["type"] == "lifespan":
            if not lifespan:
                raise NotImplementedError
            for phase in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{phase}"
                await send({"type": f"lifespan.{phase}.complete"})
            return
        body = (await receive())["body"]
        headers = [(b"content-type", b"x"), (b"Access-Control-Allow-Origin", b"*"), (b"date", b"never")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})

    return app


def request(service: str, **more: Any) -> Scope:
    claim = Claim("AKIA", "us-east-1", service, (), "", "", more.pop("expires_s", None))
    return {
        "type": "http",
        "method": "POST",
        "query_string": b"",
        "headers": [],
        "request_id": "request-1",
        "aws": claim,
    } | more


def run(work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    return asyncio.run(work())


def test_a_request_reaches_the_app_and_its_answer_comes_back_without_cors() -> None:
    seen: list[Scope] = []
    answer = run(lambda: ask(Emulator(answering(seen)), request("s3"), b"body"))
    assert answer == Answer(200, b"body!", {"content-type": "x"})


def test_a_service_that_is_not_offered_gets_a_sentence_its_sdk_can_read() -> None:
    seen: list[Scope] = []
    target = (b"x-amz-target", b"AWSInsightsIndexService.GetCostAndUsage")
    emulator = Emulator(answering(seen), frozenset({"s3"}))
    answer = run(lambda: ask(emulator, request("ce", headers=[target]), b"{}"))
    assert answer.status == 404
    assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"
    assert b"does not offer the service ce" in answer.body
    assert not seen


@pytest.mark.parametrize("service", ["bedrock", "bedrock-runtime", "bedrock-agentcore"])
def test_nothing_of_bedrock_ever_reaches_the_app(service: str) -> None:
    seen: list[Scope] = []
    assert run(lambda: ask(Emulator(answering(seen)), request(service), b"")).status == 404
    assert not seen


def test_without_an_app_everything_is_refused() -> None:
    emulator = Emulator.load("none")
    answer = run(lambda: ask(emulator, request("s3"), b""))
    assert answer.status == 501
    assert b"<Code>NotImplemented</Code>" in answer.body
    assert b"runs without an emulator" in answer.body
    assert not emulator.present


def test_a_presigned_url_arrives_as_a_request_with_a_header() -> None:
    seen: list[Scope] = []
    query = b"X-Amz-Algorithm=a&X-Amz-Signature=b&versionId=7&X-Amz-Expires=60&x-amz-acl=private"
    run(lambda: ask(Emulator(answering(seen)), request("s3", query_string=query, expires_s=60), b""))
    assert seen[0]["query_string"] == b"versionId=7&x-amz-acl=private"
    assert dict(seen[0]["headers"])[b"authorization"].startswith(b"AWS4-HMAC-SHA256 Credential=AKIA/")


def test_an_old_presigned_url_cannot_be_extended_to_another_service() -> None:
    """Its signature does not cover its query string: what was added to it must not change who is asked."""
    seen: list[Scope] = []
    query = b"AWSAccessKeyId=AKIA&Signature=x&Expires=9&Action=CreateUser"
    run(lambda: ask(Emulator(answering(seen)), request("s3", query_string=query, expires_s=0), b""))
    assert b"AWSAccessKeyId" not in seen[0]["query_string"]
    assert b"/us-east-1/s3/aws4_request" in dict(seen[0]["headers"])[b"authorization"]


def test_calls_from_inside_name_service_and_region() -> None:
    seen: list[Scope] = []
    call = json_call("logs", "eu-west-1", "Logs_20140328.PutLogEvents", {"a": 1})
    answer = run(lambda: Emulator(answering(seen)).call(call))
    assert answer.body == b'{"a": 1}!'
    headers = dict(seen[0]["headers"])
    assert b"/eu-west-1/logs/aws4_request" in headers[b"authorization"]
    assert headers[b"x-amz-target"] == b"Logs_20140328.PutLogEvents"


def test_calls_from_inside_to_a_missing_service_fail() -> None:
    call = Call("ce", "us-east-1", "GET", "/", {}, b"")
    with pytest.raises(LookupError, match="ce"):
        run(lambda: Emulator(answering([]), frozenset()).call(call))


@pytest.mark.parametrize("lifespan", [True, False])
def test_the_apps_lifespan_is_run_where_it_has_one(lifespan: bool) -> None:
    seen: list[Scope] = []

    async def live() -> None:
        emulator = Emulator(answering(seen, lifespan=lifespan))
        await emulator.start()
        await emulator.stop()

    asyncio.run(asyncio.wait_for(live(), 5))
    assert [scope["type"] for scope in seen] == ["lifespan"]


def test_a_start_that_fails_is_an_error() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no disk"})

    with pytest.raises(RuntimeError, match="no disk"):
        asyncio.run(Emulator(app).start())


def test_the_app_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("another_emulator")
    module.application = answering([])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "another_emulator", module)
    emulator = Emulator.load("another_emulator:application")
    assert run(lambda: ask(emulator, request("ce"), b"x")).status == 200
