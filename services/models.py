"""The live catalogue: every id that can be called, joined with what it takes, what it costs, who may call it.

>>> listed = catalogue(identity)                              # shared by all sessions of an identity
>>> model = resolve(identity, "us.amazon.nova-lite-v1:0")     # any id or ARN, listed or not
>>> model.capabilities.bounds["temperature"].maximum
1.0
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from services import clients, model_ids, model_lists, model_readers, pricing, problems
from services.clients import Identity
from services.model_ids import ModelId, UnknownModelId
from services.model_readers import Known
from services.model_values import Access, Catalogue, Model
from services.pricing import Price
from services.problems import Problem

__all__ = [
    "Access",
    "Catalogue",
    "Model",
    "UnknownModelId",
    "availability",
    "catalogue",
    "defaults",
    "find",
    "price_of",
    "refresh",
    "resolve",
]

LISTING_TTL_S = 300
"""How long a listing is fresh. For as long again it is still shown while a new one is made behind it."""
PROBLEM_TTL_S = {"aws": 60, "local": 2}
"""How long a listing with problems is kept: a page is not to wait for a dead network at every click, and the
local endpoint soon comes back."""
LOOKUP_TTL_S = 600


@dataclass(frozen=True)
class _Listing:
    catalogue: Catalogue
    known: Known
    keep_until: float


def catalogue(identity: Identity) -> Catalogue:
    """The catalogue of this identity, and of no other. Never raises: what cannot be listed is its problem.

    Source: ListFoundationModels, ListInferenceProfiles, ListPromptRouters, ListProvisionedModelThroughputs,
    ListCustomModels, ListCustomModelDeployments, ListImportedModels.
    """
    return _listing(identity, pricing.price_file_stamp()).catalogue


def refresh(identity: Identity) -> Catalogue:
    """The catalogue, listed anew."""
    _listing.clear(identity, pricing.price_file_stamp())
    return catalogue(identity)


def find(listed: Catalogue, query: str) -> tuple[Model, ...]:
    """The models in which every word of the query occurs: name, provider, id, ARN or group."""
    words = query.lower().split()
    return tuple(model for model in listed.models if all(word in model.search_text for word in words))


def defaults(listed: Catalogue, count: int) -> tuple[Model, ...]:
    """Good first choices, at most `count`: chat models that can be called and that stream.

    Each of another provider while there are enough, then each another model; the cheap before the dear.
    """
    fit = [
        model
        for model in listed.models
        if model.callable
        and model.can_chat
        and model.kind in ("foundation", "inference_profile")
        and model.lifecycle == "ACTIVE"
        and model.access != "not_available"
        and model.capabilities.streaming is not False
    ]
    fit.sort(key=_choice_rank)
    return _distinct(fit, lambda model: model.provider, lambda model: model.base_model_id)[:count]


def resolve(identity: Identity, text: str) -> Model:
    """The model that an id or ARN names, listed or not. Raises UnknownModelId (a ValueError), one sentence.

    A listed model is returned as it is listed. For an ARN that does not name its model AWS is asked
    (GetInferenceProfile and its like). What remains unknown is a usable model all the same.
    """
    parsed = model_ids.parse(text)
    listing = _listing(identity, pricing.price_file_stamp())
    if listed := listing.catalogue.get(parsed.text):
        return listed
    model = model_readers.unlisted(listing.known, parsed)
    if not model.callable or parsed.kind not in _LOOKUPS:
        return model
    try:
        return _look_up(identity, parsed)
    except Exception as error:  # noqa: BLE001 (not to know more is no reason to refuse a model)
        return replace(model, access_reason=problems.from_exception(error, identity=identity).cause)


def price_of(identity: Identity, model_id: str) -> Price | None:
    """As `pricing.price_of`, and for application profiles too, whose ARN does not tell their model."""
    price = pricing.price_of(identity, model_id)
    parsed = model_ids.parse_or_none(model_id)
    if price is None and parsed and parsed.kind == "application_profile":
        return resolve(identity, model_id).price
    return price


def availability(identity: Identity, model_id: str) -> tuple[Access, str]:
    """Whether the account may call a foundation model, and if not why, in one sentence. Never raises.

    Source: GetFoundationModelAvailability, for the foundation model behind the id. What cannot be asked
    (no permission, an id that tells no model) is "unknown", which is no reason to block.
    """
    parsed = model_ids.parse_or_none(model_id)
    if parsed is None or not parsed.base:
        return "unknown", ""
    try:
        return _availability(identity, parsed.base)
    except Exception as error:  # noqa: BLE001 (not to know is no reason to stop)
        return "unknown", problems.from_exception(error, identity=identity).cause


# ---- the listing -----------------------------------------------------------------------------------------


def _still_good(listing: _Listing) -> bool:
    return time.monotonic() < listing.keep_until


@st.cache_resource(
    show_spinner=False,
    ttl=LISTING_TTL_S,
    max_entries=64,
    refresh_mode="background",
    validate=_still_good,
)
def _listing(identity: Identity, price_file_stamp: tuple[int, int] | None) -> _Listing:
    """`price_file_stamp` is there to be part of the key: new prices, new catalogue."""
    del price_file_stamp
    lists = model_lists.fetch(identity)
    known, models = join(identity, lists.summaries)
    found = (*lists.problems, *_price_file_problem())
    keep_s = PROBLEM_TTL_S[identity.backend] if lists.problems else float("inf")
    return _Listing(Catalogue(models, found), known, time.monotonic() + keep_s)


def join(
    identity: Identity, summaries: Mapping[str, model_lists.Summaries]
) -> tuple[Known, tuple[Model, ...]]:
    """The models of all lists in the picker's order, and what later look-ups join with."""
    foundations = _readable(
        lambda summary: model_readers.foundation(identity, summary), summaries.get("foundation", ())
    )
    customs = {row["modelArn"]: row for row in summaries.get("custom", ()) if row.get("modelArn")}
    known = Known(identity, {model.model_id: model for model in foundations}, customs)

    def read(name: str, reader: Callable[[Known, Mapping[str, Any]], Model]) -> list[Model]:
        return _readable(lambda summary: reader(known, summary), summaries.get(name, ()))

    profiles = read("system", model_readers.inference_profile)
    serving = (*summaries.get("deployments", ()), *summaries.get("provisioned", ()))
    served = {row.get("modelArn") for row in serving}
    models = [
        *_with_profiles(foundations, profiles),
        *profiles,
        *read("application", model_readers.inference_profile),
        *read("routers", model_readers.prompt_router),
        *read("provisioned", model_readers.provisioned),
        *read("deployments", model_readers.custom_deployment),
        *(model for model in read("custom", model_readers.custom_model) if model.arn not in served),
        *read("imported", model_readers.imported),
    ]
    known = replace(known, foundations={m.model_id: m for m in models if m.kind == "foundation"})
    return known, tuple(sorted(_told_apart(models), key=_picker_rank))


def _readable(reader: Callable[[Mapping[str, Any]], Model], rows: Iterable[Mapping[str, Any]]) -> list[Model]:
    """Read the rows that have at least an id: AWS may one day list what is not foreseen here."""
    models = []
    for row in rows:
        try:
            models.append(reader(row))
        except (KeyError, TypeError, AttributeError):
            continue
    return [model for model in models if model.model_id]


def _with_profiles(foundations: Iterable[Model], profiles: Iterable[Model]) -> Iterable[Model]:
    """Models that are called by a profile alone, with the one to use: a geography's before the global one."""
    best: dict[str, str] = {}
    for profile in sorted(profiles, key=lambda model: model.scope == "global"):
        if profile.callable:
            best.setdefault(profile.base_model_id, profile.model_id)
    for model in foundations:
        if model.callable or model.model_id not in best:
            yield model
        else:
            use = best[model.model_id]
            yield replace(
                model, use_instead=use, why_not=f"It is called by an inference profile, such as {use}."
            )


def _told_apart(models: list[Model]) -> Iterable[Model]:
    """Models that would look alike in one group of the picker get their id into the name."""
    lines = Counter((model.group, model.label) for model in models)
    for model in models:
        alike = lines[model.group, model.label] > 1
        yield replace(model, name=f"{model.name} ({model.model_id})") if alike else model


_GROUP_ORDER = ("On demand", "Inference", "Application", "Prompt", "Provisioned", "Custom", "Imported")


def _picker_rank(model: Model) -> tuple[Any, ...]:
    group = next((rank for rank, start in enumerate(_GROUP_ORDER) if model.group.startswith(start)), 9)
    return (
        group,
        model.scope == "global",
        model.geography,
        not model.model_id.startswith("local."),
        model.lifecycle != "ACTIVE",
        model.provider.lower(),
        model.name.lower(),
        model.model_id,
    )


def _choice_rank(model: Model) -> tuple[Any, ...]:
    price = model.price
    return (
        model.capabilities.family == "unknown",
        price is None,
        price.input_usd_per_mtok + price.output_usd_per_mtok if price else 0.0,
        not model.model_id.startswith("local."),
        model.provider != "Amazon",  # AWS's own models need no agreement with a third party
    )


def _distinct(models: list[Model], *keys: Callable[[Model], str]) -> tuple[Model, ...]:
    """The models that are the first with their key, for the first key and then for the next."""
    chosen: list[Model] = []
    for key in keys:
        taken = {key(model) for model in chosen}
        for model in models:
            if key(model) not in taken:
                taken.add(key(model))
                chosen.append(model)
    return tuple(chosen)


def _price_file_problem() -> tuple[Problem, ...]:
    try:
        pricing.own_prices()
    except pricing.PriceFileError as error:
        return (
            Problem(
                code="PriceFileError",
                title="The price file cannot be used",
                cause=str(error),
                fix="Correct the file or remove it; until then every model is unpriced.",
            ),
        )
    return ()


# ---- single look-ups -------------------------------------------------------------------------------------

_Reader = Callable[[Known, Mapping[str, Any]], Model]
_LOOKUPS: dict[model_ids.Kind, tuple[str, str, _Reader]] = {
    "application_profile": (
        "get_inference_profile",
        "inferenceProfileIdentifier",
        model_readers.inference_profile,
    ),
    "prompt_router": ("get_prompt_router", "promptRouterArn", model_readers.prompt_router),
    "provisioned": ("get_provisioned_model_throughput", "provisionedModelId", model_readers.provisioned),
    "custom": (
        "get_custom_model_deployment",
        "customModelDeploymentIdentifier",
        model_readers.custom_deployment,
    ),
    "imported": ("get_imported_model", "modelIdentifier", model_readers.imported),
}


@st.cache_resource(show_spinner=False, ttl=LOOKUP_TTL_S, max_entries=512)
def _look_up(identity: Identity, parsed: ModelId) -> Model:
    """Ask AWS what an ARN stands for. Raises what boto3 raises, and that is not kept."""
    operation, argument, read = _LOOKUPS[parsed.kind]
    answer = getattr(clients.client("bedrock", identity), operation)(**{argument: parsed.text})
    return read(_listing(identity, pricing.price_file_stamp()).known, answer)


@st.cache_resource(show_spinner=False, ttl=LOOKUP_TTL_S, max_entries=1024)
def _availability(identity: Identity, base_model_id: str) -> tuple[Access, str]:
    answer = clients.client("bedrock", identity).get_foundation_model_availability(modelId=base_model_id)
    agreement = answer.get("agreementAvailability") or {}
    if answer.get("regionAvailability") == "NOT_AVAILABLE":
        return "not_available", f"The model is not offered in {identity.region}."
    if answer.get("authorizationStatus") == "NOT_AUTHORIZED":
        return "not_available", "The account or its organisation is not authorised to use this model."
    if agreement.get("status") == "NOT_AVAILABLE":
        by = "the first call of a role with aws-marketplace:Subscribe, or on its page in the Bedrock console"
        return "not_available", f"The model's terms are not agreed to yet: that is done by {by}."
    if agreement.get("status") in ("PENDING", "ERROR"):
        detail = agreement.get("errorMessage") or "try again in a few minutes"
        return "not_available", f"Agreeing to the model's terms is not done yet: {detail}."
    if answer.get("entitlementAvailability") == "NOT_AVAILABLE":
        return "not_available", "The account has no access to this model: ask for it in the Bedrock console."
    return "available", ""
