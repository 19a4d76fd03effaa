"""Serves handlers of a test's own over the real wire: guard, routing, parsing, threads, event streams."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Mapping
from typing import Any

import boto3
import uvicorn
from botocore.config import Config

from localbedrock.context import Handler, Inference
from localbedrock.guard import Guard
from localbedrock.lifecycle import bind
from localbedrock.store import Store
from localbedrock.wire.dispatch import Dispatcher

KEY_ID, SECRET = "AKIATESTTESTTESTTEST", "test-secret"  # a key for tests alone


@functools.cache
def _session() -> boto3.Session:
    """One for all tests: each session reads botocore's models anew."""
    return boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name="us-east-1")


class RunningWire:
    """A server in a thread; use it as a context manager."""

    def __init__(self, handlers: Mapping[tuple[str, str], Handler]) -> None:
        self.reports: list[tuple[Inference, str, str]] = []
        self.store = Store(":memory:")
        models: Any = object()
        self.dispatcher = Dispatcher(
            handlers, self.store, models, lambda *report: self.reports.append(report)
        )
        self._guard = Guard(self.dispatcher, {KEY_ID: SECRET}, is_bedrock=self.dispatcher.knows)
        self._listener = bind(0)
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        config = uvicorn.Config(
            self._guard, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._listener])), name="wire"
        )
        self._clients: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> RunningWire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self.dispatcher.stop()
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()
        self.store.close()

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client that retries nothing and leaves all checking to the server."""
        settings = {"retries": {"total_max_attempts": 1}, "parameter_validation": False} | config
        client = _session().client(service, endpoint_url=self.url, config=Config(**settings))
        self._clients.append(client)
        return client
