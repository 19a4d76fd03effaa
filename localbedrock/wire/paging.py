"""Lists in pages, with the ``maxResults`` and ``nextToken`` that AWS's paginators expect."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from localbedrock.errors import validation

DEFAULT_PAGE = 100

Item = TypeVar("Item")


def page(
    items: Sequence[Item], params: Mapping[str, Any], key: Callable[[Item], str], default: int = DEFAULT_PAGE
) -> tuple[list[Item], dict[str, str]]:
    """One page of ``items`` and ``{"nextToken": ...}``, or ``{}`` on the last one.

    The token names the last item given by its ``key`` and its place, so what is created or deleted between
    two calls neither repeats nor hides another item. Raises ValidationException for a token that is not
    ours.
    """
    start = _after(items, params["nextToken"], key) if params.get("nextToken") else 0
    end = start + int(params.get("maxResults", default))
    given = list(items[start:end])
    return given, {"nextToken": _token(end - 1, key(given[-1]))} if end < len(items) else {}


def _token(place: int, name: str) -> str:
    return base64.urlsafe_b64encode(f"{place}:{name}".encode()).decode()


def _after(items: Sequence[Item], token: str, key: Callable[[Item], str]) -> int:
    try:
        place, _, name = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(":")
        last = int(place)
    except (binascii.Error, ValueError):
        raise validation("The provided nextToken is not valid.") from None
    known = next((i for i, item in enumerate(items) if key(item) == name), None)
    # The item itself is gone: what followed it has moved into its place.
    return max(last, 0) if known is None else known + 1
