"""Who may pass: only this machine, only with the key, never a web page; and what everybody else is told."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.auth
import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localbedrock import guard as guard_module
from localbedrock.asgi import Message, Receive, Scope, Send
from localbedrock.guard import Guard
from tests.wire import KEY_ID, SECRET, RunningWire

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}).encode()
PATH = "/model/a.b%3A0/converse"
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    "metrics": {"latencyMs": 1},
}


@pytest.fixture(scope="module")
def wire() -> Iterator[RunningWire]:
    with RunningWire({("bedrock-runtime", "Converse"): lambda _ctx, _params: ANSWER}) as running:
        yield running


def send(
    wire: RunningWire, headers: dict[str, str], *, body: bytes = BODY, path: str = PATH, method: str = "POST"
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def signed(
    wire: RunningWire,
    *,
    key_id: str = KEY_ID,
    secret: str = SECRET,
    body: bytes = BODY,
    path: str = PATH,
    region: str = "us-east-1",
    extra: dict[str, str] | None = None,
) -> dict[str, str]:
    request = AWSRequest(
        "POST", wire.url + path, headers={"content-type": "application/json"} | (extra or {}), data=body
    )
    SigV4Auth(Credentials(key_id, secret), "bedrock", region).add_auth(request)
    return dict(request.headers)


def code(answer: tuple[int, dict[str, str], bytes]) -> str:
    status, headers, _ = answer
    assert status == 403
    assert headers["x-amzn-requestid"]
    return headers["x-amzn-errortype"]


def at(monkeypatch: pytest.MonkeyPatch, offset: timedelta) -> None:
    moment = datetime.now(UTC) + offset
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: moment)


def test_a_signed_request_passes(wire: RunningWire) -> None:
    assert send(wire, signed(wire))[0] == 200


@pytest.mark.parametrize("region", ["us-west-2", "eu-central-1"])
def test_any_region_passes(wire: RunningWire, region: str) -> None:
    assert send(wire, signed(wire, region=region))[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/model/a.b:0/converse", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fa.bc/converse"],
)
def test_paths_pass_in_every_encoding(wire: RunningWire, path: str) -> None:
    assert send(wire, signed(wire, path=path), path=path)[0] == 200


def test_an_unsigned_request_is_refused(wire: RunningWire) -> None:
    answer = send(wire, {"content-type": "application/json"})
    assert code(answer) == "MissingAuthenticationTokenException"
    assert json.loads(answer[2]) == {"message": "Missing Authentication Token"}


def test_an_unknown_key_is_refused(wire: RunningWire) -> None:
    answer = send(wire, signed(wire, key_id="AKIAUNKNOWNUNKNOWN00"))
    assert code(answer) == "UnrecognizedClientException"
    assert json.loads(answer[2])["message"] == "The security token included in the request is invalid."


def test_a_wrong_secret_is_refused(wire: RunningWire) -> None:
    assert code(send(wire, signed(wire, secret="guessed"))) == "InvalidSignatureException"


def test_a_body_that_was_changed_is_refused(wire: RunningWire) -> None:
    assert code(send(wire, signed(wire), body=BODY.replace(b"hi", b"ho"))) == "InvalidSignatureException"


def test_a_body_that_differs_from_its_declared_digest_is_refused(wire: RunningWire) -> None:
    headers = signed(wire, extra={"x-amz-content-sha256": "0" * 64})
    assert code(send(wire, headers)) == "InvalidSignatureException"


def test_only_s3_may_leave_its_body_unsigned(wire: RunningWire) -> None:
    headers = signed(wire, extra={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    assert code(send(wire, headers)) == "InvalidSignatureException"


def test_a_path_query_or_header_that_was_changed_is_refused(wire: RunningWire) -> None:
    headers = signed(wire)
    assert code(send(wire, headers, path=PATH.replace("a.b", "a.c"))) == "InvalidSignatureException"
    assert code(send(wire, headers, path=PATH + "?x=1")) == "InvalidSignatureException"
    assert code(send(wire, headers | {"content-type": "text/plain"})) == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_that_is_a_little_off_passes(
    wire: RunningWire, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    at(monkeypatch, timedelta(minutes=minutes))
    assert send(wire, signed(wire))[0] == 200


@pytest.mark.parametrize(
    ("minutes", "words"), [(-6, "Signature expired: "), (6, "Signature not yet current: ")]
)
def test_a_clock_that_is_far_off_is_refused(
    wire: RunningWire, monkeypatch: pytest.MonkeyPatch, minutes: int, words: str
) -> None:
    at(monkeypatch, timedelta(minutes=minutes))
    answer = send(wire, signed(wire))
    assert code(answer) == "InvalidSignatureException"
    assert json.loads(answer[2])["message"].startswith(words)


def test_a_date_header_serves_as_well(wire: RunningWire) -> None:
    assert send(wire, signed(wire, extra={"Date": "will be replaced"}))[0] == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 nonsense",
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/x, SignedHeaders=host, Signature=0",
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/us-east-1/bedrock/aws4_request, Signature=ä",
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host",
        f"AWS4-HMAC-SHA256 Credential={KEY_ID}/x/y/bedrock/aws4_request,SignedHeaders=host,Signature=ä",
        "AWS AKIA:signature",
        "AWS4-ECDSA-P256-SHA256 Credential=x",
        "Basic dXNlcjpwYXNz",
        "Bearer",
        "=,=,=",
    ],
)
def test_a_malformed_authorization_is_refused_whatever_it_is(wire: RunningWire, authorization: str) -> None:
    headers = {"authorization": authorization.encode("latin-1").decode("latin-1"), "x-amz-date": "x"}
    assert send(wire, headers)[0] == 403


def test_a_malformed_date_is_refused(wire: RunningWire) -> None:
    headers = signed(wire)
    for date in ("", "yesterday", "20260101T000000Z", "99999999T999999Z"):
        assert send(wire, headers | {"X-Amz-Date": date})[0] == 403


def test_a_signature_that_leaves_out_the_host_is_refused(wire: RunningWire) -> None:
    headers = signed(wire)
    headers["Authorization"] = headers["Authorization"].replace(";host;", ";")
    assert code(send(wire, headers)) == "IncompleteSignatureException"


def test_a_bearer_token_is_refused(wire: RunningWire) -> None:
    answer = send(wire, {"authorization": "Bearer bedrock-api-key-abc"})
    assert code(answer) == "AccessDeniedException"
    assert "API Key" in json.loads(answer[2])["message"]


# Web pages


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8501"])
def test_an_origin_is_refused_even_signed(wire: RunningWire, origin: str) -> None:
    answer = send(wire, signed(wire) | {"Origin": origin})
    assert code(answer) == "AccessDeniedException"
    assert not [name for name in answer[1] if name.startswith("access-control-")]


def test_a_preflight_is_refused(wire: RunningWire) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = send(wire, headers, method="OPTIONS", body=b"")
    assert answer[0] == 403
    assert not [name for name in answer[1] if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:1", "[::1]:80", ""]
)
def test_a_foreign_host_is_refused_even_signed(wire: RunningWire, host: str) -> None:
    request = AWSRequest("POST", wire.url + PATH, headers={"host": host}, data=BODY)
    SigV4Auth(Credentials(KEY_ID, SECRET), "bedrock", "us-east-1").add_auth(request)
    assert send(wire, dict(request.headers) | {"host": host})[0] == 403


def test_localhost_is_a_name_of_ours(wire: RunningWire) -> None:
    request = AWSRequest("POST", f"http://localhost:{wire.port}{PATH}", data=BODY)
    SigV4Auth(Credentials(KEY_ID, SECRET), "bedrock", "us-east-1").add_auth(request)
    assert send(wire, dict(request.headers) | {"host": f"localhost:{wire.port}"})[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/_ministack/reset",
        "/_ministack/health",
        "/_localstack/health",
        "/health",
        "/_aws/x",
        "/%5Fministack/reset",
    ],
)
def test_control_paths_of_the_emulator_are_refused_even_signed(wire: RunningWire, path: str) -> None:
    assert send(wire, signed(wire, path=path), path=path)[0] == 403


def test_another_machine_is_refused() -> None:
    async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("it was let through")

    sent: list[Message] = []

    async def ask() -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def collect(message: Message) -> None:
            sent.append(message)

        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1")],
            "client": ("192.168.0.7", 1),
        }
        await Guard(never, {}, is_bedrock=lambda *_: False)(scope, receive, collect)

    asyncio.run(ask())
    assert sent[0]["status"] == 403


# Bodies


def test_a_body_over_the_limit_is_refused_with_a_sentence(
    wire: RunningWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "BEDROCK_LIMIT_BYTES", 1000)
    body = b"x" * 5_000_000
    status, headers, answer = send(wire, signed(wire, body=body), body=body)
    assert status == 413
    assert headers["x-amzn-errortype"] == "RequestEntityTooLargeException"
    assert "1000 bytes" in json.loads(answer)["message"]


def test_a_body_of_unknown_length_is_measured_while_it_arrives(
    wire: RunningWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "BEDROCK_LIMIT_BYTES", 1000)
    body = b"x" * 100_000
    headers = signed(wire, body=body) | {"Transfer-Encoding": "chunked"}
    connection = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=10)
    connection.request("POST", PATH, iter([body[:50_000], body[50_000:]]), headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_an_unsigned_upload_is_answered_not_cut_off(wire: RunningWire) -> None:
    assert send(wire, {"content-type": "application/json"}, body=b"x" * 5_000_000)[0] == 403


def test_a_large_body_is_verified_too(wire: RunningWire) -> None:
    body = BODY + b" " * 2_000_000
    assert send(wire, signed(wire, body=body), body=body)[0] == 200
    assert send(wire, signed(wire, body=body), body=body[:-1] + b"x")[0] == 403


# The shape of a refusal in each protocol, as the SDK reads it


def client(wire: RunningWire, service: str, **config: Any) -> Any:
    session = boto3.Session(
        aws_access_key_id="AKIAUNKNOWNUNKNOWN00", aws_secret_access_key="guessed", region_name="us-east-1"
    )
    settings = Config(retries={"total_max_attempts": 1}, **config)
    return session.client(service, endpoint_url=wire.url, config=settings)


@pytest.mark.parametrize(
    ("service", "operation", "unknown", "unsigned"),
    [
        (
            "bedrock",
            "list_foundation_models",
            "UnrecognizedClientException",
            "MissingAuthenticationTokenException",
        ),
        ("logs", "describe_log_groups", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
        ("lambda", "list_functions", "UnrecognizedClientException", None),
        ("cloudwatch", "list_metrics", "UnrecognizedClientException", "MissingAuthenticationTokenException"),
        ("sts", "get_caller_identity", "InvalidClientTokenId", "MissingAuthenticationToken"),
        ("iam", "list_roles", "InvalidClientTokenId", "MissingAuthenticationToken"),
        ("s3", "list_buckets", "InvalidAccessKeyId", "AccessDenied"),
    ],
)
def test_each_protocol_reads_its_own_refusal(
    wire: RunningWire, service: str, operation: str, unknown: str, unsigned: str | None
) -> None:
    for expected, config in ((unknown, {}), (unsigned, {"signature_version": UNSIGNED})):
        if expected is None:
            continue  # an unsigned request of this service looks like one of S3
        asking = client(wire, service, **config)
        with pytest.raises(ClientError) as caught:
            getattr(asking, operation)()
        asking.close()
        response: Any = caught.value.response
        assert response["Error"]["Code"] == expected
        assert response["Error"]["Message"]
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 403


# S3's own ways to sign; what passes the guard ends at the wire, which knows no such path


def s3_headers(wire: RunningWire, body: bytes, digest: str) -> dict[str, str]:
    request = AWSRequest("PUT", wire.url + "/bucket/k%20%C3%A4", headers={}, data=body)
    request.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth(Credentials(KEY_ID, SECRET), "s3", "us-east-1")
    signer.payload = lambda _request: digest
    signer.add_auth(request)
    return dict(request.headers)


@pytest.mark.parametrize(
    "digest",
    ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"],
)
def test_s3_bodies_need_not_be_signed(wire: RunningWire, digest: str) -> None:
    headers = s3_headers(wire, b"abc", digest)
    answer = send(wire, headers, body=b"anything", path="/bucket/k%20%C3%A4", method="PUT")
    assert answer[0] == 404
    assert answer[1]["x-amzn-errortype"] == "UnknownOperationException"


def test_s3_paths_are_signed_as_they_are(wire: RunningWire) -> None:
    headers = s3_headers(wire, b"abc", "UNSIGNED-PAYLOAD")
    assert send(wire, headers, body=b"abc", path="/bucket/k%2520%25C3%25A4", method="PUT")[0] == 403


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls_pass_until_they_expire_and_only_unchanged(
    wire: RunningWire, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name="us-east-1")
    s3 = session.client("s3", endpoint_url=wire.url, config=Config(signature_version=version))
    arguments: dict[str, Any] = {"Params": {"Bucket": "my-bucket", "Key": "ä b+c/x y"}, "ExpiresIn": 60}

    def get(url: str) -> tuple[int, bytes]:
        status, _, body = send(wire, {}, body=b"", path=url.removeprefix(wire.url), method="GET")
        return status, body

    url = s3.generate_presigned_url("get_object", **arguments)
    assert get(url)[0] == 404
    assert b"SignatureDoesNotMatch" in get(url.replace("my-bucket", "other"))[1]
    assert b"InvalidAccessKeyId" in get(url.replace(KEY_ID, "AKIAUNKNOWNUNKNOWN00"))[1]
    at(monkeypatch, timedelta(hours=-1))  # version 4 carries the time of signing, the old one that of expiry
    arguments["ExpiresIn"] = -60 if version == "s3" else 60
    status, body = get(s3.generate_presigned_url("get_object", **arguments))
    assert (status, b"Request has expired" in body) == (403, True)
    s3.close()


def test_other_services_may_be_presigned_too(wire: RunningWire) -> None:
    request = AWSRequest("GET", wire.url + "/foundation-models")
    SigV4QueryAuth(Credentials(KEY_ID, SECRET), "bedrock", "us-east-1", expires=60).add_auth(request)
    path = request.url.removeprefix(wire.url)
    assert (
        send(wire, {}, body=b"", path=path, method="GET")[1]["x-amzn-errortype"]
        == "UnknownOperationException"
    )
    assert send(wire, {}, body=b"", path=path + "&x=1", method="GET")[0] == 403
