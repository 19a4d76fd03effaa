"""The exported code runs, and sends byte for byte what the workbench sent."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.code_export import binary_files, boto3_code
from services.runs import Call
from services.runtime import open_call
from tests.eventstream import frame
from tests.scripted_server import Exchange, ScriptedServer

PNG, PDF = b"\x89PNG\r\n\x00\xff", b"%PDF-1.7 \x00"
EVIL = "end \"\"\" ''' \\ {x} \n# import os\n\u202egnol \x00 ü 😀 \u2028"


def call(identity: Identity, operation: str, **request: Any) -> Call:
    return Call(operation=operation, request={"modelId": "us.some-model:0", **request}, identity=identity)


CONVERSE: dict[str, Any] = {
    "system": [{"text": "Be brief.\nBe kind."}, {"cachePoint": {"type": "default"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"text": EVIL},
                {"image": {"format": "png", "source": {"bytes": PNG}}},
                {"document": {"format": "pdf", "name": "../../etc/passwd", "source": {"bytes": PDF}}},
                {"image": {"format": "png", "source": {"bytes": PNG}}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"redactedContent": b"\x00secret"}},
                {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": [1, 2.5, None, True]}}},
            ],
        },
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"deep": {"er": [[]]}}}]}}],
        },
    ],
    "inferenceConfig": {"maxTokens": 50, "temperature": 0.0, "stopSequences": ["\n\nHuman:"]},
    "additionalModelRequestFields": {"top_k": 5, "thinking": {"type": "enabled"}},
}


def answer(exchange: Exchange) -> None:
    """What the script needs to end well, by operation."""
    if exchange.path.endswith("converse-stream"):
        exchange.start_stream()
        exchange.send(frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "streamed"}}))
        exchange.send(frame("messageStop", {"stopReason": "end_turn"}))
        exchange.end()
    elif exchange.path.endswith("invoke-with-response-stream"):
        exchange.start_stream()
        exchange.send(frame("chunk", {"bytes": "eyJnZW5lcmF0aW9uIjoic3RyZWFtZWQifQ=="}))
        exchange.end()
    elif exchange.path.endswith("/invoke"):
        exchange.answer(b'{"generation": "whole"}')
    else:
        message = {"role": "assistant", "content": [{"text": "whole"}]}
        usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
        body = {
            "output": {"message": message},
            "stopReason": "end_turn",
            "usage": usage,
            "metrics": {"latencyMs": 1},
        }
        exchange.answer(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("operation", "request_", "prints"),
    [
        ("Converse", CONVERSE, "whole"),
        ("ConverseStream", CONVERSE, "streamed"),
        ("InvokeModel", {"body": {"prompt": EVIL, "max_gen_len": 5, "flag": True, "none": None}}, "whole"),
        ("InvokeModel", {"body": b'{"prompt": "as bytes"}', "contentType": "application/json"}, "whole"),
        ("InvokeModelWithResponseStream", {"body": {"prompt": "x"}}, "streamed"),
        ("InvokeModel", {"body": b"\x00 no json"}, "whole"),
    ],
)
def test_the_code_sends_what_the_workbench_sent(
    server: ScriptedServer,
    identity: Identity,
    tmp_path: Path,
    operation: str,
    request_: dict[str, Any],
    prints: str,
) -> None:
    server.play(answer)
    made = call(identity, operation, **request_)
    opened = open_call(made)
    opened.close()
    (tmp_path / "call.py").write_text(boto3_code(made), encoding="utf-8")
    for name, data in binary_files(made).items():
        (tmp_path / name).write_bytes(data)
    ran = subprocess.run(
        [sys.executable, "call.py"], cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert prints in ran.stdout
    from_workbench, from_script = server.requests
    assert from_script.path == from_workbench.path
    assert _comparable(from_script.body) == _comparable(from_workbench.body)


def _comparable(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def test_equal_files_are_one_and_names_come_from_us(identity: Identity) -> None:
    """A file name in a request is a stranger's word: the script must not read or name a path of theirs."""
    made = call(identity, "Converse", **CONVERSE)
    assert binary_files(made) == {"image_1.png": PNG, "document_2.pdf": PDF, "data_3.bin": b"\x00secret"}
    code = boto3_code(made)
    assert code.count('Path("image_1.png").read_bytes()') == 2
    assert "#   image_1.png (8 bytes)" in code


@pytest.mark.parametrize("extension", ["../x", "", "p ng", "ü", 5])
def test_a_strange_format_is_no_file_name(identity: Identity, extension: object) -> None:
    block = {"image": {"format": extension, "source": {"bytes": PNG}}}
    made = call(identity, "Converse", messages=[{"role": "user", "content": [block]}])
    assert set(binary_files(made)) <= {"image_1.bin", "image_1.5"}


def test_profile_and_region_stand_in_it_and_keys_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSECRET")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrX")
    code = boto3_code(call(Identity("aws", 'de"v', "eu-west-1"), "Converse", messages=[]))
    assert 'boto3.Session(profile_name="de\\"v", region_name="eu-west-1").client("bedrock-runtime")' in code
    assert "AKIDSECRET" not in code
    assert "wJalrX" not in code


def test_the_default_chain_needs_no_profile() -> None:
    code = boto3_code(call(Identity("aws", None, "eu-west-1"), "Converse", messages=[]))
    assert 'client = boto3.client("bedrock-runtime", region_name="eu-west-1")' in code
    assert "#" not in code


def test_a_local_call_says_how_boto3_finds_the_endpoint() -> None:
    code = boto3_code(call(Identity("local", "localbedrock", "us-east-1"), "Converse", messages=[]))
    assert "AWS_CONFIG_FILE=" in code
    assert "AWS_SHARED_CREDENTIALS_FILE=" in code
    assert "AWS_PROFILE=localbedrock" in code
    assert 'client = boto3.client("bedrock-runtime")\n' in code


@pytest.mark.parametrize("name", ["x=1); import os; f(y", "class", "a b", ""])
def test_names_that_would_be_code_are_refused(identity: Identity, name: str) -> None:
    """An imported run is a stranger's file."""
    with pytest.raises(ValueError, match="cannot be written as code"):
        boto3_code(call(identity, "Converse", **{name: 1}))
    with pytest.raises(ValueError, match="cannot be written as code"):
        boto3_code(Call(operation=name, request={}, identity=identity))


@pytest.mark.parametrize(
    "value", [EVIL, "\ud83d", "a\rb", "tab\t", "\x7f", "", 1e300, {"a": {1: 2}}, (1, [2]), [{}]]
)
def test_literals_are_what_they_say(identity: Identity, value: Any) -> None:
    code = boto3_code(call(identity, "Converse", value=value))
    assert "\u202e" not in code, "nothing may turn the direction of writing"
    keyword = next(
        node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.keyword) and node.arg == "value"
    )
    read = ast.literal_eval(keyword.value)
    assert json.loads(json.dumps(read)) == json.loads(json.dumps(value))


def test_the_code_is_readable(identity: Identity) -> None:
    code = boto3_code(call(identity, "ConverseStream", **CONVERSE))
    assert (
        '    inferenceConfig={"maxTokens": 50, "temperature": 0.0, "stopSequences": ["\\n\\nHuman:"]},\n'
        in code
    )
    assert '{"text": "Be brief.\\nBe kind."}' in code
    assert max(map(len, code.splitlines())) < 120
