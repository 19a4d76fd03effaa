"""Serves the Bedrock services over ASGI: finds the operation, has a thread answer it, sends the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from localbedrock.asgi import Answer, Body, ClientGoneError, Receive, Scope, Send, raw_path, send_answer
from localbedrock.context import Handler
from localbedrock.errors import AwsError, throttled, unavailable, unknown_operation
from localbedrock.store import Store
from localbedrock.wire.exchange import Exchange
from localbedrock.wire.operations import Operation, Operations
from localbedrock.wire.request import Request
from localbedrock.wire.response import error_answer
from localbedrock.wire.worker import Job, Report, Worker

if TYPE_CHECKING:
    from localbedrock.text.host import ModelHost

MAX_CONCURRENT = 128
"""Requests in work at the same time; what comes on top is throttled, as AWS throttles it."""


class Dispatcher:
    """The ASGI app of the Bedrock services. Expects the guard in front of it."""

    def __init__(
        self, handlers: Mapping[tuple[str, str], Handler], store: Store, models: ModelHost, report: Report
    ) -> None:
        self._operations = Operations(handlers)
        self._worker = Worker(store, models, report)
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="request")
        self._exchanges: set[Exchange] = set()

    def knows(self, method: str, path: str) -> bool:
        """Whether a path as it was sent belongs to one of the Bedrock services."""
        return self._operations.router.match(method, path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id: str = scope["request_id"]
        try:
            operation, request = await self._read(scope, receive)
        except ClientGoneError:
            return
        except AwsError as error:
            await send_answer(send, error_answer(error, request_id))
            return
        loop = asyncio.get_running_loop()
        exchange = Exchange(loop)
        job = Job(operation, request, exchange, request_id, scope["aws"].region)
        self._exchanges.add(exchange)
        watcher = asyncio.create_task(_watch(receive, exchange))
        try:
            loop.run_in_executor(self._threads, self._worker.run, job)
            await _deliver(exchange, send)
        finally:
            watcher.cancel()
            exchange.close()
            self._exchanges.discard(exchange)

    def stop(self) -> None:
        """Ends what is running: handlers are told to give up, and their clients that they were stopped."""
        self._worker.stopping = True
        self._threads.shutdown(wait=False)
        for exchange in self._exchanges:
            exchange.cancelled.set()

    async def _read(self, scope: Scope, receive: Receive) -> tuple[Operation, Request]:
        path = raw_path(scope)
        match = self._operations.router.match(scope["method"], path)
        if match is None:
            raise unknown_operation(f"No Bedrock operation is called with {scope['method']} {path}.")
        route, labels = match
        operation = self._operations.of(route)
        if operation is None:
            sentence = f"The local endpoint does not offer {route.operation} of {route.service}."
            raise unknown_operation(sentence)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await Body(scope, receive).read(limit=1 << 40)  # the guard has measured it
        if self._worker.stopping:
            raise unavailable("The endpoint is stopping.")
        if len(self._exchanges) >= MAX_CONCURRENT:
            raise throttled("Too many requests, please wait before trying again.")
        return operation, Request(labels, scope["query_string"].decode("latin-1"), headers, body)


async def _watch(receive: Receive, exchange: Exchange) -> None:
    """Waits for the client to go away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    exchange.close()


async def _deliver(exchange: Exchange, send: Send) -> None:
    head = await exchange.head
    if isinstance(head, Answer):
        await send_answer(send, head)
        return
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.headers.items()]
    await send({"type": "http.response.start", "status": head.status, "headers": headers})
    while (data := await exchange.take()) is not None:
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
