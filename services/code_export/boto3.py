"""A call as Python code that makes it again, with boto3 alone."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

from botocore import xform_name

from services.code_export.shared import call_of, file_names, literal, notes, readable_body, script
from services.runs import Call, Run

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
    "Retrieve": """\
for rank, result in enumerate(response["retrievalResults"], start=1):
    print(rank, result.get("score"), result.get("location"))
    print(result["content"].get("text", result["content"]))
""",
    "RetrieveAndGenerate": """\
print(response["output"]["text"])
for citation in response.get("citations", []):
    print("Part:", citation["generatedResponsePart"]["textResponsePart"]["text"])
    for reference in citation["retrievedReferences"]:
        print("  Source:", reference.get("location"))
print("Session:", response["sessionId"])
""",
    "RetrieveAndGenerateStream": """\
for event in response["stream"]:
    if "output" in event:
        print(event["output"]["text"], end="", flush=True)
    elif "citation" in event:
        for reference in event["citation"].get("retrievedReferences", []):
            print("\\n  Source:", reference.get("location"))
print("\\nSession:", response["sessionId"])
""",
}


def boto3_code(what: Call | Run) -> str:
    """A Python script that makes exactly this call.

    It holds no keys: boto3 finds them as usual. Binary parts are read from files, see `binary_files`.
    ValueError for a call that cannot be written in Python (an imported run may hold anything).
    """
    call = call_of(what)
    method = xform_name(call.operation)
    for name in (method, *call.request):
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"{name!r} is no name in Python, so this call cannot be written as code.")
    files = file_names(call)
    arguments = "".join(
        f"    {name}={_argument(name, value, files)},\n" for name, value in call.request.items()
    )
    body = f"{_client(call)}\nresponse = client.{method}(\n{arguments})\n\n"
    body += _READ_ANSWER.get(call.operation, "print(response)\n")
    return script(notes(call, files), ["import boto3"], body)


def _client(call: Call) -> str:
    service, identity = literal(call.service, {}), call.identity
    if identity.backend == "local":
        return f"client = boto3.client({service})"
    region = f"region_name={literal(identity.region, {})}"
    if identity.profile is None:
        return f"client = boto3.client({service}, {region})"
    session = f"boto3.Session(profile_name={literal(identity.profile, {})}, {region})"
    return f"client = {session}.client({service})"


def _argument(name: str, value: Any, files: Mapping[bytes, str]) -> str:
    readable = readable_body(name, value)
    written = literal(readable, files, indent=4)
    return f"json.dumps({written})" if name == "body" and isinstance(readable, dict | list) else written
