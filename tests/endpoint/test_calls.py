"""The workbench's calls against the local endpoint: every family's stream, its fold, Stop, exported code."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.clients import Identity
from services.code_export import boto3_code
from services.replies import read
from services.runs import Call, Run
from services.runtime import converse_request
from services.streaming import ReplyStream
from tests.conftest import Endpoint

PROMPT = "Name three colours."
LLAMA_PROMPT = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n"
    f"{PROMPT}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
)
_epochs = itertools.count(2_000_000, step=10)

FAMILIES: dict[str, dict[str, Any]] = {
    "anthropic.claude-3-haiku-20240307-v1:0": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 12,
        "temperature": 0,
        "messages": [{"role": "user", "content": PROMPT}],
    },
    "amazon.titan-text-express-v1": {
        "inputText": PROMPT,
        "textGenerationConfig": {"maxTokenCount": 12, "temperature": 0},
    },
    "amazon.nova-lite-v1:0": {
        "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
        "inferenceConfig": {"maxTokens": 12, "temperature": 0},
    },
    "meta.llama3-8b-instruct-v1:0": {"prompt": LLAMA_PROMPT, "max_gen_len": 12, "temperature": 0},
    "mistral.mistral-7b-instruct-v0:2": {
        "prompt": f"<s>[INST] {PROMPT} [/INST]",
        "max_tokens": 12,
        "temperature": 0,
    },
    "cohere.command-text-v14": {"prompt": PROMPT, "max_tokens": 12, "temperature": 0},
    "cohere.command-r-v1:0": {"message": PROMPT, "max_tokens": 12, "temperature": 0},
    "ai21.jamba-1-5-large-v1:0": {
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": 12,
        "temperature": 0,
    },
}


@pytest.fixture
def identity(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """The local endpoint, reached as AWS would be."""
    key_id, secret = endpoint.keys
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", endpoint.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    return Identity("aws", None, "us-east-1", epoch=next(_epochs))


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def made(operation: str, request: dict[str, Any], identity: Identity) -> tuple[ReplyStream, Run]:
    call = Call(operation=operation, request=request, identity=identity, model_id=request["modelId"])
    stream = ReplyStream(call)
    until(lambda: stream.finished)
    run = stream.run()
    assert run.problem is None, run.problem
    return stream, run


def shown(stream: ReplyStream) -> str:
    return "".join("".join(block.follow()) for block in stream.blocks() if block.kind == "text")


def shape(value: Any) -> Any:
    """The members of a body, without their values."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


@pytest.mark.parametrize("model_id", FAMILIES)
def test_a_familys_stream_folds_into_the_body_it_answers_without_streaming(
    identity: Identity, model_id: str
) -> None:
    request = {"modelId": model_id, "body": FAMILIES[model_id]}
    whole_stream, whole = made("InvokeModel", request, identity)
    stream, run = made("InvokeModelWithResponseStream", request, identity)
    assert shape(run.response) == shape(whole.response)
    assert shown(stream) == shown(whole_stream) == read("InvokeModel", whole.response or {}).text
    assert shown(stream)
    assert run.stop_reason == whole.stop_reason is not None
    assert run.usage == whole.usage
    assert run.usage is not None
    assert 1 <= run.usage.output_tokens <= 12
    assert run.ttft_ms is not None


def test_converse_stream_folds_into_converse(identity: Identity) -> None:
    messages = [{"role": "user", "content": [{"text": PROMPT}]}]
    request = converse_request(
        "local.smollm2-135m-instruct-v1:0", messages, inference_config={"maxTokens": 12, "temperature": 0}
    )
    _, whole = made("Converse", request, identity)
    stream, run = made("ConverseStream", request, identity)
    assert whole.response is not None
    assert run.response is not None
    assert run.response["output"] == whole.response["output"]
    assert (run.stop_reason, run.usage) == (whole.stop_reason, whole.usage)
    assert shown(stream) == read("Converse", whole.response).text


def test_stop_keeps_the_text_and_frees_the_model(identity: Identity) -> None:
    """A long reply that is stopped must not keep the next one waiting."""
    messages = [{"role": "user", "content": [{"text": "Tell a very long story about a river."}]}]
    request = converse_request(
        "local.smollm2-135m-instruct-v1:0", messages, inference_config={"maxTokens": 2000}
    )
    call = Call(operation="ConverseStream", request=request, identity=identity, model_id=request["modelId"])
    streams = [ReplyStream(call) for _ in range(4)]
    until(lambda: all(stream.run().ttft_ms for stream in streams))
    for stream in streams:
        stream.stop()
    until(lambda: all(stream.finished for stream in streams), 5)
    for stream in streams:
        run = stream.run()
        assert run.state == "stopped"
        assert shown(stream)
        assert len(run.events) < 1000
    began = time.monotonic()
    made("ConverseStream", {**request, "inferenceConfig": {"maxTokens": 3}}, identity)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "operation", ["Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"]
)
def test_exported_code_runs_with_the_endpoints_own_config_files(
    endpoint: Endpoint, tmp_path: Path, operation: str
) -> None:
    """A person copies the code, sets the three variables that it names, and it answers."""
    local = Identity("local", "localbedrock", "us-east-1")
    messages = [{"role": "user", "content": [{"text": PROMPT}]}]
    if operation.startswith("Invoke"):
        model_id = "meta.llama3-8b-instruct-v1:0"
        request = {"modelId": model_id, "body": FAMILIES[model_id]}
    else:
        request = converse_request(
            "local.smollm2-135m-instruct-v1:0", messages, inference_config={"maxTokens": 12, "temperature": 0}
        )
    script = tmp_path / "call.py"
    script.write_text(
        boto3_code(Call(operation=operation, request=request, identity=local)), encoding="utf-8"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ran = subprocess.run(
        [sys.executable, str(script)],
        env=environment | endpoint.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout) > 20
    assert ("okens" if operation.startswith("Converse") else "generation") in ran.stdout
