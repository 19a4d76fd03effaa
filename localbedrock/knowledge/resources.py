"""What the resources of knowledge bases have in common: ids, times, and requests that are repeated."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime
from typing import Any

from localbedrock.context import Context

_ALPHABET = string.ascii_uppercase + string.digits
_TIMES = ("createdAt", "updatedAt", "startedAt")


def new_id() -> str:
    """Ten characters, as AWS makes them."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


def now() -> str:
    """The time as it is stored."""
    return datetime.now(UTC).isoformat()


def with_times(document: dict[str, Any]) -> dict[str, Any]:
    """A stored document as it is answered."""
    times = {name: datetime.fromisoformat(document[name]) for name in _TIMES if name in document}
    return document | times


def pick(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """Those of the members that are there."""
    return {name: document[name] for name in names if name in document}


def made_with(ctx: Context, kind: str, token: str) -> dict[str, Any] | None:
    """What an earlier request with the same client token made, while it exists."""
    made = ctx.store.get(f"{kind}-token", token) if token else None
    return ctx.store.get(kind, made["id"]) if made else None


def remember(ctx: Context, kind: str, token: str, resource_id: str) -> None:
    """Notes what a client token has made."""
    if token:
        ctx.store.put(f"{kind}-token", token, {"id": resource_id})
