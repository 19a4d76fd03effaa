"""InvokeModel and InvokeModelWithResponseStream over HTTP: each family with the real local model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
LLAMA_PROMPT = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nSay hello.<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
Find = Callable[[dict[str, Any]], str]
FAMILIES: dict[str, tuple[dict[str, Any], Find, Find]] = {
    "anthropic.claude-3-haiku-20240307-v1:0": (
        CHAT | {"anthropic_version": "bedrock-2023-05-31"},
        lambda body: body["content"][0]["text"],
        lambda chunk: chunk.get("delta", {}).get("text", ""),
    ),
    "amazon.titan-text-express-v1": (
        {"inputText": "Say hello.", "textGenerationConfig": {"maxTokenCount": 8}},
        lambda body: body["results"][0]["outputText"],
        lambda chunk: chunk["outputText"],
    ),
    "meta.llama3-8b-instruct-v1:0": (
        {"prompt": LLAMA_PROMPT, "max_gen_len": 8},
        lambda body: body["generation"],
        lambda chunk: chunk["generation"],
    ),
    "mistral.mistral-7b-instruct-v0:2": (
        {"prompt": "<s>[INST] Say hello. [/INST]", "max_tokens": 8},
        lambda body: body["outputs"][0]["text"],
        lambda chunk: chunk["outputs"][0]["text"],
    ),
    "mistral.mistral-large-2402-v1:0": (
        CHAT,
        lambda body: body["choices"][0]["message"]["content"],
        lambda chunk: chunk["choices"][0]["message"].get("content", ""),
    ),
    "amazon.nova-lite-v1:0": (
        {
            "schemaVersion": "messages-v1",
            "messages": [{"role": "user", "content": [{"text": "Say hello."}]}],
            "inferenceConfig": {"maxTokens": 8, "topK": 20},
        },
        lambda body: body["output"]["message"]["content"][0]["text"],
        lambda chunk: chunk.get("contentBlockDelta", {}).get("delta", {}).get("text", ""),
    ),
    "cohere.command-r-plus-v1:0": (
        {"message": "Say hello.", "max_tokens": 8},
        lambda body: body["text"],
        lambda chunk: chunk.get("text", ""),
    ),
    "cohere.command-text-v14": (
        {"prompt": "Say hello.", "max_tokens": 8},
        lambda body: body["generations"][0]["text"],
        lambda chunk: chunk.get("text", ""),
    ),
    "ai21.jamba-1-5-large-v1:0": (
        CHAT,
        lambda body: body["choices"][0]["message"]["content"],
        lambda chunk: chunk["choices"][0]["delta"].get("content", ""),
    ),
    "local.smollm2-135m-instruct-v1:0": (
        CHAT,
        lambda body: body["choices"][0]["message"]["content"],
        lambda chunk: chunk["choices"][0]["delta"].get("content", ""),
    ),
}
TITAN_V2 = "amazon.titan-embed-text-v2:0"


@pytest.fixture(scope="module")
def runtime(endpoint: Any) -> Any:
    return endpoint.client("bedrock-runtime", read_timeout=120)


@pytest.mark.parametrize("model_id", FAMILIES)
def test_a_body_for_a_body(runtime: Any, model_id: str) -> None:
    body, text, _ = FAMILIES[model_id]
    response = runtime.invoke_model(modelId=model_id, body=json.dumps(body))
    assert response["contentType"] == "application/json"
    assert text(json.loads(response["body"].read())).strip()
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert int(headers["x-amzn-bedrock-input-token-count"]) > 0
    assert 0 < int(headers["x-amzn-bedrock-output-token-count"]) <= 8
    assert int(headers["x-amzn-bedrock-invocation-latency"]) > 0


@pytest.mark.parametrize("model_id", FAMILIES)
def test_a_stream_in_the_familys_chunks(runtime: Any, model_id: str) -> None:
    body, _, text = FAMILIES[model_id]
    response = runtime.invoke_model_with_response_stream(modelId=model_id, body=json.dumps(body))
    chunks = [json.loads(event["chunk"]["bytes"]) for event in response["body"]]
    pieces = [piece for chunk in chunks if (piece := text(chunk))]
    assert len(pieces) > 1, "the answer is streamed, not sent at once"
    metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
    assert metrics["inputTokenCount"] > 0
    assert 0 < metrics["outputTokenCount"] <= 8
    assert 0 <= metrics["firstByteLatency"] <= metrics["invocationLatency"]
    assert not any("amazon-bedrock-invocationMetrics" in chunk for chunk in chunks[:-1])


@pytest.mark.parametrize("version", ["bedrock-2023-05-31", "2026-10-21"])
def test_claude_takes_the_versions_that_its_sdks_send(runtime: Any, version: str) -> None:
    body = CHAT | {"anthropic_version": version, "max_tokens": 2}
    response = runtime.invoke_model(modelId="anthropic.claude-3-haiku-20240307-v1:0", body=json.dumps(body))
    assert json.loads(response["body"].read())["type"] == "message"


def test_claude_calls_tools_in_its_own_format(runtime: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}},
        "required": ["city"],
        "additionalProperties": False,
    }
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 80,
        "messages": [{"role": "user", "content": "Weather in Rome?"}],
        "tools": [{"name": "weather", "description": "Weather", "input_schema": schema}],
        "tool_choice": {"type": "any"},
    }
    response = runtime.invoke_model(modelId="anthropic.claude-3-haiku-20240307-v1:0", body=json.dumps(body))
    message = json.loads(response["body"].read())
    assert message["stop_reason"] == "tool_use"
    assert isinstance(message["content"][0]["input"]["city"], str)


@pytest.mark.parametrize(
    ("model_id", "body", "words"),
    [
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            b'{"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1}',
            "Malformed input request: #: required key [messages] not found, please reformat your input",
        ),
        ("amazon.titan-text-express-v1", b"{", "Malformed input request"),
        ("amazon.titan-text-express-v1", b"", "Malformed input request"),
        (
            "meta.llama3-8b-instruct-v1:0",
            b'{"prompt": "x", "top_k": 1}',
            "extraneous key [top_k] is not permitted",
        ),
        ("does-not-exist", b"{}", "The provided model identifier is invalid."),
        ("amazon.titan-image-generator-v2:0", b"{}", "no stand-in"),
        (TITAN_V2, b'{"texts": ["x"]}', "required key [inputText] not found"),
    ],
)
def test_malformed_bodies_are_refused_in_awss_words(
    runtime: Any, model_id: str, body: bytes, words: str
) -> None:
    for operation in (runtime.invoke_model, runtime.invoke_model_with_response_stream):
        with pytest.raises(ClientError) as caught:
            operation(modelId=model_id, body=body)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        if model_id != TITAN_V2 or operation == runtime.invoke_model:
            assert words in caught.value.response["Error"]["Message"]


def test_embeddings_are_not_streamed(runtime: Any) -> None:
    with pytest.raises(ClientError, match="unsupported for streaming"):
        runtime.invoke_model_with_response_stream(modelId=TITAN_V2, body=b'{"inputText": "x"}')


def test_other_media_types_are_refused(runtime: Any) -> None:
    with pytest.raises(ClientError, match="application/json only"):
        runtime.invoke_model(modelId=TITAN_V2, body=b'{"inputText": "x"}', accept="text/plain")


@pytest.mark.parametrize(
    ("model_id", "body", "size"),
    [
        (TITAN_V2, {"inputText": "Hello"}, 1024),
        ("amazon.titan-embed-text-v1", {"inputText": "Hello"}, 1536),
        ("local.wordllama-256-v1:0", {"inputText": "Hello"}, 256),
    ],
)
def test_embeddings(runtime: Any, model_id: str, body: dict[str, Any], size: int) -> None:
    response = runtime.invoke_model(modelId=model_id, body=json.dumps(body))
    answer = json.loads(response["body"].read())
    assert len(answer["embedding"]) == size
    assert answer["inputTextTokenCount"] == 1
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-input-token-count"] == "1"
