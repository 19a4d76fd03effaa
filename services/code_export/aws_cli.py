"""A call as a bash script for the AWS CLI. Its JSON is ASCII, so that it is the same in every locale."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from botocore import xform_name

from services.code_export.shared import call_of, file_names, notes, readable_body
from services.runs import Call, Run

_WITHOUT_STREAM = {
    "ConverseStream": "Converse",
    "InvokeModelWithResponseStream": "InvokeModel",
    "RetrieveAndGenerateStream": "RetrieveAndGenerate",
}
_ONLY_STREAMS = ("InvokeAgent", "InvokeInlineAgent", "InvokeFlow")


def aws_cli_code(what: Call | Run) -> str:
    """A bash script that makes this call; it holds no keys. Binary parts are read from `binary_files`.

    The CLI has no streaming operations: the same request is sent for an answer in one piece, and a comment
    says so. ValueError, a sentence, where the call cannot be said to the CLI.
    """
    call = call_of(what)
    operation = _WITHOUT_STREAM.get(call.operation, call.operation)
    if operation in _ONLY_STREAMS or operation.endswith("Stream"):
        raise ValueError(f"The AWS CLI has no command for {operation}: its answer can only be streamed.")
    command = f"aws {_word(call.service)} {_word(xform_name(operation, '-'))}"
    request, comments = dict(call.request), ""
    if operation != call.operation:
        request, comments = _without_stream(call)
    files = file_names(call)
    write = _invoke_model if operation == "InvokeModel" else _any_operation
    body = write(command, request, files, _identity(call))
    return f"#!/usr/bin/env bash\n{notes(call, files)}{comments}set -euo pipefail\n\n{body}"


def _without_stream(call: Call) -> tuple[dict[str, Any], str]:
    """The request without what only a stream takes, and the comment that says so."""
    request = dict(call.request)
    comments = f"# The AWS CLI has no {xform_name(call.operation, '-')}: the answer comes in one piece.\n"
    guardrail = request.get("guardrailConfig")
    if isinstance(guardrail, Mapping) and "streamProcessingMode" in guardrail:
        request["guardrailConfig"] = {k: v for k, v in guardrail.items() if k != "streamProcessingMode"}
        comments += "# Left out: guardrailConfig.streamProcessingMode, which only a stream takes.\n"
    return request, comments


def _any_operation(
    command: str, request: Mapping[str, Any], files: Mapping[bytes, str], identity: str
) -> str:
    """The request as a file, because an argument of a command has a limit of length."""
    binary, script = _write_json("request", request, files)
    if binary:  # without it, version 1 of the CLI would send the Base64 text itself
        identity += " --cli-binary-format base64"
        script = f"# The binary parts need version 2 of the AWS CLI.\n{script}"
    return f'{script}{command} --cli-input-json "file://$request"{identity}\n'


def _invoke_model(command: str, request: Mapping[str, Any], files: Mapping[bytes, str], identity: str) -> str:
    options = "".join(
        f" --{_word(xform_name(name, '-'))} {_quoted(str(value))}"
        for name, value in request.items()
        if name != "body"
    )
    body = readable_body("body", request.get("body", {}))
    if isinstance(body, bytes):
        return f"{command}{options}{identity} --body {_quoted('fileb://' + files[body])} /dev/stdout\n"
    _, script = _write_json("body", body, {})
    return f'{script}{command}{options}{identity} --body "fileb://$body" /dev/stdout\n'


def _write_json(variable: str, value: Any, files: Mapping[bytes, str]) -> tuple[bool, str]:
    """(whether it has binary parts, bash that writes the value as JSON to a temporary file).

    Binary parts are put in from their files. Line breaks are removed there: in JSON they are never part of
    a text, and `base64` makes some.
    """
    mark = "@"
    while mark in json.dumps(value, default=lambda _: ""):
        mark += "@"
    try:
        text = json.dumps(value, indent=2, allow_nan=False, default=lambda data: _mark(data, mark, files))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The request cannot be written as JSON for the AWS CLI: {error}.") from error
    pieces = re.split(f"{mark}(.*?){mark}", text)
    opening = f"{variable}=$(mktemp)\ntrap 'rm -f \"${variable}\"' EXIT\n"
    if len(pieces) == 1:
        return False, f"{opening}cat > \"${variable}\" <<'JSON'\n{text}\nJSON\n"
    lines = [
        f"base64 < {_quoted(piece)}" if number % 2 else f"cat <<'JSON'\n{piece}\nJSON"
        for number, piece in enumerate(pieces)
    ]
    return True, opening + "{\n" + "\n".join(lines) + f"\n}} | tr -d '\\n' > \"${variable}\"\n"


def _mark(data: Any, mark: str, files: Mapping[bytes, str]) -> str:
    if not isinstance(data, bytes):
        raise TypeError(f"a {type(data).__name__} is no JSON")
    return f"{mark}{files[data]}{mark}"


def _identity(call: Call) -> str:
    if call.identity.backend == "local":
        return ""
    profile = f" --profile {_quoted(call.identity.profile)}" if call.identity.profile else ""
    return f"{profile} --region {_quoted(call.identity.region)}"


def _word(name: str) -> str:
    """A name of AWS's that may stand in a command as it is. An imported run may hold anything."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"{name!r} is no name in the AWS CLI, so this call cannot be written as code.")
    return name


def _quoted(text: str) -> str:
    """One argument for bash; what does not print is escaped."""
    if text.isprintable():
        return shlex.quote(text)
    try:
        escaped = "".join(f"\\x{byte:02x}" for byte in text.encode())
    except UnicodeEncodeError as error:
        raise ValueError("Half a surrogate pair cannot be an argument of a command.") from error
    return f"$'{escaped}'"
