"""The implemented operations: each handler between a request parser and an answer writer, compiled once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localbedrock.context import Handler
from localbedrock.wire.eventstream import EventStreamWriter
from localbedrock.wire.parse import Readers
from localbedrock.wire.request import RequestParser
from localbedrock.wire.response import ResponseWriter, Writers
from localbedrock.wire.routing import Route, Router, load_services


class Operation:
    """Everything that is needed to serve one operation."""

    def __init__(self, model: Any, handler: Handler, readers: Readers, writers: Writers) -> None:
        self.name: str = model.name
        self.handler = handler
        self.request = RequestParser(model, readers)
        self.response = ResponseWriter(model, writers)
        shape = self.response.stream_shape
        self.stream = EventStreamWriter(shape, writers) if shape is not None else None


class Operations:
    """The routes of all services and the operations behind those that have a handler.

    A handler of a service or operation that does not exist is an error (KeyError, OperationNotFoundError).
    """

    def __init__(self, handlers: Mapping[tuple[str, str], Handler]) -> None:
        services = load_services()
        readers = {service: Readers() for service in services}
        writers = {service: Writers() for service in services}
        self.router = Router(services, handlers)
        self._operations = {
            (service, name): Operation(
                services[service].operation_model(name), handler, readers[service], writers[service]
            )
            for (service, name), handler in handlers.items()
        }

    def of(self, route: Route) -> Operation | None:
        """The operation of a route; None if nobody implements it."""
        return self._operations.get((route.service, route.operation))
