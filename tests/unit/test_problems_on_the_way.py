"""What goes wrong on the way to AWS and back, made to happen: real sockets, config files, damaged bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import LoginRefreshRequired

from services.clients import Identity, LocalEndpointError
from services.problems import Problem, from_exception
from tests import eventstream, scripted_server
from tests.scripted_server import Exchange

AWS = Identity("aws", "dev", "us-east-1")
LOCAL = Identity("local", "localbedrock", "us-east-1")
MESSAGES = [{"role": "user", "content": [{"text": "hello"}]}]


@pytest.fixture
def dead_host() -> Iterator[str]:
    """A host:port where nobody listens: bound, so that nobody else can begin to."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def runtime(url: str, **config: Any) -> Any:
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    settings = Config(retries={"total_max_attempts": 1}, **config)
    return session.client("bedrock-runtime", endpoint_url=url, config=settings)


def problem_of(call: Callable[[], Any], operation: str = "Converse", identity: Identity = AWS) -> Problem:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (which one it is, is what is tested)
        call()
    return from_exception(raised.value, operation=operation, identity=identity)


def converse(url: str, identity: Identity = AWS, **config: Any) -> Problem:
    with closing(runtime(url, **config)) as client:
        return problem_of(lambda: client.converse(modelId="m", messages=MESSAGES), "Converse", identity)


def stream(url: str, identity: Identity = AWS, **config: Any) -> tuple[list[Any], Problem]:
    """The events that arrived, and the problem that ended them."""
    with closing(runtime(url, **config)) as client:
        answer = client.converse_stream(modelId="m", messages=MESSAGES)["stream"]
        events: list[Any] = []
        with closing(answer):
            return events, problem_of(lambda: events.extend(answer), "ConverseStream", identity)


@contextmanager
def serving(script: scripted_server.Script) -> Iterator[str]:
    with scripted_server.running() as server:
        server.play(script)
        yield server.url


def cut_after(body: bytes) -> scripted_server.Script:
    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(body)
        exchange.cut()

    return script


def whole(body: bytes) -> scripted_server.Script:
    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(body)
        exchange.end()

    return script


TWO_EVENTS = eventstream.frames(
    [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "partial"}}},
    ]
)


@pytest.mark.parametrize(
    ("identity", "action"), [(AWS, "retry"), (LOCAL, "restart_backend")], ids=["aws", "local"]
)
def test_nobody_listens(identity: Identity, action: str, dead_host: str) -> None:
    """A dead local endpoint offers to be restarted; AWS out of reach names network, proxy and VPC."""
    found = converse(f"http://{dead_host}", identity)
    assert (found.kind, found.action) == ("endpoint_unreachable", action)
    assert not found.billed, "nothing was sent"
    assert identity is LOCAL or dead_host in found.cause


def test_the_local_endpoint_was_never_started() -> None:
    found = from_exception(LocalEndpointError("no files"), identity=LOCAL)
    assert (found.kind, found.action) == ("endpoint_unreachable", "restart_backend")


def test_no_answer_in_time() -> None:
    """A call that hangs may be at work all the same, so it may be billed."""
    released = threading.Event()

    def wait(_: Exchange) -> None:
        released.wait(10)

    with serving(wait) as url:
        found = converse(url, read_timeout=0.2)
        released.set()
    assert (found.kind, found.action, found.billed) == ("no_answer", "retry", True)


def test_a_stream_that_hangs() -> None:
    """What arrived before is kept; the reader is not stuck for ever."""
    released = threading.Event()

    def hang(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(TWO_EVENTS)
        released.wait(10)

    with serving(hang) as url:
        events, found = stream(url, read_timeout=0.2)
        _, local = stream(url, LOCAL, read_timeout=0.2)
        released.set()
    assert len(events) == 2
    assert (found.kind, found.action, found.billed) == ("no_answer", "retry", True)
    assert (local.kind, local.action, local.billed) == ("no_answer", "restart_backend", False)


def test_a_stream_that_breaks_off() -> None:
    """The server dies between two events, as a killed endpoint does."""
    with serving(cut_after(TWO_EVENTS)) as url:
        events, found = stream(url)
    assert len(events) == 2
    assert (found.kind, found.action, found.billed) == ("stream_broken", "retry", True)


def test_a_connection_that_closes_without_an_answer() -> None:
    with serving(Exchange.cut) as url:
        found = converse(url)
    assert (found.kind, found.action, found.billed) == ("connection_lost", "retry", True)


@pytest.mark.parametrize(
    "damaged",
    [
        TWO_EVENTS + b"<html>proxy error, try again later</html>",
        TWO_EVENTS[:-3] + b"zzz" + TWO_EVENTS,
        TWO_EVENTS + b"\xff\xff\xff\xff" * 8,
    ],
    ids=["text", "checksum", "length"],
)
def test_garbage_in_a_stream(damaged: bytes) -> None:
    """Damaged frames end the stream with a problem; intact ones before them are kept."""
    with serving(whole(damaged)) as url:
        events, found = stream(url)
    assert events[0] == {"messageStart": {"role": "assistant"}}
    assert (found.kind, found.action, found.billed) == ("garbage", "retry", True)


def test_an_error_in_the_middle_of_a_stream() -> None:
    body = TWO_EVENTS + eventstream.frame(
        "modelStreamErrorException", {"message": "The model broke off."}, "exception"
    )
    with serving(whole(body)) as url:
        events, found = stream(url)
    assert len(events) == 2
    assert (found.code, found.kind, found.billed) == ("modelStreamErrorException", "model_stream_error", True)
    assert found.message == "The model broke off."


def test_an_error_page_of_a_gateway() -> None:
    with serving(lambda exchange: exchange.answer(b"<html>502 Bad Gateway</html>", status=502)) as url:
        found = converse(url)
    assert (found.kind, found.action) == ("service_error", "retry")


def test_a_request_that_boto3_does_not_send() -> None:
    client = runtime("http://127.0.0.1:9")
    found = problem_of(lambda: client.converse(modelId="m", messages="hello"))
    assert (found.kind, found.action, found.billed) == ("request_incomplete", "edit_parameters", False)
    assert "messages" in found.message


def test_a_proxy_that_is_not_there(dead_host: str) -> None:
    found = converse("http://bedrock.example", proxies={"http": f"http://{dead_host}"})
    assert (found.kind, found.action) == ("proxy_unreachable", "retry")


def test_a_host_without_tls() -> None:
    with serving(lambda exchange: exchange.answer(b"{}")) as url:
        found = converse(url.replace("http:", "https:"))
    assert (found.kind, found.action) == ("tls", "retry")


CONFIG = """
[profile sso]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = Tester
region = us-east-1

[profile login]
login_session = arn:aws:iam::123456789012:user/ann
region = us-east-1

[profile process]
credential_process = false
region = us-east-1
"""


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    path.write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return path


def call_as(profile: str | None, region: str | None = "us-east-1") -> Any:
    session = botocore.session.Session(profile=profile)
    client = session.create_client("bedrock-runtime", region_name=region, endpoint_url="http://127.0.0.1:9")
    return client.converse(modelId="m", messages=MESSAGES)


@pytest.mark.parametrize(
    ("profile", "kind", "suggestion"),
    [
        (None, "credentials_missing", None),
        ("sso", "sso_login", "aws sso login --profile sso"),
        ("login", "credentials_package", None),
        ("process", "credentials_failed", None),
        ("vanished", "profile_missing", None),
    ],
)
@pytest.mark.usefixtures("config_file")
def test_credentials_that_cannot_be_had(profile: str | None, kind: str, suggestion: str | None) -> None:
    """boto3's own chain, with real config files: the fix is the exact command where there is one."""
    found = problem_of(lambda: call_as(profile), identity=Identity("aws", profile, "us-east-1"))
    assert (found.kind, found.action, found.suggestion) == (kind, "renew_credentials", suggestion)
    assert found.title
    if profile == "vanished":
        assert "vanished" in found.cause


def test_a_sign_in_by_aws_login_that_has_ended() -> None:
    found = from_exception(LoginRefreshRequired(), identity=AWS)
    assert (found.kind, found.suggestion) == ("aws_login", "aws login --profile dev")


def test_a_config_file_that_cannot_be_parsed(config_file: Path) -> None:
    config_file.write_text("[profile x\nregion", encoding="utf-8")
    found = problem_of(lambda: call_as(None))
    assert found.kind == "config_broken"
    assert str(config_file) in found.message


def test_no_region() -> None:
    found = problem_of(lambda: botocore.session.Session().create_client("bedrock-runtime"))
    assert found.kind == "region_missing"


def test_a_service_that_this_boto3_does_not_have() -> None:
    found = problem_of(lambda: boto3.Session(region_name="us-east-1").client("bedrock-tomorrow"))
    assert found.kind == "not_in_boto3"


@pytest.mark.parametrize("error", [ValueError("x"), KeyError(), MemoryError(), KeyboardInterrupt()])
def test_anything_else_is_a_problem_too(error: BaseException) -> None:
    """The name of its type, never a stack."""
    found = from_exception(error, operation="Converse")
    assert found.kind == "unknown"
    assert type(error).__name__ in found.cause
    assert "Traceback" not in found.message
