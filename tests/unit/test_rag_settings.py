"""The requests of a RAG chat are AWS's own shapes, within its limits, and say their settings again."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.model import Shape
from botocore.validate import ParamValidator

from services.clients import Identity
from services.guardrails import GuardrailChoice
from services.rag_settings import (
    RagSettings,
    RetrievalSettings,
    foundation_model_arn,
    generate_call,
    retrieve_call,
    settings_of,
)
from services.runs import Call

AWS = Identity("aws", None, "eu-west-1")
FILTER = {"andAll": [{"equals": {"key": "a", "value": 1}}, {"in": {"key": "b", "value": ["x"]}}]}
BARE = RagSettings(knowledge_base_id="KB12345678", model_id="anthropic.claude-3-haiku-20240307-v1:0")
FULL = replace(
    BARE,
    retrieval=RetrievalSettings(10, "HYBRID", FILTER, "amazon.rerank-v1:0", 3),
    prompt_template="Use $search_results$.",
    decompose=True,
    guardrail=GuardrailChoice("gr1abc", "2"),
    parameters={"temperature": 0.0, "topP": 0.5, "maxTokens": 100},
    stop_sequences=("\n\nHuman:",),
)


@cache
def _shape(operation: str) -> Shape:
    model = botocore.session.get_session().get_service_model("bedrock-agent-runtime")
    return model.operation_model(operation).input_shape


def check(call: Call) -> None:
    """botocore's own validation, and the maxima and patterns that only the service looks at."""
    shape = _shape(call.operation)
    report = ParamValidator().validate(call.request, shape)
    assert not report.has_errors(), report.generate_report()
    _limits(call.request, shape)


def _limits(value: Any, shape: Shape) -> None:
    limits = shape.metadata
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for name, member in value.items():
            _limits(member, shape.members[name])
    elif shape.type_name == "list":
        assert len(value) <= limits.get("max", len(value))
        for member in value:
            _limits(member, shape.member)
    elif shape.type_name == "string":
        assert len(value) <= limits.get("max", len(value))
        assert not shape.enum or value in shape.enum
        assert re.search(limits.get("pattern", ""), value)
    elif shape.type_name in ("integer", "float"):
        assert value <= limits.get("max", value)


@pytest.mark.parametrize("settings", [BARE, FULL], ids=["bare", "full"])
@pytest.mark.parametrize("mode", ["generate", "converse", "retrieve"])
@pytest.mark.parametrize("stream", [True, False])
def test_every_call_is_valid(settings: RagSettings, mode: Any, stream: bool) -> None:
    settings = replace(settings, mode=mode)
    check(retrieve_call("Why?", settings, AWS))
    check(generate_call("Why?", settings, AWS, stream=stream, session_id="s-12345"))


@pytest.mark.parametrize(
    "model",
    [
        "eu.anthropic.claude-3-7-sonnet-20250219-v1:0",
        "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
        "local.smollm2-135m-instruct",
    ],
)
def test_every_name_of_a_model_is_taken(model: str) -> None:
    check(generate_call("Why?", replace(BARE, model_id=model), AWS))


def test_what_is_not_set_is_not_sent() -> None:
    assert retrieve_call("Why?", BARE, AWS).request == {
        "knowledgeBaseId": "KB12345678",
        "retrievalQuery": {"text": "Why?"},
    }
    configuration = generate_call("Why?", BARE, AWS).request["retrieveAndGenerateConfiguration"]
    assert set(configuration["knowledgeBaseConfiguration"]) == {"knowledgeBaseId", "modelArn"}
    blank = replace(BARE, prompt_template=" \n")
    assert generate_call("Why?", blank, AWS).request == generate_call("Why?", BARE, AWS).request


def test_zero_is_sent() -> None:
    request = generate_call("Why?", replace(BARE, parameters={"temperature": 0.0}), AWS).request
    assert "'temperature': 0.0" in str(request)


def test_a_guardrail_is_named_by_its_id_and_always_with_a_version() -> None:
    """Knowledge bases refuse the ARN, and take no call without a version."""
    arn = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/gr1abc"
    for choice in (GuardrailChoice(arn), GuardrailChoice(arn, "")):
        call = retrieve_call("Why?", replace(BARE, mode="retrieve", guardrail=choice), AWS)
        assert call.request["guardrailConfiguration"] == {
            "guardrailId": "gr1abc",
            "guardrailVersion": "DRAFT",
        }
        check(call)
    converse = replace(BARE, mode="converse", guardrail=GuardrailChoice(arn))
    assert "guardrailConfiguration" not in retrieve_call("Why?", converse, AWS).request, "Converse has it"


@pytest.mark.parametrize("settings", [BARE, FULL], ids=["bare", "full"])
def test_a_call_says_its_settings_again(settings: RagSettings) -> None:
    assert settings_of(generate_call("Why?", settings, AWS)) == settings
    found = settings_of(retrieve_call("Why?", settings, AWS), before=settings)
    assert found == replace(settings, mode="retrieve")


def test_the_settings_of_a_retrieve_call_alone_are_read_without_others() -> None:
    settings = replace(FULL, mode="retrieve")
    found = settings_of(retrieve_call("Why?", settings, AWS))
    assert (found.retrieval, found.guardrail) == (settings.retrieval, settings.guardrail)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"retrievalConfiguration": 5, "knowledgeBaseId": None},
        {"retrieveAndGenerateConfiguration": "x"},
        {"retrieveAndGenerateConfiguration": {"externalSourcesConfiguration": {"modelArn": "m"}}},
        {
            "retrieveAndGenerateConfiguration": {
                "knowledgeBaseConfiguration": {"generationConfiguration": [1]}
            }
        },
    ],
)
def test_a_strange_request_has_settings_all_the_same(request_: dict[str, Any]) -> None:
    """An imported run may hold anything."""
    for operation in ("Retrieve", "RetrieveAndGenerate"):
        call = Call(operation=operation, request=request_, identity=AWS)
        assert settings_of(call).retrieval == RetrievalSettings()


def test_the_filter_of_a_call_is_its_own() -> None:
    """An edit of the settings after the call must not change what is stored of it."""
    call = retrieve_call("Why?", FULL, AWS)
    sent = call.request["retrievalConfiguration"]["vectorSearchConfiguration"]["filter"]
    assert sent == FILTER
    assert sent["andAll"] is not FILTER["andAll"]


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_reranker_is_named_by_arn(region: str, partition: str) -> None:
    arn = foundation_model_arn("cohere.rerank-v3-5:0", region)
    assert arn == f"arn:{partition}:bedrock:{region}::foundation-model/cohere.rerank-v3-5:0"
    assert foundation_model_arn(arn, "us-east-1") == arn
