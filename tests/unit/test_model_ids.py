"""What an id or ARN says by itself, and what is refused with one sentence."""

import pytest

from services.model_ids import UnknownModelId, geography_name, parse, parse_or_none, split_scope

ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"


@pytest.mark.parametrize(
    ("text", "kind", "base", "scope", "geography"),
    [
        ("amazon.nova-lite-v1:0", "foundation", "amazon.nova-lite-v1:0", "in_region", ""),
        ("anthropic.claude-v2", "foundation", "anthropic.claude-v2", "in_region", ""),
        ("deepseek.v3.2", "foundation", "deepseek.v3.2", "in_region", ""),
        ("zai.glm-4.7", "foundation", "zai.glm-4.7", "in_region", ""),
        ("local.smollm2-135m-instruct", "foundation", "local.smollm2-135m-instruct", "in_region", ""),
        ("amazon.nova-pro-v1:0:300k", "foundation", "amazon.nova-pro-v1:0:300k", "in_region", ""),
        ("us.anthropic.claude-opus-4-8", "inference_profile", "anthropic.claude-opus-4-8", "geo", "us"),
        ("us-gov.amazon.nova-pro-v1:0", "inference_profile", "amazon.nova-pro-v1:0", "geo", "us-gov"),
        ("apac.amazon.nova-pro-v1:0", "inference_profile", "amazon.nova-pro-v1:0", "geo", "apac"),
        ("in.openai.gpt-6-sol", "inference_profile", "openai.gpt-6-sol", "geo", "in"),
        ("global.zai.glm-5.3", "inference_profile", "zai.glm-5.3", "global", ""),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
            "foundation",
            "amazon.nova-lite-v1:0",
            "in_region",
            "",
        ),
        (
            f"{ACCOUNT}:inference-profile/global.anthropic.claude-opus-5",
            "inference_profile",
            "anthropic.claude-opus-5",
            "global",
            "",
        ),
        (f"{ACCOUNT}:application-inference-profile/06vsfs68yb4g", "application_profile", "", "in_region", ""),
        ("06vsfs68yb4g", "application_profile", "", "in_region", ""),
        (f"{ACCOUNT}:provisioned-model/abcdef012345", "provisioned", "", "in_region", ""),
        (f"{ACCOUNT}:custom-model-deployment/abcdef012345", "custom", "", "in_region", ""),
        (
            f"{ACCOUNT}:custom-model/amazon.nova-lite-v1:0:300k/abcdef012345",
            "custom",
            "amazon.nova-lite-v1:0:300k",
            "in_region",
            "",
        ),
        (f"{ACCOUNT}:imported-model/abcdef012345", "imported", "", "in_region", ""),
        (f"{ACCOUNT}:prompt/ABCDEF0123:4", "prompt", "", "in_region", ""),
        (f"{ACCOUNT}:prompt-router/abcdef012345", "prompt_router", "", "in_region", ""),
        (f"{ACCOUNT}:default-prompt-router/anthropic.claude:1", "prompt_router", "", "in_region", ""),
        ("arn:aws:sagemaker:us-east-1:123456789012:endpoint/my-end", "marketplace", "", "in_region", ""),
        (
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:provisioned-model/abcdef012345",
            "provisioned",
            "",
            "in_region",
            "",
        ),
    ],
)
def test_ids_and_arns_that_converse_takes(
    text: str, kind: str, base: str, scope: str, geography: str
) -> None:
    parsed = parse(text)
    assert (parsed.kind, parsed.base, parsed.scope, parsed.geography) == (kind, base, scope, geography)
    assert parsed.text == text


def test_a_pasted_id_may_carry_spaces_and_quotes() -> None:
    assert parse(' "amazon.nova-lite-v1:0"\n').text == "amazon.nova-lite-v1:0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "hello",
        "Claude Sonnet 4.5",
        "nonsenseword",
        "claude",
        "amazon.",
        ".nova",
        "us.amazon",
        "arn:aws:bedrock:us-east-1:123456789012:guardrail/abcdef012345",
        "arn:aws:bedrock:us-east-1:123456789012:agent/ABCDEF0123",
        "arn:aws:s3:::bucket",
        "arn:aws:bedrock:us-east-1:12:provisioned-model/abcdef012345",
        "arn:nonsense",
        "a" * 5000,
        "amazon.nova\x00lite",
        "<script>alert(1)</script>",
    ],
)
def test_what_names_no_model_is_refused_in_one_short_sentence(text: str) -> None:
    with pytest.raises(UnknownModelId) as refused:
        parse(text)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert len(sentence) < 300
    assert "\n" not in sentence
    assert parse_or_none(text) is None


def test_a_short_provider_is_not_taken_for_a_geography() -> None:
    """`zai` and `qwen` are providers; two letters before two more parts are a geography, even a new one."""
    assert split_scope("zai.glm-4.7") == ("", "zai.glm-4.7")
    assert split_scope("qwen.qwen3-32b-v1:0") == ("", "qwen.qwen3-32b-v1:0")
    assert split_scope("mx.amazon.nova-lite-v1:0") == ("mx", "amazon.nova-lite-v1:0")
    assert (geography_name("jp"), geography_name("mx")) == ("Japan", "MX")
