"""ListFoundationModels, GetFoundationModel, GetFoundationModelAvailability."""

from __future__ import annotations

from typing import Any

from localbedrock.catalogue import FoundationModel, foundation_models
from localbedrock.context import Context, Handler
from localbedrock.errors import not_found


def list_foundation_models(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Every model that passes all the filters that were given."""
    return {
        "modelSummaries": [
            _details(ctx, model) for model in foundation_models(ctx.models) if _matches(model, params)
        ]
    }


def get_foundation_model(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One model, by id or ARN."""
    return {"modelDetails": _details(ctx, _find(ctx, params["modelIdentifier"]))}


def get_foundation_model_availability(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A model that is listed can be called: there is no agreement to sign and nobody to ask."""
    model = _find(ctx, params["modelId"])
    return {
        "modelId": model.model_id,
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }


def _find(ctx: Context, identifier: str) -> FoundationModel:
    model_id = identifier.rpartition("foundation-model/")[2]
    for model in foundation_models(ctx.models):
        if model.model_id == model_id:
            return model
    raise not_found("Could not resolve the foundation model from the provided model identifier.")


def _matches(model: FoundationModel, params: dict[str, Any]) -> bool:
    provider = params.get("byProvider", model.provider)
    modality = params.get("byOutputModality")
    inference_type = params.get("byInferenceType")
    return (
        provider.lower() == model.provider.lower()
        and (modality is None or modality in model.output_modalities)
        and (inference_type is None or inference_type in model.inference_types)
        and "byCustomizationType" not in params  # none of the models here can be customised
    )


def _details(ctx: Context, model: FoundationModel) -> dict[str, Any]:
    return {
        "modelArn": model.arn(ctx.region),
        "modelId": model.model_id,
        "modelName": model.name,
        "providerName": model.provider,
        "inputModalities": list(model.input_modalities),
        "outputModalities": list(model.output_modalities),
        "responseStreamingSupported": model.streaming,
        "customizationsSupported": [],
        "inferenceTypesSupported": list(model.inference_types),
        "modelLifecycle": {"status": model.lifecycle},
    }


HANDLERS: dict[str, Handler] = {
    "ListFoundationModels": list_foundation_models,
    "GetFoundationModel": get_foundation_model,
    "GetFoundationModelAvailability": get_foundation_model_availability,
}
