"""InvokeGuardrailChecks: single checks, without a guardrail."""

from __future__ import annotations

from localbedrock.context import Handler

HANDLERS: dict[str, Handler] = {}
