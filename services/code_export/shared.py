"""What the dialects share: Python literals, the files that hold binary parts, and notes above the code."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services import settings
from services.runs import Call, Run

LINE_CHARS = 100
"""Wider literals are broken up."""

_MEDIA = ("image", "document", "video", "audio")


def call_of(what: Call | Run) -> Call:
    """The call itself."""
    return what.call if isinstance(what, Run) else what


def binary_files(call: Call) -> dict[str, bytes]:
    """The binary parts of a call, by the names of the files from which its code reads them."""
    return {name: data for data, name in file_names(call).items()}


def file_names(call: Call) -> dict[bytes, str]:
    """The file that holds each binary part; equal parts share one."""
    request = {name: readable_body(name, value) for name, value in call.request.items()}
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


def readable_body(name: str, value: Any) -> Any:
    """An InvokeModel body as JSON, where it was given as bytes."""
    if name == "body" and isinstance(value, bytes):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def notes(call: Call, files: Mapping[bytes, str]) -> str:
    """Comments above the code: how a local call finds its endpoint, and the files that it wants."""
    lines = []
    if call.identity.backend == "local":
        folder = settings.get().local_data
        profile = str(call.identity.profile)
        lines += [
            "# This call went to the local endpoint. Any AWS SDK finds it by these variables:",
            f"#   export AWS_CONFIG_FILE={str(folder / 'config')!r}",
            f"#   export AWS_SHARED_CREDENTIALS_FILE={str(folder / 'credentials')!r}",
            f"#   export AWS_PROFILE={profile if profile.isprintable() else repr(profile)}",
        ]
    if files:
        lines.append("# The call has binary parts. Put these files beside this script:")
        lines += [f"#   {name} ({len(data):,} bytes)" for data, name in files.items()]
    return "".join(f"{line}\n" for line in lines)


def literal(value: Any, files: Mapping[bytes, str], indent: int = 0) -> str:
    """A value as a Python literal, one line where it fits."""
    if isinstance(value, bytes):
        return f"Path({string(files[value])}).read_bytes()"
    if isinstance(value, str):
        return _text(value, indent)
    if isinstance(value, Mapping):
        items = [f"{string(str(k))}: {literal(v, files, indent + 4)}" for k, v in value.items()]
        return bracketed("{", items, "}", indent)
    if isinstance(value, list | tuple):
        return bracketed("[", [literal(v, files, indent + 4) for v in value], "]", indent)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise ValueError(f"A {type(value).__name__} cannot be written as code.")


def bracketed(opening: str, items: list[str], closing: str, indent: int) -> str:
    """Items between brackets, one a line where they do not fit in one."""
    line = f"{opening}{', '.join(items)}{closing}"
    if indent + len(line) <= LINE_CHARS and "\n" not in line:
        return line
    inner = " " * (indent + 4)
    return "\n".join([opening, *(f"{inner}{item}," for item in items), " " * indent + closing])


def _text(value: str, indent: int) -> str:
    """A string; one of several lines is written line by line."""
    lines = value.splitlines(keepends=True)
    if len(lines) < 2 or indent + len(value) <= LINE_CHARS:
        return string(value)
    inner = " " * (indent + 4)
    return "\n".join(["(", *(inner + string(line) for line in lines), " " * indent + ")"])


def string(value: str) -> str:
    """A string literal. Whatever does not print, or turns the direction of writing, is escaped."""
    plain = value.replace("\n", "").replace("\t", "").isprintable()
    return json.dumps(value, ensure_ascii=False) if plain else repr(value)


def script(comments: str, imports: list[str], body: str) -> str:
    """A Python script: comments, imports (the standard library's as they are needed), code."""
    lines = ["import json"] if "json." in body else []
    lines += ["from pathlib import Path"] if "Path(" in body else []
    head = "\n".join([*lines, *([""] if lines else []), *imports])
    return f"{comments}{head}\n\n{body}"


def given_members(value: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """ValueError where a request has a member that the dialect has no name for."""
    for name in value:
        if name not in known:
            raise ValueError(f"{what} has no name for {name}, so the request would lose it: use boto3.")


def refuse_other_operations(call: Call, name: str) -> None:
    """ValueError unless the call is Converse, of which the frameworks make the same request."""
    if call.operation.startswith("InvokeModel"):
        raise ValueError(f"{name} writes the body of InvokeModel by itself: use boto3 or the AWS CLI.")
    if call.operation.startswith("RetrieveAndGenerate"):
        raise ValueError(
            f"{name} has no class for {call.operation}, in which Bedrock retrieves and writes the answer: "
            "use boto3 or the AWS CLI."
        )
    if call.operation not in ("Converse", "ConverseStream"):
        raise ValueError(f"{name} makes calls to models alone, and {call.operation} is none: use boto3.")


def without(block: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A mapping without one member."""
    return {key: value for key, value in block.items() if key != name}


def only_text(blocks: Sequence[Mapping[str, Any]]) -> str | None:
    """The text of a content that is one text, without white space around it to be stripped; else None."""
    if len(blocks) != 1 or set(blocks[0]) != {"text"}:
        return None
    text = str(blocks[0]["text"])
    return text if text and text == text.strip() else None
