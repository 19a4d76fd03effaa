"""Guardrails on the questions to a knowledge base: the input's side, and how answers tell of them.

What was retrieved is not looked at, as on AWS: it is the measure of an answer's grounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localbedrock.context import Context
from localbedrock.guardrails.guarded import Guard, guard_for
from localbedrock.guardrails.values import Content


def begin(ctx: Context, config: Mapping[str, Any] | None, question: str) -> tuple[Guard | None, str]:
    """The guardrail of a GuardrailConfiguration, the question checked, and the question with its masks."""
    if config is None:
        return None, question
    guard = guard_for(ctx, config["guardrailId"], config["guardrailVersion"])
    (masked,) = guard.check_input([Content(question)])
    return guard, masked


def action(guard: Guard | None) -> dict[str, str]:
    """The member ``guardrailAction`` of an answer, {} where no guardrail was named."""
    return {} if guard is None else {"guardrailAction": _action(guard)}


def event(guard: Guard) -> dict[str, Any]:
    """The event that ends a stream."""
    return {"guardrail": {"action": _action(guard)}}


def _action(guard: Guard) -> str:
    return "INTERVENED" if guard.intervened else "NONE"
