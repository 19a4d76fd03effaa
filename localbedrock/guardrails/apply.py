"""ApplyGuardrail: a guardrail on a text, with no model."""

from __future__ import annotations

from localbedrock.context import Handler

HANDLERS: dict[str, Handler] = {}
