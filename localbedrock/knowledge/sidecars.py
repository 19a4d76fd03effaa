"""Metadata of a document in the file beside it, ``<file>.metadata.json``."""

from __future__ import annotations

import json
from typing import Any

from localbedrock.knowledge.parsing import UnreadableError

SUFFIX = ".metadata.json"
MAX_SIDECAR_BYTES = 10 * 1024
"""AWS's quota for one metadata file."""
_TYPES = {
    "STRING": "stringValue",
    "NUMBER": "numberValue",
    "BOOLEAN": "booleanValue",
    "STRING_LIST": "stringListValue",
}


def metadata_of(content: bytes) -> dict[str, Any]:
    """The attributes in a metadata file: strings, numbers, booleans and lists of strings, by key.

    Both of AWS's forms are read: ``"key": value`` and ``"key": {"value": {"type": "STRING", "stringValue":
    ...}, "includeForEmbedding": false}``. UnreadableError with the reason for anything else.
    """
    if len(content) > MAX_SIDECAR_BYTES:
        raise UnreadableError(
            f"The metadata file has {len(content) / 1024:,.1f} KB; "
            f"the quota is {MAX_SIDECAR_BYTES // 1024} KB."
        )
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UnreadableError("The metadata file is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise UnreadableError(
            f"The metadata file is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError:
        raise UnreadableError("The metadata file holds a number with too many digits.") from None
    except RecursionError:
        raise UnreadableError("The metadata file is nested too deeply.") from None
    attributes = document.get("metadataAttributes") if isinstance(document, dict) else None
    if not isinstance(attributes, dict):
        raise UnreadableError('The metadata file has no object "metadataAttributes".')
    return {key: _value(key, value) for key, value in attributes.items()}


def _value(key: str, written: Any) -> Any:
    if not isinstance(written, dict):
        return _checked(key, written)
    typed = written.get("value")
    member = _TYPES.get(str(typed.get("type"))) if isinstance(typed, dict) else None
    if not isinstance(typed, dict) or member is None or member not in typed:
        raise UnreadableError(
            f'The metadata attribute "{key[:100]}" needs "value" with "type" ({", ".join(_TYPES)}) '
            "and the value's own member, for example stringValue."
        )
    value = _checked(key, typed[member])
    if _type_of(value) != typed["type"]:
        raise UnreadableError(f'The metadata attribute "{key[:100]}" is no {typed["type"]}.')
    return value


def _checked(key: str, value: Any) -> Any:
    if not _type_of(value):
        raise UnreadableError(
            f'The metadata attribute "{key[:100]}" is neither a string, a number, a boolean '
            "nor a list of strings."
        )
    return value


def _type_of(value: Any) -> str:
    """The type in AWS's words; "" for what is no metadata."""
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, str):
        return "STRING"
    if isinstance(value, int | float):
        # JSON knows no NaN and no infinity; Python's reader does.
        return "NUMBER" if value - value == 0 else ""
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "STRING_LIST" if is_list else ""
