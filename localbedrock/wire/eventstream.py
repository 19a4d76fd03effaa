"""Event streams as AWS frames them (``application/vnd.amazon.eventstream``).

A message is: total length, header length, CRC of these two, headers, payload, CRC of everything before it.
See "Event stream encoding" in the Amazon Transcribe developer guide, and ``botocore.eventstream``, which
reads it.
"""

from __future__ import annotations

import struct
from typing import Any
from zlib import crc32

from localbedrock.errors import AwsError
from localbedrock.wire.response import Writers, dump

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_STRING = 7
_LENGTHS = struct.Struct("!II")
_CRC = struct.Struct("!I")
_FALLBACK = "internalServerException"


class EventStreamWriter:
    """Frames the events, and the errors, of one operation's event stream."""

    def __init__(self, shape: Any, writers: Writers) -> None:
        self._events = {}
        self._exceptions = set()
        for name, member in shape.members.items():
            if member.metadata.get("exception"):
                self._exceptions.add(name)
            else:
                headers = _headers(event_type=name, content_type="application/json", message_type="event")
                self._events[name] = (headers, writers.writer(member))

    def event(self, event: dict[str, Any]) -> bytes:
        """The message of ``{"eventName": {...}}``."""
        ((name, value),) = event.items()
        headers, writer = self._events[name]
        return message(headers, dump(writer(value)))

    def exception(self, error: AwsError) -> bytes:
        """The message that ends a stream with an error; one that the stream does not know is an internal
        one.
        """
        name = error.code[:1].lower() + error.code[1:]
        if name not in self._exceptions:
            name = _FALLBACK
        headers = _headers(exception_type=name, content_type="application/json", message_type="exception")
        return message(headers, dump({"message": error.message} | error.members))


def message(headers: bytes, payload: bytes) -> bytes:
    """One message of encoded headers and a payload."""
    prelude = _LENGTHS.pack(16 + len(headers) + len(payload), len(headers))
    body = prelude + _CRC.pack(crc32(prelude)) + headers + payload
    return body + _CRC.pack(crc32(body))


def _headers(**texts: str) -> bytes:
    parts = []
    for name, text in texts.items():
        key, value = f":{name.replace('_', '-')}".encode(), text.encode()
        parts.append(bytes([len(key)]) + key + struct.pack("!BH", _STRING, len(value)) + value)
    return b"".join(parts)
