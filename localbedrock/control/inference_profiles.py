"""Inference profiles: the system-defined ones of the catalogue, and those that applications create.

An application profile is kept in the store (kind ``inference-profile``, by its id) as GetInferenceProfile
answers it, with times as ISO 8601 text.
"""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime
from typing import Any

from localbedrock.catalogue import INFERENCE_PROFILES, SystemProfile, resolve
from localbedrock.context import Context, Handler
from localbedrock.control import tags
from localbedrock.errors import not_found, validation
from localbedrock.wire.paging import page

KIND = "inference-profile"
_TOKENS = "inference-profile-token"
_TIMES = ("createdAt", "updatedAt")


def list_inference_profiles(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """System-defined and application profiles of the caller's region, by type if one is asked for."""
    profiles = [_system(ctx, profile) for profile in _of_region(ctx)] + _applications(ctx)
    wanted = params.get("typeEquals")
    listed = [profile for profile in profiles if wanted in (None, profile["type"])]
    items, more = page(listed, params, lambda profile: str(profile["inferenceProfileArn"]))
    return {"inferenceProfileSummaries": items} | more


def get_inference_profile(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One profile, by id or ARN."""
    return _find(ctx, params["inferenceProfileIdentifier"])


def create_inference_profile(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """An application profile of a foundation model or of a system-defined profile."""
    token = params.get("clientRequestToken", "")
    if known := _created_with(ctx, token):
        return known
    source = params["modelSource"]["copyFrom"]
    profile_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    arn = f"arn:aws:bedrock:{ctx.region}:{ctx.account_id}:application-inference-profile/{profile_id}"
    now = datetime.now(UTC).isoformat()
    profile = {
        "inferenceProfileName": params["inferenceProfileName"],
        "createdAt": now,
        "updatedAt": now,
        "inferenceProfileArn": arn,
        "models": _models_of(ctx, source),
        "inferenceProfileId": profile_id,
        "status": "ACTIVE",
        "type": "APPLICATION",
    }
    if "description" in params:
        profile["description"] = params["description"]
    tags.check(params.get("tags", []))
    ctx.store.put(KIND, profile_id, profile)
    tags.put(ctx, arn, params.get("tags", []))
    if token:
        ctx.store.put(_TOKENS, token, {"inferenceProfileId": profile_id})
    return _created(profile)


def delete_inference_profile(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Removes an application profile and its tags."""
    profile = _find(ctx, params["inferenceProfileIdentifier"])
    if profile["type"] != "APPLICATION":
        raise validation("A system-defined inference profile cannot be deleted.")
    ctx.store.delete(KIND, profile["inferenceProfileId"])
    tags.forget(ctx, profile["inferenceProfileArn"])
    return {}


def _created(profile: dict[str, Any]) -> dict[str, Any]:
    return {name: profile[name] for name in ("inferenceProfileArn", "status")}


def _created_with(ctx: Context, token: str) -> dict[str, Any] | None:
    """The answer to an earlier request with the same token, while what it created exists."""
    made = ctx.store.get(_TOKENS, token)
    profile = ctx.store.get(KIND, made["inferenceProfileId"]) if made else None
    return _created(profile) if profile else None


def _of_region(ctx: Context) -> list[SystemProfile]:
    return [
        profile
        for profile in INFERENCE_PROFILES
        if ctx.region in profile.regions or profile.profile_id.startswith("global.")
    ]


def _applications(ctx: Context) -> list[dict[str, Any]]:
    here = f"arn:aws:bedrock:{ctx.region}:"
    return [
        _with_times(profile)
        for profile in ctx.store.list(KIND)
        if profile["inferenceProfileArn"].startswith(here)
    ]


def _find(ctx: Context, identifier: str) -> dict[str, Any]:
    profile_id = identifier.rpartition("/")[2]
    for system in _of_region(ctx):
        if system.profile_id == profile_id:
            return _system(ctx, system)
    for profile in _applications(ctx):
        if profile["inferenceProfileId"] == profile_id:
            return profile
    raise not_found("Inference profile not found")


def _models_of(ctx: Context, arn: str) -> list[dict[str, str]]:
    if ":inference-profile/" in arn:
        models: list[dict[str, str]] = _find(ctx, arn)["models"]
        return models
    return [{"modelArn": resolve(ctx, arn).arn(ctx.region)}]


def _system(ctx: Context, profile: SystemProfile) -> dict[str, Any]:
    regions = ", ".join(profile.regions)
    return {
        "inferenceProfileName": profile.name,
        "description": f"Routes requests to {profile.name} in {regions}.",
        "inferenceProfileArn": profile.arn(ctx.region, ctx.account_id),
        "models": [
            {"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{profile.model_id}"}
            for region in profile.regions
        ],
        "inferenceProfileId": profile.profile_id,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def _with_times(profile: dict[str, Any]) -> dict[str, Any]:
    return profile | {name: datetime.fromisoformat(profile[name]) for name in _TIMES}


HANDLERS: dict[str, Handler] = {
    "ListInferenceProfiles": list_inference_profiles,
    "GetInferenceProfile": get_inference_profile,
    "CreateInferenceProfile": create_inference_profile,
    "DeleteInferenceProfile": delete_inference_profile,
}
