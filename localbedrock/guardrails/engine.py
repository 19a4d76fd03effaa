"""A guardrail at work: every policy over every guarded text, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.values import Content, Source, Verdict


def evaluate(
    guardrail: Mapping[str, Any], content: Sequence[Content], source: Source, embedder: Embedder
) -> Verdict:
    """What the guardrail (a version of it, as GetGuardrail answers) makes of the content."""
    raise NotImplementedError
