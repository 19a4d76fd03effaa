"""Reading the bodies of InvokeModel: JSON in the model's own format, refused in the words of AWS's
schema check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localbedrock.errors import AwsError, validation

_JSON_TYPES = {
    str: "String", bool: "Boolean", int: "Integer", float: "Number", list: "JSONArray", dict: "JSONObject",
    type(None): "Null",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """What one key of a body may hold.

    ``type`` is a JSON type's Python type; float takes whole numbers too, object takes anything.
    """

    type: type = object
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    most: int | None = None
    """The most items of an array, or characters of a text."""


def malformed(*faults: str) -> AwsError:
    """AWS's refusal of a body: every fault begins with its place, ``#`` being the whole."""
    return validation(
        f"Malformed input request: {''.join(faults)}, please reformat your input and try again."
    )


def read_json(body: bytes) -> dict[str, Any]:
    """The body as a JSON object."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise malformed("The body is not valid JSON") from None
    if not isinstance(document, dict):
        raise malformed(f"#: expected type: JSONObject, found: {_json_type(document)}")
    return document


def check(body: Mapping[str, Any], fields: Mapping[str, Field], path: str = "#") -> None:
    """Raise AWS's list of faults, if there are any."""
    faults = [f"{path}: required key [{name}] not found" for name, field in fields.items()
              if field.required and name not in body]  # fmt: skip
    for name, value in body.items():
        if name in fields:
            if value is not None and (fault := _fault(value, fields[name])):
                faults.append(f"{path}/{name}: {fault}")
        else:
            faults.append(f"{path}: extraneous key [{name}] is not permitted")
    if faults:
        raise malformed(*faults)


def _fault(value: Any, field: Field) -> str:
    fits = isinstance(value, int | float) if field.type is float else isinstance(value, field.type)
    if not fits or (isinstance(value, bool) and field.type in {int, float}):
        return f"expected type: {_JSON_TYPES[field.type]}, found: {_json_type(value)}"
    if field.minimum is not None and value < field.minimum:
        return f"{value} is not greater or equal to {field.minimum:g}"
    if field.maximum is not None and value > field.maximum:
        return f"{value} is not less or equal to {field.maximum:g}"
    if field.choices and value not in field.choices:
        return f"{value} is not a valid enum value"
    if field.most is not None and len(value) > field.most:
        kind = "maximum item count" if field.type is list else "maxLength"
        return f"expected {kind}: {field.most}, {'found' if field.type is list else 'actual'}: {len(value)}"
    return ""


def _json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), type(value).__name__)
