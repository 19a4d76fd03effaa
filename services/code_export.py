"""A call as Python code that makes it again, with boto3 alone."""

from __future__ import annotations

import json
import keyword
import math
from collections.abc import Iterator, Mapping
from typing import Any

from botocore import xform_name

from services import settings
from services.runs import Call, Run

LINE_CHARS = 100
"""Wider literals are broken up."""

_MEDIA = ("image", "document", "video", "audio")

_READ_ANSWER = {
    "Converse": """\
for block in response["output"]["message"]["content"]:
    print(block.get("text", block))
print("Stop reason:", response["stopReason"])
print("Tokens:", response["usage"])
""",
    "ConverseStream": """\
for event in response["stream"]:
    if "contentBlockDelta" in event:
        print(event["contentBlockDelta"]["delta"].get("text", ""), end="", flush=True)
    elif "messageStop" in event:
        print("\\nStop reason:", event["messageStop"]["stopReason"])
    elif "metadata" in event:
        print("Tokens:", event["metadata"]["usage"])
""",
    "InvokeModel": """\
print(json.dumps(json.loads(response["body"].read()), indent=2))
""",
    "InvokeModelWithResponseStream": """\
for event in response["body"]:
    print(json.loads(event["chunk"]["bytes"]), flush=True)
""",
}


def boto3_code(what: Call | Run) -> str:
    """A Python script that makes exactly this call.

    It holds no keys: boto3 finds them as usual. Binary parts are read from files, see `binary_files`.
    ValueError for a call that cannot be written in Python (an imported run may hold anything).
    """
    call = what.call if isinstance(what, Run) else what
    method = xform_name(call.operation)
    for name in (method, *call.request):
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"{name!r} is no name in Python, so this call cannot be written as code.")
    files = _file_names(call)
    arguments = "".join(
        f"    {name}={_argument(name, value, files)},\n" for name, value in call.request.items()
    )
    body = f"{_client(call)}\nresponse = client.{method}(\n{arguments})\n\n"
    body += _READ_ANSWER.get(call.operation, "print(response)\n")
    return f"{_notes(call, files)}{_imports(body)}\n\n{body}"


def binary_files(call: Call) -> dict[str, bytes]:
    """The binary parts of a call, by the names of the files from which its code reads them."""
    return {name: data for data, name in _file_names(call).items()}


def _file_names(call: Call) -> dict[bytes, str]:
    request = {name: readable(name, value) for name, value in call.request.items()}
    names: dict[bytes, str] = {}
    for kind, extension, data in _binaries(request, "data", "bin"):
        names.setdefault(data, f"{kind}_{len(names) + 1}.{extension}")
    return names


def _binaries(value: Any, kind: str, extension: str) -> Iterator[tuple[str, str, bytes]]:
    """(kind of block, file extension, bytes) of every binary part, in order."""
    if isinstance(value, bytes):
        yield kind, extension, value
    elif isinstance(value, Mapping):
        given = str(value.get("format", ""))
        extension = given if given.isalnum() and given.isascii() else extension
        for name, member in value.items():
            yield from _binaries(member, name if name in _MEDIA else kind, extension)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _binaries(member, kind, extension)


def readable(name: str, value: Any) -> Any:
    """An InvokeModel body as JSON, where it was given as bytes."""
    if name == "body" and isinstance(value, bytes):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _notes(call: Call, files: Mapping[bytes, str]) -> str:
    lines = []
    if call.identity.backend == "local":
        folder = settings.get().local_data
        lines += [
            "# This call went to the local endpoint. Any AWS SDK finds it by these variables:",
            f"#   export AWS_CONFIG_FILE={str(folder / 'config')!r}",
            f"#   export AWS_SHARED_CREDENTIALS_FILE={str(folder / 'credentials')!r}",
            f"#   export AWS_PROFILE={call.identity.profile}",
        ]
    if files:
        lines.append("# The call has binary parts. Put these files beside this script:")
        lines += [f"#   {name} ({len(data):,} bytes)" for data, name in files.items()]
    return "".join(f"{line}\n" for line in lines)


def _imports(code: str) -> str:
    lines = ["import json"] if "json." in code else []
    lines += ["from pathlib import Path"] if "Path(" in code else []
    return "\n".join([*lines, *([""] if lines else []), "import boto3"])


def _client(call: Call) -> str:
    service, identity = _literal(call.service, {}), call.identity
    if identity.backend == "local":
        return f"client = boto3.client({service})"
    region = f"region_name={_literal(identity.region, {})}"
    if identity.profile is None:
        return f"client = boto3.client({service}, {region})"
    session = f"boto3.Session(profile_name={_literal(identity.profile, {})}, {region})"
    return f"client = {session}.client({service})"


def _argument(name: str, value: Any, files: Mapping[bytes, str]) -> str:
    shown = readable(name, value)
    literal = _literal(shown, files, indent=4)
    return f"json.dumps({literal})" if name == "body" and isinstance(shown, dict | list) else literal


def _literal(value: Any, files: Mapping[bytes, str], indent: int = 0) -> str:
    """A value as a Python literal, one line where it fits."""
    if isinstance(value, bytes):
        return f"Path({_string(files[value])}).read_bytes()"
    if isinstance(value, str):
        return _text(value, indent)
    if isinstance(value, Mapping):
        items = [f"{_string(str(k))}: {_literal(v, files, indent + 4)}" for k, v in value.items()]
        return _bracketed("{", items, "}", indent)
    if isinstance(value, list | tuple):
        return _bracketed("[", [_literal(v, files, indent + 4) for v in value], "]", indent)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise ValueError(f"A {type(value).__name__} cannot be written as code.")


def _bracketed(opening: str, items: list[str], closing: str, indent: int) -> str:
    line = f"{opening}{', '.join(items)}{closing}"
    if indent + len(line) <= LINE_CHARS and "\n" not in line:
        return line
    inner = " " * (indent + 4)
    return "\n".join([opening, *(f"{inner}{item}," for item in items), " " * indent + closing])


def _text(value: str, indent: int) -> str:
    """A string; one of several lines is written line by line."""
    lines = value.splitlines(keepends=True)
    if len(lines) < 2 or indent + len(value) <= LINE_CHARS:
        return _string(value)
    inner = " " * (indent + 4)
    return "\n".join(["(", *(inner + _string(line) for line in lines), " " * indent + ")"])


def _string(value: str) -> str:
    """A string literal. Whatever does not print, or turns the direction of writing, is escaped."""
    plain = value.replace("\n", "").replace("\t", "").isprintable()
    return json.dumps(value, ensure_ascii=False) if plain else repr(value)
