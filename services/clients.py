"""boto3 clients: one for each service and identity, shared by all threads, and who the caller is.

Two identities never mix. `aws` is boto3's own chain (profile, SSO, role, environment, `AWS_ENDPOINT_URL_*`).
`local` takes its address and keys from the files that the local endpoint writes and from nothing else: no
`AWS_*` variable, proxy or bearer token of the environment can send a call of the local workbench to AWS.

What is retried. A call that reaches a model may be billed although its answer was lost, and botocore's
retries cannot tell: they repeat time-outs, closed connections and every 5xx. So the inference services get
one attempt. Throttles are not billed, but are not waited out here either: the page shows a countdown, not a
reply that seems to hang. All other calls to AWS are repeated by botocore's adaptive mode; the writes among
them carry the idempotency token that botocore adds, the same in every attempt.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
import botocore.session
import streamlit as st
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.regions import EndpointResolver

from services import settings

LOCAL_PROFILE = "localbedrock"
DEFAULT_REGION = "us-east-1"
INFERENCE_SERVICES = frozenset({"bedrock-runtime", "bedrock-agent-runtime", "bedrock-agentcore"})
WHO_AM_I_SERVICES = frozenset({"sts", "iam"})
CALLER_TTL_S = 60
CALL_ERRORS = (BotoCoreError, ClientError, ResponseParserError)
"""What a boto3 call raises, whether it was refused, got lost, or met a host that is not AWS."""


class LocalEndpointError(Exception):
    """The local endpoint has not written its address and keys yet: `services.backend.ensure` starts it."""


@dataclass(frozen=True)
class Identity:
    """As whom, and where, calls are made. The key of every client and of everything cached about AWS.

    `profile` None is boto3's default chain. `epoch` counts the renewals of the credentials.
    """

    backend: Literal["local", "aws"]
    profile: str | None
    region: str
    epoch: int = 0


@dataclass(frozen=True)
class Caller:
    """Who AWS says is calling: STS GetCallerIdentity and, where it may be read, the account's alias."""

    account: str
    alias: str | None
    arn: str


def default_identity() -> Identity:
    """The identity a session starts with. In `aws` mode: what boto3 would use. Never raises, no network."""
    if settings.get().backend == "local":
        return Identity("local", LOCAL_PROFILE, DEFAULT_REGION)
    session = botocore.session.Session()
    # Keys in the environment win over AWS_PROFILE; naming that profile would turn the order round.
    profile = None if os.environ.get("AWS_ACCESS_KEY_ID") else session.get_config_variable("profile")
    return Identity("aws", profile, _configured_region(session))


def client(service: str, identity: Identity) -> Any:
    """The boto3 client of `service` for this identity; made once and then shared, as boto3 clients may be.

    Raises what boto3 raises where none can be made (ProfileNotFound, ...), and LocalEndpointError.
    """
    return _access(identity, _local_stamp(identity)).client(service)


def renew(identity: Identity) -> Identity:
    """The same identity with fresh credentials: everything that was made with the old ones is dropped."""
    _access.clear(identity, _local_stamp(identity))
    _caller.clear(identity)
    return replace(identity, epoch=identity.epoch + 1)


def caller(identity: Identity) -> Caller:
    """Who this identity is. Raises the error of STS.

    Answers of AWS and its failures are kept for a minute: without a network a page waits once, not at every
    click.
    """
    outcome = _caller(identity)
    if isinstance(outcome, Exception):
        raise outcome.with_traceback(None)
    return outcome


def available_profiles() -> list[str]:
    """The profiles of the shared config files (of the local endpoint: its own). No network."""
    if settings.get().backend == "local":
        return [LOCAL_PROFILE]
    try:
        return list(botocore.session.Session().available_profiles)
    except BotoCoreError:  # a file that cannot be parsed; the error shows at the first call
        return []


def available_regions() -> list[str]:
    """The regions with Bedrock in the partition (AWS, GovCloud ...) of the default region. No network."""
    region = default_identity().region
    if settings.get().backend == "local":
        return [region]
    try:
        partition = _endpoints().get_partition_for_region(region)
    except BotoCoreError:  # a region newer than this botocore
        partition = "aws"
    return sorted({*_endpoints().get_available_endpoints("bedrock", partition), region})


def endpoint_label(identity: Identity) -> str:
    """Where calls go: "LOCAL", "AWS", or the host that AWS_ENDPOINT_URL* puts in AWS's place."""
    if identity.backend == "local":
        return "LOCAL"
    try:
        url = client("bedrock-runtime", identity).meta.endpoint_url
    except (BotoCoreError, ValueError):
        return "AWS"
    host = urlsplit(url).netloc
    return "AWS" if re.match(r"bedrock-runtime(-fips)?\.[a-z0-9-]+\.[a-z]", host) else host


class _Access:
    """A boto3 session and the clients made from it. Sessions are not thread-safe, clients are."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._endpoint_url: str | None = None
        if identity.backend == "local":
            self._session, self._endpoint_url = _local_session()
        else:
            self._session = boto3.Session(profile_name=identity.profile, region_name=identity.region)

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                made = self._session.client(
                    service, endpoint_url=self._endpoint_url, config=_config(service, self._identity)
                )
                if service.startswith("bedrock"):
                    made.meta.events.register("before-parse", _refuse_web_pages)
                self._clients[service] = made
            return self._clients[service]

    def close(self) -> None:
        """Close idle connections; calls under way keep theirs, and a client that is still held works on."""
        with self._lock:
            for each in self._clients.values():
                each.close()


def _refuse_web_pages(response_dict: dict[str, Any], **_: Any) -> None:
    """Without this, a proxy's or a wrong host's page with status 200 is an answer without members."""
    kind = response_dict["headers"].get("content-type", "")
    if response_dict["status_code"] == 200 and kind.startswith("text/"):
        raise ResponseParserError(f"The answer is a page of type {kind}, not one of Amazon Bedrock.")


@st.cache_resource(show_spinner=False, max_entries=64, on_release=_Access.close)
def _access(identity: Identity, local_stamp: tuple[int, ...]) -> _Access:
    """`local_stamp` is there to be part of the key: a new endpoint at a new address needs new clients."""
    del local_stamp
    return _Access(identity)


@st.cache_resource(show_spinner=False, ttl=CALLER_TTL_S, max_entries=64)
def _caller(identity: Identity) -> Caller | Exception:
    try:
        who = client("sts", identity).get_caller_identity()
    except CALL_ERRORS as error:
        if identity.backend == "local":  # fails at once and soon recovers
            raise
        failure: Exception = error
        return failure
    return Caller(who["Account"], _alias(identity), who["Arn"])


def _alias(identity: Identity) -> str | None:
    try:
        aliases = client("iam", identity).list_account_aliases()["AccountAliases"]
    except CALL_ERRORS:  # few roles may read it, and nothing depends on it
        return None
    return aliases[0] if aliases else None


def _local_session() -> tuple[boto3.Session, str]:
    """Made from the local endpoint's files. Each value is set outright: the environment has no say."""
    data = settings.get().local_data
    core = botocore.session.Session()
    core.set_config_variable("config_file", str(data / "config"))
    core.set_config_variable("credentials_file", str(data / "credentials"))
    core.set_config_variable("profile", LOCAL_PROFILE)
    try:
        values = core.get_scoped_config()
        session = boto3.Session(
            botocore_session=core,
            aws_access_key_id=values["aws_access_key_id"],
            aws_secret_access_key=values["aws_secret_access_key"],
            region_name=values["region"],
        )
        return session, values["endpoint_url"]
    except (BotoCoreError, KeyError):
        raise LocalEndpointError(f"{data} holds no usable config and credentials files") from None


def _local_stamp(identity: Identity) -> tuple[int, ...]:
    """Changes whenever the local endpoint writes its files. Empty for AWS, and before there are any."""
    if identity.backend != "local":
        return ()
    data = settings.get().local_data
    try:
        return tuple((data / name).stat().st_mtime_ns for name in ("config", "credentials"))
    except OSError:
        return ()


def _config(service: str, identity: Identity) -> Config:
    once = {"mode": "standard", "total_max_attempts": 1}
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "read_timeout": 60,
        "retries": {"mode": "adaptive", "total_max_attempts": 3},
        "max_pool_connections": 32,
        "tcp_keepalive": True,
        "user_agent_extra": "bedrock-workbench",
    }
    if service in INFERENCE_SERVICES:
        options |= {"read_timeout": 300, "retries": once}
    elif service in WHO_AM_I_SERVICES:  # the sidebar waits for them before it can draw
        options |= {"connect_timeout": 2, "read_timeout": 5, "retries": once}
    if identity.backend == "local":
        options["retries"] = once  # what fails on this machine fails alike at once again
        # Each of these can be set in the environment, where it is meant for AWS.
        options |= {"proxies": {}, "use_fips_endpoint": False, "use_dualstack_endpoint": False}
        options["defaults_mode"] = "legacy"
        if service.startswith("bedrock"):
            options["signature_version"] = "v4"  # or AWS_BEARER_TOKEN_BEDROCK would be sent instead
    return Config(**options)


@functools.cache
def _endpoints() -> EndpointResolver:
    """The regions that comes with botocore, read past the user's config files, which may be broken."""
    return EndpointResolver(create_loader().load_data("endpoints"))


def _configured_region(session: botocore.session.Session) -> str:
    try:
        # botocore reads AWS_DEFAULT_REGION alone; AWS_REGION is what the other SDKs and Lambda go by.
        return os.environ.get("AWS_REGION") or session.get_config_variable("region") or DEFAULT_REGION
    except BotoCoreError:  # AWS_PROFILE names no profile: the first call says so
        return DEFAULT_REGION
