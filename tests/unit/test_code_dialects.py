"""What the dialects of exported code refuse, and how they quote. tests/export runs the code."""

from __future__ import annotations

import ast
import base64
import contextlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.code_export import DIALECTS, aws_cli_code, binary_files, langchain_code, llamaindex_code
from services.runs import Call

AWS = Identity("aws", "it's", "eu-west-1")
USER = {"role": "user", "content": [{"text": "Hi"}]}
ALL = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def call(operation: str = "Converse", identity: Identity = AWS, **request: Any) -> Call:
    return Call(
        operation=operation, request={"modelId": "amazon.nova-lite-v1:0", **request}, identity=identity
    )


@ALL
@pytest.mark.parametrize("text", ["\"\"\"\n'''\n$(id)\nJSON\n", "\x00\u202e", "é 😀", "\\"])
def test_python_code_parses_and_bash_code_too(dialect: Any, text: str) -> None:
    code = dialect.write(call(messages=[{"role": "user", "content": [{"text": text}]}]))
    if dialect.language == "python":
        ast.parse(code)
    elif bash := shutil.which("bash"):
        subprocess.run([bash, "-n", "-c", code], check=True)
    assert "\u202e" not in code


@ALL
@pytest.mark.parametrize(
    "request_",
    [
        {"messages": 5},
        {"messages": [5]},
        {"inferenceConfig": 5},
        {"messages": [{"content": [{"toolResult": 1}]}]},
    ],
)
def test_a_request_that_is_none_is_code_or_a_sentence(dialect: Any, request_: dict[str, Any]) -> None:
    """An imported run may hold anything."""
    with contextlib.suppress(ValueError):
        assert dialect.write(call(**request_))


@ALL
@pytest.mark.parametrize("backend", ["local", "aws"])
def test_an_identity_cannot_become_code(dialect: Any, backend: Any) -> None:
    code = dialect.write(
        call(identity=Identity(backend, "x\ntouch pwned", "r\ntouch pwned"), messages=[USER])
    )
    assert not any(line.startswith("touch") for line in code.splitlines())


@pytest.mark.parametrize("write", [langchain_code, llamaindex_code])
def test_the_frameworks_make_converse_calls_alone(write: Any) -> None:
    with pytest.raises(ValueError, match="writes the body of InvokeModel"):
        write(call("InvokeModel", body={}))
    with pytest.raises(ValueError, match="ApplyGuardrail is none"):
        write(call("ApplyGuardrail"))
    with pytest.raises(ValueError, match="no name for newThing"):
        write(call(messages=[USER], newThing=1))


def test_the_cli_says_what_it_leaves_out() -> None:
    guardrail = {"guardrailIdentifier": "g", "guardrailVersion": "1", "streamProcessingMode": "async"}
    code = aws_cli_code(call("ConverseStream", messages=[USER], guardrailConfig=guardrail))
    assert "# The AWS CLI has no converse-stream" in code
    assert "# Left out: guardrailConfig.streamProcessingMode" in code
    assert "aws bedrock-runtime converse --cli-input-json" in code
    assert "--profile 'it'\"'\"'s' --region eu-west-1" in code
    with pytest.raises(ValueError, match="can only be streamed"):
        aws_cli_code(call("InvokeAgent"))


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_the_json_of_the_cli_takes_binary_parts_from_their_files(tmp_path: Path) -> None:
    """The command needs version 2 of the CLI; the file that it is given is looked at here."""
    image = {"image": {"format": "png", "source": {"bytes": bytes(range(256)) * 9}}}
    made = call(messages=[{"role": "user", "content": [{"text": "me@x.org @@\nJSON"}, image]}])
    for name, data in binary_files(made).items():
        (tmp_path / name).write_bytes(data)
    code = aws_cli_code(made).replace("aws bedrock-runtime converse", "show")
    assert "--cli-binary-format base64" in code
    show = 'show() { cat "${2#file://}"; }\n'
    ran = subprocess.run(
        ["bash", "-c", show + code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    sent = json.loads(ran.stdout)["messages"][0]["content"]
    assert sent[0]["text"] == "me@x.org @@\nJSON"
    assert base64.b64decode(sent[1]["image"]["source"]["bytes"]) == bytes(range(256)) * 9


@pytest.mark.parametrize(
    ("write", "block", "says"),
    [
        (llamaindex_code, {"guardContent": {"text": {"text": "x"}}}, "no name for this guardContent block"),
        (llamaindex_code, {"cachePoint": {"type": "default"}}, "cachePoint"),
        (
            llamaindex_code,
            {"toolResult": {"toolUseId": "t", "content": [{"json": {}}]}},
            "no name for this json block",
        ),
        (
            langchain_code,
            {"toolResult": {"toolUseId": "t", "content": [{"json": {"a_b": 1}}]}},
            "renames JSON members",
        ),
    ],
)
def test_what_would_be_lost_is_named(write: Any, block: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        write(call(messages=[{"role": "user", "content": [block]}]))


def test_langchain_is_told_whose_model_an_arn_is() -> None:
    arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0"
    made = Call(operation="Converse", request={"modelId": arn, "messages": [USER]}, identity=AWS)
    assert 'provider="amazon"' in langchain_code(made)
    opaque = Call(operation="Converse", request={"modelId": "arn:aws:x:provisioned-model/ab1"}, identity=AWS)
    with pytest.raises(ValueError, match="whose model"):
        langchain_code(opaque)


def test_llamaindex_refuses_the_local_models() -> None:
    local = Call(operation="Converse", request={"modelId": "local.x", "messages": [USER]}, identity=AWS)
    with pytest.raises(ValueError, match="on its own list"):
        llamaindex_code(local)
