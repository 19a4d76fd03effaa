"""Prompt Management over HTTP: drafts, versions, pages, tags, and what AWS refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Endpoint

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"

Create = Callable[..., dict[str, Any]]


def text_variant(text: str = "Summarise {{document}}", **changes: Any) -> dict[str, Any]:
    template = {"text": text, "inputVariables": [{"name": "document"}]}
    return {
        "name": "one",
        "templateType": "TEXT",
        "templateConfiguration": {"text": template},
        "modelId": MODEL,
        "inferenceConfiguration": {"text": {"temperature": 0.5, "maxTokens": 20, "stopSequences": ["END"]}},
        "additionalModelRequestFields": {"top_k": 5},
    } | changes


@pytest.fixture(scope="module")
def agent(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-agent")


@pytest.fixture
def create(agent: Any) -> Iterator[Create]:
    """Makes prompts that are gone after the test."""
    made: list[str] = []

    def make(**arguments: Any) -> dict[str, Any]:
        settings = {"name": f"prompt-{uuid4().hex}", "defaultVariant": "one", "variants": [text_variant()]}
        answer: dict[str, Any] = agent.create_prompt(**settings | arguments)
        made.append(answer["id"])
        return answer

    yield make
    for prompt_id in made:
        with contextlib.suppress(agent.exceptions.ResourceNotFoundException):
            agent.delete_prompt(promptIdentifier=prompt_id)


def failure(call: Any, **arguments: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response: Any = caught.value.response
    error = response["Error"]
    return error["Code"], response["ResponseMetadata"]["HTTPStatusCode"], error["Message"]


def test_a_prompt_comes_back_as_it_was_given(agent: Any, create: Create) -> None:
    made = create(description="d")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["version"] == "DRAFT"
    assert made["arn"] == f"arn:aws:bedrock:us-east-1:000000000000:prompt/{made['id']}"
    for identifier in (made["id"], made["arn"]):
        got = agent.get_prompt(promptIdentifier=identifier)
        assert got["variants"] == [text_variant()]
        assert got["createdAt"] == got["updatedAt"] == made["createdAt"]
    assert "variants" not in agent.get_prompt(promptIdentifier=made["id"], includedData="METADATA_ONLY")


def test_a_chat_with_tools_comes_back_as_it_was_given(agent: Any, create: Create) -> None:
    tool = {"name": "t", "description": "d", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    chat = {
        "system": [{"text": "You know {{topic}}."}],
        "messages": [{"role": "user", "content": [{"text": "{{question}}"}]}],
        "inputVariables": [{"name": "topic"}, {"name": "question"}],
        "toolConfiguration": {"tools": [{"toolSpec": tool}], "toolChoice": {"auto": {}}},
    }
    variant = text_variant(templateType="CHAT", templateConfiguration={"chat": chat})
    made = create(variants=[variant])
    assert agent.get_prompt(promptIdentifier=made["id"])["variants"] == [variant]


def test_versions_never_change_and_numbers_are_not_used_twice(agent: Any, create: Create) -> None:
    made = create()
    prompt_id = made["id"]
    first = agent.create_prompt_version(promptIdentifier=prompt_id, description="first")
    assert (first["version"], first["arn"]) == ("1", f"{made['arn']}:1")
    agent.update_prompt(
        promptIdentifier=prompt_id, name=made["name"], variants=[text_variant("Now {{document}}")]
    )
    second = agent.create_prompt_version(promptIdentifier=prompt_id)
    old = agent.get_prompt(promptIdentifier=f"{made['arn']}:1")
    assert old["variants"] == [text_variant()]
    assert old["description"] == "first"
    new = agent.get_prompt(promptIdentifier=prompt_id, promptVersion="2")
    assert new["variants"] == second["variants"] == [text_variant("Now {{document}}")]
    assert "defaultVariant" not in new
    listed = agent.list_prompts(promptIdentifier=prompt_id)["promptSummaries"]
    assert [item["version"] for item in listed] == ["DRAFT", "1", "2"]
    assert agent.delete_prompt(promptIdentifier=prompt_id, promptVersion="2")["version"] == "2"
    assert agent.create_prompt_version(promptIdentifier=prompt_id)["version"] == "3"
    assert "version" not in agent.delete_prompt(promptIdentifier=prompt_id)
    assert failure(agent.get_prompt, promptIdentifier=prompt_id, promptVersion="1")[:2] == (
        "ResourceNotFoundException",
        404,
    )


def test_all_pages_together_hold_every_prompt_once(agent: Any, create: Create) -> None:
    made = {create()["id"] for _ in range(13)}
    pages = list(agent.get_paginator("list_prompts").paginate(PaginationConfig={"PageSize": 4}))
    assert all(len(page["promptSummaries"]) <= 4 for page in pages)
    ids = [item["id"] for page in pages for item in page["promptSummaries"]]
    assert len(ids) == len(set(ids))
    assert made <= set(ids)
    assert len(agent.list_prompts(maxResults=1000)["promptSummaries"]) == 10


def test_a_request_that_is_repeated_makes_one_prompt(agent: Any, create: Create) -> None:
    name, token = f"prompt-{uuid4().hex}", uuid4().hex * 2
    assert create(name=name, clientToken=token)["id"] == create(name=name, clientToken=token)["id"]


def test_tags_belong_to_a_prompt_or_to_one_version(agent: Any, create: Create) -> None:
    made = create(tags={"team": "a"})
    version = agent.create_prompt_version(promptIdentifier=made["id"], tags={"stage": "test"})["arn"]
    agent.tag_resource(resourceArn=made["arn"], tags={"team": "b", "x": "1"})
    agent.untag_resource(resourceArn=made["arn"], tagKeys=["x", "none"])
    assert agent.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"team": "b"}
    assert agent.list_tags_for_resource(resourceArn=version)["tags"] == {"stage": "test"}
    agent.delete_prompt(promptIdentifier=made["id"])
    for arn in (made["arn"], version):
        assert failure(agent.list_tags_for_resource, resourceArn=arn)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"defaultVariant": "two"}, "default variant"),
        ({"defaultVariant": "one", "variants": []}, "default variant"),
        ({"variants": [text_variant("{{document}} {{tone}}")]}, "tone"),
        ({"variants": [text_variant(templateType="CHAT")]}, "CHAT"),
        ({"variants": [text_variant(name="one two")]}, "regular expression"),
        ({"variants": [text_variant(), text_variant()]}, "length less than or equal to 1"),
        ({"name": "no spaces"}, "regular expression"),
    ],
)
def test_content_that_contradicts_itself_is_refused(
    agent: Any, create: Create, arguments: dict[str, Any], word: str
) -> None:
    code, status, message = failure(create, **arguments)
    assert (code, status) == ("ValidationException", 400)
    assert word in message
    made = create()
    changed = {"name": made["name"], "defaultVariant": "one", "variants": [text_variant()]} | arguments
    code, _, message = failure(agent.update_prompt, promptIdentifier=made["id"], **changed)
    assert code == "ValidationException"
    assert word in message
    assert agent.get_prompt(promptIdentifier=made["id"])["variants"] == [text_variant()]


def test_a_name_is_used_once(agent: Any, create: Create) -> None:
    made, other = create(), create()
    assert failure(create, name=made["name"])[:2] == ("ConflictException", 409)
    rename = failure(agent.update_prompt, promptIdentifier=other["id"], name=made["name"])
    assert rename[0] == "ConflictException"


def test_what_does_not_exist_is_not_found(agent: Any, create: Create) -> None:
    arn = create()["arn"]
    elsewhere = arn.replace("us-east-1", "eu-west-1")
    for call, arguments in (
        (agent.get_prompt, {"promptIdentifier": "ABCDEFGHIJ"}),
        (agent.get_prompt, {"promptIdentifier": elsewhere}),
        (agent.get_prompt, {"promptIdentifier": arn, "promptVersion": "7"}),
        (agent.update_prompt, {"promptIdentifier": "ABCDEFGHIJ", "name": "x"}),
        (agent.create_prompt_version, {"promptIdentifier": "ABCDEFGHIJ"}),
        (agent.list_prompts, {"promptIdentifier": "ABCDEFGHIJ"}),
        (agent.delete_prompt, {"promptIdentifier": arn, "promptVersion": "7"}),
        (agent.tag_resource, {"resourceArn": f"{arn}:7", "tags": {"a": "b"}}),
    ):
        assert failure(call, **arguments)[:2] == ("ResourceNotFoundException", 404)
