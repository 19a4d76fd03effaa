"""Whether an edited body is what its family takes: what is wrong, where, in a sentence each."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.bodies.values import BodyError, BodyFormat, Json, Kind
from services.capabilities import Bound, Capabilities

GUARDRAIL_CONFIG = "amazon-bedrock-guardrailConfig"
"""Bedrock's own member: it may stand in the body of every family."""

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\],]')


@dataclass(frozen=True)
class BodyProblem:
    """One thing that the family would refuse, or (`warning`) that it may ignore. Lines count from 1."""

    sentence: str
    line: int = 1
    column: int = 1
    warning: bool = False


def read_body(text: str) -> Json:
    """The body in a text. BodyError, with line and column, for what is not one JSON object."""
    try:
        body = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BodyError(f"It is not valid JSON: {error.msg} at {where}.") from error
    except (ValueError, RecursionError) as error:
        raise BodyError(f"It is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise BodyError("It is valid JSON, but not an object in braces.")
    return body


def check_body(text: str, fmt: BodyFormat | None, capabilities: Capabilities) -> list[BodyProblem]:
    """What is wrong with an edited body, in the order of its lines. Without a format: its JSON alone."""
    try:
        body = read_body(text)
    except BodyError as error:
        cause = error.__cause__
        if isinstance(cause, json.JSONDecodeError):
            return [BodyProblem(str(error), cause.lineno, cause.colno)]
        return [BodyProblem(str(error))]
    places, twice = _places(text)
    lines = [0, *(newline.end() for newline in re.finditer("\n", text))]

    def told(sentence: str, at: int, warning: bool) -> BodyProblem:
        line = bisect_right(lines, at)
        return BodyProblem(sentence, line, at - lines[line - 1] + 1, warning)

    found = [told(f"“{path}” stands here again: the last one counts.", at, True) for path, at in twice]
    if fmt:
        for path, sentence, warning in _faults(body, fmt, capabilities):
            found.append(told(sentence, places.get(path, 0), warning))
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _faults(body: Json, fmt: BodyFormat, capabilities: Capabilities) -> Iterator[tuple[str, str, bool]]:
    """(path, sentence, whether it is only a warning)."""
    bounds = _bounds(fmt, capabilities)
    for path, member in fmt.members.items():
        parent, _, name = path.rpartition(".")
        holder = body.get(parent, {}) if parent else body
        if not isinstance(holder, dict):
            continue  # told as the parent's own fault
        if name not in holder:
            if member.required:
                yield "", f"“{path}” is missing: {fmt.name} bodies must have it.", False
        elif not _is(holder[name], member.kind):
            yield path, f"“{path}” takes {_article(member.kind)}.", False
        elif (bound := bounds.get(path)) and (sentence := _out_of_bounds(path, holder[name], bound)):
            yield path, sentence, False
    yield from _unknown_members(body, fmt)
    if isinstance(body.get("messages"), list):
        yield from _message_faults(body["messages"])


def _unknown_members(body: Json, fmt: BodyFormat) -> Iterator[tuple[str, str, bool]]:
    """Members that the family's page does not name: new ones may be among them, so they are warnings."""
    parents = {path.split(".")[0] for path in fmt.members if "." in path}
    paths = set(body) | {
        f"{parent}.{name}"
        for parent in parents
        if isinstance(holder := body.get(parent), dict)
        for name in holder
    }
    for path in paths - fmt.members.keys() - {GUARDRAIL_CONFIG}:
        yield path, f"“{path}” is not known to be a member of {fmt.name} bodies.", True


def _message_faults(messages: list[Any]) -> Iterator[tuple[str, str, bool]]:
    if not messages:
        yield "messages", "“messages” is empty: at least one message is needed.", False
    for place, message in enumerate(messages):
        path = f"messages[{place}]"
        if not isinstance(message, dict):
            yield path, f"Message {place + 1} takes an object with role and content.", False
            continue
        if not isinstance(message.get("role"), str):
            yield path, f"Message {place + 1} has no role.", False
        if not message.get("content") and not message.get("tool_calls"):
            yield path, f"Message {place + 1} has no content.", False


def _bounds(fmt: BodyFormat, capabilities: Capabilities) -> dict[str, Bound]:
    """The model's bounds by the path in this body; those of Converse parameters and of the family's own."""
    paths = {name: ".".join(path) for name, path in capabilities.additional_paths.items()}
    paths |= fmt.parameters
    return {paths[name]: bound for name, bound in capabilities.bounds.items() if name in paths}


def _out_of_bounds(path: str, value: Any, bound: Bound) -> str:
    if isinstance(value, list):
        most = bound.maximum
        return f"“{path}” takes at most {most:,.0f} texts." if len(value) > most else ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if bound.minimum <= value <= bound.maximum:
        return ""
    return f"“{path}” is {value:,}: this model takes {bound.minimum:,g} to {_plain(bound.maximum)}."


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"


def _is(value: Any, kind: Kind) -> bool:
    match kind:
        case "any":
            return True
        case "text":
            return isinstance(value, str)
        case "switch":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "whole number":
            return isinstance(value, int) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)


def _article(kind: Kind) -> str:
    return {
        "any": "anything",
        "text": "a text",
        "switch": "true or false",
        "number": "a number",
        "whole number": "a whole number",
        "list": "a list",
        "object": "an object",
    }[kind]


def _places(text: str) -> tuple[dict[str, int], list[tuple[str, int]]]:
    """Where every member and list item begins in a valid JSON text, by path; and members that stand twice."""
    places: dict[str, int] = {}
    twice: list[tuple[str, int]] = []
    stack: list[tuple[str, bool]] = []  # (path of the container, whether it is an object)
    counts: list[int] = []
    here = ""
    key_next = False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "{[":
            if stack and not stack[-1][1]:
                here = f"{stack[-1][0]}[{counts[-1]}]"
                places.setdefault(here, token.start())
            stack.append((here, word == "{"))
            counts.append(0)
            key_next = word == "{"
        elif word in "}]":
            stack.pop()
            counts.pop()
            key_next = False
        elif word == ",":
            counts[-1] += 1
            key_next = stack[-1][1]
        elif key_next:
            parent = stack[-1][0]
            here = f"{parent}.{json.loads(word)}" if parent else json.loads(word)
            if here in places:
                twice.append((here, token.start()))
            places[here] = token.start()
            key_next = False
    return places, twice
