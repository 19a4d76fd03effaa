"""The control plane over HTTP: models, profiles, tags, logging configuration, truthful empty lists."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.conftest import Endpoint

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture(scope="module")
def bedrock(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock")


@pytest.fixture
def profile(bedrock: Any) -> Iterator[str]:
    """The ARN of an application profile that is gone after the test."""
    arn = bedrock.create_inference_profile(
        inferenceProfileName="my team",
        description="for tests",
        modelSource={"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}"},
        tags=[{"key": "team", "value": "a"}],
    )["inferenceProfileArn"]
    yield arn
    with contextlib.suppress(bedrock.exceptions.ResourceNotFoundException):
        bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)


def failure(call: Any, **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


# Models


def test_models_say_what_they_are(bedrock: Any) -> None:
    models = {m["modelId"]: m for m in bedrock.list_foundation_models()["modelSummaries"]}
    assert any(model_id.startswith("local.") for model_id in models)
    assert "stand-in" in models[HAIKU]["modelName"]
    assert models[HAIKU]["modelArn"] == f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}"


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        ({"byProvider": "Anthropic"}, lambda m: m["providerName"] == "Anthropic"),
        ({"byProvider": "anthropic"}, lambda m: m["providerName"] == "Anthropic"),
        ({"byOutputModality": "EMBEDDING"}, lambda m: m["outputModalities"] == ["EMBEDDING"]),
        ({"byOutputModality": "TEXT"}, lambda m: "TEXT" in m["outputModalities"]),
        ({"byInferenceType": "ON_DEMAND"}, lambda m: "ON_DEMAND" in m["inferenceTypesSupported"]),
        (
            {"byProvider": "Anthropic", "byInferenceType": "ON_DEMAND"},
            lambda m: m["providerName"] == "Anthropic" and "ON_DEMAND" in m["inferenceTypesSupported"],
        ),
    ],
)
def test_filters_give_what_holds_and_all_of_it(bedrock: Any, filters: dict[str, str], holds: Any) -> None:
    everything = bedrock.list_foundation_models()["modelSummaries"]
    filtered = bedrock.list_foundation_models(**filters)["modelSummaries"]
    assert filtered
    assert filtered == [model for model in everything if holds(model)]


@pytest.mark.parametrize(
    "filters",
    [
        {"byCustomizationType": "FINE_TUNING"},
        {"byInferenceType": "PROVISIONED"},
        {"byOutputModality": "IMAGE"},
        {"byProvider": "Nobody"},
    ],
)
def test_filters_that_nothing_passes_give_nothing(bedrock: Any, filters: dict[str, str]) -> None:
    assert bedrock.list_foundation_models(**filters)["modelSummaries"] == []


def test_a_filter_that_is_no_choice_is_refused(bedrock: Any) -> None:
    assert failure(bedrock.list_foundation_models, byOutputModality="SMELL") == ("ValidationException", 400)


def test_every_listed_model_can_be_got_and_is_available(bedrock: Any) -> None:
    for summary in bedrock.list_foundation_models()["modelSummaries"]:
        for identifier in (summary["modelId"], summary["modelArn"]):
            details = bedrock.get_foundation_model(modelIdentifier=identifier)["modelDetails"]
            assert details == summary
        availability = bedrock.get_foundation_model_availability(modelId=summary["modelId"])
        assert availability["authorizationStatus"] == "AUTHORIZED"
        assert availability["agreementAvailability"] == {"status": "AVAILABLE"}


def test_unknown_models_are_not_found(bedrock: Any) -> None:
    assert failure(bedrock.get_foundation_model, modelIdentifier="no.such-model") == (
        "ResourceNotFoundException",
        404,
    )
    assert failure(bedrock.get_foundation_model_availability, modelId="no.such-model") == (
        "ResourceNotFoundException",
        404,
    )


def test_the_region_of_the_caller_is_in_the_arns(endpoint: Endpoint) -> None:
    key_id, secret = endpoint.keys
    session = boto3.Session(key_id, secret, region_name="eu-central-1")
    client = session.client("bedrock", endpoint_url=endpoint.url)
    assert client.list_foundation_models()["modelSummaries"][0]["modelArn"].startswith(
        "arn:aws:bedrock:eu-central-1::"
    )
    ids = [p["inferenceProfileId"] for p in client.list_inference_profiles()["inferenceProfileSummaries"]]
    assert any(profile_id.startswith("eu.") for profile_id in ids)
    assert not any(profile_id.startswith("us.") for profile_id in ids)
    client.close()


# Inference profiles


def test_system_profiles_are_listed_by_type_and_can_be_got(bedrock: Any) -> None:
    profiles = bedrock.list_inference_profiles(typeEquals="SYSTEM_DEFINED")["inferenceProfileSummaries"]
    assert {profile["type"] for profile in profiles} == {"SYSTEM_DEFINED"}
    known = {model["modelId"] for model in bedrock.list_foundation_models()["modelSummaries"]}
    for profile in profiles:
        assert {model["modelArn"].rpartition("/")[2] for model in profile["models"]} <= known
        for identifier in (profile["inferenceProfileId"], profile["inferenceProfileArn"]):
            got = bedrock.get_inference_profile(inferenceProfileIdentifier=identifier)
            assert {name: got[name] for name in profile} == profile


def test_profiles_come_in_pages(bedrock: Any) -> None:
    everything = bedrock.list_inference_profiles()["inferenceProfileSummaries"]
    pages = list(bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 4}))
    assert [p for page in pages for p in page["inferenceProfileSummaries"]] == everything
    assert all(len(page["inferenceProfileSummaries"]) == 4 for page in pages[:-1])
    assert len(pages) > 1
    assert failure(bedrock.list_inference_profiles, nextToken="nonsense") == ("ValidationException", 400)
    with pytest.raises(ClientError, match="less than or equal to 1000"):
        bedrock.list_inference_profiles(maxResults=1001)


def test_an_application_profile_lives_from_create_to_delete(
    endpoint: Endpoint, bedrock: Any, profile: str
) -> None:
    got = bedrock.get_inference_profile(inferenceProfileIdentifier=profile)
    assert got["inferenceProfileName"] == "my team"
    assert got["description"] == "for tests"
    assert got["type"] == "APPLICATION"
    assert got["models"] == [{"modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}"}]
    assert datetime.now(UTC) - got["createdAt"] < timedelta(minutes=5)
    listed = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    assert profile in [p["inferenceProfileArn"] for p in listed]
    answer = endpoint.client("bedrock-runtime").converse(
        modelId=profile,
        messages=[{"role": "user", "content": [{"text": "hi"}]}],
        inferenceConfig={"maxTokens": 2},
    )
    assert answer["usage"]["outputTokens"] >= 1
    bedrock.delete_inference_profile(inferenceProfileIdentifier=got["inferenceProfileId"])
    assert failure(bedrock.get_inference_profile, inferenceProfileIdentifier=profile) == (
        "ResourceNotFoundException",
        404,
    )
    assert failure(bedrock.list_tags_for_resource, resourceARN=profile)[0] == "ResourceNotFoundException"


def test_a_profile_may_be_copied_from_a_system_profile(bedrock: Any) -> None:
    source = bedrock.list_inference_profiles(typeEquals="SYSTEM_DEFINED")["inferenceProfileSummaries"][0]
    arn = bedrock.create_inference_profile(
        inferenceProfileName="copy", modelSource={"copyFrom": source["inferenceProfileArn"]}
    )["inferenceProfileArn"]
    assert bedrock.get_inference_profile(inferenceProfileIdentifier=arn)["models"] == source["models"]
    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)


def test_creating_twice_with_one_token_creates_once(bedrock: Any) -> None:
    arguments = {
        "inferenceProfileName": "once",
        "clientRequestToken": "token-1",
        "modelSource": {"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}"},
    }
    first, second = (bedrock.create_inference_profile(**arguments)["inferenceProfileArn"] for _ in range(2))
    assert first == second
    bedrock.delete_inference_profile(inferenceProfileIdentifier=first)
    third = bedrock.create_inference_profile(**arguments)["inferenceProfileArn"]
    assert third != first, "the token of a deleted profile gave its ARN again"
    bedrock.delete_inference_profile(inferenceProfileIdentifier=third)


def test_profiles_that_make_no_sense_are_refused(bedrock: Any) -> None:
    create = bedrock.create_inference_profile
    for source in ("no.such-model", "arn:aws:bedrock:us-east-1::foundation-model/no.such-model"):
        code, status = failure(create, inferenceProfileName="x", modelSource={"copyFrom": source})
        assert (code, status) in {("ValidationException", 400), ("ResourceNotFoundException", 404)}
    system = bedrock.list_inference_profiles(typeEquals="SYSTEM_DEFINED")["inferenceProfileSummaries"][0]
    assert failure(
        bedrock.delete_inference_profile, inferenceProfileIdentifier=system["inferenceProfileArn"]
    ) == ("ValidationException", 400)
    assert failure(bedrock.get_inference_profile, inferenceProfileIdentifier="nothing")[1] == 404


def test_tags_are_added_replaced_and_removed(bedrock: Any, profile: str) -> None:
    bedrock.tag_resource(
        resourceARN=profile, tags=[{"key": "team", "value": "b"}, {"key": "cost", "value": "c 1"}]
    )
    tags = bedrock.list_tags_for_resource(resourceARN=profile)["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {"team": "b", "cost": "c 1"}
    bedrock.untag_resource(resourceARN=profile, tagKeys=["team", "not there"])
    assert bedrock.list_tags_for_resource(resourceARN=profile)["tags"] == [{"key": "cost", "value": "c 1"}]
    many = [{"key": f"k{n}", "value": ""} for n in range(51)]
    assert failure(bedrock.tag_resource, resourceARN=profile, tags=many) == ("TooManyTagsException", 400)
    unknown = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/abcdefghijkl"
    assert failure(bedrock.tag_resource, resourceARN=unknown, tags=[])[1] == 404


# Everything else


def test_the_logging_configuration_is_kept_until_it_is_deleted(bedrock: Any) -> None:
    config = {
        "cloudWatchConfig": {
            "logGroupName": "/bedrock",
            "roleArn": "arn:aws:iam::000000000000:role/logs",
            "largeDataDeliveryS3Config": {"bucketName": "large", "keyPrefix": "x"},
        },
        "textDataDeliveryEnabled": True,
        "imageDataDeliveryEnabled": False,
    }
    assert "loggingConfig" not in bedrock.get_model_invocation_logging_configuration()
    bedrock.put_model_invocation_logging_configuration(loggingConfig=config)
    assert bedrock.get_model_invocation_logging_configuration()["loggingConfig"] == config
    bedrock.delete_model_invocation_logging_configuration()
    assert "loggingConfig" not in bedrock.get_model_invocation_logging_configuration()
    assert (
        failure(bedrock.put_model_invocation_logging_configuration, loggingConfig={})[0]
        == "ValidationException"
    )


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("list_provisioned_model_throughputs", "provisionedModelSummaries"),
        ("list_custom_models", "modelSummaries"),
        ("list_custom_model_deployments", "modelDeploymentSummaries"),
        ("list_imported_models", "modelSummaries"),
        ("list_marketplace_model_endpoints", "marketplaceModelEndpoints"),
    ],
)
def test_what_cannot_exist_here_is_an_empty_list(bedrock: Any, operation: str, member: str) -> None:
    assert getattr(bedrock, operation)(maxResults=5)[member] == []
