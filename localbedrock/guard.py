"""The door of the endpoint: only this machine, only with the key, never a web page.

A browser on this machine can reach 127.0.0.1 too, on behalf of any page it shows. Such a page cannot sign,
cannot hide its ``Origin`` and, where it rebinds a name of its own to 127.0.0.1, brings a foreign ``Host``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from localbedrock import refusals
from localbedrock.asgi import (
    App,
    Body,
    BodyTooLargeError,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    raw_path,
    replay,
    send_answer,
    sha256_hex,
)
from localbedrock.sigv4 import Claim, SignatureError, SignedRequest, read_claim, verify

BEDROCK_LIMIT_BYTES = 36_000_000
"""InvokeModel takes bodies of 25 MB; as base64 inside JSON (Converse, CountTokens) that is a third more."""
OTHER_LIMIT_BYTES = 1 << 30
"""For an S3 object in one piece; larger ones come in parts."""

_CONTROL_PATHS = ("/_", "/health")
"""Where emulators keep their own switches (reset, config, health): no AWS API has such a path."""


class Guard:
    """Lets through what is signed with one of ``secrets`` (by key id); everything else gets AWS's own 403.

    What passes carries ``scope["aws"]``, the :class:`Claim` that was verified, and ``scope["request_id"]``.
    """

    def __init__(
        self,
        app: App,
        secrets: Mapping[str, str],
        *,
        is_bedrock: Callable[[str, str], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._app = app
        self._secrets = secrets
        self._is_bedrock = is_bedrock
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope["request_id"] = str(uuid.uuid4())
        request = SignedRequest(
            scope["method"], raw_path(scope), scope["query_string"].decode("latin-1"), _headers(scope)
        )
        body = Body(scope, receive)
        try:
            content = await self._admit(scope, request, body)
        except ClientGoneError:
            return
        except _RefusedError as refused:
            await self._refuse(scope, request, body, refused, send)
        else:
            await self._app(scope, replay(content, receive), send)

    async def _admit(self, scope: Scope, request: SignedRequest, body: Body) -> bytes:
        """The body of a request that may pass."""
        self._door(scope, request)
        try:
            claim = read_claim(request)
            scope["aws"] = claim
            content = await body.read(_limit(scope))
            verify(claim, request, await sha256_hex(content), self._secrets, self._now())
        except BodyTooLargeError:
            raise _RefusedError(refusals.too_large(_limit(scope))) from None
        except SignatureError as error:
            if request.headers.get("authorization", "").startswith("Bearer "):
                sentence = "Authentication failed: Please make sure your API Key is valid."
                raise _RefusedError(refusals.denied(sentence)) from None
            raise _RefusedError(refusals.SIGNATURE_REFUSALS[error.reason], error.detail) from None
        return content

    def _door(self, scope: Scope, request: SignedRequest) -> None:
        """Refuses what must stay out whoever signs it."""
        client = scope.get("client")
        if not client or not client[0].startswith("127."):
            sentence = "This endpoint answers to its own machine alone."
        elif "origin" in request.headers:
            sentence = "This endpoint does not answer to web pages: the request carries an Origin header."
        elif _host_name(request.headers.get("host", "")) not in {"127.0.0.1", "localhost"}:
            sentence = "This endpoint is called 127.0.0.1 or localhost, not what the Host header says."
        elif scope["path"].startswith(_CONTROL_PATHS) or scope["method"] in {"OPTIONS", "TRACE", "CONNECT"}:
            sentence = "No AWS service has this path."
        else:
            return
        raise _RefusedError(refusals.denied(sentence))

    async def _refuse(
        self, scope: Scope, request: SignedRequest, body: Body, refused: _RefusedError, send: Send
    ) -> None:
        claim: Claim | None = scope.get("aws")
        protocol = refusals.protocol_of(request.headers, claim.service if claim else None)
        if claim is None and self._is_bedrock(request.method, request.path):
            protocol = "rest-json"
        answer = refusals.answer(refused.refusal, protocol, scope["request_id"], refused.message)
        try:
            await body.discard()
        except ClientGoneError:
            return
        await send_answer(send, answer)


class _RefusedError(Exception):
    """Why a request does not pass; ``message`` replaces the refusal's own words."""

    def __init__(self, refusal: refusals.Refusal, message: str = "") -> None:
        super().__init__(refusal, message)
        self.refusal = refusal
        self.message = message


def _headers(scope: Scope) -> dict[str, str]:
    """The request's headers; several of one name are joined as a signature joins them."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _host_name(host: str) -> str:
    return host.rpartition(":")[0] or host


def _limit(scope: Scope) -> int:
    return BEDROCK_LIMIT_BYTES if scope["aws"].service == "bedrock" else OTHER_LIMIT_BYTES
