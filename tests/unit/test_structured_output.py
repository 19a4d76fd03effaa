"""A reply against its schema: valid, or a sentence for each thing that is wrong."""

from __future__ import annotations

import json

import pytest

from services.structured_output import OutputCheck, check_output

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "integer"}}},
        "required": ["items"],
    }
)


def check(text: str, schema: str = SCHEMA) -> OutputCheck:
    found = check_output(text, schema)
    assert found is not None
    return found


def test_a_reply_that_follows_its_schema() -> None:
    assert check(' {"items": [1, 2]}\n') == OutputCheck()


def test_each_error_names_its_path() -> None:
    assert check('{"items": [1, "two"]}').errors == ("items[1]: 'two' is not of type 'integer'.",)
    assert check("{}").errors == ("The whole reply: 'items' is a required property.",)


@pytest.mark.parametrize("text", ['```json\n{"items": []}\n```', '```\n{"items": []}```'])
def test_a_code_fence_is_taken_and_noted(text: str) -> None:
    found = check(text)
    assert found.valid
    assert "code fence" in found.note


def test_what_is_no_json_is_told_with_its_place() -> None:
    assert check("Here you are:").errors == ("The reply is not JSON: Expecting value at line 1, column 1.",)
    assert not check("").valid
    assert not check("[" * 100_000).valid


def test_many_errors_are_cut() -> None:
    errors = check(json.dumps({"items": ["x"] * 50})).errors
    assert len(errors) == 21
    assert errors[-1] == "And 30 more."


def test_a_schema_is_never_fetched_and_never_breaks_the_page() -> None:
    assert "not part of it" in check("{}", '{"$ref": "http://127.0.0.1:9/schema"}').errors[0]
    assert not check('"a"', '{"pattern": "["}').valid
    assert not check("{}", '{"$ref": "#"}').valid


def test_without_a_readable_schema_nothing_is_said() -> None:
    assert check_output("{}", "") is None
    assert check_output("{}", "{") is None
