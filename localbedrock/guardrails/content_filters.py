"""Hate, insults, sexual content, violence, misconduct and prompt attacks (contentPolicy)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.values import Found, Source


def assess(policy: Mapping[str, Any], text: str, source: Source, embedder: Embedder) -> list[Found]:
    """Every item of the policy with what was found of it in the text."""
    raise NotImplementedError
