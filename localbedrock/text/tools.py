"""Tool calls and JSON answers of the local model: the grammar that forces their form, and its reading.

The grammar language is llguidance's (built into our llama.cpp), whose ``%json`` takes a JSON Schema as
it is. A call is written ``<tool_call>{"name": "NAME", "arguments": ARGUMENTS``: the fixed text before
the arguments lets a stream be read without a JSON parser, and nothing needs to be said after them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable

from localbedrock.text.engine import ChatRequest, Event, Reply, TextDelta, Tool, ToolDelta, ToolStart

CALL_OPEN = "<tool_call>"
_NAME_OPEN = CALL_OPEN + '{"name": "'
_NAME_CLOSE = '", "arguments": '

_JSON_LAYOUT = {
    "item_separator": ", ",
    "key_separator": ": ",
    "whitespace_flexible": False,
    "lenient": True,  # without it, one keyword that llguidance lacks would switch the whole grammar off
    "coerce_one_of": True,
}
_NOT_IN_GRAMMAR = frozenset(
    {
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "uniqueItems",
        "contains",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "oneOf",
        "patternProperties",
        "multipleOf",
        "pattern",
    }
)
"""Keywords that the grammar ignores or takes only in part: what uses them is checked once it is whole."""


def instructions(tools: tuple[Tool, ...]) -> str:
    """What the system prompt says about the tools."""
    listed = "\n".join(
        json.dumps(
            {"name": tool.name, "description": tool.description, "parameters": tool.schema},
            ensure_ascii=False,
        )
        for tool in tools
    )
    return (
        f"You can call these functions:\n{listed}\n"
        "If a function helps to answer, reply only with the call: "
        f'{CALL_OPEN}{{"name": <function name>, "arguments": <arguments as JSON>}}</tool_call>'
    )


def grammar(request: ChatRequest) -> str | None:
    """The llguidance grammar of the reply, or None where any text will do."""
    if not request.tools and request.json_schema is None:
        return None
    rules = []
    if request.force_tool:
        rules.append("start: call")
    elif request.tools:
        rules.append("start: answer | call")
    else:
        rules.append("start: answer")
    if request.json_schema is not None:
        rules.append(f"answer: {_json_rule(request.json_schema)}")
    else:
        rules.append(r"answer: /[^<](.|\n)*/")
    callable_tools = [tool for tool in request.tools if request.force_tool in {"", "*", tool.name}]
    if callable_tools:
        alternatives = (
            f"{json.dumps(_NAME_OPEN + tool.name + _NAME_CLOSE)} {_json_rule(tool.schema)}"
            for tool in callable_tools
        )
        rules.append("call: " + " | ".join(alternatives))
    return "%llguidance {}\n" + "\n".join(rules) + "\n"


def _json_rule(schema: dict[str, Any]) -> str:
    return f"%json {json.dumps(schema | {'x-guidance': _JSON_LAYOUT})}"


def needs_check(request: ChatRequest) -> bool:
    """Whether some schema says more than the grammar can enforce."""
    schemas = [tool.schema for tool in request.tools]
    if request.json_schema is not None:
        schemas.append(request.json_schema)
    return any(_uses_more(schema) for schema in schemas)


def _uses_more(schema: object) -> bool:
    if isinstance(schema, dict):
        return not _NOT_IN_GRAMMAR.isdisjoint(schema) or any(_uses_more(value) for value in schema.values())
    return isinstance(schema, list) and any(_uses_more(value) for value in schema)


def satisfied(request: ChatRequest, reply: Reply) -> bool:
    """Whether every call and the JSON answer of a finished reply follow their schemas."""
    schemas = {tool.name: tool.schema for tool in request.tools}
    if request.force_tool and not any(block.kind == "tool" for block in reply.blocks):
        return False
    for block in reply.blocks:
        schema = schemas.get(block.name) if block.kind == "tool" else request.json_schema
        if schema is not None and not _follows(block.text, schema):
            return False
    return True


def _follows(text: str, schema: dict[str, Any]) -> bool:
    validator = jsonschema.validators.validator_for(schema)
    try:
        return bool(validator(schema, registry=Registry()).is_valid(json.loads(text)))
    except (ValueError, Unresolvable):
        return False


def check_schema(schema: dict[str, Any]) -> str | None:
    """What is wrong with a JSON Schema, or None."""
    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        return str(error.message)
    return None


class CallReader:
    """Tells a call from text in the stream of a reply made under :func:`grammar`."""

    def __init__(self) -> None:
        self._head = ""
        self._kind = ""  # "", "text", "call"

    @property
    def is_call(self) -> bool:
        """Whether the reply has turned out to be a call."""
        return self._kind == "call"

    def feed(self, text: str) -> Iterator[Event]:
        """The events of the next piece of text."""
        if self._kind:
            if text:
                yield TextDelta(text) if self._kind == "text" else ToolDelta(text)
            return
        self._head += text
        if not self._head.startswith(_NAME_OPEN[: len(self._head)]):
            self._kind = "text"
            yield TextDelta(self._head)
        elif _NAME_CLOSE in self._head:
            name, arguments = self._head[len(_NAME_OPEN) :].split(_NAME_CLOSE, 1)
            self._kind = "call"
            yield ToolStart(name)
            if arguments:
                yield ToolDelta(arguments)

    def flush(self) -> Iterator[Event]:
        """What is left when the reply ends before it was clear what it is: text only."""
        if not self._kind and self._head and not self._head.startswith("<"):
            yield TextDelta(self._head)
