"""The models this endpoint serves: honest `local.*` ids, those of an OpenAI-compatible server, and stand-ins.

A stand-in has the id, the body format and the limits of a model of AWS, so that code written for AWS
runs unchanged, and the local model behind it; its name says so. `stand_ins.json` lists them as AWS
offers them in us-east-1: `on_demand` false means that AWS serves the model through an inference profile
only, `max_tokens` is AWS's limit.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from localbedrock import embeddings, reranking
from localbedrock.errors import not_found, validation
from localbedrock.text import llama

if TYPE_CHECKING:
    from localbedrock.context import Context
    from localbedrock.text.host import ModelHost

InferenceType = Literal["ON_DEMAND", "INFERENCE_PROFILE"]
Backend = Literal["llama", "embedder", "reranker", "openai", "openai_embeddings"]

_REGIONS = {
    "us": ("us-east-1", "us-east-2", "us-west-2"),
    "eu": ("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"),
    "apac": ("ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "global": ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1"),
}
_PICTURES = re.compile(
    r"stability\.|luma\.|twelvelabs\.|amazon\.(nova-(canvas|reel|sonic|2-sonic)|titan-(image|embed-image))"
)
"""Models of pictures, video and speech: nothing on this machine can stand in for them."""

INVALID_ID = "The provided model identifier is invalid."


@dataclass(frozen=True)
class FoundationModel:
    """One model: what ListFoundationModels says of it, what it takes, and what answers for it.

    ``context_tokens`` and ``max_output_tokens`` are those of the local model that answers (0: not
    known); ``accepts_max_tokens`` is the highest ``maxTokens`` that a request may ask for.
    ``features``: ``system``, ``tools``, ``prefill`` (the last message may be the assistant's),
    ``cache`` (cache points are accepted), ``one_sampler`` (temperature and topP exclude each other),
    ``images``.
    """

    model_id: str
    name: str
    provider: str
    family: str
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    streaming: bool
    context_tokens: int
    max_output_tokens: int
    inference_types: tuple[InferenceType, ...] = ("ON_DEMAND",)
    lifecycle: Literal["ACTIVE", "LEGACY"] = "ACTIVE"
    accepts_max_tokens: int = llama.CONTEXT_TOKENS
    features: frozenset[str] = frozenset()
    backend: Backend = "llama"
    remote_name: str = ""

    @property
    def chats(self) -> bool:
        """Whether it answers messages. Modalities do not tell: AWS lists those of rerankers as text."""
        return self.backend in ("llama", "openai")

    def arn(self, region: str) -> str:
        """`arn:aws:bedrock:<region>::foundation-model/<model_id>`."""
        return f"arn:aws:bedrock:{region}::foundation-model/{self.model_id}"


@dataclass(frozen=True)
class SystemProfile:
    """A system-defined (cross-region) inference profile."""

    profile_id: str
    name: str
    model_id: str
    regions: tuple[str, ...]

    def arn(self, region: str, account_id: str) -> str:
        """`arn:aws:bedrock:<region>:<account>:inference-profile/<profile_id>`."""
        return f"arn:aws:bedrock:{region}:{account_id}:inference-profile/{self.profile_id}"

    def serves(self, region: str) -> bool:
        """Whether callers of a region can use it."""
        return region in self.regions or self.profile_id.startswith("global.")


_MODEL_NAMES: dict[Backend, str] = {
    "llama": llama.MODEL_NAME,
    "embedder": embeddings.MODEL_NAME,
    "reranker": reranking.MODEL_NAME,
}


def _stand_in(row: dict[str, object]) -> FoundationModel:
    embeds, reranks = "embed" in str(row["family"]), row["family"] == "rerank"
    backend: Backend = "embedder" if embeds else "reranker" if reranks else "llama"
    chats = backend == "llama"
    types: list[InferenceType] = ["ON_DEMAND"] if row["on_demand"] else []
    return FoundationModel(
        model_id=str(row["id"]),
        name=f"{row['name']} (stand-in: {_MODEL_NAMES[backend]})",
        provider=str(row["provider"]),
        family=str(row["family"]),
        input_modalities=("TEXT",),
        output_modalities=("EMBEDDING",) if embeds else ("TEXT",),
        streaming=chats,
        context_tokens=llama.CONTEXT_TOKENS if chats else 0,
        max_output_tokens=llama.CONTEXT_TOKENS if chats else 0,
        inference_types=tuple(types + (["INFERENCE_PROFILE"] if row["profiles"] else [])),
        lifecycle="LEGACY" if row["lifecycle"] == "LEGACY" else "ACTIVE",
        accepts_max_tokens=int(str(row["max_tokens"])),
        features=frozenset(row["features"]),  # type: ignore[call-overload]
        backend=backend,
    )


_LOCAL = (
    FoundationModel(
        model_id="local.smollm2-135m-instruct-v1:0",
        name="SmolLM2 135M Instruct",
        provider="Local",
        family="chat",
        input_modalities=("TEXT",),
        output_modalities=("TEXT",),
        streaming=True,
        context_tokens=llama.CONTEXT_TOKENS,
        max_output_tokens=llama.CONTEXT_TOKENS,
        features=frozenset({"system", "tools", "prefill"}),
    ),
    FoundationModel(
        model_id="local.wordllama-256-v1:0",
        name=embeddings.MODEL_NAME,
        provider="Local",
        family="titan_embed_v2",
        input_modalities=("TEXT",),
        output_modalities=("EMBEDDING",),
        streaming=False,
        context_tokens=0,
        max_output_tokens=0,
        backend="embedder",
    ),
    FoundationModel(
        model_id="local.maxsim-rerank-v1:0",
        name=reranking.MODEL_NAME,
        provider="Local",
        family="rerank",
        input_modalities=("TEXT",),
        output_modalities=("TEXT",),
        streaming=False,
        context_tokens=0,
        max_output_tokens=0,
        backend="reranker",
    ),
)

_ROWS = json.loads(Path(__file__).with_name("stand_ins.json").read_text(encoding="utf-8"))
_FIXED = _LOCAL + tuple(_stand_in(row) for row in _ROWS)

INFERENCE_PROFILES: tuple[SystemProfile, ...] = tuple(
    SystemProfile(
        profile_id=f"{scope}.{row['id']}",
        name=f"{scope.upper() if len(scope) == 2 else scope.capitalize()} {_stand_in(row).name}",
        model_id=str(row["id"]),
        regions=_REGIONS[scope],
    )
    for row in _ROWS
    for scope in row["profiles"]
)


def foundation_models(host: ModelHost) -> tuple[FoundationModel, ...]:
    """Every model there is, in the order ListFoundationModels lists them."""
    if host.openai is None:
        return _FIXED
    remote = {model.model_id: model for model in map(_remote, host.openai.models())}
    return (*_LOCAL, *remote.values(), *_FIXED[len(_LOCAL) :])


def _remote(name: str) -> FoundationModel:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63] or "model"
    embeds = "embed" in name.lower()
    return FoundationModel(
        model_id=f"local.openai.{slug}",
        name=name,
        provider="OpenAI-compatible",
        family="titan_embed_v2" if embeds else "chat",
        input_modalities=("TEXT",) if embeds else ("TEXT", "IMAGE"),
        output_modalities=("EMBEDDING",) if embeds else ("TEXT",),
        streaming=not embeds,
        context_tokens=0,
        max_output_tokens=0,
        accepts_max_tokens=1_000_000,
        features=frozenset({"system", "tools", "prefill", "images"}),
        backend="openai_embeddings" if embeds else "openai",
        remote_name=name,
    )


def resolve(ctx: Context, model_id: str) -> FoundationModel:
    """The model behind an id or ARN of a model, a system-defined profile or an application profile.

    AwsError as AWS words it: unknown ids, profiles that do not exist, models that only a profile serves.
    """
    kind, _, name = model_id.rpartition("/") if model_id.startswith("arn:") else ("", "", model_id)
    if kind.endswith(":application-inference-profile"):
        return _of_application_profile(ctx, name)
    if kind.endswith(":inference-profile"):
        if profile := _system_profile(ctx, name):
            return _model(ctx, profile.model_id)
        return _of_application_profile(ctx, name)
    if kind and not kind.endswith(":foundation-model"):
        raise validation(_unsupported(kind.rpartition(":")[2]))
    if profile := _system_profile(ctx, name):
        return _model(ctx, profile.model_id)
    if not kind and ctx.store.get("inference-profile", name) is not None:
        return _of_application_profile(ctx, name)
    model = _model(ctx, name)
    if "ON_DEMAND" not in model.inference_types:
        raise validation(
            f"Invocation of model ID {name} with on-demand throughput isn’t supported. "
            "Retry your request with the ID or ARN of an inference profile that contains this model."
        )
    return model


def _model(ctx: Context, model_id: str) -> FoundationModel:
    for model in foundation_models(ctx.models):
        if model.model_id == model_id:
            return model
    if _PICTURES.match(model_id.removeprefix("us.").removeprefix("eu.").removeprefix("apac.")):
        raise validation(
            f"{model_id} makes or reads pictures, video or sound. "
            "The local endpoint has no model for that and no stand-in: call it on AWS."
        )
    raise validation(INVALID_ID)


def _system_profile(ctx: Context, profile_id: str) -> SystemProfile | None:
    for profile in INFERENCE_PROFILES:
        if profile.profile_id == profile_id and profile.serves(ctx.region):
            return profile
    return None


def _of_application_profile(ctx: Context, profile_id: str) -> FoundationModel:
    profile = ctx.store.get("inference-profile", profile_id)
    if profile is None:
        raise not_found("Inference profile not found")
    return _model(ctx, profile["models"][0]["modelArn"].rpartition("/")[2])


def _unsupported(kind: str) -> str:
    if kind == "prompt":
        return "The ARN of a prompt can only be used with Converse and ConverseStream."
    return f"The local endpoint has no {kind}: use the ID or ARN of a model or an inference profile."
