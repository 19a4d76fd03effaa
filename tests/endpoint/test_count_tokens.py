"""CountTokens tells what the same request is then billed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "weather",
                "description": "Tells the weather",
                "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
            }
        }
    ]
}
CONVERSE: dict[str, dict[str, Any]] = {
    "a question": {},
    "a system prompt": {"system": [{"text": "You are brief."}]},
    "tools": {"toolConfig": TOOLS},
    "signs of every kind": {
        "messages": [{"role": "user", "content": [{"text": "é 日本語 😀 <|im_end|>\n\t\0 end"}]}]
    },
    "several turns": {
        "messages": [
            {"role": "user", "content": [{"text": "One"}]},
            {"role": "assistant", "content": [{"text": "Two"}]},
            {"role": "user", "content": [{"text": "Three"}]},
        ]
    },
}


@pytest.fixture(scope="module")
def runtime(endpoint: Any) -> Any:
    return endpoint.client("bedrock-runtime", read_timeout=120)


@pytest.mark.parametrize("name", CONVERSE)
def test_converse(runtime: Any, name: str) -> None:
    request = {"messages": [{"role": "user", "content": [{"text": "Hello there"}]}]} | CONVERSE[name]
    counted = runtime.count_tokens(modelId=HAIKU, input={"converse": request})["inputTokens"]
    answer = runtime.converse(modelId=HAIKU, inferenceConfig={"maxTokens": 1}, **request)
    assert counted == answer["usage"]["inputTokens"]


@pytest.mark.parametrize(
    ("model_id", "body"),
    [
        (
            HAIKU,
            {
                "anthropic_version": "bedrock-2023-05-31",
                "max_tokens": 1,
                "messages": [{"role": "user", "content": "Hello there"}],
            },
        ),
        ("meta.llama3-8b-instruct-v1:0", {"prompt": "Hello there", "max_gen_len": 1}),
    ],
)
def test_invoke_model(runtime: Any, model_id: str, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    counted = runtime.count_tokens(modelId=model_id, input={"invokeModel": {"body": raw}})["inputTokens"]
    headers = runtime.invoke_model(modelId=model_id, body=raw)["ResponseMetadata"]["HTTPHeaders"]
    assert counted == int(headers["x-amzn-bedrock-input-token-count"])


def test_a_conversation_too_long_to_answer_can_still_be_counted(runtime: Any) -> None:
    """That is what people count for."""
    messages = [{"role": "user", "content": [{"text": "word " * 6000}]}]
    assert (
        runtime.count_tokens(modelId=HAIKU, input={"converse": {"messages": messages}})["inputTokens"] > 6000
    )


@pytest.mark.parametrize(
    ("model_id", "given", "words"),
    [
        ("does-not-exist", {"converse": {"messages": []}}, "The provided model identifier is invalid."),
        (HAIKU, {"converse": {"messages": []}}, "must start with a user message"),
        (HAIKU, {"invokeModel": {"body": b"{}"}}, "Malformed input request"),
        ("amazon.titan-embed-text-v2:0", {"invokeModel": {"body": b"{}"}}, "doesn't support the model"),
    ],
)
def test_refusals(runtime: Any, model_id: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError) as caught:
        runtime.count_tokens(modelId=model_id, input=given)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert words in caught.value.response["Error"]["Message"]
