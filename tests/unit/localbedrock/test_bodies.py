"""InvokeModel's bodies: AWS's words for what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from localbedrock.errors import AwsError
from localbedrock.runtime.bodies import Field, check, read_json

FIELDS = {
    "prompt": Field(str, required=True, most=5),
    "temperature": Field(float, minimum=0, maximum=1),
    "stop": Field(list, most=1),
    "kind": Field(str, choices=("a", "b")),
    "count": Field(int),
}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, "#: required key [prompt] not found"),
        ({"prompt": "a", "stream": True}, "#: extraneous key [stream] is not permitted"),
        ({"prompt": 1}, "#/prompt: expected type: String, found: Integer"),
        ({"prompt": "a", "stop": "x"}, "#/stop: expected type: JSONArray, found: String"),
        ({"prompt": "a", "temperature": 1.5}, "#/temperature: 1.5 is not less or equal to 1"),
        ({"prompt": "a", "temperature": -1}, "#/temperature: -1 is not greater or equal to 0"),
        ({"prompt": "a", "temperature": True}, "#/temperature: expected type: Number, found: Boolean"),
        ({"prompt": "a", "kind": "c"}, "#/kind: c is not a valid enum value"),
        ({"prompt": "abcdef"}, "#/prompt: expected maxLength: 5, actual: 6"),
        ({"prompt": "a", "stop": [1, 2]}, "#/stop: expected maximum item count: 1, found: 2"),
        ({"prompt": "a", "count": 1.5}, "#/count: expected type: Integer, found: Number"),
    ],
)
def test_each_fault_is_named(body: dict[str, Any], fault: str) -> None:
    with pytest.raises(AwsError) as caught:
        check(body, FIELDS)
    expected = f"Malformed input request: {fault}, please reformat your input and try again."
    assert (caught.value.code, caught.value.message) == ("ValidationException", expected)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(AwsError, match=r"required key \[prompt\] not found#: extraneous key \[x\]"):
        check({"x": 1}, FIELDS)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(AwsError, match="Malformed input request"):
        read_json(body)
