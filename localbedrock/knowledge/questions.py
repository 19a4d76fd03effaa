"""What is searched for: the parts of a compound question, and a question that needs the one before it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localbedrock.knowledge.content_words import words

_ASKING = (
    r"(?:what|who|whom|whose|when|where|why|which|how|is|are|was|were|do|does|did|can|could|should|will|would|"
    r"may|must|has|have|tell me|explain|describe|list)\b"
)
_JOINT = re.compile(rf"(?<=[?;])\s+|\s*,?\s+(?:and|or|but|also)\s+(?:also\s+)?(?={_ASKING})", re.IGNORECASE)
_LEANS = re.compile(
    r"\b(?:it|its|they|them|their|this|that|these|those|he|she|him|her|his|there|one|ones|same|former|latter)\b"
    r"|^(?:and|or|but|so|also|then|why|how so|what about|how about|really|ok|okay|more)\b",
    re.IGNORECASE,
)
_FEW_WORDS = 2
_MOST_PARTS = 4


def parts(question: str) -> list[str]:
    """A compound question as the questions it holds; ``[question]`` if it is one.

    It is split where a question mark, or a conjunction with a word that asks behind it, ends a part. That is
    all: AWS has a model write the parts, and the 135M model cannot do that reliably. A part that leans on the
    one before it ("and how much does it cost?") is searched together with it.
    """
    found = [part.strip() for part in _JOINT.split(question) if words(part).content]
    if not 1 < len(found) <= _MOST_PARTS:
        return [question]
    return [part if place == 0 else standalone(part, found[:place]) for place, part in enumerate(found)]


def standalone(question: str, earlier: Sequence[str]) -> str:
    """The question as it is searched for within a conversation.

    One that points back ("and how much is it?") or hardly says anything is searched together with the
    question before it; one that stands by itself is searched alone.
    """
    if not earlier or not (_LEANS.search(question) or len(words(question).content) < _FEW_WORDS):
        return question
    return f"{earlier[-1]} {question}"
