"""From an operation's result to an HTTP answer: status, headers, JSON body; and the answer of an error."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from localbedrock.asgi import Answer
from localbedrock.errors import AwsError

Writer = Callable[[Any], Any]
"""A Python value in, its JSON value out."""


class Writers:
    """The writers of one service's shapes, each compiled when it is first needed.

    They convert what JSON cannot hold (bytes, datetimes) and leave out members that are None. Members that
    the shape does not know pass unchanged: dropping them here would only hide a fault of a handler from the
    tests.
    """

    def __init__(self) -> None:
        self._writers: dict[str, Writer] = {}

    def writer(self, shape: Any) -> Writer:
        """The writer of a shape; a shape may contain itself."""
        name: str = shape.name
        if name not in self._writers:
            self._writers[name] = lambda value: self._writers[name](value)
            self._writers[name] = self._compile(shape)
        return self._writers[name]

    def _compile(self, shape: Any) -> Writer:
        if getattr(shape, "is_document_type", False):
            return _same
        kind = shape.type_name
        if kind == "structure":
            return self._structure(shape)
        if kind == "list":
            member = self.writer(shape.member)
            return lambda values: [member(value) for value in values]
        if kind == "map":
            item = self.writer(shape.value)
            return lambda values: {key: item(value) for key, value in values.items()}
        if kind == "timestamp":
            return _iso if shape.serialization.get("timestampFormat") == "iso8601" else datetime.timestamp
        return _base64 if kind == "blob" else _same

    def _structure(self, shape: Any) -> Writer:
        members = {
            name: (member.serialization.get("name", name), self.writer(member))
            for name, member in shape.members.items()
        }

        def write(values: dict[str, Any]) -> dict[str, Any]:
            result = {}
            for name, value in values.items():
                if value is not None:
                    wire_name, writer = members.get(name, (name, _same))
                    result[wire_name] = writer(value)
            return result

        return write


class ResponseWriter:
    """Writes the answers of one operation."""

    def __init__(self, operation: Any, writers: Writers) -> None:
        shape = operation.output_shape
        members: dict[str, Any] = dict(shape.members) if shape is not None else {}
        names = {name: member.serialization.get("name", name) for name, member in members.items()}
        headers = {name for name in members if members[name].serialization.get("location") == "header"}
        self._status = int(operation.http.get("responseCode", 200))
        self._headers = {name: names[name].lower() for name in headers}
        self._body = {name: (names[name], writers.writer(members[name])) for name in members.keys() - headers}
        self._payload: str | None = shape.serialization.get("payload") if shape is not None else None
        stream = operation.get_event_stream_output() if operation.has_event_stream_output else None
        self.stream_shape: Any = stream
        """The shape of the operation's event stream, if it answers with one."""
        self._stream_name = next((name for name in members if members[name] is stream), "")

    def head(self, output: dict[str, Any]) -> tuple[int, dict[str, str]]:
        """The status, and the headers that the output's members become."""
        headers = {
            header: str(output[name])
            for name, header in self._headers.items()
            if output.get(name) is not None
        }
        return self._status, headers

    def answer(self, output: dict[str, Any], request_id: str) -> Answer:
        """The whole answer of an operation without an event stream."""
        status, headers = self.head(output)
        headers = {"content-type": "application/json", "x-amzn-requestid": request_id} | headers
        return Answer(status, self._content(output), headers)

    def _content(self, output: dict[str, Any]) -> bytes:
        if self._payload is not None:
            value = output.get(self._payload)
            if value is None or isinstance(value, bytes):
                return value or b""
            return dump(self._body[self._payload][1](value))
        body = {}
        for name, value in output.items():
            if value is not None and name not in self._headers:
                wire_name, writer = self._body.get(name, (name, _same))
                body[wire_name] = writer(value)
        return dump(body)

    def events(self, output: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The iterator of events in a streaming operation's output."""
        events: Iterator[dict[str, Any]] = output[self._stream_name]
        return events


def error_answer(error: AwsError, request_id: str) -> Answer:
    """An error as rest-json services send it."""
    headers = {
        "content-type": "application/json",
        "x-amzn-requestid": request_id,
        "x-amzn-errortype": error.code,
    }
    return Answer(error.status, dump({"message": error.message} | error.members), headers)


def dump(value: Any) -> bytes:
    """A JSON value as the bytes that go over the wire."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _same(value: Any) -> Any:
    return value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
