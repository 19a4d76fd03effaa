"""The services around Bedrock (S3, STS, IAM, Lambda, CloudWatch, ...): another ASGI app in this process.

By default that is MiniStack; ``LOCALBEDROCK_EMULATOR=module:app`` names another one, ``none`` does without.
Only services named here ever reach it, and nothing that belongs to Bedrock.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from localbedrock import refusals
from localbedrock.asgi import Answer, App, Message, Receive, Scope, Send, ask, send_answer
from localbedrock.keys import ACCOUNT_ID
from localbedrock.sigv4 import Claim

DEFAULT = "ministack.app:app"

# fmt: off
MINISTACK_SERVICES = frozenset({
    "aoss", "apigateway", "budgets", "cloudformation", "cloudtrail", "dynamodb", "ec2", "events", "firehose",
    "iam", "kinesis", "kms", "lambda", "logs", "monitoring", "organizations", "s3", "scheduler",
    "secretsmanager", "ses", "sns", "sqs", "ssm", "states", "sts", "tagging",
})
# fmt: on
"""What is offered of MiniStack, by signing name: what needs neither containers nor ports of its own."""

_PRESIGNED = frozenset(
    b"AWSAccessKeyId Expires Signature X-Amz-Algorithm X-Amz-Credential X-Amz-Date X-Amz-Expires "
    b"X-Amz-Security-Token X-Amz-Signature X-Amz-SignedHeaders".split()
)
_DROPPED_HEADERS = (b"access-control-", b"date", b"server")


@dataclass(frozen=True)
class Call:
    """A call that the endpoint itself makes to one of the services."""

    service: str
    region: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""


def json_call(service: str, region: str, target: str, document: Mapping[str, Any]) -> Call:
    """A call of AWS's JSON protocol; ``target`` is ``<service version>.<operation>``."""
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    return Call(service, region, "POST", "/", headers, json.dumps(document).encode())


class Emulator:
    """An ASGI app behind ours, run with its own lifespan; without one, every service is refused."""

    def __init__(self, app: App | None, services: frozenset[str] | None = None) -> None:
        """``services``: the signing names that may reach the app; None for all of them."""
        self._app = app
        self._services = services
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None

    @classmethod
    def load(cls, name: str) -> Emulator:
        """Imports ``module:app``; ``none`` gives an emulator that refuses everything."""
        if name == "none":
            return cls(None)
        module, _, attribute = name.partition(":")
        app = getattr(importlib.import_module(module), attribute or "app")
        return cls(app, MINISTACK_SERVICES if name == DEFAULT else None)

    @property
    def present(self) -> bool:
        """Whether there is an app behind."""
        return self._app is not None

    async def start(self) -> None:
        """Runs the app's start-up."""
        if self._app is None:
            return
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._lifespan = asyncio.create_task(self._run(self._app, scope))
        await self._signal("startup", self._lifespan)

    async def _run(self, app: App, scope: Scope) -> None:
        # An app without a lifespan may refuse the scope with any exception; it works all the same.
        with contextlib.suppress(Exception):
            await app(scope, self._to_app.get, self._from_app.put)

    async def stop(self) -> None:
        """Runs the app's shutdown, in which it saves its state."""
        if self._lifespan is not None and not self._lifespan.done():
            await self._signal("shutdown", self._lifespan)
            self._lifespan.cancel()

    async def _signal(self, phase: str, lifespan: asyncio.Task[None]) -> None:
        await self._to_app.put({"type": f"lifespan.{phase}"})
        reply = asyncio.create_task(self._from_app.get())
        await asyncio.wait([reply, lifespan], return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            reply.cancel()
        elif reply.result()["type"] != f"lifespan.{phase}.complete":
            raise RuntimeError(f"the emulator's {phase} failed: {reply.result().get('message', '')}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request that the guard has let through."""
        service: str = scope["aws"].service
        if self._app is None or not self._serves(service):
            headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
            refusal = refusals.unknown_operation(self._why_not(service))
            protocol = refusals.protocol_of(headers, service)
            await send_answer(send, refusals.answer(refusal, protocol, scope["request_id"]))
        else:
            await self._app(_header_signed(scope), receive, _without_cors(send))

    async def call(self, call: Call) -> Answer:
        """Asks one of the services from inside the process, as the endpoint's own account."""
        if self._app is None or not self._serves(call.service):
            raise LookupError(self._why_not(call.service))
        headers = {
            "host": "127.0.0.1",
            "authorization": _authorization(ACCOUNT_ID, call.region, call.service),
            "content-length": str(len(call.body)),
        } | dict(call.headers)
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": call.method,
            "path": call.path,
            "raw_path": quote(call.path).encode(),
            "root_path": "",
            "query_string": call.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 0),
            "state": {},
        }
        return await ask(self._app, scope, call.body)

    def _serves(self, service: str) -> bool:
        if self._app is None or service.startswith("bedrock"):
            return False
        return self._services is None or service in self._services

    def _why_not(self, service: str) -> str:
        if self._app is None:
            return f"The local endpoint runs without an emulator, so it does not offer the service {service}."
        return f"The local endpoint does not offer the service {service}."


def _header_signed(scope: Scope) -> Scope:
    """A presigned URL as the same request with an Authorization header.

    The guard has verified it. MiniStack would do so again, with a secret that it does not know, or, for an
    old URL, would take parameters that its signature does not cover for the call of another service.
    """
    claim: Claim = scope["aws"]
    if claim.expires_s is None:
        return scope
    pairs = scope["query_string"].split(b"&")
    kept = [pair for pair in pairs if pair.partition(b"=")[0] not in _PRESIGNED]
    authorization = _authorization(claim.key_id, claim.region, claim.service)
    headers = [*scope["headers"], (b"authorization", authorization.encode())]
    return {**scope, "query_string": b"&".join(kept), "headers": headers}


def _authorization(key_id: str, region: str, service: str) -> str:
    """Says who calls and what; nobody behind the guard looks at the signature."""
    credential = f"{key_id}/20000101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=verified"


def _without_cors(send: Send) -> Send:
    """The emulator lets every web page read its answers; we do not. The date is uvicorn's to set."""

    async def filtered(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [h for h in message["headers"] if not h[0].lower().startswith(_DROPPED_HEADERS)]
            message = {**message, "headers": kept}
        await send(message)

    return filtered
