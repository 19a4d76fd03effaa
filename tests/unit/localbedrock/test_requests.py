"""Requests are read as the service model says, and refused in AWS's words."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from localbedrock.errors import AwsError
from localbedrock.wire.parse import Readers
from localbedrock.wire.request import Request, RequestParser
from localbedrock.wire.routing import load_services

SERVICES = load_services()


def parse(
    service: str,
    operation: str,
    body: Any = b"",
    *,
    labels: dict[str, str] | None = None,
    query: str = "",
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    parser = RequestParser(SERVICES[service].operation_model(operation), Readers())
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parser.parse(Request(labels or {}, query, headers or {}, content))


def converse(**body: Any) -> dict[str, Any]:
    return parse("bedrock-runtime", "Converse", body, labels={"modelId": "a.b"})


def refused(call: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        call()
    assert caught.value.status == 400
    return caught.value


USER = {"role": "user", "content": [{"text": "hi"}]}


def test_members_come_from_path_body_and_nested_structures() -> None:
    request = {
        "messages": [USER],
        "inferenceConfig": {"maxTokens": 5, "temperature": 0.5, "stopSequences": ["x"]},
    }
    assert converse(**request) == {"modelId": "a.b", **request}


def test_blobs_become_bytes_and_documents_stay_as_they_are() -> None:
    picture = base64.b64encode(b"\x00\xff").decode()
    content = [{"image": {"format": "png", "source": {"bytes": picture}}}]
    document = {"any": [1, {"thing": None}]}
    params = converse(messages=[{"role": "user", "content": content}], additionalModelRequestFields=document)
    assert params["messages"][0]["content"][0]["image"]["source"]["bytes"] == b"\x00\xff"
    assert params["additionalModelRequestFields"] == document


def test_null_and_unknown_members_are_as_good_as_absent() -> None:
    assert converse(messages=[USER], system=None, somethingNew=1) == {"modelId": "a.b", "messages": [USER]}


def test_a_member_of_the_path_is_not_taken_from_the_body() -> None:
    assert converse(messages=[USER], modelId="smuggled")["modelId"] == "a.b"


def test_a_blob_payload_is_the_body_itself_and_headers_are_read() -> None:
    params = parse(
        "bedrock-runtime",
        "InvokeModel",
        b"\x00 not json",
        labels={"modelId": "a.b"},
        headers={"accept": "*/*", "content-type": "application/json", "x-amzn-bedrock-trace": "ENABLED"},
    )
    assert params == {
        "modelId": "a.b",
        "body": b"\x00 not json",
        "accept": "*/*",
        "contentType": "application/json",
        "trace": "ENABLED",
    }


def test_query_strings_are_converted_by_shape() -> None:
    params = parse("bedrock", "ListInferenceProfiles", query="maxResults=7&type=APPLICATION&nextToken=a%2Bb")
    assert params == {"maxResults": 7, "typeEquals": "APPLICATION", "nextToken": "a+b"}
    params = parse("bedrock", "ListCustomModels", query="isOwned=true&creationTimeAfter=2026-01-02T03:04:05Z")
    assert params == {"isOwned": True, "creationTimeAfter": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
    params = parse(
        "bedrock-agent",
        "UntagResource",
        labels={"resourceArn": "arn:aws:bedrock:us-east-1:000000000000:agent/ABCDEFGHIJ"},
        query="tagKeys=a&tagKeys=b",
    )
    assert params["tagKeys"] == ["a", "b"]


def test_integers_may_be_written_as_floats() -> None:
    assert converse(messages=[USER], inferenceConfig={"maxTokens": 5.0})["inferenceConfig"]["maxTokens"] == 5


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"system": 1}, "NUMBER_VALUE can not be converted to a list (at 'system')"),
        ({"messages": [{"role": True, "content": []}]}, "TRUE_VALUE can not be converted to a String"),
        ({"inferenceConfig": {"maxTokens": "5"}}, "STRING_VALUE can not be converted to an Integer"),
        ({"inferenceConfig": {"maxTokens": 1.5}}, "NUMBER_VALUE can not be converted to an Integer"),
        ({"inferenceConfig": {"temperature": False}}, "FALSE_VALUE can not be converted to a Float"),
        ({"inferenceConfig": []}, "Start of list found where not expected"),
        ({"messages": {}}, "Start of structure or map found where not expected"),
        (
            {"messages": [{"role": "user", "content": [{"text": {}}]}]},
            "messages.1.member.content.1.member.text",
        ),
        ({"requestMetadata": {"a": 1}}, "NUMBER_VALUE can not be converted to a String"),
    ],
)
def test_wrong_json_types_are_serialization_errors(body: dict[str, Any], message: str) -> None:
    error = refused(lambda: converse(**body))
    assert error.code == "SerializationException"
    assert message in error.message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"messages": "\\ud800"}',
        b"[" * 100_000,
        b"{" + b'"a":{' * 50_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=[
        "open",
        "word",
        "list",
        "string",
        "not-utf8",
        "half-surrogate",
        "deep-list",
        "deep-object",
        "huge-number",
    ],
)
def test_bodies_that_are_no_json_object_are_serialization_errors(body: bytes) -> None:
    error = refused(lambda: parse("bedrock-runtime", "Converse", body, labels={"modelId": "a.b"}))
    assert error.code == "SerializationException"


def test_broken_base64_is_a_serialization_error() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "no base64!"}}}
    error = refused(lambda: converse(messages=[{"role": "user", "content": [image]}]))
    assert error.code == "SerializationException"


@pytest.mark.parametrize(
    ("body", "where", "constraint"),
    [
        (
            {"messages": [{"role": "robot", "content": []}]},
            "Value 'robot' at 'messages.1.member.role'",
            "satisfy enum value set: [user, assistant",
        ),
        (
            {"messages": [USER], "inferenceConfig": {"maxTokens": 0}},
            "Value '0' at 'inferenceConfig.maxTokens'",
            "have value greater than or equal to 1",
        ),
        (
            {"messages": [USER], "inferenceConfig": {"topP": 1.5}},
            "Value '1.5' at 'inferenceConfig.topP'",
            "have value less than or equal to 1",
        ),
        (
            {"messages": [{"content": [{"text": "a"}]}]},
            "Value null at 'messages.1.member.role'",
            "not be null",
        ),
        ({"messages": [None]}, "Value null at 'messages.1.member'", "not be null"),
        (
            {"messages": [{"role": "user", "content": [{}]}]},
            "Value at 'messages.1.member.content.1.member'",
            "have exactly one of these members set: text, image",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "a", "cachePoint": {"type": "default"}}]}]},
            "Value at 'messages.1.member.content.1.member'",
            "have exactly one of these members set: text, image",
        ),
        (
            {"messages": [USER], "toolConfig": {"tools": []}},
            "Value at 'toolConfig.tools'",
            "have length greater than or equal to 1",
        ),
    ],
)
def test_constraints_are_validation_errors_in_aws_words(
    body: dict[str, Any], where: str, constraint: str
) -> None:
    error = refused(lambda: converse(**body))
    assert error.code == "ValidationException"
    expected = f"1 validation error detected: {where} failed to satisfy constraint: Member must {constraint}"
    assert error.message.startswith(expected)


def test_all_violations_are_counted_in_one_message() -> None:
    error = refused(lambda: converse(messages=[{"role": "robot"}], inferenceConfig={"maxTokens": -1}))
    assert error.message.startswith("3 validation errors detected: ")
    assert error.message.count("failed to satisfy constraint") == 3


def test_a_required_member_of_the_body_is_missed_in_an_empty_body() -> None:
    error = refused(lambda: parse("bedrock", "TagResource"))
    assert "Value null at 'resourceARN'" in error.message
    assert "Value null at 'tags'" in error.message


def test_patterns_apply_to_the_whole_value_and_long_values_are_not_repeated() -> None:
    identifier = "not a model!"
    error = refused(lambda: parse("bedrock-runtime", "Converse", {}, labels={"modelId": identifier}))
    assert f"Value '{identifier}' at 'modelId'" in error.message
    assert "Member must satisfy regular expression pattern: (arn:aws" in error.message
    error = refused(lambda: parse("bedrock-runtime", "Converse", {}, labels={"modelId": "a" * 3000}))
    assert "Value at 'modelId'" in error.message
    assert "less than or equal to 2048" in error.message


def test_values_that_the_model_calls_sensitive_are_not_repeated() -> None:
    body = {"inferenceProfileName": "n", "modelSource": {"copyFrom": "arn"}, "description": "secret?!"}
    assert "secret" not in refused(lambda: parse("bedrock", "CreateInferenceProfile", body)).message


@pytest.mark.parametrize("query", ["maxResults=many", "maxResults=1.5"])
def test_query_values_of_the_wrong_type_are_serialization_errors(query: str) -> None:
    error = refused(lambda: parse("bedrock", "ListInferenceProfiles", query=query))
    assert error.code == "SerializationException"


def test_every_input_shape_of_every_service_compiles() -> None:
    for service, model in SERVICES.items():
        readers = Readers()
        for name in model.operation_names:
            assert RequestParser(model.operation_model(name), readers) is not None, (service, name)
