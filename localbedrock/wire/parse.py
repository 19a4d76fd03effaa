"""Reads JSON values as an input shape says, and says what is wrong with them in AWS's words.

Every shape is compiled once into a function, so that a request costs one walk over its values. Two kinds of
fault, in AWS's order: a value of the wrong JSON type ends the reading at once (``SerializationException``);
constraints (required, enum, length, range, pattern) are collected and reported together
(``ValidationException``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.utils import parse_timestamp

from localbedrock.errors import AwsError, validation

Violations = list[str]
Reader = Callable[[Any, str, Violations], Any]
"""A JSON value and its path in, the Python value out; constraints that do not hold are added to the list."""

_TEXT_SHOWN = 256
"""Longer texts are not repeated in error messages."""


def serialization_error(message: str) -> AwsError:
    """A value has the wrong JSON type, or there is no JSON at all (400)."""
    return AwsError("SerializationException", message, 400)


def check(violations: Violations) -> None:
    """Raises AWS's summary of the constraints that do not hold, if there are any."""
    if violations:
        count = len(violations)
        noun = "error" if count == 1 else "errors"
        raise validation(f"{count} validation {noun} detected: {'; '.join(violations)}")


class Readers:
    """The readers of one service's shapes, each compiled when it is first needed."""

    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}

    def reader(self, shape: Any) -> Reader:
        """The reader of a shape; a shape may contain itself."""
        name: str = shape.name
        if name not in self._readers:
            self._readers[name] = lambda value, path, violations: self._readers[name](value, path, violations)
            self._readers[name] = self._compile(shape)
        return self._readers[name]

    def _compile(self, shape: Any) -> Reader:
        if getattr(shape, "is_document_type", False):
            return lambda value, _path, _violations: value
        kind: str = shape.type_name
        if kind == "structure":
            return self._structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        return _SCALARS[kind](shape)

    def _structure(self, shape: Any) -> Reader:
        members = {
            member.serialization.get("name", name): (name, self.reader(member))
            for name, member in shape.members.items()
        }
        required = tuple(shape.required_members)
        choices = ", ".join(shape.members) if getattr(shape, "is_tagged_union", False) else ""

        def read(value: Any, path: str, violations: Violations) -> dict[str, Any]:
            if type(value) is not dict:
                raise _wrong_type(value, "a structure", path)
            prefix = f"{path}." if path else ""
            result = {}
            for key, item in value.items():
                if item is not None and key in members:
                    name, reader = members[key]
                    result[name] = reader(item, prefix + name, violations)
            violations.extend(_null(prefix + name) for name in required if name not in result)
            if choices and len(result) != 1:
                violations.append(
                    _says(path, f"Member must have exactly one of these members set: {choices}")
                )
            return result

        return read

    def _list(self, shape: Any) -> Reader:
        reader = self.reader(shape.member)
        length = _length_check(shape)

        def read(value: Any, path: str, violations: Violations) -> list[Any]:
            if type(value) is not list:
                raise _wrong_type(value, "a list", path)
            length(len(value), path, violations, None)
            result = []
            for place, item in enumerate(value, 1):
                at = f"{path}.{place}.member"
                if item is None:
                    violations.append(_null(at))
                else:
                    result.append(reader(item, at, violations))
            return result

        return read

    def _map(self, shape: Any) -> Reader:
        key_reader, value_reader = self.reader(shape.key), self.reader(shape.value)
        length = _length_check(shape)

        def read(value: Any, path: str, violations: Violations) -> dict[str, Any]:
            if type(value) is not dict:
                raise _wrong_type(value, "a map", path)
            length(len(value), path, violations, None)
            return {
                key_reader(key, f"{path}.key", violations): value_reader(
                    item, f"{path}.{key}.member", violations
                )
                for key, item in value.items()
                if item is not None
            }

        return read


def _string(shape: Any) -> Reader:
    enum = frozenset(shape.metadata.get("enum", ()))
    choices = ", ".join(shape.metadata.get("enum", ()))
    pattern = _pattern(shape.metadata.get("pattern"))
    length = _length_check(shape)
    shown = not shape.metadata.get("sensitive")

    def read(value: Any, path: str, violations: Violations) -> str:
        if type(value) is not str:
            raise _wrong_type(value, "a String", path)
        quoted = value if shown else None
        if enum and value not in enum:
            violations.append(_says(path, f"Member must satisfy enum value set: [{choices}]", quoted))
        if length(len(value), path, violations, quoted) and pattern and not pattern.fullmatch(value):
            constraint = f"Member must satisfy regular expression pattern: {pattern.pattern}"
            violations.append(_says(path, constraint, quoted))
        return value

    return read


def _blob(shape: Any) -> Reader:
    length = _length_check(shape)

    def read(value: Any, path: str, violations: Violations) -> bytes:
        if type(value) is bytes:  # the body itself
            content = value
        elif type(value) is str:
            try:
                content = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise serialization_error(f"The value at '{path}' is not base64.") from None
        else:
            raise _wrong_type(value, "a Blob", path)
        length(len(content), path, violations, None)
        return content

    return read


def _integer(shape: Any) -> Reader:
    in_range = _range_check(shape)

    def read(value: Any, path: str, violations: Violations) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise _wrong_type(value, "an Integer", path)
        in_range(value, path, violations)
        return value

    return read


def _float(shape: Any) -> Reader:
    in_range = _range_check(shape)

    def read(value: Any, path: str, violations: Violations) -> float:
        if type(value) not in (int, float):
            raise _wrong_type(value, "a Float", path)
        in_range(value, path, violations)
        number: float = value
        return number

    return read


def _boolean(_shape: Any) -> Reader:
    def read(value: Any, path: str, _violations: Violations) -> bool:
        if type(value) is not bool:
            raise _wrong_type(value, "a Boolean", path)
        return value

    return read


def _timestamp(_shape: Any) -> Reader:
    def read(value: Any, path: str, _violations: Violations) -> datetime:
        if type(value) not in (str, int, float):
            raise _wrong_type(value, "a Timestamp", path)
        try:
            moment: datetime = parse_timestamp(value)
        except (ValueError, OverflowError):
            raise serialization_error(f"The value at '{path}' is not a timestamp.") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    return read


_SCALARS: dict[str, Callable[[Any], Reader]] = {
    "string": _string,
    "blob": _blob,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
}


def _length_check(shape: Any) -> Callable[[int, str, Violations, str | None], bool]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")

    def within(length: int, path: str, violations: Violations, quoted: str | None) -> bool:
        if least is not None and length < least:
            constraint = f"Member must have length greater than or equal to {least}"
        elif most is not None and length > most:
            constraint = f"Member must have length less than or equal to {most}"
        else:
            return True
        violations.append(_says(path, constraint, quoted))
        return False

    return within


def _range_check(shape: Any) -> Callable[[float, str, Violations], None]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")

    def within(value: float, path: str, violations: Violations) -> None:
        if least is not None and not value >= least:
            constraint = f"Member must have value greater than or equal to {least}"
        elif most is not None and not value <= most:
            constraint = f"Member must have value less than or equal to {most}"
        else:
            return
        violations.append(_says(path, constraint, str(value)))

    return within


def _pattern(text: str | None) -> re.Pattern[str] | None:
    """The pattern; None for the few that Python cannot read (Unicode properties) or that match nothing real.

    The ARN patterns of bedrock-agent have ``/d{12}`` where the account id must have been meant.
    """
    if not text or "/d{" in text:
        return None
    try:
        return re.compile(text)
    except re.error:
        return None


def _says(path: str, constraint: str, quoted: str | None = None) -> str:
    value = f"Value '{quoted}'" if quoted is not None and len(quoted) <= _TEXT_SHOWN else "Value"
    return f"{value} at '{path}' failed to satisfy constraint: {constraint}"


def _null(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def _wrong_type(value: Any, expected: str, path: str) -> AwsError:
    if isinstance(value, dict):
        found = "Start of structure or map found where not expected"
    elif isinstance(value, list):
        found = "Start of list found where not expected"
    else:
        names = {str: "STRING_VALUE", bool: f"{value}_VALUE".upper()}
        found = f"{names.get(type(value), 'NUMBER_VALUE')} can not be converted to {expected}"
    return serialization_error(f"{found} (at '{path}')" if path else found)
