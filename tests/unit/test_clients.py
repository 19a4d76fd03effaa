"""Clients go where their identity says and nowhere else, and never repeat what may be billed twice."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from services import clients, settings
from services.clients import Identity
from services.problems import from_exception

AWS = Identity("aws", None, "us-east-1")
MESSAGES = [{"role": "user", "content": [{"text": "hello"}]}]
REPLY = {
    "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    "metrics": {"latencyMs": 1},
}
WHO = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::123456789012:user/ann</Arn><UserId>A</UserId><Account>123456789012</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
ALIASES = (
    '<ListAccountAliasesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListAccountAliasesResult>'
    "<AccountAliases><member>team</member></AccountAliases><IsTruncated>false</IsTruncated>"
    "</ListAccountAliasesResult></ListAccountAliasesResponse>"
)


Reply = tuple[int, str, str]


def model_reply(_: str) -> Reply:
    return 200, "application/json", json.dumps(REPLY)


def who_am_i(sent: str) -> Reply:
    return 200, "text/xml", ALIASES if "ListAccountAliases" in sent else WHO


def failing(status: int) -> Callable[[str], Reply]:
    """An error; status 0 ends the connection without any answer."""
    return lambda _: (status, "application/json", '{"message": "no"}')


@dataclass
class Server:
    """Answers every request by `reply(its body)` and remembers who asked."""

    url: str = ""
    reply: Callable[[str], Reply] = model_reply
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def running() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Keep the test's output clean."""

        def handle_one_request(self) -> None:
            """Whatever the method is: a proxy would be asked to CONNECT."""
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                self.answer()
            self.close_connection = True

        def answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            state.paths.append(self.path)
            state.keys.append(self.headers.get("authorization", "").split("/")[0].split("=")[-1])
            status, content_type, body = state.reply(sent)
            if status:
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(body)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(body.encode())

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        yield state


@pytest.fixture(autouse=True)
def nothing_cached() -> Iterator[None]:
    def clear() -> None:
        clients._access.clear()
        clients._caller.clear()

    clear()
    yield
    clear()


def use(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    chosen = settings.Settings(**values)
    monkeypatch.setattr(settings, "get", lambda: chosen)


def write_files(data: Path, url: str, key: str = "LOCALKEY") -> None:
    data.mkdir(exist_ok=True)
    (data / "config").write_text(
        f"[profile localbedrock]\nregion = us-east-1\nendpoint_url = {url}\n", encoding="utf-8"
    )
    (data / "credentials").write_text(
        f"[localbedrock]\naws_access_key_id = {key}\naws_secret_access_key = s%cret/+\n", encoding="utf-8"
    )


@pytest.fixture
def local(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """The local backend, its endpoint played by `server`."""
    write_files(tmp_path / "local", server.url)
    use(monkeypatch, backend="local", local_data=tmp_path / "local")
    return clients.default_identity()


@pytest.fixture
def aws(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """The aws backend with keys in the environment; `server` answers in AWS's place."""
    use(monkeypatch, backend="aws", local_data=tmp_path / "local")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AWSKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    return clients.default_identity()


def converse(identity: Identity) -> Any:
    return clients.client("bedrock-runtime", identity).converse(modelId="m", messages=MESSAGES)


def test_the_local_backend_signs_with_the_endpoints_keys(server: Server, local: Identity) -> None:
    assert local == Identity("local", "localbedrock", "us-east-1")
    assert converse(local)["stopReason"] == "end_turn"
    assert server.paths == ["/model/m/converse"]
    assert server.keys == ["LOCALKEY"]


def test_nothing_in_the_environment_sends_the_local_backend_to_aws(
    server: Server, local: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Endpoints, keys, tokens, profiles, proxies, config files: all of them are set, none is used."""
    (tmp_path / "config").write_text("[profile x\nbroken", encoding="utf-8")
    with running() as trap:
        hostile = {
            "AWS_ENDPOINT_URL": trap.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": trap.url,
            "AWS_ENDPOINT_URL_STS": trap.url,
            "AWS_ACCESS_KEY_ID": "AWSKEY",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_BEARER_TOKEN_BEDROCK": "bearer-token",
            "AWS_PROFILE": "vanished",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "config"),
            "AWS_USE_FIPS_ENDPOINT": "true",
            "AWS_USE_DUALSTACK_ENDPOINT": "true",
            "AWS_DEFAULTS_MODE": "auto",
            "AWS_CA_BUNDLE": str(tmp_path / "none.pem"),
            "AWS_AUTH_SCHEME_PREFERENCE": "httpBearerAuth",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": trap.url,
            "HTTP_PROXY": trap.url,
            "http_proxy": trap.url,
            "HTTPS_PROXY": trap.url,
            "ALL_PROXY": trap.url,
            "NO_PROXY": "",
            "no_proxy": "",
        }
        for name, value in hostile.items():
            monkeypatch.setenv(name, value)
        before = dict(os.environ)
        converse(local)
        clients.client("bedrock", local).list_foundation_models()
        server.reply = lambda _: (200, "text/xml", "<ListAllMyBucketsResult/>")
        clients.client("s3", local).list_buckets()
        server.reply = who_am_i
        assert clients.caller(local).account == "123456789012"
        assert clients.default_identity() == local
        assert clients.available_regions() == ["us-east-1"]
        assert clients.endpoint_label(local) == "LOCAL"
        assert trap.paths == []
    assert server.keys == ["LOCALKEY"] * 5
    assert dict(os.environ) == before


def test_the_aws_backend_does_not_touch_the_local_endpoint(
    server: Server, aws: Identity, tmp_path: Path
) -> None:
    with running() as local_endpoint:
        write_files(tmp_path / "local", local_endpoint.url)
        converse(aws)
        assert local_endpoint.paths == []
    assert server.keys == ["AWSKEY"]


def test_an_endpoint_that_was_never_started_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, backend="local", local_data=tmp_path / "nothing")
    identity = clients.default_identity()
    with pytest.raises(clients.LocalEndpointError) as raised:
        clients.client("bedrock", identity)
    assert from_exception(raised.value, identity=identity).action == "restart_backend"
    assert clients.renew(identity).epoch == 1


def test_a_restart_at_another_address_needs_no_renewal(
    server: Server, local: Identity, tmp_path: Path
) -> None:
    """The local endpoint may come back on another port with other keys: the next call finds it."""
    converse(local)
    with running() as moved:
        write_files(tmp_path / "local", moved.url, key="NEWKEY")
        converse(local)
        assert moved.keys == ["NEWKEY"]
    assert server.keys == ["LOCALKEY"]


@pytest.mark.parametrize("operation", ["converse", "converse_stream", "invoke_model"])
def test_a_call_to_a_model_is_sent_once(server: Server, aws: Identity, operation: str) -> None:
    """Whatever happens to the answer, the model may have run: nothing is sent, and billed, a second time."""
    call = getattr(clients.client("bedrock-runtime", aws), operation)
    request = {"body": b"{}"} if operation == "invoke_model" else {"messages": MESSAGES}
    for status in (0, 408, 424, 429, 500, 502, 503, 504):
        server.reply = failing(status)
        server.paths.clear()
        with pytest.raises((ClientError, BotoCoreError)):
            call(modelId="m", **request)
        assert len(server.paths) == 1, status


def test_a_model_call_that_hangs_is_sent_once(aws: Identity) -> None:
    config = clients.client("bedrock-runtime", aws).meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert config.read_timeout == 300
    assert config.connect_timeout == 5
    assert config.max_pool_connections == 32


def test_reading_the_catalogue_is_repeated(
    server: Server, aws: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.reply = failing(503)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with pytest.raises(ClientError):
        clients.client("bedrock", aws).list_foundation_models()
    assert len(server.paths) == 3


def test_a_web_page_is_no_answer(server: Server, aws: Identity) -> None:
    """A proxy or a wrong AWS_ENDPOINT_URL answers 200 with HTML, which botocore takes for an empty answer."""
    server.reply = lambda _: (200, "text/html; charset=utf-8", "<html>Sign in to the network</html>")
    with pytest.raises(Exception, match="text/html") as raised:
        converse(aws)
    assert from_exception(raised.value, operation="Converse", identity=aws).kind == "garbage"


def test_threads_share_one_client(local: Identity) -> None:
    """Many threads at once get the same client, made once: clients are thread-safe, sessions are not."""
    barrier = threading.Barrier(16)

    def get(_: int) -> Any:
        barrier.wait(10)
        return clients.client("bedrock-runtime", local)

    with ThreadPoolExecutor(16) as pool:
        assert len(set(map(id, pool.map(get, range(16))))) == 1


def test_identities_do_not_share_clients(aws: Identity) -> None:
    other = Identity("aws", None, "eu-west-1")
    assert clients.client("bedrock", aws) is not clients.client("bedrock", other)
    assert clients.client("bedrock", other).meta.region_name == "eu-west-1"


def test_renewing_reads_the_credentials_again(
    server: Server, aws: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that holds the old identity gets the new keys, too; other identities are left alone."""
    other = Identity("aws", None, "eu-west-1")
    kept = clients.client("bedrock", other)
    converse(aws)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FRESHKEY")
    converse(aws)
    renewed = clients.renew(aws)
    converse(renewed)
    converse(aws)
    assert renewed == Identity("aws", None, "us-east-1", epoch=1)
    assert server.keys == ["AWSKEY", "AWSKEY", "FRESHKEY", "FRESHKEY"]
    assert clients.client("bedrock", other) is kept


def test_the_caller_is_looked_up_once(server: Server, aws: Identity) -> None:
    server.reply = who_am_i
    for _ in range(3):
        found = clients.caller(aws)
        assert found == clients.Caller("123456789012", "team", "arn:aws:iam::123456789012:user/ann")
    assert len(server.paths) == 2


def test_the_alias_is_a_courtesy(server: Server, aws: Identity) -> None:
    """Few roles may read it."""
    server.reply = lambda sent: (403, "text/xml", "") if "ListAccountAliases" in sent else who_am_i(sent)
    assert clients.caller(aws).alias is None


def test_a_failed_look_up_of_aws_is_not_repeated_at_every_click(server: Server, aws: Identity) -> None:
    """Without a network each look-up would hold the page for seconds. Renewing asks again at once."""
    server.reply = failing(0)
    for _ in range(3):
        with pytest.raises(BotoCoreError):
            clients.caller(aws)
    assert len(server.paths) == 1
    with pytest.raises(BotoCoreError):
        clients.caller(clients.renew(aws))
    assert len(server.paths) == 2


def test_a_failed_look_up_of_the_local_endpoint_is_forgotten(server: Server, local: Identity) -> None:
    """It fails at once while the endpoint restarts, and must not be shown a minute longer."""
    server.reply = failing(0)
    with pytest.raises(BotoCoreError):
        clients.caller(local)
    server.reply = who_am_i
    assert clients.caller(local).account == "123456789012"


@pytest.mark.parametrize(
    ("environ", "profile", "region"),
    [
        ({}, None, "us-east-1"),
        ({"AWS_PROFILE": "team"}, "team", "eu-central-1"),
        ({"AWS_PROFILE": "team", "AWS_REGION": "eu-west-3"}, "team", "eu-west-3"),
        ({"AWS_DEFAULT_REGION": "us-west-2"}, None, "us-west-2"),
        (
            {"AWS_PROFILE": "team", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "b"},
            None,
            "eu-central-1",
        ),
        ({"AWS_PROFILE": "vanished"}, "vanished", "us-east-1"),
    ],
)
def test_the_first_identity_is_the_one_boto3_would_use(
    environ: dict[str, str], profile: str | None, region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys in the environment win over AWS_PROFILE, as in boto3; AWS_REGION counts, as in every other SDK."""
    use(monkeypatch, backend="aws")
    (tmp_path / "config").write_text("[profile team]\nregion = eu-central-1\n[default]\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert clients.default_identity() == Identity("aws", profile, region)
    assert sorted(clients.available_profiles()) == ["default", "team"]


def test_a_profile_that_vanished_is_a_problem_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, backend="aws")
    identity = Identity("aws", "vanished", "us-east-1")
    with pytest.raises(ProfileNotFound) as raised:
        clients.client("bedrock", identity)
    assert from_exception(raised.value, identity=identity).kind == "profile_missing"
    assert clients.endpoint_label(identity) == "AWS"


def test_a_broken_config_file_leaves_the_lists_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, backend="aws")
    (tmp_path / "config").write_text("[profile x\nbroken", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert clients.available_profiles() == []
    assert clients.default_identity() == AWS
    assert "us-west-2" in clients.available_regions()


@pytest.mark.parametrize(
    ("region", "listed", "not_listed"),
    [("eu-west-1", "ap-northeast-1", "us-gov-west-1"), ("us-gov-west-1", "us-gov-east-1", "eu-west-1")],
)
def test_regions_are_those_of_the_partition(
    region: str, listed: str, not_listed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, backend="aws")
    monkeypatch.setenv("AWS_REGION", region)
    regions = clients.available_regions()
    assert {region, listed} <= set(regions)
    assert not_listed not in regions


@pytest.mark.parametrize(
    ("environ", "label"),
    [
        ({}, "AWS"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "AWS"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:8899"}, "127.0.0.1:8899"),
        (
            {
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com"
            },
            "vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        ),
    ],
)
def test_the_label_tells_where_calls_go(
    environ: dict[str, str], label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, backend="aws")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert clients.endpoint_label(AWS) == label
