"""What a model family is to the rest: how its chunks and its body are told, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Event = tuple[str, Json]


@dataclass(frozen=True)
class Family:
    """One family's body format."""

    chunk_members: frozenset[str]
    """Members that tell a chunk of this family from those of all others."""
    body_members: frozenset[str]
    """Members that tell a body of this family from those of all others."""
    fold: Callable[[Sequence[Json]], Json]
    """The body of InvokeModel from the chunks of a stream."""
    events: Callable[[Json], Iterator[Event]]
    """A chunk as ConverseStream's contentBlock events."""
    converse: Callable[[Json], Json]
    """A body as Converse's response, with the family's own stop reason; members may be None."""


def converse(content: list[Json], stop_reason: str | None, usage: Json | None = None) -> Json:
    """A response in Converse's shape."""
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": stop_reason, "usage": usage or {}}


def merged(parts: Sequence[Json], text: str) -> Json:
    """One object of several: `text` is joined; of every other member the last value that is not null."""
    result: Json = {}
    for part in parts:
        result.update(
            {name: value for name, value in part.items() if value is not None or name not in result}
        )
    if text in result:
        result[text] = "".join(part.get(text) or "" for part in parts)
    return result


def columns(parts: Sequence[Json], member: str) -> list[list[Json]]:
    """The objects of the list `member` over all chunks, put together by their `index` or else their place."""
    found: dict[int, list[Json]] = {}
    for part in parts:
        for place, item in enumerate(part.get(member) or []):
            found.setdefault(item.get("index", place), []).append(item)
    return [items for _, items in sorted(found.items())]


def without(value: Json, *names: str) -> Json:
    """The object less the named members."""
    return {name: member for name, member in value.items() if name not in names}
