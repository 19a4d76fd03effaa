"""All operations that the endpoint implements, by service and operation."""

from __future__ import annotations

from localbedrock import control, guardrails, runtime
from localbedrock.context import Handler

HANDLERS: dict[tuple[str, str], Handler] = control.HANDLERS | guardrails.HANDLERS | runtime.HANDLERS
