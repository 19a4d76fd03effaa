"""Handlers of the control plane (service ``bedrock``)."""

from __future__ import annotations

from localbedrock.context import Handler
from localbedrock.control import empty, foundation_models, inference_profiles, invocation_logging, tags

HANDLERS: dict[tuple[str, str], Handler] = {
    ("bedrock", operation): handler
    for module in (foundation_models, inference_profiles, invocation_logging, tags, empty)
    for operation, handler in module.HANDLERS.items()
}
"""By service and operation."""
