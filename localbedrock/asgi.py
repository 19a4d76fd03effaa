"""The little of ASGI that the endpoint needs: reading a body, sending an answer, asking an app inside."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGE_BODY_BYTES = 1 << 20
"""From here on a body is hashed in a thread, so that running streams do not wait for it."""


class BodyTooLargeError(Exception):
    """The request's body is over the limit."""


class ClientGoneError(Exception):
    """The client went away before its request was complete."""


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def header(scope: Scope, name: str) -> str:
    """A request header's value; several of one name are joined by a comma; empty if there is none."""
    wanted = name.lower().encode("latin-1")
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == wanted)


def raw_path(scope: Scope) -> str:
    """The path exactly as it was sent: percent-encoding untouched."""
    raw: bytes = scope["raw_path"]
    return raw.decode("latin-1")


class Body:
    """The body of one request, read once."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._declared = header(scope, "content-length")
        self._receive = receive
        self._more = True

    async def read(self, limit: int) -> bytes:
        """All of it; ``BodyTooLargeError`` over ``limit`` bytes, ``ClientGoneError`` if it never arrives."""
        if self._declared.isdigit() and int(self._declared) > limit:
            raise BodyTooLargeError
        parts: list[bytes] = []
        size = 0
        while self._more:
            parts.append(await self._next())
            size += len(parts[-1])
            if size > limit:
                raise BodyTooLargeError
        return b"".join(parts)

    async def discard(self) -> None:
        """Reads what is left for nothing: a client that still sends would not see the answer."""
        while self._more:
            await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        self._more = bool(message.get("more_body"))
        part: bytes = message.get("body", b"")
        return part


async def sha256_hex(body: bytes) -> str:
    """The body's digest; a large body is hashed in a thread."""
    if len(body) < LARGE_BODY_BYTES:
        return hashlib.sha256(body).hexdigest()
    return await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())


def replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives a body that was read already, then whatever the connection says next."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


async def send_answer(send: Send, answer: Answer) -> None:
    """Sends a whole answer with its length."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def ask(app: App, scope: Scope, body: bytes) -> Answer:
    """Asks an ASGI app from inside the process and collects its whole answer."""
    status = 0
    headers: dict[str, str] = {}
    parts: list[bytes] = []
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update((k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in message["headers"])
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status, b"".join(parts), headers)
