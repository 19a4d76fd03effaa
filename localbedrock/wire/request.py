"""From an HTTP request to an operation's parameters: path labels, query string, headers and body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from localbedrock.wire.parse import Readers, check, serialization_error


@dataclass(frozen=True)
class Request:
    """A request as it arrived; header names are lower case."""

    labels: Mapping[str, str]
    query: str
    headers: Mapping[str, str]
    body: bytes


class RequestParser:
    """Parses the requests of one operation."""

    def __init__(self, operation: Any, readers: Readers) -> None:
        shape = operation.input_shape
        self._read = readers.reader(shape) if shape is not None else None
        members: dict[str, Any] = dict(shape.members) if shape is not None else {}
        self._located = [
            (member.serialization["location"], member.serialization.get("name", name), member)
            for name, member in members.items()
            if "location" in member.serialization
        ]
        self._in_body = frozenset(
            member.serialization.get("name", name)
            for name, member in members.items()
            if "location" not in member.serialization
        )
        payload = shape.serialization.get("payload") if shape is not None else None
        self._payload: str | None = payload
        self._payload_is_blob = payload is not None and members[payload].type_name == "blob"

    def parse(self, request: Request) -> dict[str, Any]:
        """The operation's parameters; raises AWS's error for what is wrong with them."""
        if self._read is None:
            return {}
        values = self._body(request.body)
        query = parse_qs(request.query, keep_blank_values=True)
        for location, name, shape in self._located:
            if location == "uri":
                values[name] = _from_text(request.labels[name], shape, name)
            elif location == "querystring" and name in query:
                values[name] = _from_query(query[name], shape, name)
            elif location == "header" and name.lower() in request.headers:
                values[name] = _from_text(request.headers[name.lower()], shape, name)
        violations: list[str] = []
        parameters: dict[str, Any] = self._read(values, "", violations)
        check(violations)
        return parameters

    def _body(self, body: bytes) -> dict[str, Any]:
        if self._payload_is_blob and self._payload:
            return {self._payload: body} if body else {}
        if not body or not self._in_body:
            return {}
        document = parse_json(body)
        if self._payload:
            return {self._payload: document}
        if not isinstance(document, dict):
            raise serialization_error("The request body must be a JSON object.")
        return {name: value for name, value in document.items() if name in self._in_body}


def parse_json(body: bytes) -> Any:
    """The JSON value of a body; SerializationException if it is none."""
    try:
        document = json.loads(body)
        if b"\\ud" in body.lower():  # half of a surrogate pair is JSON, yet no text
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise serialization_error("The request body is not valid JSON.") from None
    return document


def _from_query(values: list[str], shape: Any, name: str) -> Any:
    if shape.type_name == "list":
        return [_from_text(value, shape.member, name) for value in values]
    return _from_text(values[-1], shape, name)


def _from_text(text: str, shape: Any, name: str) -> Any:
    """What stands in a URL or header as the JSON value that the shape's reader expects."""
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise serialization_error(f"STRING_VALUE can not be converted to a {kind} (at '{name}')") from None
    return text
