"""Cache points: where a prompt may be cut so that what stands before is read from the cache next time.

Converse takes `cachePoint` blocks after the system prompt, after the tools and within messages; a request has
at most four. How many tokens a model wants before a point stands in "Prompt caching" in the user guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.capabilities import Capabilities

CacheTtl = Literal["", "5m", "1h"]
JsonDict = dict[str, Any]

_TTLS: dict[str, CacheTtl] = {"5m": "5m", "1h": "1h"}
_MESSAGE_POINTS = 2
"""One after the newest message, to be written, and one where the request before had its own, to be read."""


@dataclass(frozen=True)
class CachePoints:
    """After which parts of its prompts a pane puts a cache point; `ttl` "" is the service's own lifetime."""

    system: bool = False
    tools: bool = False
    messages: bool = False
    ttl: CacheTtl = ""

    @property
    def any(self) -> bool:
        """Whether there is a point at all."""
        return self.system or self.tools or self.messages


def put_cache_points(request: JsonDict, points: CachePoints, capabilities: Capabilities) -> None:
    """Put the points into a Converse request; none where the model is known to cache nothing.

    Parts that the request does not have get no point. The request's own lists are not changed.
    """
    if not points.any or capabilities.prompt_caching is False:
        return
    if points.system and request.get("system"):
        request["system"] = [*request["system"], _point(points)]
    tools = (request.get("toolConfig") or {}).get("tools")
    if points.tools and tools:
        request["toolConfig"] = {**request["toolConfig"], "tools": [*tools, _point(points)]}
    if points.messages:
        request["messages"] = marked(request["messages"], points)


def marked(messages: Sequence[JsonDict], points: CachePoints) -> list[JsonDict]:
    """The messages with a point after the last ones of the user."""
    said = [place for place, message in enumerate(messages) if message["role"] == "user"]
    ends = set(said[-_MESSAGE_POINTS:])
    return [
        {**message, "content": [*message["content"], _point(points)]} if place in ends else message
        for place, message in enumerate(messages)
    ]


def cache_points_of(request: Mapping[str, Any]) -> CachePoints:
    """The points in a Converse request."""
    parts = {
        "system": request.get("system") or (),
        "tools": (request.get("toolConfig") or {}).get("tools") or (),
        "messages": [b for message in request.get("messages") or () for b in message.get("content") or ()],
    }
    found = {name: [b["cachePoint"] for b in blocks if is_point(b)] for name, blocks in parts.items()}
    ttl = next((point.get("ttl", "") for points in found.values() for point in points), "")
    return CachePoints(
        system=bool(found["system"]),
        tools=bool(found["tools"]),
        messages=bool(found["messages"]),
        ttl=_TTLS.get(ttl, ""),
    )


def is_point(block: Any) -> bool:
    """Whether a block is a cache point; it is no part of what was said."""
    return isinstance(block, Mapping) and isinstance(block.get("cachePoint"), Mapping)


def _point(points: CachePoints) -> JsonDict:
    return {"cachePoint": {"type": "default", **({"ttl": points.ttl} if points.ttl else {})}}
