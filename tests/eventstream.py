"""AWS event-stream bytes for tests: what botocore reads but cannot write.

Prelude, headers, payload and two CRCs: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html
"""

from __future__ import annotations

import binascii
import io
import json
import struct
from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSResponse

CONTENT_TYPE = "application/vnd.amazon.eventstream"


def frame(event_type: str, payload: Any, message_type: str = "event") -> bytes:
    """One event-stream message; `message_type` "exception" makes it an error in the stream."""
    kind = ":exception-type" if message_type == "exception" else ":event-type"
    headers = b"".join(
        _header(name, value)
        for name, value in (
            (kind, event_type),
            (":content-type", "application/json"),
            (":message-type", message_type),
        )
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + body
    return message + struct.pack("!I", binascii.crc32(message))


def frames(events: list[dict[str, Any]]) -> bytes:
    """The messages of a whole stream, from events as boto3 yields them: [{"messageStart": {...}}, ...]."""
    return b"".join(frame(name, payload) for event in events for name, payload in event.items())


def answer(client: Any, operation: str, body: bytes, *, status: int = 200) -> None:
    """Makes every `operation` of a bedrock-runtime client answer with `body`, through the real parser."""

    def respond(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, status, {"content-type": CONTENT_TYPE}, _Raw(body))

    client.meta.events.register(f"before-send.bedrock-runtime.{operation}", respond)


class _Raw(io.BytesIO):
    """The part of urllib3's response that botocore's event stream reads."""

    def stream(self, amt: int = 1024, decode_content: bool | None = None) -> Iterator[bytes]:
        while chunk := self.read(amt):
            yield chunk


def _header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
