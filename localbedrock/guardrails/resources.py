"""Guardrails as resources of ``bedrock``: create, get, list, update, version, delete."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context, Handler


def find(ctx: Context, identifier: str, version: str) -> dict[str, Any]:
    """A version (``DRAFT`` or a number) of a guardrail, named by id or ARN, as GetGuardrail answers it.

    ValidationException or ResourceNotFoundException, as AWS words them, for one that does not exist.
    """
    raise NotImplementedError


HANDLERS: dict[str, Handler] = {}
