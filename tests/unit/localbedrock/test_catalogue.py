"""Which ids are answered by what, and AWS's words for those that are not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import botocore.session
import pytest

from localbedrock.catalogue import INFERENCE_PROFILES, FoundationModel, foundation_models, resolve
from localbedrock.context import Context
from localbedrock.errors import AwsError
from localbedrock.store import Store
from localbedrock.text.host import ModelHost

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SONNET_V2 = "anthropic.claude-3-5-sonnet-20241022-v2:0"


def _host(*remote: str) -> ModelHost:
    openai = SimpleNamespace(models=lambda: remote) if remote else None
    return cast(ModelHost, SimpleNamespace(openai=openai))


@pytest.fixture
def ctx() -> Iterator[Context]:
    store = Store(":memory:")
    region = "us-east-1"
    yield cast(Context, SimpleNamespace(region=region, account_id="1" * 12, store=store, models=_host()))
    store.close()


def _resolve(ctx: Context, model_id: str) -> FoundationModel:
    return resolve(ctx, model_id)


@pytest.mark.parametrize(
    "model_id",
    [
        HAIKU,
        f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}",
        f"us.{HAIKU}",
        f"arn:aws:bedrock:us-east-1:111111111111:inference-profile/us.{HAIKU}",
    ],
)
def test_a_model_has_many_names(ctx: Context, model_id: str) -> None:
    assert _resolve(ctx, model_id).model_id == HAIKU


def test_an_application_profile_stands_for_its_model(ctx: Context) -> None:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET_V2}"
    ctx.store.put("inference-profile", "abcdefghijkl", {"models": [{"modelArn": arn}]})
    profile = "arn:aws:bedrock:us-east-1:111111111111:application-inference-profile/abcdefghijkl"
    assert _resolve(ctx, profile).model_id == SONNET_V2
    assert _resolve(ctx, "abcdefghijkl").model_id == SONNET_V2


@pytest.mark.parametrize(
    ("model_id", "code", "words"),
    [
        ("does-not-exist", "ValidationException", "The provided model identifier is invalid."),
        ("us.does-not-exist-v1:0", "ValidationException", "The provided model identifier is invalid."),
        (f"eu.{HAIKU}", "ValidationException", "The provided model identifier is invalid."),
        (
            SONNET_V2,
            "ValidationException",
            f"Invocation of model ID {SONNET_V2} with on-demand throughput isn’t",
        ),
        ("amazon.nova-canvas-v1:0", "ValidationException", "no stand-in"),
        ("us.stability.stable-fast-upscale-v1:0", "ValidationException", "no stand-in"),
        (
            "arn:aws:bedrock:us-east-1:111111111111:application-inference-profile/nosuchprofil",
            "ResourceNotFoundException",
            "Inference profile not found",
        ),
        ("arn:aws:bedrock:us-east-1:111111111111:prompt/ABCDEFGHIJ", "ValidationException", "prompt"),
        (
            "arn:aws:bedrock:us-east-1:111111111111:provisioned-model/abc",
            "ValidationException",
            "provisioned-model",
        ),
    ],
)
def test_ids_that_nothing_answers(ctx: Context, model_id: str, code: str, words: str) -> None:
    with pytest.raises(AwsError) as caught:
        _resolve(ctx, model_id)
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_profile_only_model_answers_through_its_profile(ctx: Context) -> None:
    assert _resolve(ctx, f"us.{SONNET_V2}").model_id == SONNET_V2


def test_ids_are_unique_and_such_as_aws_allows() -> None:
    pattern: str = (
        botocore.session.get_session()
        .get_service_model("bedrock-runtime")
        .operation_model("Converse")
        .input_shape.members["modelId"]
        .metadata["pattern"]
    )
    models = foundation_models(_host("Qwen2.5:7b-Instruct_Q4", "nomic-embed-text"))
    ids = [model.model_id for model in models] + [profile.profile_id for profile in INFERENCE_PROFILES]
    assert len(ids) == len(set(ids))
    for model_id in ids:
        assert re.fullmatch(pattern, model_id), model_id


def test_every_stand_in_says_what_it_is() -> None:
    """Nobody is to take the local model's words for Claude's."""
    for model in foundation_models(_host()):
        assert model.provider == "Local" or "(stand-in: " in model.name
        assert model.input_modalities == ("TEXT",)
    for profile in INFERENCE_PROFILES:
        assert "(stand-in: " in profile.name


def test_profiles_name_models_that_exist() -> None:
    ids = {model.model_id for model in foundation_models(_host())}
    assert {profile.model_id for profile in INFERENCE_PROFILES} <= ids
    assert all(1 <= len(profile.regions) <= 5 for profile in INFERENCE_PROFILES)


def test_models_of_an_openai_compatible_server_are_listed(ctx: Context) -> None:
    models = {model.model_id: model for model in foundation_models(_host("qwen2.5:7b", "nomic-embed-text"))}
    assert models["local.openai.qwen2-5-7b"].remote_name == "qwen2.5:7b"
    assert models["local.openai.nomic-embed-text"].output_modalities == ("EMBEDDING",)


@pytest.mark.recordings
def test_inference_types_are_those_of_us_east_1(recordings: Any) -> None:
    """What AWS serves through a profile only is refused without one, and nothing else is."""
    yaml = pytest.importorskip("yaml")
    rows = yaml.safe_load((recordings / "quotas" / "fm-list-us-east-1.yml").read_text())["models"]
    listed = {row["model_id"]: "ON_DEMAND" in row["inference_types"] for row in rows}
    ours = {model.model_id: "ON_DEMAND" in model.inference_types for model in foundation_models(_host())}
    both = listed.keys() & ours.keys()
    assert len(both) > 20
    assert {model_id: ours[model_id] for model_id in both} == {
        model_id: listed[model_id] for model_id in both
    }
