"""Which operation a method and a path mean, in all the encodings in which SDKs send ids."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from localbedrock.wire.routing import Router, load_services

ARN = "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(load_services())


def found(router: Router, method: str, path: str) -> tuple[str, str, dict[str, str]]:
    match = router.match(method, path)
    assert match is not None, f"{method} {path} is not routed"
    route, labels = match
    return route.service, route.operation, labels


@pytest.mark.parametrize(
    "sent",
    [
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-haiku-20240307-v1%3A0",
        "anthropic.claude-3-haiku-20240307-v1%3a0",
    ],
)
@pytest.mark.parametrize(
    ("verb", "operation"),
    [
        ("converse", "Converse"),
        ("converse-stream", "ConverseStream"),
        ("invoke", "InvokeModel"),
        ("invoke-with-response-stream", "InvokeModelWithResponseStream"),
        ("count-tokens", "CountTokens"),
    ],
)
def test_model_ids_with_bare_and_encoded_colons(router: Router, sent: str, verb: str, operation: str) -> None:
    assert found(router, "POST", f"/model/{sent}/{verb}") == (
        "bedrock-runtime",
        operation,
        {"modelId": "anthropic.claude-3-haiku-20240307-v1:0"},
    )


@pytest.mark.parametrize("sent", [ARN, quote(ARN, safe=""), ARN.replace(":", "%3A"), ARN.replace("/", "%2F")])
def test_arns_with_bare_and_encoded_slashes(router: Router, sent: str) -> None:
    assert found(router, "POST", f"/model/{sent}/converse")[2] == {"modelId": ARN}
    assert found(router, "GET", f"/inference-profiles/{sent}") == (
        "bedrock",
        "GetInferenceProfile",
        {"inferenceProfileIdentifier": ARN},
    )


def test_an_arn_in_the_middle_leaves_the_rest_of_the_path_alone(router: Router) -> None:
    arn = "arn:aws:bedrock:us-east-1:000000000000:automated-reasoning-policy/abc"
    assert found(router, "GET", f"/automated-reasoning-policies/{arn}/test-cases/t1/test-results")[2] == {
        "policyArn": arn,
        "testCaseId": "t1",
    } or found(router, "GET", f"/automated-reasoning-policies/{arn}/test-cases/t1")[2] == {
        "policyArn": arn,
        "testCaseId": "t1",
    }


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/agents/A123/", "PrepareAgent"),
        ("POST", "/agents/A123", "InvokeInlineAgent"),
        ("POST", "/agents/", "ListAgents"),
        ("POST", "/agents", "ListAgents"),
        ("PUT", "/agents/", "CreateAgent"),
        ("POST", "/flows/validate-definition", "ValidateFlowDefinition"),
        ("POST", "/flows/F1/", "PrepareFlow"),
        ("POST", "/flows/F1/aliases", "CreateFlowAlias"),
        ("POST", "/flows/F1/aliases/A1", "InvokeFlow"),
        ("GET", "/foundation-models", "ListFoundationModels"),
        ("GET", "/foundation-models/", "ListFoundationModels"),
        ("GET", "/foundation-models/amazon.nova-lite-v1:0", "GetFoundationModel"),
        ("POST", "/agents/A/agentAliases/B/sessions/C/text", "InvokeAgent"),
        ("POST", "/knowledgebases/K/retrieve", "Retrieve"),
    ],
)
def test_services_that_share_an_address_are_told_apart(
    router: Router, method: str, path: str, operation: str
) -> None:
    assert found(router, method, path)[1] == operation


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "no-slash"),
        ("DELETE", "/model/x/converse"),
        ("POST", "/model//converse"),
        ("POST", "/model/a/b/converse"),
        ("POST", "/my-bucket/key"),
    ],
)
def test_what_is_no_operation_is_not_routed(router: Router, method: str, path: str) -> None:
    assert router.match(method, path) is None


def test_every_operation_is_found_by_its_own_template() -> None:
    """No operation of the four services is hidden by another, except where AWS uses one template twice."""
    services = load_services()
    router = Router(services)
    hidden: list[Any] = []
    for service, model in services.items():
        for name in model.operation_names:
            http = model.operation_model(name).http
            path = http["requestUri"].split("?")[0]
            for label in model.operation_model(name).input_shape.members if "{" in path else ():
                path = path.replace("{" + label + "}", "label1")
            route = router.match(http["method"], path)
            if route is None or (route[0].service, route[0].operation) != (service, name):
                hidden.append((service, name))
    assert [name for _, name in hidden] == ["ListTagsForResource", "TagResource", "UntagResource"]


def test_of_operations_with_one_template_the_implemented_one_is_found() -> None:
    router = Router(load_services(), {("bedrock-agent-runtime", "TagResource")})
    assert found(router, "POST", f"/tags/{ARN}")[0] == "bedrock-agent-runtime"
    router = Router(load_services(), {("bedrock-agent", "TagResource")})
    assert found(router, "POST", f"/tags/{ARN}")[0] == "bedrock-agent"
