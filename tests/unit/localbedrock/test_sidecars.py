"""Metadata files: both of AWS's forms, and a reason for everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localbedrock.knowledge.parsing import UnreadableError
from localbedrock.knowledge.sidecars import metadata_of


def _file(attributes: Any) -> bytes:
    return json.dumps({"metadataAttributes": attributes}).encode()


def _reason(content: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        metadata_of(content)
    return str(caught.value)


def test_plain_values_keep_their_types() -> None:
    attributes = {"name": "x", "year": 2024, "price": 1.5, "open": True, "tags": ["a", "b"]}
    read = metadata_of(b"\xef\xbb\xbf" + _file(attributes))
    assert read == attributes
    assert read["open"] is True


def test_typed_values() -> None:
    def typed(type: str, member: str, value: Any) -> dict[str, Any]:
        return {"value": {"type": type, member: value}, "includeForEmbedding": True}

    assert metadata_of(
        _file(
            {
                "name": typed("STRING", "stringValue", "x"),
                "year": typed("NUMBER", "numberValue", 2024),
                "open": typed("BOOLEAN", "booleanValue", False),
                "tags": typed("STRING_LIST", "stringListValue", ["a"]),
            }
        )
    ) == {"name": "x", "year": 2024, "open": False, "tags": ["a"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b'{"metadataAttributes":\n{"a": }}', "in line 2"),
        ("{}ü".encode("latin-1"), "not UTF-8"),
        (b"[]", "metadataAttributes"),
        (b'{"metadataAttributes": []}', "metadataAttributes"),
        (b"[" * 9000, "nested too deeply"),
        (b'{"metadataAttributes": {"a": ' + b"9" * 5000 + b"}}", "too many digits"),
        (_file({"a": None}), '"a" is neither'),
        (_file({"a": ["x", 1]}), '"a" is neither'),
        (b'{"metadataAttributes": {"a": NaN}}', '"a" is neither'),
        (_file({"a": {"b": 1}}), '"a" needs "value"'),
        (_file({"a": {"value": {"type": "DATE", "dateValue": "x"}}}), '"a" needs "value"'),
        (_file({"a": {"value": {"type": "NUMBER", "stringValue": "x"}}}), '"a" needs "value"'),
        (_file({"a": {"value": {"type": "NUMBER", "numberValue": "7"}}}), '"a" is no NUMBER'),
        (_file({"a": "x" * 11_000}), "the quota is 10 KB"),
    ],
)
def test_what_is_wrong_is_said(content: bytes, reason: str) -> None:
    assert reason in _reason(content)
