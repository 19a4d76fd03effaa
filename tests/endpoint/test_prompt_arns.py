"""Prompt ARNs in Converse and ConverseStream: the same tokens as the filled prompt sent by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Endpoint

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
CONFIG = {"temperature": 0.0, "maxTokens": 8}
VALUES = {"topic": {"text": "tea"}, "question": {"text": "Is it {{topic}}?"}}


@pytest.fixture(scope="module")
def agent(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent")


@pytest.fixture(scope="module")
def runtime(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-runtime")


@pytest.fixture(scope="module")
def chat(agent: Any) -> Iterator[str]:
    """The ARN of a chat prompt whose version 1 differs from its DRAFT."""
    name = f"chat-{uuid4().hex}"
    made = agent.create_prompt(name=name, defaultVariant="v", variants=[chat_variant("Speak of {{topic}}.")])
    agent.create_prompt_version(promptIdentifier=made["id"])
    longer = chat_variant("Speak of {{topic}} at length, and be polite to whoever asks.")
    agent.update_prompt(promptIdentifier=made["id"], name=name, defaultVariant="v", variants=[longer])
    yield made["arn"]
    agent.delete_prompt(promptIdentifier=made["id"])


def chat_variant(system: str, **changes: Any) -> dict[str, Any]:
    template = {
        "system": [{"text": system}],
        "messages": [{"role": "user", "content": [{"text": "{{question}}"}]}],
        "inputVariables": [{"name": "topic"}, {"name": "question"}],
    }
    return {
        "name": "v",
        "templateType": "CHAT",
        "templateConfiguration": {"chat": template},
        "modelId": MODEL,
        "inferenceConfiguration": {"text": CONFIG},
    } | changes


def refusal(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "ValidationException"
    return str(response["Error"]["Message"])


def test_a_version_is_sent_as_if_it_were_written_out(runtime: Any, chat: str) -> None:
    by_hand = runtime.converse(
        modelId=MODEL,
        system=[{"text": "Speak of tea."}],
        messages=[{"role": "user", "content": [{"text": "Is it {{topic}}?"}]}],
        inferenceConfig=CONFIG,
    )
    answer = runtime.converse(modelId=f"{chat}:1", promptVariables=VALUES)
    assert answer["usage"]["inputTokens"] == by_hand["usage"]["inputTokens"]
    assert answer["usage"]["outputTokens"] <= CONFIG["maxTokens"]
    draft = runtime.converse(modelId=chat, promptVariables=VALUES)
    assert draft["usage"]["inputTokens"] > answer["usage"]["inputTokens"]


def test_a_stream_takes_a_prompt_and_messages_follow_it(runtime: Any, chat: str) -> None:
    more = [
        {"role": "assistant", "content": [{"text": "Yes."}]},
        {"role": "user", "content": [{"text": "Why?"}]},
    ]

    def input_tokens(**arguments: Any) -> int:
        stream = runtime.converse_stream(modelId=f"{chat}:1", promptVariables=VALUES, **arguments)["stream"]
        (metadata,) = [event["metadata"] for event in stream if "metadata" in event]
        return int(metadata["usage"]["inputTokens"])

    assert input_tokens(messages=more) > input_tokens()


def test_a_text_prompt_is_one_message(agent: Any, runtime: Any) -> None:
    variant = {
        "name": "v",
        "templateType": "TEXT",
        "templateConfiguration": {"text": {"text": "Say {{x}}", "inputVariables": [{"name": "x"}]}},
        "modelId": MODEL,
        "inferenceConfiguration": {"text": CONFIG},
        "additionalModelRequestFields": {"top_k": 3},
    }
    made = agent.create_prompt(name=f"text-{uuid4().hex}", variants=[variant])
    answer = runtime.converse(modelId=made["arn"], promptVariables={"x": {"text": "hi"}})
    by_hand = runtime.converse(
        modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Say hi"}]}], inferenceConfig=CONFIG
    )
    assert answer["usage"]["inputTokens"] == by_hand["usage"]["inputTokens"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("system", [{"text": "x"}]),
        ("system", []),
        ("inferenceConfig", {}),
        ("toolConfig", {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}]}),
        ("additionalModelRequestFields", {"top_k": 1}),
    ],
)
def test_what_the_prompt_defines_cannot_be_given(runtime: Any, chat: str, name: str, value: Any) -> None:
    arguments = {"modelId": chat, "promptVariables": VALUES, name: value}
    assert name in refusal(runtime.converse, **arguments)
    assert name in refusal(runtime.converse_stream, **arguments)


def test_every_variable_needs_a_value(runtime: Any, chat: str) -> None:
    message = refusal(runtime.converse, modelId=chat, promptVariables={"topic": {"text": "tea"}})
    assert "question" in message
    assert "topic" not in message


def test_a_prompt_without_a_model_is_refused(agent: Any, runtime: Any) -> None:
    variant = chat_variant("{{topic}}")
    del variant["modelId"]
    arn = agent.create_prompt(name=f"bare-{uuid4().hex}", variants=[variant])["arn"]
    assert "model" in refusal(runtime.converse, modelId=arn, promptVariables=VALUES)


def test_invoke_model_takes_no_prompt(runtime: Any, chat: str) -> None:
    assert "Converse" in refusal(runtime.invoke_model, modelId=chat, body=b"{}")


def test_a_prompt_that_is_gone_is_not_found(runtime: Any, chat: str) -> None:
    with pytest.raises(runtime.exceptions.ResourceNotFoundException):
        runtime.converse(modelId=f"{chat}:99", promptVariables=VALUES)


def test_variables_without_a_prompt_are_ignored_as_on_aws(runtime: Any) -> None:
    runtime.converse(
        modelId=MODEL,
        messages=[{"role": "user", "content": [{"text": "Hi"}]}],
        promptVariables=VALUES,
        inferenceConfig=CONFIG,
    )
