"""The IAM statement on a problem card is one that really allows the call, and names no more than needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services import iam

PREFIX = "User: arn:aws:sts::123456789012:assumed-role/Tester/ann is not authorized to perform: "
MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"


def denial(action: str, resource: str) -> str:
    because = f"because no identity-based policy allows the {action} action"
    return f"{PREFIX}{action} on resource: {resource} {because}"


def test_the_statement_repeats_what_aws_names() -> None:
    arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
    found = iam.missing_statement(
        denial("bedrock:InvokeModel", arn), "Converse", "amazon.nova-lite-v1:0", "us-east-1"
    )
    assert found == {"Effect": "Allow", "Action": ["bedrock:InvokeModel"], "Resource": [arn]}


def test_a_profile_needs_itself_and_the_model_behind_it_in_every_region() -> None:
    """AWS reports the profile first and, once that is allowed, the model: one statement holds both."""
    arn = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}"
    needed = [arn, f"arn:aws:bedrock:*::foundation-model/{MODEL}"]
    for named in (arn, f"arn:aws:bedrock:us-west-2::foundation-model/{MODEL}"):
        message = denial("bedrock:InvokeModelWithResponseStream", named)
        found = iam.missing_statement(message, "ConverseStream", f"us.{MODEL}", "us-east-1")
        assert found is not None
        assert found["Resource"] == needed
        assert found["Action"] == ["bedrock:InvokeModelWithResponseStream"]


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("Converse", "bedrock:InvokeModel"),
        ("InvokeModel", "bedrock:InvokeModel"),
        ("ConverseStream", "bedrock:InvokeModelWithResponseStream"),
        ("InvokeModelWithResponseStream", "bedrock:InvokeModelWithResponseStream"),
    ],
)
def test_there_is_no_iam_action_called_converse(operation: str, action: str) -> None:
    """Where AWS's text does not name the action, the operation does: Converse is bedrock:InvokeModel."""
    found = iam.missing_statement("Access denied.", operation, MODEL, "eu-west-1")
    assert found is not None
    assert found["Action"] == [action]
    assert found["Resource"] == [f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"]


def test_other_services_get_what_aws_names_and_nothing_made_up() -> None:
    found = iam.missing_statement(
        denial("iam:ListAccountAliases", "*"), "ListAccountAliases", "", "us-east-1"
    )
    assert found == {"Effect": "Allow", "Action": ["iam:ListAccountAliases"], "Resource": ["*"]}
    assert iam.missing_statement("Access Denied", "GetObject", "", "us-east-1") is None


def test_a_marketplace_denial_names_both_actions() -> None:
    found = iam.missing_statement("(aws-marketplace:ViewSubscriptions, ...)", "Converse", MODEL, "us-east-1")
    assert found is not None
    assert found["Action"] == ["aws-marketplace:ViewSubscriptions", "aws-marketplace:Subscribe"]


@pytest.mark.parametrize(
    ("model_id", "resources"),
    [
        (MODEL, [f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"]),
        (
            f"global.{MODEL}",
            [
                f"arn:aws:bedrock:eu-west-1:*:inference-profile/global.{MODEL}",
                f"arn:aws:bedrock:*::foundation-model/{MODEL}",
            ],
        ),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abcd1234efgh",
            [
                "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abcd1234efgh",
                "arn:aws:bedrock:*::foundation-model/*",
            ],
        ),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/abcd1234efgh",
            ["arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/abcd1234efgh"],
        ),
    ],
)
def test_the_arns_of_an_id(model_id: str, resources: list[str]) -> None:
    assert iam.model_resources(model_id, "eu-west-1") == resources


def test_arns_of_other_partitions() -> None:
    assert iam.model_resources(MODEL, "us-gov-west-1")[0].startswith("arn:aws-us-gov:bedrock:us-gov-west-1::")


@pytest.mark.parametrize(
    ("model_id", "region", "profile"),
    [
        (MODEL, "us-west-2", f"us.{MODEL}"),
        (MODEL, "eu-central-1", f"eu.{MODEL}"),
        (MODEL, "ap-northeast-1", f"global.{MODEL}"),
        ("amazon.nova-pro-v1:0", "ap-northeast-1", "apac.amazon.nova-pro-v1:0"),
        (
            "anthropic.claude-3-7-sonnet-20250219-v1:0",
            "ap-south-1",
            "apac.anthropic.claude-3-7-sonnet-20250219-v1:0",
        ),
        (MODEL, "sa-east-1", f"global.{MODEL}"),
        (MODEL, "us-gov-west-1", f"us-gov.{MODEL}"),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}", "us-east-1", f"us.{MODEL}"),
        (f"us.{MODEL}", "us-east-1", None),
        ("no model", "us-east-1", None),
    ],
)
def test_the_inference_profile_of_a_model(model_id: str, region: str, profile: str | None) -> None:
    assert iam.inference_profile(model_id, region) == profile


@pytest.mark.recordings
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-northeast-1"])
def test_suggested_profiles_exist(recordings: Path, region: str) -> None:
    """In each region whose models are recorded, the suggestion is a profile that the model really has."""
    listed = yaml.safe_load((recordings / "quotas" / f"fm-list-{region}.yml").read_text(encoding="utf-8"))
    models = [model for model in listed["models"] if "INFERENCE_PROFILE" in model["inference_types"]]
    assert len(models) > 10
    for model in models:
        suggested = iam.inference_profile(model["model_id"], region)
        assert suggested in [f"{prefix}.{model['model_id']}" for prefix in model["inference_profiles"]]
