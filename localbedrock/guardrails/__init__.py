"""Guardrails: what they are made of, how each policy is checked here, and where they stand in a call."""

from __future__ import annotations

from localbedrock.context import Handler
from localbedrock.guardrails import apply, checks, resources

HANDLERS: dict[tuple[str, str], Handler] = {
    (service, operation): handler
    for service, module in (("bedrock", resources), ("bedrock-runtime", apply), ("bedrock-runtime", checks))
    for operation, handler in module.HANDLERS.items()
}
"""By service and operation."""
