"""An HTTP server on 127.0.0.1 that answers as a test tells it to, well or badly.

Its fixtures `server` and `identity` are for tests that reach it through the real clients.
"""

from __future__ import annotations

import itertools
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from services.clients import Identity
from tests import eventstream

_epochs = itertools.count(1_000_000, step=10)


class Exchange:
    """One request, and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        self.path = handler.path
        self.headers = dict(handler.headers.items())
        self.body = handler.rfile.read(int(handler.headers.get("content-length") or 0))

    def answer(self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """A whole answer of known length."""
        self._head(
            status, {"content-type": "application/json", **(headers or {}), "content-length": str(len(body))}
        )
        self._handler.wfile.write(body)

    def error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        """An error as AWS words it."""
        kind = {"x-amzn-errortype": code, "x-amzn-requestid": "11111111-2222-3333-4444-555555555555"}
        self.answer(f'{{"message":"{message}"}}'.encode(), status=status, headers=kind | (headers or {}))

    def start_stream(self, headers: dict[str, str] | None = None) -> None:
        """The head of an event stream; `send` and `end` follow."""
        self._head(
            200,
            {
                "content-type": eventstream.CONTENT_TYPE,
                "transfer-encoding": "chunked",
                "x-amzn-requestid": "11111111-2222-3333-4444-555555555555",
                **(headers or {}),
            },
        )

    def send(self, data: bytes) -> None:
        """A piece of the stream."""
        self._handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self._handler.wfile.flush()

    def end(self) -> None:
        """The end of the stream."""
        self._handler.wfile.write(b"0\r\n\r\n")

    def cut(self) -> None:
        """Close the connection as a crash would: no end of the stream."""
        self._handler.close_connection = True
        self._handler.connection.shutdown(socket.SHUT_RDWR)

    def wait_for_hangup(self, seconds: float) -> bool:
        """Wait until the client closes the connection; False if it does not."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            readable, _, _ = select.select([self._handler.connection], [], [], 0.02)
            if readable:
                try:
                    return self._handler.connection.recv(1, socket.MSG_PEEK) == b""
                except ConnectionError:
                    return True
        return False

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()


Script = Callable[[Exchange], None]


class ScriptedServer:
    """Runs one script for each request; the last one again for all that follow."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Exchange] = []
        self._scripts: list[Script] = []

    def play(self, *scripts: Script) -> None:
        """What to do with the next requests."""
        self._scripts = list(scripts)

    def play_stream(self, *events: dict[str, Any]) -> None:
        """Answer with a whole event stream, events as boto3 yields them."""

        def script(exchange: Exchange) -> None:
            exchange.start_stream()
            exchange.send(eventstream.frames(list(events)))
            exchange.end()

        self.play(script)

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """One request. A count of tokens, which a page asks for by itself and for free, is refused apart."""
        exchange = Exchange(handler)
        if exchange.path.endswith("/count-tokens"):
            exchange.error(400, "ValidationException", "The provided model doesn't support counting tokens.")
            return
        self.requests.append(exchange)
        script = self._scripts[0] if len(self._scripts) == 1 else self._scripts.pop(0)
        script(exchange)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def running() -> Iterator[ScriptedServer]:
    """A server on a free port, for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            try:
                scripted.handle(self)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what a test needs is in `requests`."""

    with _Http(("127.0.0.1", 0), Handler) as http:
        scripted = ScriptedServer(f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(
            target=http.serve_forever, args=(0.05,), name="scripted-server", daemon=True
        )
        thread.start()
        try:
            yield scripted
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """The server that answers for `bedrock-runtime` in this test."""
    with running() as scripted:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", scripted.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        yield scripted


@pytest.fixture
def identity() -> Identity:
    """An identity that no other test has, even renewed: clients are cached by it, and servers differ."""
    return Identity("aws", None, "us-east-1", epoch=next(_epochs))
