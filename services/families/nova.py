"""Amazon Nova: Converse's own shapes, with each event as a chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from services.converse import fold_converse
from services.families.family import Event, Family, Json, without

_EVENTS = (
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
)


def fold(chunks: Sequence[Json]) -> Json:
    """Nova's body; what a guardrail adds to a chunk beside its event is kept.

    The stream has empty `metrics` and `trace`, which the body has not, and leaves out the sum of the tokens.
    """
    text = TextJoiner()
    body = fold_converse(event for chunk in chunks for event in text.joined(events(chunk)))
    for chunk in chunks:
        body.update(without(chunk, *_EVENTS))
    usage = body.get("usage") or {}
    if {"inputTokens", "outputTokens"} <= usage.keys():
        body["usage"] = {"totalTokens": usage["inputTokens"] + usage["outputTokens"], **usage}
    return {name: value for name, value in body.items() if value not in ({}, None)}


def events(chunk: Json) -> Iterator[Event]:
    """The events of a chunk, as they are."""
    for name in _EVENTS:
        if isinstance(chunk.get(name), dict):
            yield name, chunk[name]


class TextJoiner:
    """Makes one block of adjacent text blocks: Nova streams every piece of a text as a block of its own."""

    def __init__(self) -> None:
        self._index: int | None = None

    def joined(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of a stream, in one or more calls, with the text blocks joined."""
        for name, data in events:
            if name == "contentBlockDelta" and "text" in (data.get("delta") or {}):
                if self._index is None:
                    self._index = data.get("contentBlockIndex", 0)
                yield name, {**data, "contentBlockIndex": self._index}
            elif self._index is None:
                yield name, data
            elif name != "contentBlockStop":
                yield "contentBlockStop", {"contentBlockIndex": self._index}
                self._index = None
                yield name, data


def to_converse(body: Json) -> Json:
    """Nova's body as Converse's response: the cache counts have other names."""
    usage = dict(body.get("usage") or {})
    for name in ("cacheReadInputToken", "cacheWriteInputToken"):
        if f"{name}Count" in usage:
            usage[f"{name}s"] = usage.pop(f"{name}Count")
    return {**body, "usage": usage}


NOVA = Family(
    chunk_members=frozenset(_EVENTS),
    body_members=frozenset({"output"}),
    fold=fold,
    events=events,
    converse=to_converse,
)
