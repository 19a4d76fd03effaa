"""Handlers of the control planes (services ``bedrock`` and ``bedrock-agent``)."""

from __future__ import annotations

from localbedrock.context import Handler
from localbedrock.control import (
    agent_tags,
    empty,
    foundation_models,
    inference_profiles,
    invocation_logging,
    prompts,
    tags,
)

_MODULES = {
    "bedrock": (foundation_models, inference_profiles, invocation_logging, tags, empty),
    "bedrock-agent": (prompts, agent_tags),
}

HANDLERS: dict[tuple[str, str], Handler] = {
    (service, operation): handler
    for service, modules in _MODULES.items()
    for module in modules
    for operation, handler in module.HANDLERS.items()
}
"""By service and operation."""
