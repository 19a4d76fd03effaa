"""The record of one call to AWS: what was asked, what came back and when, and what it cost."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from services.clients import Identity
from services.problems import Problem

RunState = Literal["running", "done", "stopped", "failed"]

FORMAT = "bedrock-workbench-run"
VERSION = 1


class RunFormatError(ValueError):
    """A text is not a run that this version can read; the message says where and why."""


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of one call. The four main counts are disjoint, as in Converse: add them up for a total.

    `cache_write_1h_tokens` is the part of `cache_write_tokens` written with the one-hour lifetime,
    which has a price of its own (Converse: `usage.cacheDetails`).
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """All tokens that went in or came out, cached ones included."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event of a stream, or the one `response` event of a call that does not stream.

    `at_ms` counts from the moment the request was sent; `data` is AWS's payload, verbatim.
    """

    at_ms: float
    name: str
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that is to be made.

    `request` holds exactly the keyword arguments for boto3's method. The body of an InvokeModel call may
    stand there as a JSON dict or as bytes. `attempt` counts how often in a row it has been asked for: with
    each failure the wait that is advised doubles.
    """

    operation: str
    request: dict[str, Any]
    identity: Identity
    service: str = "bedrock-runtime"
    kind: str = "model"
    model_id: str = ""
    user: str = "local"
    parent_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call and everything known about it.

    `state` is `running` only in a snapshot of a live stream. `response` has the shape that AWS gives
    without streaming (for InvokeModel: the body's JSON), folded from `events`; None while nothing came
    back. `metadata` is boto3's `ResponseMetadata`. `ttft_ms` (time to first token) is None where the call
    did not stream; `cost_usd` is None where the usage or the price is unknown.
    """

    id: str
    call: Call
    started_at: datetime
    state: RunState
    latency_ms: float
    events: tuple[RunEvent, ...] = ()
    response: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    usage: TokenUsage | None = None
    stop_reason: str | None = None
    ttft_ms: float | None = None
    service_latency_ms: float | None = None
    cost_usd: float | None = None
    problem: Problem | None = None
    request_id: str | None = None
    shared: bool = False


def new_id() -> str:
    """A fresh run id, safe in a link."""
    return uuid.uuid4().hex


def to_json(run: Run, *, put: Callable[[bytes], dict[str, Any]] | None = None) -> str:
    """The run as a JSON text that `from_json` reads back without loss.

    Bytes become `{"$bytes": base64}`, or what `put` makes of them (a reference, for a store).
    """
    plain = _encode(_adapter().dump_python(run, warnings=False), put or inline)
    return json.dumps({"format": FORMAT, "version": VERSION, "run": plain})


def from_json(text: str, *, get: Callable[[dict[str, Any]], bytes] | None = None) -> Run:
    """The run in a text that `to_json` wrote; `get` resolves what `put` made.

    Strict: a missing or unknown member, a value of the wrong type, another version raise RunFormatError.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunFormatError(f"This is not JSON: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RunFormatError("This JSON is not a run that Bedrock Workbench exported.")
    if document.get("version") != VERSION:
        found = document.get("version")
        raise RunFormatError(f"The run is in format version {found!r}; this version reads {VERSION}.")
    try:
        run = _adapter().validate_json(json.dumps(document.get("run")), strict=True, extra="forbid")
        return _decode_parts(run, get or _unknown)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["run", *map(str, first["loc"])])
        raise RunFormatError(f"{where}: {first['msg']}.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunFormatError(f"A binary part in the run cannot be read: {error}.") from error


@cache
def _adapter() -> TypeAdapter[Run]:
    return TypeAdapter(Run)


# JSON has no bytes, no times and no half surrogate pairs (models cut emoji in two). Each becomes an object
# with one member whose name starts with "$"; an object that looks so already is wrapped in {"$plain": ...}.


def inline(data: bytes) -> dict[str, Any]:
    """Bytes as they stand in an exported run: `{"$bytes": base64}`."""
    return {"$bytes": base64.b64encode(data).decode("ascii")}


def _unknown(reference: dict[str, Any]) -> bytes:
    raise ValueError(f"{next(iter(reference))} means nothing here")


def _encode(value: Any, put: Callable[[bytes], dict[str, Any]]) -> Any:
    if isinstance(value, Mapping):
        plain = {str(name): _encode(member, put) for name, member in value.items()}
        return {"$plain": plain} if _is_marked(plain) else plain
    if isinstance(value, list | tuple):
        return [_encode(member, put) for member in value]
    if isinstance(value, bytes | bytearray):
        return put(bytes(value))
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            data = value.encode("utf-16-le", "surrogatepass")
            return {"$utf16": base64.b64encode(data).decode("ascii")}
    return value


def _is_marked(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith("$")


def _decode(value: Any, get: Callable[[dict[str, Any]], bytes]) -> Any:
    if isinstance(value, list):
        return [_decode(member, get) for member in value]
    if not isinstance(value, dict):
        return value
    if not _is_marked(value):
        return {name: _decode(member, get) for name, member in value.items()}
    match value:
        case {"$plain": dict(plain)}:
            return {name: _decode(member, get) for name, member in plain.items()}
        case {"$bytes": str(data)}:
            return base64.b64decode(data, validate=True)
        case {"$utf16": str(data)}:
            return base64.b64decode(data, validate=True).decode("utf-16-le", "surrogatepass")
        case _:
            return get(value)


def _decode_parts(run: Run, get: Callable[[dict[str, Any]], bytes]) -> Run:
    """The members that hold AWS's own JSON, where bytes may stand; the others are typed."""
    return replace(
        run,
        call=replace(run.call, request=_decode(run.call.request, get)),
        events=tuple(replace(event, data=_decode(event.data, get)) for event in run.events),
        response=_decode(run.response, get),
        metadata=_decode(run.metadata, get),
    )
