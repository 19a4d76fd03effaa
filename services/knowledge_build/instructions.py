"""What a step does, as values: the same ones are carried out and written down as code.

An argument may be a `Var` (known only once an earlier call has answered) or a `Json` (AWS takes it as text).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]

TRIES = 24
PAUSE_S = 5
NOT_YET = (
    "accessdenied",
    "unable to assume",
    "not authorized",
    "no such index",
    "index_not_found",
    "forbidden",
    "403",
)
"""AWS says one of these while a role, a policy or an index that was just made is not known everywhere yet."""


@dataclass(frozen=True)
class Var:
    """A value that an earlier call gave under this name."""

    name: str


@dataclass(frozen=True)
class Json:
    """A document that is passed as JSON text."""

    document: Any


@dataclass(frozen=True)
class Call:
    """One call of boto3. `operation` is the API's name.

    `gives` names parts of the answer; where all of them are known already the call is left out. `fine` are
    error codes that say that there is nothing left to do. `patient` repeats it while AWS says NOT_YET.
    """

    service: str
    operation: str
    arguments: Mapping[str, Any]
    gives: Mapping[str, Path] = field(default_factory=dict)
    fine: tuple[str, ...] = ()
    patient: bool = False


@dataclass(frozen=True)
class Wait:
    """Repeat a call until the word at `status` is none of `going`; anything but `good` then is a failure.

    "" stands for what is not there (any more). `failure` is where the answer says why. `tell` words an answer
    for a person who watches.
    """

    call: Call
    status: Path
    going: tuple[str, ...]
    good: tuple[str, ...]
    failure: Path = ()
    tell: Callable[[Mapping[str, Any]], str] | None = None


@dataclass(frozen=True)
class Measure:
    """InvokeModel with one word; the length of the vector at `vector` in the answer's body becomes `name`."""

    call: Call
    vector: Path
    name: str


@dataclass(frozen=True)
class Upload:
    """PutObject for each file."""

    bucket: str
    prefix: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Empty:
    """Delete every object below a prefix (ListObjectsV2, DeleteObjects)."""

    bucket: str
    prefix: str


Instruction = Call | Wait | Measure | Upload | Empty


def resolve(value: Any, values: Mapping[str, Any]) -> Any:
    """An argument as boto3 takes it. KeyError where a variable is not known."""
    if isinstance(value, Var):
        return values[value.name]
    if isinstance(value, Json):
        return json.dumps(resolve(value.document, values))
    if isinstance(value, Mapping):
        return {key: resolve(each, values) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(each, values) for each in value]
    return value


def variables(value: Any) -> Iterator[str]:
    """The names of the variables in an argument."""
    if isinstance(value, Var):
        yield value.name
    elif isinstance(value, Json):
        yield from variables(value.document)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from variables(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from variables(each)


def at(answer: Any, path: Path) -> Any:
    """The part of an answer at a path; None where it has none."""
    for part in path:
        try:
            answer = answer[part]
        except (KeyError, IndexError, TypeError):
            return None
    return answer
