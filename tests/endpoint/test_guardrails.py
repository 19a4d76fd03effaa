"""Guardrails over HTTP: what is saved is what is shown, drafts, versions, pages, and what AWS refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Endpoint

Create = Callable[..., dict[str, Any]]

WORDS = {"wordsConfig": [{"text": "competitor"}]}
SIDES = {"inputEnabled": True, "outputEnabled": False}
BLOCK = {"inputAction": "BLOCK", "outputAction": "NONE", **SIDES}


@pytest.fixture(scope="module")
def bedrock(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock")


@pytest.fixture
def create(bedrock: Any) -> Iterator[Create]:
    """Makes guardrails that are gone after the test."""
    made: list[str] = []

    def make(**arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = bedrock.create_guardrail(**content(**arguments))
        made.append(answer["guardrailId"])
        return answer

    yield make
    for guardrail_id in made:
        with contextlib.suppress(bedrock.exceptions.ResourceNotFoundException):
            bedrock.delete_guardrail(guardrailIdentifier=guardrail_id)


def content(**arguments: Any) -> dict[str, Any]:
    named = {
        "name": f"guardrail-{uuid4().hex}",
        "blockedInputMessaging": "Not this question.",
        "blockedOutputsMessaging": "Not this answer.",
    }
    policies = {} if any(name.endswith("PolicyConfig") for name in arguments) else {"wordPolicyConfig": WORDS}
    return named | policies | arguments


def failure(call: Any, **arguments: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response: Any = caught.value.response
    error = response["Error"]
    return error["Code"], response["ResponseMetadata"]["HTTPStatusCode"], error["Message"]


TOPIC = {"name": "Tax advice", "definition": "How to pay less.", "examples": ["Hide it?"], "type": "DENY"}
FILTER = {"type": "HATE", "inputStrength": "HIGH", "outputStrength": "LOW"}
MODALITIES = {"inputModalities": ["TEXT", "IMAGE"], "outputModalities": ["TEXT"]}
ENTITY = {"type": "EMAIL", "action": "BLOCK", "inputAction": "ANONYMIZE", "outputAction": "NONE"}
REGEX = {"name": "Order", "description": "Ours", "pattern": r"\bO-\d{6}\b", "action": "ANONYMIZE"}
GROUNDING = {"type": "GROUNDING", "threshold": 0.75, "action": "NONE", "enabled": False}


@pytest.mark.parametrize(
    ("member", "config", "policy"),
    [
        (
            "topicPolicy",
            {"topicsConfig": [TOPIC | BLOCK], "tierConfig": {"tierName": "STANDARD"}},
            {"topics": [TOPIC | BLOCK], "tier": {"tierName": "STANDARD"}},
        ),
        (
            "contentPolicy",
            {"filtersConfig": [FILTER | MODALITIES | BLOCK]},
            {"filters": [FILTER | MODALITIES | BLOCK], "tier": {"tierName": "CLASSIC"}},
        ),
        (
            "wordPolicy",
            {
                "wordsConfig": [{"text": "Straße <b>", **BLOCK}],
                "managedWordListsConfig": [{"type": "PROFANITY", **BLOCK}],
            },
            {
                "words": [{"text": "Straße <b>", **BLOCK}],
                "managedWordLists": [{"type": "PROFANITY", **BLOCK}],
            },
        ),
        (
            "sensitiveInformationPolicy",
            {"piiEntitiesConfig": [ENTITY | SIDES], "regexesConfig": [REGEX | SIDES]},
            {
                "piiEntities": [ENTITY | SIDES],
                "regexes": [REGEX | {"inputAction": "ANONYMIZE", "outputAction": "ANONYMIZE"} | SIDES],
            },
        ),
        ("contextualGroundingPolicy", {"filtersConfig": [GROUNDING]}, {"filters": [GROUNDING]}),
    ],
)
def test_every_policy_is_shown_as_it_was_saved(
    bedrock: Any, create: Create, member: str, config: dict[str, Any], policy: dict[str, Any]
) -> None:
    made = create(**{f"{member}Config": config})
    got = bedrock.get_guardrail(guardrailIdentifier=made["guardrailId"])
    assert got[member] == policy
    assert [name for name in got if name.endswith("Policy")] == [member]


def test_what_is_not_said_has_awss_defaults(bedrock: Any, create: Create) -> None:
    made = create(
        contentPolicyConfig={"filtersConfig": [FILTER]},
        contextualGroundingPolicyConfig={"filtersConfig": [{"type": "RELEVANCE", "threshold": 0.5}]},
    )
    got = bedrock.get_guardrail(guardrailIdentifier=made["guardrailArn"])
    assert got["contentPolicy"]["filters"] == [
        FILTER
        | {"inputModalities": ["TEXT"], "outputModalities": ["TEXT"], "inputAction": "BLOCK"}
        | {"outputAction": "BLOCK", "inputEnabled": True, "outputEnabled": True}
    ]
    assert got["contextualGroundingPolicy"]["filters"][0]["action"] == "BLOCK"
    assert got["contextualGroundingPolicy"]["filters"][0]["enabled"] is True


def test_a_guardrail_is_named_by_id_and_arn(bedrock: Any, create: Create) -> None:
    profile = "us.guardrail.v1:0"
    key = "arn:aws:kms:us-east-1:000000000000:key/" + "a" * 36
    made = create(
        description="d", crossRegionConfig={"guardrailProfileIdentifier": profile}, kmsKeyId="a" * 36
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert made["version"] == "DRAFT"
    assert made["guardrailArn"] == f"arn:aws:bedrock:us-east-1:000000000000:guardrail/{made['guardrailId']}"
    for identifier in (made["guardrailId"], made["guardrailArn"]):
        got = bedrock.get_guardrail(guardrailIdentifier=identifier, guardrailVersion="DRAFT")
        assert (got["status"], got["description"], got["kmsKeyArn"]) == ("READY", "d", key)
        assert got["blockedInputMessaging"] == "Not this question."
        assert got["crossRegionDetails"]["guardrailProfileId"] == profile
        assert got["createdAt"] == got["updatedAt"] == made["createdAt"]


def test_an_update_replaces_the_draft_and_no_version(bedrock: Any, create: Create) -> None:
    made = create(description="first")
    identifier = made["guardrailId"]
    one = bedrock.create_guardrail_version(guardrailIdentifier=identifier, description="one")
    assert (one["guardrailId"], one["version"]) == (identifier, "1")
    changed = content(contextualGroundingPolicyConfig={"filtersConfig": [GROUNDING]})
    updated = bedrock.update_guardrail(guardrailIdentifier=made["guardrailArn"], **changed)
    assert updated["ResponseMetadata"]["HTTPStatusCode"] == 202
    draft = bedrock.get_guardrail(guardrailIdentifier=identifier)
    assert draft["name"] == changed["name"]
    assert "wordPolicy" not in draft
    assert "description" not in draft
    assert draft["createdAt"] == made["createdAt"] < draft["updatedAt"] == updated["updatedAt"]
    first = bedrock.get_guardrail(guardrailIdentifier=identifier, guardrailVersion="1")
    assert first["description"] == "one"
    assert first["wordPolicy"]["words"][0]["text"] == "competitor"


def test_one_version_or_all_are_deleted(bedrock: Any, create: Create) -> None:
    identifier = create()["guardrailId"]
    for _ in range(2):
        bedrock.create_guardrail_version(guardrailIdentifier=identifier)
    deleted = bedrock.delete_guardrail(guardrailIdentifier=identifier, guardrailVersion="2")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 202
    # The number of a deleted version is not given again.
    assert bedrock.create_guardrail_version(guardrailIdentifier=identifier)["version"] == "3"
    listed = bedrock.list_guardrails(guardrailIdentifier=identifier)["guardrails"]
    assert [each["version"] for each in listed] == ["DRAFT", "1", "3"]
    bedrock.delete_guardrail(guardrailIdentifier=identifier)
    for call in (bedrock.get_guardrail, bedrock.list_guardrails, bedrock.delete_guardrail):
        assert failure(call, guardrailIdentifier=identifier)[:2] == ("ResourceNotFoundException", 404)


def test_lists_come_in_pages(bedrock: Any, create: Create) -> None:
    made = [create()["guardrailId"] for _ in range(3)]
    pages = bedrock.get_paginator("list_guardrails").paginate(PaginationConfig={"PageSize": 2})
    listed = [each for page in pages for each in page["guardrails"]]
    assert [each["id"] for each in listed if each["id"] in made] == made
    assert {each["version"] for each in listed} == {"DRAFT"}
    assert failure(bedrock.list_guardrails, nextToken="x")[0] == "ValidationException"


def test_the_same_request_twice_makes_one(bedrock: Any, create: Create) -> None:
    token = uuid4().hex
    arguments = content(clientRequestToken=token)
    first, second = create(**arguments), create(**arguments)
    assert first["guardrailId"] == second["guardrailId"]
    identifier, again = first["guardrailId"], uuid4().hex
    numbers = {
        bedrock.create_guardrail_version(guardrailIdentifier=identifier, clientRequestToken=again)["version"]
        for _ in range(2)
    }
    assert numbers == {"1"}


def test_a_guardrail_has_tags(bedrock: Any, create: Create) -> None:
    arn = create(tags=[{"key": "team", "value": "a"}])["guardrailArn"]
    bedrock.tag_resource(resourceARN=arn, tags=[{"key": "cost", "value": "1"}])
    bedrock.untag_resource(resourceARN=arn, tagKeys=["team"])
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "cost", "value": "1"}]


def test_a_name_is_given_once(bedrock: Any, create: Create) -> None:
    first, second = content(), create()
    create(**first)
    assert failure(bedrock.create_guardrail, **first)[:2] == ("ConflictException", 409)
    renamed = content(name=first["name"])
    identifier = second["guardrailId"]
    assert (
        failure(bedrock.update_guardrail, guardrailIdentifier=identifier, **renamed)[0] == "ConflictException"
    )


def test_what_does_not_exist_is_not_found(bedrock: Any, create: Create) -> None:
    arn = create()["guardrailArn"]
    wrong = {"guardrailIdentifier": arn, "guardrailVersion": "7"}
    assert failure(bedrock.get_guardrail, **wrong)[:2] == ("ResourceNotFoundException", 404)
    assert failure(bedrock.delete_guardrail, **wrong)[:2] == ("ResourceNotFoundException", 404)
    elsewhere = arn.replace("us-east-1", "eu-west-1")
    assert failure(bedrock.get_guardrail, guardrailIdentifier=elsewhere)[0] == "ResourceNotFoundException"


def test_a_guardrail_has_twenty_versions_at_most(bedrock: Any, create: Create) -> None:
    identifier = create()["guardrailId"]
    for _ in range(20):
        bedrock.create_guardrail_version(guardrailIdentifier=identifier)
    code, status, _ = failure(bedrock.create_guardrail_version, guardrailIdentifier=identifier)
    assert (code, status) == ("ServiceQuotaExceededException", 400)


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({"wordPolicyConfig": {}}, "at least one policy"),
        ({"topicPolicyConfig": {"topicsConfig": [TOPIC, TOPIC]}}, "Tax advice is given more than once"),
        ({"wordPolicyConfig": {"wordsConfig": [{"text": "a"}, {"text": "a"}]}}, "a is given more than once"),
        ({"wordPolicyConfig": {"wordsConfig": [{"text": " "}]}}, "blank"),
        ({"contentPolicyConfig": {"filtersConfig": [FILTER, FILTER]}}, "HATE is given more than once"),
        (
            {"contentPolicyConfig": {"filtersConfig": [FILTER | {"type": "PROMPT_ATTACK"}]}},
            "PROMPT_ATTACK content filter strength for response must be NONE",
        ),
        (
            {"sensitiveInformationPolicyConfig": {"piiEntitiesConfig": [ENTITY, ENTITY]}},
            "EMAIL is given more",
        ),
        ({"sensitiveInformationPolicyConfig": {"regexesConfig": [REGEX, REGEX]}}, "Order is given more"),
        (
            {"sensitiveInformationPolicyConfig": {"regexesConfig": [REGEX, REGEX | {"name": "Other"}]}},
            "given more than once",
        ),
        (
            {"sensitiveInformationPolicyConfig": {"regexesConfig": [REGEX | {"pattern": "(a"}]}},
            "not a valid regular expression",
        ),
        (
            {"sensitiveInformationPolicyConfig": {"regexesConfig": [REGEX | {"pattern": "(?=a)b"}]}},
            "lookaround",
        ),
        (
            {"contextualGroundingPolicyConfig": {"filtersConfig": [GROUNDING | {"threshold": 1.0}]}},
            "between 0 and 0.99",
        ),
        (
            {
                "automatedReasoningPolicyConfig": {
                    "policies": [
                        "arn:aws:bedrock:us-east-1:000000000000:automated-reasoning-policy/abcdefghijkl:1"
                    ]
                }
            },
            "Automated Reasoning",
        ),
    ],
)
def test_a_configuration_that_aws_refuses_is_refused(
    bedrock: Any, create: Create, policies: dict[str, Any], said: str
) -> None:
    code, status, message = failure(bedrock.create_guardrail, **content(**policies))
    assert (code, status) == ("ValidationException", 400)
    assert said in message
    identifier = create()["guardrailId"]
    refused = failure(bedrock.update_guardrail, guardrailIdentifier=identifier, **content(**policies))
    assert refused == (code, status, message)


def test_more_than_the_service_takes_is_refused(bedrock: Any) -> None:
    topics = [TOPIC | {"name": f"topic {n}"} for n in range(31)]
    refused = failure(bedrock.create_guardrail, **content(topicPolicyConfig={"topicsConfig": topics}))
    assert refused[0] == "ValidationException"
