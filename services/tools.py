"""The tools of a pane: read from the JSON that somebody typed, sent in Converse's `toolConfig`, answered.

Tools are a list of `{"name", "description", "inputSchema"}`, of AWS's `{"toolSpec": ...}`, or a whole
`{"tools": [...]}`. The tool choice is `auto`, `any`, `none` or `tool:<name>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import jsonschema

from services.converse import UNPARSED
from services.json_places import JsonTextError, Path, path_text, place_of, read_json
from services.problems import Problem

JsonDict = dict[str, Any]
Status = Literal["success", "error"]

MOST_STEPS = 8
"""So many results in a row are sent from mocks by themselves; a person sends the next ones."""

EXAMPLE = """[
  {
    "name": "get_weather",
    "description": "Tells the weather of a city",
    "inputSchema": {
      "type": "object",
      "properties": {
        "city": {"type": "string", "maxLength": 40},
        "unit": {"enum": ["celsius", "fahrenheit"]}
      },
      "required": ["city"]
    }
  }
]"""
EXAMPLE_MOCKS = {"get_weather": '{"temperature": 21, "sky": "clear"}'}

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SPEC_MEMBERS = ("name", "description", "inputSchema", "strict")
_AS_THEY_ARE = ("cachePoint", "systemTool")
"""Entries of `tools` that AWS has beside `toolSpec`."""


@dataclass(frozen=True)
class JsonFault:
    """One thing wrong in a typed JSON text: a sentence, and the line and column, from 1, where it stands."""

    message: str
    line: int
    column: int
    path: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong and where, on one line."""
        where = f"Line {self.line}, column {self.column}"
        return f"{where}, {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


@dataclass(frozen=True)
class Tools:
    """What a tools text says: AWS's `toolConfig.tools`, and everything wrong with it."""

    entries: tuple[JsonDict, ...] = ()
    faults: tuple[JsonFault, ...] = ()
    choice: str | None = None
    """The tool choice that stands in the text; None where there is none."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools that this workbench has to answer for."""
        return tuple(entry["toolSpec"]["name"] for entry in self.entries if "toolSpec" in entry)


@dataclass(frozen=True)
class ToolResult:
    """The answer to one call: JSON or text, as somebody typed it."""

    tool_use_id: str
    text: str
    status: Status = "success"


@lru_cache(maxsize=64)
def read_tools(text: str) -> Tools:
    """The tools in a typed text. Never raises: what is wrong is in `faults`, and `entries` is then empty."""
    if not text.strip():
        return Tools()
    try:
        value = read_json(text)
    except JsonTextError as error:
        return Tools(faults=(JsonFault(f"This is not JSON: {error}.", error.line, error.column),))
    reader = _Reader(text)
    root: Path = ()
    choice = None
    if isinstance(value, dict) and "tools" in value:
        choice = choice_of(value)
        root, value = ("tools",), value["tools"]
    if not isinstance(value, list) or not value:
        reader.fault(root, 'Write a list of tools: [{"name": …, "description": …, "inputSchema": …}].')
        return Tools(faults=tuple(reader.faults))
    entries = [reader.entry((*root, index), entry) for index, entry in enumerate(value)]
    if reader.faults:
        return Tools(faults=tuple(reader.faults))
    return Tools(tuple(entries), choice=choice)


@lru_cache(maxsize=64)
def read_schema(text: str) -> tuple[JsonDict | None, tuple[JsonFault, ...]]:
    """The JSON Schema in a typed text, or None and everything wrong with it; (None, ()) for an empty text."""
    if not text.strip():
        return None, ()
    try:
        value = read_json(text)
    except JsonTextError as error:
        return None, (JsonFault(f"This is not JSON: {error}.", error.line, error.column),)
    reader = _Reader(text)
    reader.schema((), value)
    return (None, tuple(reader.faults)) if reader.faults else (value, ())


def request_members(
    *, tools_json: str, choice: str, output_schema: str, messages: Sequence[JsonDict]
) -> JsonDict | Problem:
    """`toolConfig` and `outputConfig` of a Converse request, as far as they are set; else what is wrong.

    `messages` are the conversation's: where they hold tool calls, Converse wants `toolConfig` even for the
    choice `none`. `output_schema` goes out as `outputConfig.textFormat`.
    """
    tools = read_tools(tools_json)
    if tools.faults:
        return _faulty("tools", tools.faults)
    schema, faults = read_schema(output_schema)
    if faults:
        return _faulty("output schema", faults)
    members: JsonDict = {}
    calls_tools = any("toolUse" in b or "toolResult" in b for m in messages for b in m["content"])
    if calls_tools and not tools.entries:
        return _TOOLS_MISSING
    if tools.entries and (choice != "none" or calls_tools):
        members["toolConfig"] = {"tools": list(tools.entries)}
        if choice == "any":
            members["toolConfig"]["toolChoice"] = {"any": {}}
        elif choice.startswith("tool:"):
            name = choice.removeprefix("tool:")
            if name not in tools.names:
                return _no_such_tool(name)
            members["toolConfig"]["toolChoice"] = {"tool": {"name": name}}
    if schema is not None:
        form = {"jsonSchema": {"schema": json.dumps(schema, ensure_ascii=False)}}
        members["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": form}}
    return members


def typed_tools(request: Mapping[str, Any]) -> tuple[str, str]:
    """The tools of a Converse request as a text for the editor, and its tool choice.

    Cache points are left out: they are a setting of their own.
    """
    config = request.get("toolConfig") or {}
    tools = [entry for entry in config.get("tools") or [] if "cachePoint" not in entry]
    text = json.dumps(tools, indent=2, ensure_ascii=False) if tools else ""
    return text, choice_of(config) or "auto"


def typed_schema(request: Mapping[str, Any]) -> str:
    """The output schema of a Converse request as a text for the editor; "" without one."""
    form = ((request.get("outputConfig") or {}).get("textFormat") or {}).get("structure") or {}
    text = (form.get("jsonSchema") or {}).get("schema") or ""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text else ""
    except ValueError:
        return str(text)


def choice_of(config: Mapping[str, Any]) -> str | None:
    """The tool choice in a `toolConfig`; None where it says nothing that AWS knows."""
    match config.get("toolChoice"):
        case {"tool": {"name": str(name)}}:
            return f"tool:{name}"
        case {"any": _}:
            return "any"
        case {"auto": _}:
            return "auto"
    return None


def calls_in(content: Iterable[JsonDict]) -> list[JsonDict]:
    """The `toolUse` blocks of a reply that wait for us; what AWS ran itself has its result beside it."""
    blocks = list(content)
    answered = {block["toolResult"].get("toolUseId") for block in blocks if "toolResult" in block}
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    return [
        call
        for call in calls
        if call.get("toolUseId") not in answered and call.get("type") != "server_tool_use"
    ]


def unparsed_input(call: JsonDict) -> str | None:
    """The text of a call's input where it is no JSON (cut off, or the model's mistake); else None."""
    given = call.get("input")
    return str(given[UNPARSED]) if isinstance(given, dict) and UNPARSED in given else None


def result_blocks(results: Iterable[ToolResult]) -> list[JsonDict]:
    """Converse's `toolResult` blocks. A text that is a JSON object goes out as JSON, any other as text."""
    return [
        {
            "toolResult": {
                "toolUseId": result.tool_use_id,
                "content": [_result_content(result.text)],
                "status": result.status,
            }
        }
        for result in results
    ]


def mocked_results(calls: Sequence[JsonDict], mocks: Mapping[str, str]) -> list[ToolResult] | None:
    """The saved answers to all these calls, or None where one is missing or a call cannot be read."""
    if not calls or any(not mocks.get(call["name"], "").strip() or unparsed_input(call) for call in calls):
        return None
    return [ToolResult(call["toolUseId"], mocks[call["name"]]) for call in calls]


def _result_content(text: str) -> JsonDict:
    try:
        value = read_json(text)
    except JsonTextError:
        return {"text": text if text.strip() else "(no output)"}  # Converse refuses blank text
    return {"json": value} if isinstance(value, dict) else {"text": text}


class _Reader:
    """Checks one text's tools and schemas and notes where each fault stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._names: set[str] = set()
        self.faults: list[JsonFault] = []

    def fault(self, path: Path, message: str) -> None:
        self.faults.append(JsonFault(message, *place_of(self._text, path), path_text(path)))

    def entry(self, path: Path, entry: Any) -> JsonDict:
        """One entry of `tools` in AWS's own shape."""
        if not isinstance(entry, dict):
            self.fault(path, "A tool is an object in braces.")
            return {}
        if len(entry) == 1 and next(iter(entry)) in _AS_THEY_ARE:
            return entry
        if "toolSpec" in entry:
            path, entry = (*path, "toolSpec"), entry["toolSpec"]
            if not isinstance(entry, dict):
                self.fault(path, "toolSpec is an object in braces.")
                return {}
        return {"toolSpec": self._spec(path, entry)}

    def _spec(self, path: Path, spec: JsonDict) -> JsonDict:
        for name in spec:
            if name not in _SPEC_MEMBERS:
                self.fault((*path, name), f"A tool has no “{name}”; it has {', '.join(_SPEC_MEMBERS)}.")
        self._name(path, spec)
        if "description" in spec and not (isinstance(spec["description"], str) and spec["description"]):
            self.fault((*path, "description"), "The description is a text that is not empty.")
        if "strict" in spec and not isinstance(spec["strict"], bool):
            self.fault((*path, "strict"), "strict is true or false.")
        if "inputSchema" not in spec:
            self.fault(path, "inputSchema is missing: the JSON Schema of the tool's input.")
            return {}
        inside, schema = (*path, "inputSchema"), spec["inputSchema"]
        if isinstance(schema, dict) and list(schema) == ["json"]:
            inside, schema = (*inside, "json"), schema["json"]
        self.schema(inside, schema)
        if isinstance(schema, dict) and schema.get("type") != "object":
            self.fault((*inside, "type"), 'The input of a tool is an object: write "type": "object".')
        return {**spec, "inputSchema": {"json": schema}}

    def _name(self, path: Path, spec: JsonDict) -> None:
        name = spec.get("name")
        if name is None:
            self.fault(path, "The name is missing.")
        elif not isinstance(name, str) or not _NAME.fullmatch(name):
            self.fault(
                (*path, "name"), "A name is 1 to 64 letters, digits, underscores and hyphens, nothing else."
            )
        elif name in self._names:
            self.fault((*path, "name"), f"There are two tools named {name}.")
        else:
            self._names.add(name)

    def schema(self, path: Path, schema: Any) -> None:
        """Every place where this is no JSON Schema."""
        if not isinstance(schema, dict):
            self.fault(path, "A JSON Schema is an object in braces.")
            return
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            errors = list(kind(kind.META_SCHEMA).iter_errors(schema))
        except RecursionError:
            self.fault(path, "The schema is nested too deeply.")
            return
        for error in sorted(errors, key=lambda error: [str(step) for step in error.absolute_path]):
            self.fault((*path, *error.absolute_path), f"Not a JSON Schema: {_shortened(error.message)}.")


def _shortened(message: str, most: int = 200) -> str:
    return message if len(message) <= most else message[:most] + "…"


_TOOLS_MISSING = Problem(
    code="ToolsMissing",
    title="The tools of this chat are not defined any more",
    cause="The chat holds tool calls; Converse takes it only together with the definitions of tools.",
    fix="Define them under Tools in this pane's settings and press Retry, or start a new chat.",
    action="retry",
)


def _faulty(what: str, faults: Sequence[JsonFault]) -> Problem:
    more = f" There are {len(faults) - 1} more." if len(faults) > 1 else ""
    return Problem(
        code="InvalidTools",
        title=f"The {what} of this pane cannot be sent",
        cause=faults[0].sentence + more,
        fix="Correct it under Tools in this pane's settings, or clear the field; then press Retry.",
        action="retry",
    )


def _no_such_tool(name: str) -> Problem:
    return Problem(
        code="NoSuchTool",
        title="The tool that the model must use is not there",
        cause=f"The tool choice names {name}, which is not among this pane's tools.",
        fix="Choose another under Tools in this pane's settings, then press Retry.",
        action="retry",
    )
