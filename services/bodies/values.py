"""What a body of InvokeModel is written from, and how one family's format is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.capabilities import Capabilities

Json = dict[str, Any]
Kind = Literal["text", "number", "whole number", "switch", "list", "object", "any"]


class BodyError(ValueError):
    """A body that cannot be written or sent; the message is one sentence for the person who wants to."""


@dataclass(frozen=True)
class Ask:
    """What a pane wants to say, in Converse's shapes.

    `messages` and `system` are content blocks as in a Converse request; `parameters` has Converse's names
    and those of `Capabilities.bounds`; `additional` is the pane's additional request fields with the
    parameters that Converse has no name for, which are in the family's own form already.
    """

    messages: Sequence[Json]
    system: Sequence[Json] = ()
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    stop_sequences: tuple[str, ...] = ()
    additional: Mapping[str, Any] = field(default_factory=dict)
    capabilities: Capabilities = Capabilities()


@dataclass(frozen=True)
class Member:
    """What one member of a body holds."""

    kind: Kind = "any"
    required: bool = False


@dataclass(frozen=True)
class BodyFormat:
    """One family's request body.

    `write` makes the conversation's part of it. `members` has every member that the family takes, by its
    path ("textGenerationConfig.topP"); `parameters` says at which path a parameter of Converse goes, with
    "stopSequences" among them. `source` is the page of the Amazon Bedrock User Guide that says so.
    """

    name: str
    write: Callable[[Ask], Json]
    members: Mapping[str, Member]
    parameters: Mapping[str, str]
    source: str


def put(body: Json, path: str, value: Any) -> None:
    """Set the member at a dotted path; objects on the way are made."""
    *parents, name = path.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
    body[name] = value


def merge(body: Json, more: Mapping[str, Any]) -> None:
    """Put members over a body's own: objects member by member, everything else whole."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(body.get(name), dict):
            merge(body[name], value)
        else:
            body[name] = value
