"""How models are read from the answers of AWS's list and get calls (shapes: botocore's `bedrock` model)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from services import model_ids, pricing
from services.capabilities import capabilities_of
from services.clients import Identity
from services.model_ids import ModelId, Scope
from services.model_values import Model
from services.pricing import Price

_COUNTRIES = {
    "ap-northeast-1": "jp",
    "ap-northeast-3": "jp",
    "ap-southeast-2": "au",
    "ap-southeast-4": "au",
    "ap-south-1": "in",
    "ap-south-2": "in",
}
"""Regions of the Asian geographies that have profiles of their own."""


@dataclass(frozen=True)
class Known:
    """What the readers join with: who asks, foundation models by id, summaries of custom models by ARN."""

    identity: Identity
    foundations: Mapping[str, Model]
    customs: Mapping[str, Mapping[str, Any]]


def foundation(identity: Identity, summary: Mapping[str, Any]) -> Model:
    """From FoundationModelSummary. AWS says INFERENCE_PROFILE where a model is called by a profile alone."""
    model_id = summary["modelId"]
    life = summary.get("modelLifecycle") or {}
    end = _date(life.get("endOfLifeTime"))
    why_not = _ended(end) or _not_on_demand(summary.get("inferenceTypesSupported"), identity.region)
    return _with_capabilities(
        Model(
            model_id=model_id,
            arn=summary.get("modelArn", ""),
            name=summary.get("modelName") or model_id,
            provider=summary.get("providerName") or _provider(model_id),
            kind="foundation",
            base_model_id=model_id,
            base_name=summary.get("modelName") or model_id,
            callable=not why_not,
            why_not=why_not,
            lifecycle=life.get("status", "ACTIVE"),
            legacy_since=_date(life.get("legacyTime")),
            end_of_life=end,
            extended_access_from=_date(life.get("publicExtendedAccessTime")),
            output_modalities=frozenset(summary.get("outputModalities") or ()),
            destination_regions=(identity.region,),
        ),
        identity,
        inputs=summary.get("inputModalities") or (),
        streaming=summary.get("responseStreamingSupported"),
    )


def inference_profile(known: Known, summary: Mapping[str, Any]) -> Model:
    """From InferenceProfileSummary or GetInferenceProfile: system-defined and application profiles.

    An application profile does not say where it runs: a model ARN without a region means global, ARNs of
    several regions mean a geography.
    """
    arn = summary.get("inferenceProfileArn", "")
    name = summary.get("inferenceProfileName") or summary.get("inferenceProfileId", "")
    sources = [model_ids.parse_or_none(model.get("modelArn", "")) for model in summary.get("models") or ()]
    regions = tuple(sorted({source.region for source in sources if source and source.region}))
    base = next((source.base for source in sources if source), "")
    if summary.get("type") == "APPLICATION":
        everywhere = any(source and not source.region for source in sources)
        scope: Scope = "global" if everywhere else "geo" if len(regions) > 1 else "in_region"
        geography = _geography(regions) if scope == "geo" else ""
        model_id, kind = arn, "application_profile"
    else:
        parsed = model_ids.parse_or_none(summary.get("inferenceProfileId", ""))
        scope, geography = (parsed.scope, parsed.geography) if parsed else ("geo", "")
        model_id, kind = summary.get("inferenceProfileId") or arn, "inference_profile"
    return _derived(
        known,
        base,
        model_id=model_id,
        arn=arn,
        name=name,
        kind=kind,
        scope=scope,
        geography=geography,
        destination_regions=regions,
        why_not=_unless(summary, "ACTIVE"),
    )


def prompt_router(known: Known, summary: Mapping[str, Any]) -> Model:
    """From PromptRouterSummary or GetPromptRouter; its fallback model stands for what it takes."""
    fallback = model_ids.parse_or_none((summary.get("fallbackModel") or {}).get("modelArn", ""))
    return _derived(
        known,
        fallback.base if fallback else "",
        model_id=summary.get("promptRouterArn", ""),
        name=summary.get("promptRouterName", ""),
        kind="prompt_router",
        why_not=_unless(summary, "AVAILABLE"),
    )


def provisioned(known: Known, summary: Mapping[str, Any]) -> Model:
    """From ProvisionedModelSummary or GetProvisionedModelThroughput."""
    return _derived(
        known,
        _base_of(known, summary.get("foundationModelArn", "")),
        model_id=summary.get("provisionedModelArn", ""),
        name=summary.get("provisionedModelName", ""),
        kind="provisioned",
        destination_regions=(known.identity.region,),
        why_not=_unless(summary, "InService"),
    )


def custom_deployment(known: Known, summary: Mapping[str, Any]) -> Model:
    """From CustomModelDeploymentSummary or GetCustomModelDeployment (which name the name differently)."""
    return _derived(
        known,
        _base_of(known, summary.get("modelArn", "")),
        model_id=summary.get("customModelDeploymentArn", ""),
        name=summary.get("customModelDeploymentName") or summary.get("modelDeploymentName", ""),
        kind="custom",
        destination_regions=(known.identity.region,),
        why_not=_unless(summary, "Active"),
    )


def custom_model(known: Known, summary: Mapping[str, Any]) -> Model:
    """From CustomModelSummary, for one that nothing serves: it is not called by its own ARN."""
    return _derived(
        known,
        _base_of(known, summary.get("modelArn", "")),
        model_id=summary.get("modelArn", ""),
        name=summary.get("modelName", ""),
        kind="custom",
        why_not="Deploy it for on-demand inference or buy provisioned throughput, then choose that.",
    )


def imported(known: Known, summary: Mapping[str, Any]) -> Model:
    """From ImportedModelSummary or GetImportedModel. Converse takes it where `instructSupported` says so."""
    model = _derived(
        known,
        "",
        model_id=summary.get("modelArn", ""),
        name=summary.get("modelName", ""),
        kind="imported",
        base_name=summary.get("modelArchitecture", ""),
        destination_regions=(known.identity.region,),
    )
    return replace(model, capabilities=replace(model.capabilities, converse=summary.get("instructSupported")))


def unlisted(known: Known, parsed: ModelId) -> Model:
    """A well-formed id or ARN that no list contains: usable, with what its text tells."""
    region = known.identity.region
    why_not = ""
    if parsed.region and parsed.region != region:
        why_not = f"This ARN belongs to {parsed.region}, and calls go to {region}."
    elif parsed.resource == "custom-model":
        why_not = "Deploy it for on-demand inference or buy provisioned throughput, then choose that."
    return _derived(
        known,
        parsed.base,
        model_id=parsed.text,
        arn=parsed.text if parsed.resource else "",
        name=parsed.text if not parsed.resource else parsed.text.partition(f"{parsed.resource}/")[2],
        kind=parsed.kind,
        scope=parsed.scope,
        geography=parsed.geography,
        why_not=why_not,
    )


def _derived(known: Known, base: str, *, why_not: str = "", **own: Any) -> Model:
    """A model served by a foundation model: it inherits whatever is not its own."""
    own.setdefault("arn", own["model_id"])
    if parent := known.foundations.get(base):
        why_not = why_not or _ended(parent.end_of_life)
        own = {"destination_regions": (), "use_instead": "", **own}
        model = replace(parent, callable=not why_not, why_not=why_not, **own)
        return replace(model, price=_price(known.identity, model))
    model = Model(
        **{"provider": _provider(base), "base_model_id": base, "base_name": base} | own,
        callable=not why_not,
        why_not=why_not,
    )
    return _with_capabilities(model, known.identity, inputs=(), streaming=None)


def _with_capabilities(
    model: Model, identity: Identity, *, inputs: Iterable[str], streaming: bool | None
) -> Model:
    """Join what the list says (modalities, streaming) with what the table and the price list know."""
    table = capabilities_of(model.base_model_id)
    context = table.context_tokens
    if context is None and identity.backend == "aws":
        context = pricing.context_tokens(_reference(model))
    live = frozenset(inputs)
    # The table adds documents, which the list leaves out. Alone it would read as "takes no text", and what
    # answers on this machine takes none.
    more = table.input_modalities if live and identity.backend == "aws" else frozenset()
    capabilities = replace(
        table,
        input_modalities=live | more,
        streaming=table.streaming if streaming is None else streaming,
        context_tokens=context,
    )
    return replace(model, capabilities=capabilities, price=_price(identity, model))


def _price(identity: Identity, model: Model) -> Price | None:
    return pricing.price_by_reference(identity, model.model_id, _reference(model))


def _reference(model: Model) -> str:
    """The id its tokens are priced under; "" for what is not billed by the token of a known model."""
    if model.kind in ("foundation", "inference_profile", "application_profile"):
        return pricing.reference(model.base_model_id, model.scope, model.geography)
    return ""


def _base_of(known: Known, arn: str) -> str:
    """The foundation model of a foundation or custom model's ARN."""
    parsed = model_ids.parse_or_none(arn)
    if parsed and parsed.kind == "custom" and (custom := known.customs.get(arn)):
        parsed = model_ids.parse_or_none(custom.get("baseModelArn", ""))
    return parsed.base if parsed else ""


def _unless(summary: Mapping[str, Any], ready: str) -> str:
    status = summary.get("status", ready)
    return "" if status == ready else f"Its status is {status}."


def _not_on_demand(inference_types: Collection[str] | None, region: str) -> str:
    if inference_types is None or "ON_DEMAND" in inference_types:
        return ""
    if "INFERENCE_PROFILE" in inference_types:
        return "It is called by an inference profile, and none is listed here."
    if "PROVISIONED" in inference_types:
        return "It takes provisioned throughput."
    return f"It takes no calls in {region}."


def _ended(end_of_life: date | None) -> str:
    if end_of_life is None or end_of_life > datetime.now(UTC).date():
        return ""
    return f"AWS ended this model on {end_of_life:%d %b %Y}."


def _provider(base_model_id: str) -> str:
    return base_model_id.partition(".")[0].capitalize()


def _geography(regions: tuple[str, ...]) -> str:
    """The prefix of the profiles that route to these regions; "" where no one geography holds them."""
    found = {_COUNTRIES.get(region, region.partition("-")[0]) for region in regions}
    if found <= {"ap", "jp", "au", "in"} and len(found) > 1:
        return "apac"
    return {"ap": "apac"}.get(prefix := found.pop(), prefix) if len(found) == 1 else ""


def _date(value: Any) -> date | None:
    """A timestamp as botocore parses it, or as ISO text."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value.date() if isinstance(value, datetime) else None
