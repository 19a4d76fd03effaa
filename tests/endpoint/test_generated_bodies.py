"""Every body that the workbench writes is taken by the endpoint, which reads bodies with code of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services import bodies, families
from services.bodies import Ask
from services.capabilities import capabilities_of
from services.models import Model

CHAT_MODELS = (
    "anthropic.claude-3-haiku-20240307-v1:0",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "amazon.titan-text-express-v1",
    "amazon.nova-lite-v1:0",
    "meta.llama3-8b-instruct-v1:0",
    "mistral.mistral-7b-instruct-v0:2",
    "mistral.mistral-small-2402-v1:0",
    "mistral.mistral-large-2402-v1:0",
    "cohere.command-text-v14",
    "cohere.command-r-plus-v1:0",
    "ai21.jamba-1-5-mini-v1:0",
    "local.smollm2-135m-instruct-v1:0",
)


@pytest.fixture(scope="module")
def runtime(endpoint: Any) -> Any:
    return endpoint.client("bedrock-runtime", read_timeout=120)


def body_for(model_id: str, **changes: Any) -> dict[str, Any]:
    base = model_id.removeprefix("us.")
    capabilities = capabilities_of(base)
    model = Model(
        model_id=model_id,
        arn="",
        name="",
        provider="",
        kind="foundation",
        base_model_id=base,
        capabilities=capabilities,
    )
    fmt = bodies.format_of(model)
    assert fmt
    ask = Ask(
        messages=[
            {"role": "user", "content": [{"text": "Hi"}]},
            {"role": "assistant", "content": [{"text": "Hello!"}]},
            {"role": "user", "content": [{"text": "Say hello."}]},
        ],
        system=[{"text": "Be brief."}],
        parameters={"maxTokens": 8, "temperature": 0.5},
        capabilities=capabilities,
    )
    return bodies.build(fmt, replace(ask, **changes))


@pytest.mark.parametrize("model_id", CHAT_MODELS)
def test_a_generated_body_is_answered_and_the_answer_read(runtime: Any, model_id: str) -> None:
    response = runtime.invoke_model(modelId=model_id, body=json.dumps(body_for(model_id)))
    said = families.to_converse(json.loads(response["body"].read()))
    assert said["output"]["message"]["content"][0]["text"].strip()


@pytest.mark.parametrize("model_id", CHAT_MODELS)
def test_a_body_of_few_words_is_taken_too(runtime: Any, model_id: str) -> None:
    """Nothing but a question and, where the family can stop at a text, a place to stop."""
    stops = ("|",) if "titan" in model_id else ("e",)
    body = body_for(
        model_id,
        messages=[{"role": "user", "content": [{"text": "Say hello."}]}],
        system=(),
        parameters={},
        stop_sequences=stops,
    )
    events = runtime.invoke_model_with_response_stream(modelId=model_id, body=json.dumps(body))["body"]
    chunk = next(iter(events))
    events.close()
    assert json.loads(chunk["chunk"]["bytes"])
