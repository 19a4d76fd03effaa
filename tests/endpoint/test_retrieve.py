"""Retrieve and Rerank over HTTP: what is found, how results look, filters, reranking, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Endpoint
from tests.endpoint.knowledge_calls import make_base, make_source, refusal, wait_for_documents

RERANKERS = ("cohere.rerank-v3-5:0", "amazon.rerank-v1:0", "local.maxsim-rerank-v1:0")
DOCUMENTS = {
    "lamp": ("The desk lamp TX-200 gives warm light.", {"year": 2021, "kind": "product", "tags": ["home"]}),
    "tank": ("Error E-1042 means that the water tank is missing.", {"year": 2023, "kind": "error"}),
    "filter": ("Error E-2042 means that the filter is full.", {"year": 2024, "kind": "error"}),
    "refund": (
        "You get your money back within thirty days of the purchase.",
        {"year": 2024, "kind": "policy"},
    ),
}
HIERARCHICAL = {
    "chunkingConfiguration": {
        "chunkingStrategy": "HIERARCHICAL",
        "hierarchicalChunkingConfiguration": {
            "levelConfigurations": [{"maxTokens": 400}, {"maxTokens": 20}],
            "overlapTokens": 1,
        },
    }
}


def arn(model_id: str) -> str:
    return f"arn:aws:bedrock:us-east-1::foundation-model/{model_id}"


def a_filter(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {operator: {"key": key, "value": value}}


@pytest.fixture(scope="module")
def agent(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent")


@pytest.fixture(scope="module")
def runtime(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent-runtime")


def fill(agent: Any, texts: dict[str, tuple[str, dict[str, Any]]], **source: Any) -> tuple[str, str]:
    """A new knowledge base with these documents, and its data source."""
    base_id = make_base(agent)["knowledgeBaseId"]
    where = {"knowledgeBaseId": base_id, "dataSourceId": make_source(agent, base_id, **source)}
    agent.ingest_knowledge_base_documents(**where, documents=[_document(*item) for item in texts.items()])
    identifiers = [{"dataSourceType": "CUSTOM", "custom": {"id": name}} for name in texts]
    assert {found["status"] for found in wait_for_documents(agent, where, identifiers)} == {"INDEXED"}
    return base_id, where["dataSourceId"]


def _document(name: str, content: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    text, attributes = content
    custom = {
        "customDocumentIdentifier": {"id": name},
        "sourceType": "IN_LINE",
        "inlineContent": {"type": "TEXT", "textContent": {"data": text}},
    }
    metadata = {
        "type": "IN_LINE_ATTRIBUTE",
        "inlineAttributes": [{"key": key, "value": _attribute(value)} for key, value in attributes.items()],
    }
    document = {"content": {"dataSourceType": "CUSTOM", "custom": custom}}
    return document | ({"metadata": metadata} if attributes else {})


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"type": "STRING_LIST", "stringListValue": value}
    if isinstance(value, str):
        return {"type": "STRING", "stringValue": value}
    return {"type": "NUMBER", "numberValue": value}


@pytest.fixture(scope="module")
def filled(agent: Any) -> tuple[str, str]:
    return fill(agent, DOCUMENTS)


@pytest.fixture(scope="module")
def base_id(filled: tuple[str, str]) -> str:
    return filled[0]


def retrieve(runtime: Any, base_id: str, query: str, **settings: Any) -> list[dict[str, Any]]:
    given = {"retrievalConfiguration": {"vectorSearchConfiguration": settings}} if settings else {}
    answer = runtime.retrieve(knowledgeBaseId=base_id, retrievalQuery={"text": query}, **given)
    assert "nextToken" not in answer
    results: list[dict[str, Any]] = answer["retrievalResults"]
    assert [result["score"] for result in results] == sorted(
        (result["score"] for result in results), reverse=True
    )
    return results


def names(results: list[dict[str, Any]]) -> list[str]:
    return [result["location"]["customDocumentLocation"]["id"] for result in results]


def test_a_result_looks_as_on_aws(runtime: Any, filled: tuple[str, str]) -> None:
    base_id, source_id = filled
    result = retrieve(runtime, base_id, "What is the TX-200?")[0]
    metadata = result.pop("metadata")
    assert 0.5 < result.pop("score") <= 1
    assert result == {
        "content": {"type": "TEXT", "text": DOCUMENTS["lamp"][0]},
        "location": {"type": "CUSTOM", "customDocumentLocation": {"id": "lamp"}},
        "documentId": "lamp",
    }
    assert metadata.pop("x-amz-bedrock-kb-chunk-id")
    assert metadata == {
        "year": 2021,
        "kind": "product",
        "tags": ["home"],
        "x-amz-bedrock-kb-source-uri": "lamp",
        "x-amz-bedrock-kb-data-source-id": source_id,
    }


def test_the_query_decides_the_order_and_the_number_is_a_maximum(runtime: Any, base_id: str) -> None:
    assert names(retrieve(runtime, base_id, "Can I have my money back?"))[0] == "refund"
    assert len(retrieve(runtime, base_id, "error", numberOfResults=2)) == 2
    assert len(retrieve(runtime, base_id, "error", numberOfResults=100)) == len(DOCUMENTS)


def test_hybrid_is_the_default_and_finds_codes(runtime: Any, base_id: str) -> None:
    query = "E-2042"
    default, hybrid, semantic = (
        retrieve(runtime, base_id, query, **settings)
        for settings in ({}, {"overrideSearchType": "HYBRID"}, {"overrideSearchType": "SEMANTIC"})
    )
    assert default == hybrid
    assert names(hybrid)[0] == "filter"
    assert hybrid[0]["score"] > semantic[names(semantic).index("filter")]["score"]


def test_a_filter_holds_before_the_number_of_results(runtime: Any, filled: tuple[str, str]) -> None:
    base_id, source_id = filled
    new = a_filter("greaterThan", "year", 2022)
    nested = {
        "andAll": [
            new,
            {"orAll": [a_filter("in", "kind", ["policy"]), a_filter("listContains", "tags", "home")]},
        ]
    }
    assert names(retrieve(runtime, base_id, "lamp TX-200", filter=nested, numberOfResults=1)) == ["refund"]
    ours = a_filter("equals", "x-amz-bedrock-kb-data-source-id", source_id)
    assert len(retrieve(runtime, base_id, "lamp", filter=ours)) == len(DOCUMENTS)
    assert retrieve(runtime, base_id, "lamp", filter=a_filter("equals", "kind", "none")) == []


@pytest.mark.parametrize("model_id", RERANKERS)
def test_a_reranker_has_the_last_word(runtime: Any, base_id: str, model_id: str) -> None:
    reranking = {
        "type": "BEDROCK_RERANKING_MODEL",
        "bedrockRerankingConfiguration": {
            "modelConfiguration": {"modelArn": arn(model_id)},
            "numberOfRerankedResults": 2,
        },
    }
    results = retrieve(runtime, base_id, "E-1042", rerankingConfiguration=reranking)
    assert names(results)[0] == "tank"
    assert len(results) == 2
    assert results[1]["score"] < 0.5 < results[0]["score"]


@pytest.mark.parametrize(
    ("metadata", "first"),
    [
        ({"selectionMode": "ALL"}, "refund"),
        (
            {
                "selectionMode": "SELECTIVE",
                "selectiveModeConfiguration": {"fieldsToInclude": [{"fieldName": "kind"}]},
            },
            "refund",
        ),
    ],
)
def test_a_reranker_may_read_metadata(
    runtime: Any, base_id: str, metadata: dict[str, Any], first: str
) -> None:
    configuration = {"modelConfiguration": {"modelArn": arn(RERANKERS[0])}, "metadataConfiguration": metadata}
    reranking = {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": configuration}
    results = retrieve(runtime, base_id, "policy", rerankingConfiguration=reranking)
    assert names(results)[0] == first
    configuration["metadataConfiguration"] = {
        "selectionMode": "SELECTIVE",
        "selectiveModeConfiguration": {"fieldsToExclude": [{"fieldName": "kind"}]},
    }
    without = retrieve(runtime, base_id, "policy", rerankingConfiguration=reranking)
    assert without[0]["score"] < results[0]["score"]


def test_chunks_of_one_parent_are_answered_by_the_parent_once(runtime: Any, agent: Any) -> None:
    sentences = [f"Step {number} of the descaling needs a full tank of water." for number in range(12)]
    base_id, _ = fill(agent, {"steps": (" ".join(sentences), {})}, vectorIngestionConfiguration=HIERARCHICAL)
    results = retrieve(runtime, base_id, "descaling step 7", numberOfResults=5)
    assert len(results) == 1
    assert results[0]["content"]["text"].count("descaling") == 12


def test_an_empty_knowledge_base_finds_nothing(runtime: Any, agent: Any) -> None:
    assert retrieve(runtime, make_base(agent)["knowledgeBaseId"], "anything") == []


def test_deleted_documents_are_not_found(runtime: Any, agent: Any) -> None:
    base_id, source_id = fill(agent, {"gone": ("The word xylograph.", {}), "kept": ("Another word.", {})})
    where = {"knowledgeBaseId": base_id, "dataSourceId": source_id}
    identifiers = [{"dataSourceType": "CUSTOM", "custom": {"id": "gone"}}]
    agent.delete_knowledge_base_documents(**where, documentIdentifiers=identifiers)
    wait_for_documents(agent, where, identifiers)
    assert names(retrieve(runtime, base_id, "xylograph")) == ["kept"]


def test_results_that_are_too_large_for_one_answer_come_in_pages(runtime: Any, agent: Any) -> None:
    whole = {"chunkingConfiguration": {"chunkingStrategy": "NONE"}}
    texts: dict[str, tuple[str, dict[str, Any]]] = {
        f"large{number}": (f"Volume {number}. " + "word " * 120_000, {}) for number in range(2)
    }
    base_id, _ = fill(agent, texts, vectorIngestionConfiguration=whole)
    pages = runtime.get_paginator("retrieve").paginate(
        knowledgeBaseId=base_id, retrievalQuery={"text": "volume 1"}
    )
    assert sorted(names(page["retrievalResults"])[0] for page in pages) == ["large0", "large1"]


GUARDRAIL = {"guardrailId": "abc", "guardrailVersion": "1"}
IMPLICIT = {
    "modelArn": arn("anthropic.claude-3-haiku-20240307-v1:0"),
    "metadataAttributes": [{"key": "year", "type": "NUMBER", "description": "The year"}],
}


def vector_search(**settings: Any) -> dict[str, Any]:
    return {"retrievalConfiguration": {"vectorSearchConfiguration": settings}}


def reranking(**settings: Any) -> dict[str, Any]:
    configuration = {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": settings}
    return vector_search(rerankingConfiguration=configuration)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"knowledgeBaseId": "NONE000000"}, "ResourceNotFoundException", "NONE000000 does not exist"),
        ({"retrievalQuery": {"text": " "}}, "ValidationException", "no text"),
        ({"retrievalQuery": {"type": "TEXT"}}, "ValidationException", "no text"),
        (
            {"retrievalQuery": {"type": "IMAGE", "image": {"format": "png", "inlineContent": b"x"}}},
            "ValidationException",
            "reads text only",
        ),
        ({"guardrailConfiguration": GUARDRAIL}, "ValidationException", "guardrail identifier"),
        ({"userContext": {"userId": "jane"}}, "ValidationException", "no access rights"),
        ({"nextToken": "bm9uZQ=="}, "ValidationException", "nextToken"),
        (vector_search(implicitFilterConfiguration=IMPLICIT), "ValidationException", "derives no filter"),
        (
            {"retrievalConfiguration": {"managedSearchConfiguration": {}}},
            "ValidationException",
            "no managed knowledge bases",
        ),
        (vector_search(filter=a_filter("in", "year", [])), "ValidationException", "at least one"),
        (
            vector_search(
                filter={"andAll": [a_filter("equals", "year", 1), a_filter("lessThan", "year", "x")]}
            ),
            "ValidationException",
            "must be a number",
        ),
        (
            reranking(modelConfiguration={"modelArn": arn("amazon.titan-embed-text-v2:0")}),
            "ValidationException",
            "no reranking model",
        ),
        (
            reranking(
                modelConfiguration={"modelArn": arn(RERANKERS[0])},
                metadataConfiguration={"selectionMode": "SELECTIVE"},
            ),
            "ValidationException",
            "selectiveModeConfiguration",
        ),
    ],
)
def test_what_retrieve_refuses(
    runtime: Any, base_id: str, changes: dict[str, Any], code: str, words: str
) -> None:
    request = {"knowledgeBaseId": base_id, "retrievalQuery": {"text": "lamp"}} | changes
    given, message = refusal(runtime.retrieve, **request)
    assert given == code
    assert words in message


def text_source(text: str) -> dict[str, Any]:
    return {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}}}


def rerank_request(query: str, sources: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    configuration = {"modelConfiguration": {"modelArn": arn(RERANKERS[0])}} | changes
    return {
        "queries": [{"type": "TEXT", "textQuery": {"text": query}}],
        "sources": sources,
        "rerankingConfiguration": {
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": configuration,
        },
    }


def test_rerank_orders_texts_and_json(runtime: Any) -> None:
    document = {"title": "Refunds", "terms": [{"days": 30}, "money back"]}
    sources = [
        text_source("Bananas are yellow."),
        {"type": "INLINE", "inlineDocumentSource": {"type": "JSON", "jsonDocument": document}},
        text_source("The lamp gives warm light."),
    ]
    request = rerank_request("How many days for refunds?", sources)
    results = runtime.rerank(**request)["results"]
    assert results[0]["index"] == 1
    assert sorted(result["index"] for result in results) == [0, 1, 2]
    scores = [result["relevanceScore"] for result in results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert set(results[0]) == {"index", "relevanceScore"}  # as AWS answers: without the documents


def test_rerank_answers_as_many_as_asked_for_and_reads_as_much(runtime: Any) -> None:
    sources = [text_source("Nothing here. " * 5 + "refund"), text_source("refund")]
    assert len(runtime.rerank(**rerank_request("refund", sources, numberOfResults=1))["results"]) == 1
    model = {"modelArn": arn(RERANKERS[1]), "additionalModelRequestFields": {"max_tokens_per_doc": 5}}
    first, second = runtime.rerank(**rerank_request("refund", sources, modelConfiguration=model))["results"]
    assert first["index"] == 1
    assert second["relevanceScore"] < 0.5


@pytest.mark.parametrize(
    ("source", "model", "words"),
    [
        (text_source("a"), {"modelArn": arn("amazon.nova-micro-v1:0")}, "no reranking model"),
        (text_source("a"), {"modelArn": arn("nobody.rerank-v1")}, "identifier is invalid"),
        (
            text_source("a"),
            {"modelArn": arn(RERANKERS[0]), "additionalModelRequestFields": {"api_version": 2}},
            "and not api_version",
        ),
        (
            text_source("a"),
            {"modelArn": arn(RERANKERS[0]), "additionalModelRequestFields": {"max_tokens_per_doc": "2"}},
            "whole number",
        ),
        (
            {"type": "INLINE", "inlineDocumentSource": {"type": "JSON"}},
            {"modelArn": arn(RERANKERS[0])},
            "needs a jsonDocument",
        ),
    ],
)
def test_what_rerank_refuses(runtime: Any, source: dict[str, Any], model: dict[str, Any], words: str) -> None:
    code, message = refusal(runtime.rerank, **rerank_request("a", [source], modelConfiguration=model))
    assert code == "ValidationException"
    assert words in message


@pytest.mark.parametrize("model_id", RERANKERS)
def test_a_reranker_is_listed_and_is_no_chat_model(endpoint: Endpoint, model_id: str) -> None:
    details = endpoint.client("bedrock").get_foundation_model(modelIdentifier=model_id)["modelDetails"]
    assert details["outputModalities"] == ["TEXT"]  # as AWS has it
    assert not details["responseStreamingSupported"]
    models = endpoint.client("bedrock-runtime")
    messages = [{"role": "user", "content": [{"text": "Hello"}]}]
    _, message = refusal(models.converse, modelId=model_id, messages=messages)
    assert "supported text or chat model" in message
    code, message = refusal(models.invoke_model, modelId=model_id, body=b'{"query": "a", "documents": ["b"]}')
    assert code == "ValidationException"
    assert "Rerank operation" in message
