"""What a policy of a guardrail is asked and what it answers, whichever policy it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from localbedrock.embeddings import Embedder

Source = Literal["INPUT", "OUTPUT"]
"""Whether a text is what a user said or what a model said."""
Action = Literal["NONE", "BLOCKED", "ANONYMIZED"]
Qualifier = Literal["grounding_source", "query", "guard_content"]


@dataclass(frozen=True)
class Content:
    """One text block that a guardrail is given. Without qualifiers it is guarded like ``guard_content``."""

    text: str
    qualifiers: frozenset[Qualifier] = frozenset()


@dataclass(frozen=True)
class Found:
    """One item of an assessment.

    ``group`` and ``item`` are the assessment's list and its member as AWS shapes it: ``("topics", {"name",
    "type", "action", "detected"})``. ``start`` and ``end`` are where the match stands in the text (None: the
    item is about the text as a whole). ``mask`` replaces the match where the action is ANONYMIZED.
    """

    group: str
    item: Mapping[str, Any]
    start: int | None = None
    end: int | None = None
    mask: str = ""

    @property
    def action(self) -> Action:
        """What is done about it."""
        return self.item["action"]  # type: ignore[no-any-return]


class Policy(Protocol):
    """What checks a text for a policy; a module of that name is one."""

    def assess(
        self, policy: Mapping[str, Any], text: str, source: Source, embedder: Embedder, /
    ) -> list[Found]:
        """``policy`` is its part of the guardrail as GetGuardrail answers it (``topicPolicy`` ...).

        It answers every item that it looked for, also those with ``detected`` false: which of them are told
        is up to the engine (``outputScope``).
        """
        ...


@dataclass(frozen=True)
class Verdict:
    """What a guardrail makes of some content.

    ``outputs`` are the texts in place of the given ones: the message of the guardrail when anything is
    blocked, the masked texts when anything is masked, () when nothing is done. ``assessment`` is AWS's
    GuardrailAssessment without what did not fire; ``full_assessment`` with it. ``usage`` is GuardrailUsage,
    ``coverage`` GuardrailCoverage.
    """

    action: Literal["NONE", "GUARDRAIL_INTERVENED"]
    reason: str
    outputs: tuple[str, ...]
    assessment: dict[str, Any]
    full_assessment: dict[str, Any]
    usage: dict[str, int]
    coverage: dict[str, Any]
    latency_ms: int
    blocked: bool = False
    masked: tuple[str, ...] = field(default=())
    """Every guarded text after masking, one for each given text, also where nothing was masked."""
