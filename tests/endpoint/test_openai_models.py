"""The models of an OpenAI-compatible server behind Bedrock's API, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EventStreamError

from tests.conftest import Endpoint
from tests.openai_server import Handler, OpenAIServer, openai_server
from tests.processes import first_line, stop

ROOT = Path(__file__).resolve().parents[2]
CHAT, EMBED = "local.openai.tiny-1b", "local.openai.nomic-embed-text"
HI = [{"role": "user", "content": [{"text": "Hi"}]}]


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with openai_server() as running:
        yield running


@pytest.fixture(scope="module")
def remote(server: OpenAIServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    data_dir = tmp_path_factory.mktemp("openai")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "localbedrock",
            "--port",
            "0",
            "--data-dir",
            str(data_dir),
            "--exit-with-parent",
        ],
        cwd=ROOT,
        env=os.environ | {"LOCALBEDROCK_OPENAI_URL": server.url, "LOCALBEDROCK_OPENAI_KEY": "secret"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Endpoint(first_line(process, seconds=120).split()[1], data_dir, process)
    finally:
        stop(process, signal.SIGTERM)


@pytest.fixture(scope="module")
def runtime(remote: Endpoint) -> Any:
    return remote.client("bedrock-runtime", read_timeout=60)


def test_they_are_listed(remote: Endpoint) -> None:
    models = remote.client("bedrock").list_foundation_models()["modelSummaries"]
    assert {CHAT, EMBED} <= {model["modelId"] for model in models}


def test_converse_stream_and_tools(runtime: Any, server: OpenAIServer) -> None:
    def script(handler: Handler, _: dict[str, Any]) -> None:
        handler.begin()
        handler.chunk(delta={"reasoning_content": "hm"})
        handler.chunk(delta={"content": "Let me see."})
        handler.chunk(
            delta={"tool_calls": [{"index": 0, "function": {"name": "add", "arguments": '{"a":1}'}}]}
        )
        handler.chunk(finish_reason="tool_calls")
        handler.end(prompt_tokens=9, completion_tokens=8)

    server.script = script
    tool = {"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object"}}}}
    answer = runtime.converse(modelId=CHAT, messages=HI, toolConfig={"tools": [tool]})
    kinds = [next(iter(block)) for block in answer["output"]["message"]["content"]]
    assert kinds == ["reasoningContent", "text", "toolUse"]
    assert answer["stopReason"] == "tool_use"
    assert answer["usage"] == {"inputTokens": 9, "outputTokens": 8, "totalTokens": 17}
    events = list(runtime.converse_stream(modelId=CHAT, messages=HI)["stream"])
    indexes = [
        event["contentBlockDelta"]["contentBlockIndex"] for event in events if "contentBlockDelta" in event
    ]
    assert indexes == [0, 1, 2]
    assert server.authorization == "Bearer secret"


def test_images_are_passed_on(runtime: Any, server: OpenAIServer) -> None:
    server.script = lambda handler, _: handler.say("A", " dot")
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
    runtime.converse(modelId=CHAT, messages=[{"role": "user", "content": [{"text": "What?"}, image]}])
    assert server.requests[-1]["messages"][0]["content"][1]["type"] == "image_url"


def test_a_stream_that_breaks_ends_in_an_exception_frame(runtime: Any, server: OpenAIServer) -> None:
    def script(handler: Handler, _: dict[str, Any]) -> None:
        handler.begin()
        handler.chunk(delta={"content": "half"})

    server.script = script
    with closing(runtime.converse_stream(modelId=CHAT, messages=HI)["stream"]) as answer:
        stream = iter(answer)
        assert "messageStart" in next(stream)
        assert next(stream)["contentBlockDelta"]["delta"] == {"text": "half"}
        with pytest.raises(EventStreamError, match="modelStreamErrorException"):
            next(stream)


def test_who_leaves_ends_the_servers_work(runtime: Any, server: OpenAIServer) -> None:
    server.script = lambda handler, _: handler.say_forever()
    server.gone.clear()
    stream = runtime.converse_stream(modelId=CHAT, messages=HI)["stream"]
    next(event for event in stream if "contentBlockDelta" in event)
    stream.close()
    assert server.gone.wait(10)


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, "ThrottlingException"), (500, "ModelErrorException"), (400, "ValidationException")],
)
def test_the_servers_faults_have_awss_names(
    runtime: Any, server: OpenAIServer, status: int, error: str
) -> None:
    server.script = lambda handler, _: handler.answer({"error": {"message": "no"}}, status)
    with pytest.raises(getattr(runtime.exceptions, error)):
        runtime.converse(modelId=CHAT, messages=HI)


def test_embeddings(runtime: Any) -> None:
    response = runtime.invoke_model(modelId=EMBED, body=json.dumps({"inputText": "Hi"}))
    assert json.loads(response["body"].read())["embedding"] == [0.0, 1.0]
