"""Knowledge bases and data sources over HTTP: made, listed, changed, deleted, and what is refused."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import Endpoint
from tests.endpoint.knowledge_calls import (
    MODEL,
    S3_VECTORS,
    VECTORS,
    make_base,
    make_source,
    refusal,
)


@pytest.fixture(scope="module")
def agent(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent")


@pytest.fixture(scope="module")
def base_id(agent: Any) -> str:
    return str(make_base(agent)["knowledgeBaseId"])


def test_a_knowledge_base_is_made_changed_and_deleted(agent: Any) -> None:
    made = make_base(agent, description="What we know", tags={"team": "docs"})
    base_id = made["knowledgeBaseId"]
    assert made["status"] == "ACTIVE"
    assert agent.get_knowledge_base(knowledgeBaseId=base_id)["knowledgeBase"] == made
    assert agent.list_tags_for_resource(resourceArn=made["knowledgeBaseArn"])["tags"] == {"team": "docs"}
    changed = agent.update_knowledge_base(
        knowledgeBaseId=base_id,
        name=f"{made['name']}-2",
        roleArn=made["roleArn"],
        knowledgeBaseConfiguration=VECTORS,
        storageConfiguration=S3_VECTORS,
    )["knowledgeBase"]
    assert "description" not in changed
    assert changed["name"] == f"{made['name']}-2"
    assert changed["updatedAt"] > made["updatedAt"] == made["createdAt"] == changed["createdAt"]
    source_id = make_source(agent, base_id)
    assert agent.delete_knowledge_base(knowledgeBaseId=base_id)["status"] == "DELETING"
    for call, extra in (
        (agent.get_knowledge_base, {}),
        (agent.delete_knowledge_base, {}),
        (agent.get_data_source, {"dataSourceId": source_id}),
    ):
        code, message = refusal(call, knowledgeBaseId=base_id, **extra)
        assert code == "ResourceNotFoundException"
        assert base_id in message
    assert refusal(agent.list_tags_for_resource, resourceArn=made["knowledgeBaseArn"])[0] == code


def test_knowledge_bases_are_listed_in_pages(agent: Any) -> None:
    made = [make_base(agent)["knowledgeBaseId"] for _ in range(3)]
    pages = agent.get_paginator("list_knowledge_bases").paginate(PaginationConfig={"PageSize": 2})
    listed = [item["knowledgeBaseId"] for page in pages for item in page["knowledgeBaseSummaries"]]
    assert [one for one in listed if one in made] == made


def test_a_request_that_is_repeated_makes_one_and_a_name_is_given_once(agent: Any, base_id: str) -> None:
    token, name = uuid4().hex * 2, f"once-{uuid4().hex}"
    bases = [make_base(agent, name=name, clientToken=token) for _ in range(2)]
    assert bases[0] == bases[1]
    assert refusal(make_base, agent=agent, name=name)[0] == "ConflictException"
    sources = [make_source(agent, base_id, name=name, clientToken=token) for _ in range(2)]
    assert sources[0] == sources[1]
    assert refusal(make_source, agent=agent, base_id=base_id, name=name)[0] == "ConflictException"
    make_source(agent, bases[0]["knowledgeBaseId"], name=name)  # another knowledge base may have it


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"knowledgeBaseConfiguration": {"type": "SQL"}}, "the type VECTOR"),
        ({"knowledgeBaseConfiguration": {"type": "VECTOR"}}, "needs a vectorKnowledgeBaseConfiguration"),
        ({"storageConfiguration": {"type": "PINECONE"}}, "pineconeConfiguration"),
    ],
)
def test_a_configuration_that_does_not_work_here_is_explained(
    agent: Any, changes: dict[str, Any], words: str
) -> None:
    code, message = refusal(make_base, agent=agent, **changes)
    assert code == "ValidationException"
    assert words in message


@pytest.mark.parametrize(
    ("model", "asked", "words"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", {}, "makes no embeddings"),
        ("no.such-model-for-embedding", {}, "identifier is invalid"),
        ("amazon.titan-embed-text-v2:0", {"dimensions": 300}, "not of 300"),
        ("amazon.titan-embed-text-v2:0", {"embeddingDataType": "BINARY"}, "FLOAT32"),
    ],
)
def test_a_model_that_cannot_embed_as_asked_is_refused(
    agent: Any, model: str, asked: dict[str, Any], words: str
) -> None:
    arn = MODEL.rpartition("/")[0] + f"/{model}"
    vector = {
        "embeddingModelArn": arn,
        "embeddingModelConfiguration": {"bedrockEmbeddingModelConfiguration": asked},
    }
    given = {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": vector}
    code, message = refusal(make_base, agent=agent, knowledgeBaseConfiguration=given)
    assert code == "ValidationException"
    assert words in message


def test_what_a_knowledge_base_is_made_of_stays(agent: Any) -> None:
    made = make_base(agent)
    other = {"embeddingModelArn": MODEL.replace("v2:0", "v1")}
    code, message = refusal(
        agent.update_knowledge_base,
        knowledgeBaseId=made["knowledgeBaseId"],
        name=made["name"],
        roleArn=made["roleArn"],
        knowledgeBaseConfiguration={"type": "VECTOR", "vectorKnowledgeBaseConfiguration": other},
    )
    assert code == "ValidationException"
    assert "can't be changed" in message


def test_a_data_source_is_made_changed_and_deleted(agent: Any, base_id: str) -> None:
    chunking = {
        "chunkingConfiguration": {
            "chunkingStrategy": "FIXED_SIZE",
            "fixedSizeChunkingConfiguration": {"maxTokens": 100, "overlapPercentage": 10},
        }
    }
    source_id = make_source(agent, base_id, "a-bucket", "docs/", vectorIngestionConfiguration=chunking)
    where = {"knowledgeBaseId": base_id, "dataSourceId": source_id}
    made = agent.get_data_source(**where)["dataSource"]
    assert (made["status"], made["dataDeletionPolicy"]) == ("AVAILABLE", "DELETE")
    assert made["vectorIngestionConfiguration"] == chunking
    given = {name: made[name] for name in ("name", "dataSourceConfiguration")}
    code, message = refusal(agent.update_data_source, **where, **given)
    assert (code, "can't be changed" in message) == ("ValidationException", True)
    changed = agent.update_data_source(
        **where, **given, vectorIngestionConfiguration=chunking, dataDeletionPolicy="RETAIN"
    )["dataSource"]
    assert changed["dataDeletionPolicy"] == "RETAIN"
    listed = agent.list_data_sources(knowledgeBaseId=base_id)["dataSourceSummaries"]
    assert source_id in [item["dataSourceId"] for item in listed]
    assert agent.delete_data_source(**where)["status"] == "DELETING"
    assert refusal(agent.get_data_source, **where)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataSourceConfiguration": {"type": "WEB"}}, "it reads documents from S3"),
        ({"dataSourceConfiguration": {"type": "S3"}}, "needs an s3Configuration"),
        (
            {
                "vectorIngestionConfiguration": {
                    "parsingConfiguration": {"parsingStrategy": "BEDROCK_DATA_AUTOMATION"}
                }
            },
            "leave the parsingConfiguration out",
        ),
    ],
)
def test_a_data_source_that_cannot_be_read_here_is_explained(
    agent: Any, base_id: str, changes: dict[str, Any], words: str
) -> None:
    code, message = refusal(make_source, agent=agent, base_id=base_id, **changes)
    assert code == "ValidationException"
    assert words in message


def _levels(parent: int, child: int, overlap: int) -> dict[str, Any]:
    levels = [{"maxTokens": parent}, {"maxTokens": child}]
    return {"levelConfigurations": levels, "overlapTokens": overlap}


@pytest.mark.parametrize(
    ("strategy", "members", "words"),
    [
        ("FIXED_SIZE", {}, "needs a fixedSizeChunkingConfiguration"),
        (
            "NONE",
            {"fixedSizeChunkingConfiguration": {"maxTokens": 9, "overlapPercentage": 9}},
            "can't have a fixedSize",
        ),
        ("FIXED_SIZE", {"fixedSizeChunkingConfiguration": {"maxTokens": 9, "overlapPercentage": 100}}, "99"),
        ("HIERARCHICAL", {"hierarchicalChunkingConfiguration": _levels(100, 300, 10)}, "smaller than"),
        ("HIERARCHICAL", {"hierarchicalChunkingConfiguration": _levels(300, 100, 100)}, "fewer than"),
    ],
)
def test_a_chunking_that_contradicts_itself_is_refused(
    agent: Any, base_id: str, strategy: str, members: dict[str, Any], words: str
) -> None:
    given = {"chunkingConfiguration": {"chunkingStrategy": strategy} | members}
    code, message = refusal(make_source, agent=agent, base_id=base_id, vectorIngestionConfiguration=given)
    assert code == "ValidationException"
    assert words in message
