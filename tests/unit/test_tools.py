"""Tools typed as JSON: every fault is told with its place, and what is right goes out as AWS wants it."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from services.converse import UNPARSED
from services.json_places import place_of
from services.problems import Problem
from services.tools import (
    EXAMPLE,
    ToolResult,
    calls_in,
    mocked_results,
    read_schema,
    read_tools,
    request_members,
    result_blocks,
    typed_schema,
    typed_tools,
    unparsed_input,
)

PLAIN = '[{"name": "a", "inputSchema": {"type": "object"}}]'
ASK = [{"role": "user", "content": [{"text": "Hi"}]}]


def members(tools: str = "", choice: str = "auto", schema: str = "", messages: Any = ASK) -> Any:
    return request_members(tools_json=tools, choice=choice, output_schema=schema, messages=messages)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        '[{"toolSpec": {"name": "a", "inputSchema": {"json": {"type": "object"}}}}]',
        '{"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": {"type": "object"}}}}]}',
    ],
)
def test_the_three_ways_to_write_a_tool_are_one(text: str) -> None:
    tools = read_tools(text)
    assert tools.faults == ()
    assert tools.entries == ({"toolSpec": {"name": "a", "inputSchema": {"json": {"type": "object"}}}},)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ('[\n  {"name": "a",}\n]', 2, 16, "not JSON"),
        ("[NaN]", 1, 2, "NaN"),
        ("[" * 100_000, 1, 1, "nested too deeply"),
        ("\x00", 1, 1, "not JSON"),
        ("{}", 1, 1, "list of tools"),
        ("[]", 1, 1, "list of tools"),
        ("[\n 7]", 2, 2, "object in braces"),
        ('[\n{"inputSchema": {"type": "object"}}]', 2, 1, "name is missing"),
        ('[{"inputSchema": {"type": "object"},\n "name": "über"}]', 2, 10, "letters, digits"),
        (
            f"{PLAIN[:-1]},\n{PLAIN[1:]}",
            2,
            10,
            "two tools named a",
        ),
        ('[{"name": "a"}]', 1, 2, "inputSchema is missing"),
        ('[{"name": "a",\n"inputSchema": {"type": "string"}}]', 2, 25, '"type": "object"'),
        (
            '[{"name": "a", "inputSchema": {"type": "object"},\n"input_schema": 1}]',
            2,
            17,
            "no “input_schema”",
        ),
        ('[{"name": "a", "description": "", "inputSchema": {"type": "object"}}]', 1, 31, "not empty"),
    ],
)
def test_a_fault_is_told_with_line_and_column(text: str, line: int, column: int, said: str) -> None:
    (fault,) = read_tools(text).faults
    assert (fault.line, fault.column) == (line, column)
    assert said in fault.sentence


def test_what_is_no_json_schema_is_told_by_its_path_and_line() -> None:
    text = """{"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": {
  "type": "object",
  "properties": {
    "city": {"type": "strin"},
    "days": {"minimum": "one"}
  }
}}}}]}"""
    first, second = read_tools(text).faults
    assert (first.path, first.line, first.column) == (
        "tools[0].toolSpec.inputSchema.json.properties.city.type",
        4,
        22,
    )
    assert (second.path, second.line) == (
        "tools[0].toolSpec.inputSchema.json.properties.days.minimum",
        5,
    )


def test_a_place_is_found_past_strings_that_look_like_json() -> None:
    text = '{"a": "]}\\"{",\n "b": [1, {"c": 2}],\n "c": 3}'
    assert place_of(text, ["b", 1, "c"]) == (2, 17)
    assert place_of(text, ["c"]) == (3, 7)
    assert place_of(text, ["b", 9, "x"]) == (2, 7)


def test_the_request_is_what_the_service_model_takes() -> None:
    shape = botocore.session.get_session().get_service_model("bedrock-runtime")
    both = '[{"cachePoint": {"type": "default"}},' + EXAMPLE[1:]
    for choice in ("auto", "any", "tool:get_weather"):
        sent = members(both, choice, '{"type": "object"}')
        request = {"modelId": "m", "messages": ASK, **sent}
        report = ParamValidator().validate(request, shape.operation_model("Converse").input_shape)
        assert not report.has_errors(), report.generate_report()
    assert json.loads(sent["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]) == {
        "type": "object"
    }


def test_the_choice_goes_out_as_it_was_made() -> None:
    assert "toolChoice" not in members(PLAIN)["toolConfig"]
    assert members(PLAIN, "any")["toolConfig"]["toolChoice"] == {"any": {}}
    assert members(PLAIN, "tool:a")["toolConfig"]["toolChoice"] == {"tool": {"name": "a"}}
    assert members(PLAIN, "none") == {}
    assert members() == {}
    assert isinstance(members(PLAIN, "tool:b"), Problem)
    called = [*ASK, {"role": "assistant", "content": [{"toolUse": {}}]}]
    assert "tools" in members(PLAIN, "none", messages=called)["toolConfig"]
    assert isinstance(members(messages=called), Problem), "Converse refuses calls without toolConfig"


@pytest.mark.parametrize("given", [{"tools": "["}, {"schema": "[]"}, {"schema": '{"type": 3}'}])
def test_what_is_wrong_is_refused_with_its_place(given: dict[str, str]) -> None:
    problem = members(**given)
    assert isinstance(problem, Problem)
    assert "Line 1" in problem.cause


def test_a_request_comes_back_into_the_editor() -> None:
    request = members(EXAMPLE, "tool:get_weather", '{"type": "object"}')
    text, choice = typed_tools(request)
    assert members(text, choice, typed_schema(request)) == request
    assert typed_tools({}) == ("", "auto")
    pasted = json.dumps(request["toolConfig"])
    assert read_tools(pasted).choice == "tool:get_weather"


def test_a_schema_may_be_empty_or_wrong() -> None:
    assert read_schema(" ") == (None, ())
    assert read_schema('{"type": "object"}') == ({"type": "object"}, ())
    assert read_schema('{"required": "a"}')[1][0].path == "required"


def test_results_are_json_or_text() -> None:
    results = [ToolResult("1", '{"a": 1}'), ToolResult("2", "[1]"), ToolResult("3", " ", "error")]
    blocks = [block["toolResult"] for block in result_blocks(results)]
    assert [block["content"] for block in blocks] == [
        [{"json": {"a": 1}}],
        [{"text": "[1]"}],
        [{"text": "(no output)"}],
    ]
    assert [block["status"] for block in blocks] == ["success", "success", "error"]


def test_mocks_answer_only_when_all_calls_have_one_and_can_be_read() -> None:
    first = {"toolUseId": "1", "name": "a", "input": {}}
    second = {"toolUseId": "2", "name": "b", "input": {}}
    assert mocked_results([first, second], {"a": "x", "b": " "}) is None
    assert mocked_results([], {"a": "x"}) is None
    assert mocked_results([first], {"a": "x"}) == [ToolResult("1", "x")]
    cut = {**first, "input": {UNPARSED: '{"ci'}}
    assert unparsed_input(cut) == '{"ci'
    assert mocked_results([cut], {"a": "x"}) is None


def test_calls_that_aws_answered_itself_do_not_wait() -> None:
    ours = {"toolUse": {"toolUseId": "1", "name": "a"}}
    theirs = {"toolUse": {"toolUseId": "2", "name": "b", "type": "server_tool_use"}}
    answered = {"toolUse": {"toolUseId": "3", "name": "c"}}
    content = [ours, theirs, answered, {"toolResult": {"toolUseId": "3"}}]
    assert calls_in(content) == [ours["toolUse"]]
