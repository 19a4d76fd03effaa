"""An OpenAI-compatible server for tests: real HTTP, scripted answers, and a record of what it was asked."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Handler", dict[str, Any]], None]


@dataclass
class OpenAIServer:
    """`script` answers chat completions; `requests` holds the bodies that came."""

    url: str = ""
    script: Script = lambda handler, body: handler.say("Hello", " there")
    requests: list[dict[str, Any]] = field(default_factory=list)
    authorization: str = ""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a client has closed its connection while an endless answer was sent."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    state: OpenAIServer

    def log_message(self, *args: Any) -> None:
        """Nothing to the terminal."""

    def do_GET(self) -> None:
        self.answer({"data": [{"id": "tiny:1b"}, {"id": "nomic-embed-text"}]})

    def do_POST(self) -> None:
        self.state.authorization = self.headers.get("authorization", "")
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.state.requests.append(body)
        if self.path.endswith("/embeddings"):
            vectors = [{"index": at, "embedding": [float(at), 1.0]} for at, _ in enumerate(body["input"])]
            self.answer({"data": vectors[::-1], "usage": {"prompt_tokens": 7}})
        else:
            self.state.script(self, body)

    def answer(self, document: dict[str, Any], status: int = 200) -> None:
        """A whole answer."""
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin(self) -> None:
        """The head of a stream of unknown length."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def chunk(self, **choice: Any) -> None:
        """One event of the stream."""
        document = {"choices": [{"index": 0, "delta": {}, "finish_reason": None} | choice]}
        self.wfile.write(b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n")
        self.wfile.flush()

    def end(self, **usage: int) -> None:
        """The usage and the end."""
        self.wfile.write(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def say(self, *texts: str) -> None:
        """A whole stream of text."""
        self.begin()
        for text in texts:
            self.chunk(delta={"content": text})
        self.chunk(finish_reason="stop")
        self.end(prompt_tokens=5, completion_tokens=len(texts))

    def say_forever(self) -> None:
        """Text until the client goes away."""
        self.begin()
        try:
            while True:
                self.chunk(delta={"content": "more "})
                if self.state.gone.wait(0.01):
                    return
        except OSError:
            self.state.gone.set()


@contextmanager
def openai_server() -> Iterator[OpenAIServer]:
    """The server on a free port of 127.0.0.1."""
    state = OpenAIServer()
    handler = type("BoundHandler", (Handler,), {"state": state})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
