"""Checks answers against botocore's service models: what AWS promises of an operation, the local endpoint
keeps.

botocore itself reads leniently: it drops members it does not know and never misses a required one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# AWS's own answers do not keep these: names are longer than 20 characters, names of profiles have dots, and
# INFERENCE_PROFILE is missing from the enum.
LENIENT_SHAPES = frozenset(
    {"BrandedName", "InferenceProfileName", "InferenceProfileDescription", "InferenceType"}
)

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (str, int, float),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}


def faults(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Everything in a JSON value that its output shape does not allow."""
    if getattr(shape, "is_document_type", False):
        return
    kind = shape.type_name
    if type(value) not in _JSON_TYPES[kind]:
        yield f"{path}: {value!r} is no {kind}"
    elif kind == "structure":
        yield from _structure_faults(shape, value, path)
    elif kind == "list":
        for place, item in enumerate(value):
            yield from faults(shape.member, item, f"{path}[{place}]")
    elif kind == "map":
        for key, item in value.items():
            yield from faults(shape.value, item, f"{path}[{key!r}]")
    elif kind == "string" and shape.name not in LENIENT_SHAPES:
        yield from _text_faults(shape, value, path)


def _structure_faults(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    members = {
        member.serialization.get("name", name): (name, member)
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }
    for name, (member_name, _) in members.items():
        if member_name in shape.required_members and value.get(name) is None:
            yield f"{path}.{name} is required and missing"
    for name, item in value.items():
        if name in members:
            yield from faults(members[name][1], item, f"{path}.{name}")
        else:
            yield f"{path}.{name} is no member of {shape.name}"
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield f"{path}: {sorted(value)} are set of a union"


def _text_faults(shape: Any, value: str, path: str) -> Iterator[str]:
    enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    if enum and value not in enum:
        yield f"{path}: {value!r} is not one of {enum}"
    readable = pattern and "\\p" not in pattern.lower() and "/d{" not in pattern
    if readable and not re.fullmatch(pattern, value):
        yield f"{path}: {value!r} does not match {pattern}"


def answer_faults(operation: Any, status: int, headers: dict[str, str], body: bytes) -> list[str]:
    """What is wrong with a whole HTTP answer of an operation without an event stream."""
    found = [] if headers.get("x-amzn-requestid") else ["no x-amzn-RequestId"]
    if status >= 300:
        error = json.loads(body)
        if not isinstance(error.get("message"), str) or not headers.get("x-amzn-errortype"):
            found.append(f"an error without message or x-amzn-ErrorType: {headers} {error}")
        return found
    expected = operation.http.get("responseCode", 200)
    if status != expected:
        found.append(f"status {status}, not {expected}")
    shape = operation.output_shape
    if shape is None:
        return found
    payload = shape.serialization.get("payload")
    if payload is None:
        found += faults(shape, json.loads(body or b"{}"))
    elif shape.members[payload].type_name == "structure":
        found += faults(shape.members[payload], json.loads(body))
    return found


def event_faults(shape: Any, headers: dict[str, str], payload: bytes) -> list[str]:
    """What is wrong with one message of an event stream."""
    name = headers.get(":event-type") or headers[":exception-type"]
    if name not in shape.members:
        return [f"{name} is no event of {shape.name}"]
    return list(faults(shape.members[name], json.loads(payload), name))
