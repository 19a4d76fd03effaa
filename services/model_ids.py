"""What a model id or ARN says by itself: its kind, region, base model, and where its calls may run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "foundation",
    "inference_profile",
    "application_profile",
    "prompt_router",
    "provisioned",
    "custom",
    "imported",
    "marketplace",
    "prompt",
]
Scope = Literal["in_region", "geo", "global"]

GEOGRAPHIES = {
    "us": "US",
    "us-gov": "US GovCloud",
    "eu": "EU",
    "apac": "APAC",
    "jp": "Japan",
    "au": "Australia",
    "ca": "Canada",
    "in": "India",
}

_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>bedrock|sagemaker):(?P<region>[a-z0-9-]*):(?P<account>\d{12}|aws|)"
    r":(?P<resource>[a-z-]+)/(?P<name>[A-Za-z0-9._:/-]+)"
)
_ARN_KINDS: dict[str, Kind] = {
    "foundation-model": "foundation",
    "inference-profile": "inference_profile",
    "application-inference-profile": "application_profile",
    "prompt-router": "prompt_router",
    "default-prompt-router": "prompt_router",
    "provisioned-model": "provisioned",
    "custom-model": "custom",
    "custom-model-deployment": "custom",
    "imported-model": "imported",
    "endpoint": "marketplace",
    "prompt": "prompt",
}
# Geographies have two letters, save the three named here; no provider's name is that short.
_SCOPED = re.compile(r"(?P<prefix>global|apac|us-gov|[a-z]{2})\.(?P<base>[a-z0-9-]+\..+)")
_MODEL_ID = re.compile(r"[a-z0-9-]{3,63}\.[A-Za-z0-9][A-Za-z0-9._:-]{0,126}")
_OPAQUE_ID = re.compile(r"(?=.*\d)(?=.*[a-z])[a-z0-9]{12}")


class UnknownModelId(ValueError):  # noqa: N818 (a text that names no model, not a fault of the program)
    """A text that cannot be the id of a model; the message is one sentence for the person who typed it."""


@dataclass(frozen=True)
class ModelId:
    """An id or ARN, taken apart. `base` and `region` are "" where the text does not tell them."""

    text: str
    kind: Kind
    base: str = ""
    scope: Scope = "in_region"
    geography: str = ""
    region: str = ""
    resource: str = ""


def parse(text: str) -> ModelId:
    """Take apart what Converse takes as `modelId`. Raises UnknownModelId with one sentence.

    Source: the pattern of `modelId` in botocore's bedrock-runtime model. It admits almost any word; a word
    without a provider is taken only where it has the form of a profile's or provisioned model's short id.
    """
    text = text.strip().strip("\"'`").strip()
    if text.startswith("arn:"):
        return _parse_arn(text)
    if not text:
        raise UnknownModelId("Give the id or ARN of a model.")
    prefix, base = split_scope(text)
    if _MODEL_ID.fullmatch(base):
        if not prefix:
            return ModelId(text, "foundation", base)
        scope: Scope = "global" if prefix == "global" else "geo"
        return ModelId(text, "inference_profile", base, scope, prefix if scope == "geo" else "")
    if _OPAQUE_ID.fullmatch(text):
        return ModelId(text, "application_profile")
    raise UnknownModelId(
        f"{_short(text)!r} is not the id of a model: one looks like amazon.nova-lite-v1:0, "
        "us.anthropic.claude-haiku-4-5-20251001-v1:0 or arn:aws:bedrock:…."
    )


def parse_or_none(text: str) -> ModelId | None:
    """As `parse`, for what AWS itself sent: None where it has a form that is not known here."""
    try:
        return parse(text)
    except UnknownModelId:
        return None


def split_scope(model_id: str) -> tuple[str, str]:
    """`("us", "amazon.nova-lite-v1:0")` for a cross-region profile's id, `("", id)` for any other."""
    match = _SCOPED.fullmatch(model_id)
    return (match["prefix"], match["base"]) if match else ("", model_id)


def geography_name(prefix: str) -> str:
    """The name people know a profile's prefix by: "eu" is "EU", "jp" is "Japan"."""
    return GEOGRAPHIES.get(prefix, prefix.upper())


def _parse_arn(arn: str) -> ModelId:
    match = _ARN.fullmatch(arn)
    kind = _ARN_KINDS.get(match["resource"]) if match else None
    if not match or not kind:
        resource = f" of a {match['resource']}" if match else ""
        raise UnknownModelId(f"{_short(arn)!r} is an ARN{resource} that cannot be called as a model.")
    base, geography = "", ""
    scope: Scope = "in_region"
    if kind == "foundation":
        base = match["name"]
    elif kind == "inference_profile":
        prefix, base = split_scope(match["name"])
        scope = "global" if prefix == "global" else "geo"
        geography = prefix if scope == "geo" else ""
    elif match["resource"] == "custom-model":
        base = match["name"].partition("/")[0]
    return ModelId(arn, kind, base, scope, geography, match["region"], match["resource"])


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
