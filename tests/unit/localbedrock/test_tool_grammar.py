"""Tool calls and JSON answers of the local model: the grammar and the reading of what it lets through."""

from __future__ import annotations

from typing import Any

import pytest

from localbedrock.text import tools
from localbedrock.text.engine import (
    Block,
    ChatRequest,
    Message,
    Reply,
    Text,
    TextDelta,
    Tool,
    ToolDelta,
    ToolStart,
)

WEATHER = Tool("get_weather", "Weather", {"type": "object", "properties": {"city": {"type": "string"}}})
ADD = Tool("add", "Adds", {"type": "object", "properties": {"a": {"type": "number"}}})


def _request(**more: Any) -> ChatRequest:
    return ChatRequest((Message("user", (Text("Hi"),)),), **more)


def _read(*pieces: str) -> list[object]:
    reader = tools.CallReader()
    events: list[object] = [event for piece in pieces for event in reader.feed(piece)]
    return [*events, *reader.flush()]


def test_plain_text_needs_no_grammar() -> None:
    assert tools.grammar(_request()) is None


def test_the_model_may_choose_between_text_and_any_tool() -> None:
    grammar = tools.grammar(_request(tools=(WEATHER, ADD))) or ""
    assert "start: answer | call" in grammar
    assert "get_weather" in grammar
    assert "add" in grammar


def test_a_forced_tool_is_the_only_way() -> None:
    grammar = tools.grammar(_request(tools=(WEATHER, ADD), force_tool="add")) or ""
    assert "start: call\n" in grammar
    assert "get_weather" not in grammar


def test_a_call_is_told_from_text_at_any_split() -> None:
    text = '<tool_call>{"name": "add", "arguments": {"a": 1}'
    for size in (1, 3, 7, 100):
        events = _read(*[text[at : at + size] for at in range(0, len(text), size)])
        assert events[0] == ToolStart("add")
        assert "".join(event.json for event in events[1:] if isinstance(event, ToolDelta)) == '{"a": 1}'


def test_text_that_begins_like_a_call_is_text() -> None:
    assert _read("<tool", "box>") == [TextDelta("<toolbox>")]


def test_a_call_that_is_cut_off_shows_nothing() -> None:
    assert _read('<tool_call>{"na') == []


@pytest.mark.parametrize(
    ("schema", "checked"),
    [
        ({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}, False),
        ({"type": "object", "properties": {"n": {"type": "array", "uniqueItems": True}}}, True),
        ({"type": "object", "not": {"required": ["x"]}}, True),
    ],
)
def test_schemas_that_say_more_than_a_grammar_can_are_checked_at_the_end(
    schema: dict[str, Any], checked: bool
) -> None:
    assert tools.needs_check(_request(tools=(Tool("t", "", schema),))) is checked


def test_a_reply_that_breaks_its_schema_is_not_satisfied() -> None:
    request = _request(json_schema={"type": "object", "required": ["city"]})
    assert tools.satisfied(request, Reply([Block("text", '{"city": "Paris"}')]))
    assert not tools.satisfied(request, Reply([Block("text", '{"town": "Paris"}')]))
    assert not tools.satisfied(request, Reply([Block("text", "Paris")]))


def test_a_forced_call_that_did_not_come_is_not_satisfied() -> None:
    request = _request(tools=(ADD,), force_tool="*")
    assert not tools.satisfied(request, Reply([Block("text", "no")]))


def test_a_schema_that_points_elsewhere_fetches_nothing_and_is_not_satisfied() -> None:
    request = _request(json_schema={"$ref": "http://127.0.0.1:9/schema.json"})
    assert not tools.satisfied(request, Reply([Block("text", "{}")]))


def test_an_invalid_schema_is_named() -> None:
    assert tools.check_schema({"type": "object"}) is None
    assert "nonsense" in (tools.check_schema({"type": "nonsense"}) or "")
