"""Steps as Python code: the same values that the workbench carries out, written down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from botocore import xform_name

from services.knowledge_build.instructions import (
    NOT_YET,
    PAUSE_S,
    TRIES,
    Call,
    Empty,
    Instruction,
    Json,
    Measure,
    Path,
    Upload,
    Var,
    Wait,
    variables,
)

_CLIENTS = {
    "bedrock-agent": "bedrock_agent",
    "bedrock-runtime": "bedrock_runtime",
    "iam": "iam",
    "opensearchserverless": "aoss",
    "s3": "s3",
}
_WIDTH = 96
_PATIENTLY = """\
def patiently(call, **arguments):
    \"\"\"Repeat a call while AWS does not yet know what was made just before.\"\"\"
    for _ in range({tries}):
        try:
            return call(**arguments)
        except ClientError as error:
            if not any(word in str(error).lower() for word in NOT_YET):
                raise
            time.sleep({pause_s})
    return call(**arguments)"""


def program(parts: Sequence[tuple[str, Sequence[Instruction]]], region: str) -> str:
    """A whole program: imports, clients, and the parts under their headings."""
    body = "\n\n".join(f"# {heading}\n{lines(each)}" for heading, each in parts)
    services = sorted({call.service for _, each in parts for call in _calls(each)})
    clients = [
        f"{_CLIENTS[service]} = boto3.client({_text(service)}, region_name={_text(region)})"
        for service in services
    ]
    whole = _helper(body) + body
    standard = [f"import {name}" for name in ("json", "time") if f"{name}." in whole]
    standard += ["from pathlib import Path"] if "Path(" in whole else []
    outside = ["import boto3"]
    outside += ["from botocore.exceptions import ClientError"] if "ClientError" in whole else []
    clients_block = "\n".join(clients)
    helper = f"{_helper(body)}\n\n\n" if _helper(body) else ""
    blocks = ["\n".join(standard), "\n".join(outside), helper + clients_block, body]
    return "\n\n".join(block for block in blocks if block) + "\n"


def lines(instructions: Sequence[Instruction]) -> str:
    """The statements of instructions, without imports and clients."""
    return "\n".join(_statement(each) for each in instructions)


def unknown(instructions: Sequence[Instruction]) -> tuple[str, ...]:
    """The variables that earlier steps have to give."""
    known: set[str] = set()
    missing: list[str] = []
    for each in instructions:
        for call in _calls([each]):
            missing += [n for n in variables(call.arguments) if n not in known and n not in missing]
            known |= set(call.gives)
        if isinstance(each, Measure):
            known.add(each.name)
    return tuple(missing)


def _helper(body: str) -> str:
    if "patiently(" not in body:
        return ""
    words = f"NOT_YET = {literal(list(NOT_YET))}"
    return f"{words}\n\n\n" + _PATIENTLY.format(tries=TRIES, pause_s=PAUSE_S)


def _calls(instructions: Iterable[Instruction]) -> Iterable[Call]:
    for each in instructions:
        if isinstance(each, Call):
            yield each
        elif isinstance(each, Wait | Measure):
            yield each.call
        else:
            yield Call("s3", "PutObject", {})


def _statement(instruction: Instruction) -> str:
    if isinstance(instruction, Call):
        return _call_statement(instruction)
    if isinstance(instruction, Wait):
        return _wait(instruction)
    if isinstance(instruction, Measure):
        vector = "".join(f"[{part!r}]" for part in instruction.vector).replace("'", '"')
        return (
            f"answer = {_call(instruction.call)}\n"
            f'{instruction.name} = len(json.loads(answer["body"].read()){vector})'
        )
    if isinstance(instruction, Upload):
        return (
            f"for name in {literal(list(instruction.names))}:\n"
            f"    s3.put_object(Bucket={_text(instruction.bucket)}, Key={_text(instruction.prefix)} + name, "
            "Body=Path(name).read_bytes())"
        )
    return _empty(instruction)


def _call_statement(call: Call) -> str:
    made = _call(call)
    if call.gives:
        made = f"answer = {made}\n{_gives(call)}"
    if not call.fine:
        return made
    tried = "\n".join(f"    {line}" for line in made.splitlines())
    return (
        f"try:\n{tried}\nexcept ClientError as error:\n"
        f'    if error.response["Error"]["Code"] not in {literal(list(call.fine))}:\n        raise'
    )


def _gives(call: Call) -> str:
    return "\n".join(f"{name} = {_at(path)}" for name, path in call.gives.items())


def _wait(wait: Wait) -> str:
    given = f"\n{_gives(wait.call)}" if wait.call.gives else ""
    made = "\n".join(f"    {line}" for line in f"answer = {_call(wait.call)}".splitlines())
    return (
        f"while True:\n{made}\n    status = {_at(wait.status)}\n"
        f"    if status not in {literal(list(wait.going))}:\n        break\n    time.sleep({PAUSE_S})\n"
        f"if status not in {literal(list(wait.good))}:\n"
        f'    raise SystemExit(f"{wait.call.operation} says {{status}}: {{answer}}"){given}'
    )


def _empty(empty: Empty) -> str:
    where = f"Bucket={_text(empty.bucket)}"
    return (
        f'for page in s3.get_paginator("list_objects_v2").paginate({where}, Prefix={_text(empty.prefix)}):\n'
        f'    for entry in page.get("Contents", []):\n        s3.delete_object({where}, Key=entry["Key"])'
    )


def _at(path: Path) -> str:
    return "answer" + "".join(f"[{_text(part) if isinstance(part, str) else part}]" for part in path)


def _call(call: Call) -> str:
    method = f"{_CLIENTS[call.service]}.{xform_name(call.operation)}"
    arguments = [f"{name}={literal(value, 1)}" for name, value in call.arguments.items()]
    opening = f"patiently({method}" if call.patient else f"{method}("
    head = [method] if call.patient else []
    one_line = ("patiently(" if call.patient else opening) + ", ".join([*head, *arguments]) + ")"
    if "\n" not in one_line and len(one_line) <= _WIDTH:
        return one_line
    start = "patiently(\n    " + method + "," if call.patient else opening
    return start + "".join(f"\n    {each}," for each in arguments) + "\n)"


def literal(value: Any, depth: int = 0) -> str:
    """A value as Python writes it, over several lines where one is too narrow."""
    if isinstance(value, Var):
        return value.name
    if isinstance(value, Json):
        return f"json.dumps({literal(value.document, depth)})"
    if isinstance(value, Mapping):
        items = [f"{_text(key)}: {literal(each, depth + 1)}" for key, each in value.items()]
        return _block("{", items, "}", depth)
    if isinstance(value, list | tuple):
        return _block("[", [literal(each, depth + 1) for each in value], "]", depth)
    return _text(value) if isinstance(value, str) else repr(value)


def _block(opening: str, items: Sequence[str], closing: str, depth: int) -> str:
    one_line = opening + ", ".join(items) + closing
    if "\n" not in one_line and len(one_line) + 4 * depth <= _WIDTH - 24:
        return one_line
    inner, outer = "    " * (depth + 1), "    " * depth
    return opening + "".join(f"\n{inner}{item}," for item in items) + f"\n{outer}{closing}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
