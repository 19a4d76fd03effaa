"""Exported code, run as a process, sends the request of the call that it was exported from."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.code_export import DIALECTS, binary_files
from services.runs import Call
from services.runtime import open_call
from tests.conftest import Endpoint
from tests.eventstream import frame
from tests.scripted_server import Exchange, ScriptedServer

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
)
PDF = b"%PDF-1.7 \x00\xff"
EVIL = 'it\'s "quoted" $HOME `id` $(id) \\n \\ \nJSON\n\'\'\' """ {x} é 日本 😀 \u202e \x07 % @image_1.png@'
STAND_IN = "anthropic.claude-3-haiku-20240307-v1:0"
MODEL = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"

CHAT: dict[str, Any] = {
    "system": [{"text": "Be brief.\nBe kind."}],
    "messages": [
        {"role": "user", "content": [{"text": EVIL}]},
        {"role": "assistant", "content": [{"text": "Yes, it's so."}]},
        {"role": "user", "content": [{"text": "Why?"}, {"text": "Say\n\twhy."}]},
    ],
    "inferenceConfig": {"maxTokens": 50, "temperature": 0.0, "topP": 0.5, "stopSequences": ["\n\nHuman:"]},
    "additionalModelRequestFields": {"top_k": 5, "thinking": {"type": "enabled", "budget_tokens": 1024}},
    "guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "DRAFT", "trace": "enabled"},
    "requestMetadata": {"team": "it's us"},
    "performanceConfig": {"latency": "optimized"},
}
TOOLS: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": [{"text": "What is the weather?"}]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "I must ask.", "signature": "c2ln"}}},
                {"text": "I ask."},
                {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city_name": "Köln"}}},
                {"toolUse": {"toolUseId": "t2", "name": "get_weather", "input": {"days": [1, 2.5, True]}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "rain"}], "status": "success"}},
                {"toolResult": {"toolUseId": "t2", "content": [{"text": "no"}], "status": "error"}},
                {"text": "So?"},
            ],
        },
    ],
    "toolConfig": {
        "tools": [
            {
                "toolSpec": {
                    "name": "get_weather",
                    "description": "Tells it.",
                    "inputSchema": {
                        "json": {"type": "object", "properties": {"city_name": {"type": "string"}}}
                    },
                }
            }
        ],
        "toolChoice": {"auto": {}},
    },
    "inferenceConfig": {"maxTokens": 9},
}
FILES: dict[str, Any] = {
    "system": [{"text": " one "}, {"text": "two"}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"text": "What are these?"},
                {"image": {"format": "png", "source": {"bytes": PNG}}},
                {"document": {"format": "pdf", "name": "a [b] (c)", "source": {"bytes": PDF}}},
            ],
        }
    ],
    "inferenceConfig": {"maxTokens": 9, "temperature": 0.5},
}
REQUESTS = {"chat": CHAT, "tools": TOOLS, "files": FILES}


def answer(exchange: Exchange) -> None:
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    if exchange.path.endswith("converse-stream"):
        exchange.start_stream()
        for name, data in (
            ("messageStart", {"role": "assistant"}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "streamed"}}),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "end_turn"}),
            ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
        ):
            exchange.send(frame(name, data))
        exchange.end()
    elif exchange.path.endswith("/invoke"):
        exchange.answer(b'{"generation": "whole"}')
    else:
        message = {"role": "assistant", "content": [{"text": "whole"}]}
        body = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}
        exchange.answer(json.dumps({**body, "metrics": {"latencyMs": 1}}).encode())


def make_call(identity: Identity, operation: str, model_id: str = MODEL, **request: Any) -> Call:
    return Call(operation=operation, request={"modelId": model_id, **request}, identity=identity)


def run_export(dialect: str, call: Call, folder: Path, bin_folder: Path, url: str) -> str:
    """Run it against a server that records; what it printed."""
    environment = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    }
    return run(dialect, call, folder, bin_folder, environment)


def run(dialect: str, call: Call, folder: Path, bin_folder: Path, variables: dict[str, str]) -> str:
    """Run what the dialect says, with what it says is beside it; what it printed."""
    written = next(d for d in DIALECTS if d.name == dialect)
    code = folder / "exported"
    code.write_text(written.write(call), encoding="utf-8")
    for name, data in binary_files(call).items():
        (folder / name).write_bytes(data)
    environment = {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "AWS_EC2_METADATA_DISABLED": "true",
        **variables,
    }
    program = "bash" if written.language == "bash" else str(bin_folder / "python")
    ran = subprocess.run(
        [program, str(code)], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def sent(exchange: Exchange) -> Any:
    """The body, without what means the same when it is left out (LangChain writes it)."""
    return _told(json.loads(exchange.body))


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        told = {name: _told(member) for name, member in value.items()}
        if told.get("system") == []:
            del told["system"]
        if told.get("inferenceConfig") == {}:
            del told["inferenceConfig"]
        return told
    return [_told(member) for member in value] if isinstance(value, list) else value


def from_workbench(server: ScriptedServer, call: Call) -> Exchange:
    """What the workbench itself sends for the call."""
    server.play(answer)
    open_call(call).close()
    return server.requests.pop()


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
@pytest.mark.parametrize("dialect", ["AWS CLI", "LangChain", "LlamaIndex"])
@pytest.mark.parametrize("request_name", ["chat", "tools", "files"])
def test_the_code_sends_the_request_of_the_call(
    server: ScriptedServer,
    identity: Identity,
    export_bin: Path,
    tmp_path: Path,
    dialect: str,
    operation: str,
    request_name: str,
) -> None:
    if (dialect, request_name) == ("AWS CLI", "files"):
        pytest.skip("binary parts need version 2 of the AWS CLI, which is not on PyPI")
    call = make_call(identity, operation, **REQUESTS[request_name])
    original = from_workbench(server, call)
    printed = run_export(dialect, call, tmp_path, export_bin, server.url)
    (exchange,) = server.requests
    assert sent(exchange) == sent(original)
    if dialect == "AWS CLI":  # it has no streams
        assert exchange.path == original.path.replace("converse-stream", "converse")
        assert "whole" in printed
    else:
        assert exchange.path == original.path
        assert ("streamed" if operation == "ConverseStream" else "whole") in printed


@pytest.mark.parametrize("body", [{"prompt": EVIL, "max_gen_len": 5, "none": None}, b"\x00 no JSON"])
def test_the_cli_invokes_a_model_with_the_body(
    server: ScriptedServer, identity: Identity, export_bin: Path, tmp_path: Path, body: Any
) -> None:
    call = make_call(
        identity, "InvokeModel", "meta.llama3-8b-instruct-v1:0", body=body, contentType="application/json"
    )
    original = from_workbench(server, call)
    printed = run_export("AWS CLI", call, tmp_path, export_bin, server.url)
    (exchange,) = server.requests
    assert exchange.path == original.path
    if isinstance(body, bytes):
        assert exchange.body == body
    else:
        assert json.loads(exchange.body) == body
    assert '"generation": "whole"' in printed


def test_llamaindex_says_that_it_limits_the_reply(
    server: ScriptedServer, identity: Identity, export_bin: Path, tmp_path: Path
) -> None:
    call = make_call(
        identity,
        "Converse",
        "amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": "Hi"}]}],
    )
    original = from_workbench(server, call)
    run_export("LlamaIndex", call, tmp_path, export_bin, server.url)
    (exchange,) = server.requests
    assert sent(exchange) == sent(original) | {"inferenceConfig": {"maxTokens": 512}}
    assert "512 unless it is told" in (tmp_path / "exported").read_text()


@pytest.mark.parametrize("dialect", [dialect.name for dialect in DIALECTS])
def test_the_local_endpoint_answers_the_code(
    endpoint: Endpoint, export_bin: Path, tmp_path: Path, dialect: str
) -> None:
    """The code of a local call finds the endpoint by the variables that its comment names."""
    request = {"messages": [{"role": "user", "content": [{"text": "Say hello."}]}]}
    local = Identity("local", "localbedrock", "us-east-1")
    call = make_call(local, "Converse", STAND_IN, **request, inferenceConfig={"maxTokens": 4})
    assert run(dialect, call, tmp_path, export_bin, endpoint.env).strip()
