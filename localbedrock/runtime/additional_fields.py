"""Converse's `additionalModelRequestFields`: what each family takes beside `inferenceConfig`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.errors import AwsError, validation
from localbedrock.runtime.engines import model_refuses
from localbedrock.text.engine import ChatRequest

_TOP_K = {
    "chat": ("top_k", 1000),
    "claude": ("top_k", 500),
    "command": ("k", 500),
    "command_r": ("k", 500),
    "mistral": ("top_k", 200),
    "nova": ("topK", 128),
}
"""What the family calls top-k, and its highest value."""

_OTHERS: dict[str, set[str]] = {
    "chat": {"seed"},
    "claude": {"anthropic_beta", "anthropic_version", "metadata"},
    "command_r": {"seed"},
    "nova": {"schemaVersion"},
}
"""What else is taken. Apart from the seed it changes nothing here."""


def apply(model: FoundationModel, request: ChatRequest, fields: Any) -> ChatRequest:
    """The request with the fields of the model's family; a field that it lacks is refused."""
    if not fields:
        return request
    if not isinstance(fields, dict):
        raise validation("additionalModelRequestFields must be a JSON object.")
    if model.family == "nova" and isinstance(fields.get("inferenceConfig"), dict):
        fields = {**fields, **fields["inferenceConfig"]}  # Nova's own place for topK
        del fields["inferenceConfig"]
    top_k, most = _TOP_K.get(model.family, ("", 0))
    for name in fields:
        if name != top_k and name not in _OTHERS.get(model.family, ()):
            raise _refusal(model, name)
    if top_k in fields:
        request = replace(request, top_k=_whole(top_k, fields[top_k], most))
    if "seed" in fields:
        request = replace(request, seed=_whole("seed", fields["seed"], 2**32 - 1))
    return request


def _whole(name: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise model_refuses(f"{name}: Input should be a valid integer")
    if not 0 <= value <= most:
        raise model_refuses(f"{name}: Input should be from 0 to {most}")
    return value


def _refusal(model: FoundationModel, field: str) -> AwsError:
    if model.family == "claude":
        return model_refuses(f"{field}: Extra inputs are not permitted")
    return model_refuses(
        f"Malformed input request: #: extraneous key [{field}] is not permitted, "
        "please reformat your input and try again."
    )
