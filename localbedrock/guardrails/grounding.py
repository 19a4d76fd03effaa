"""Contextual grounding and relevance (contextualGroundingPolicy)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.values import Found


def assess(
    policy: Mapping[str, Any], answer: str, sources: Sequence[str], query: str, embedder: Embedder
) -> list[Found]:
    """The scores of an answer against its grounding sources and its query, each with its threshold."""
    raise NotImplementedError
