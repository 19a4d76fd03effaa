"""Regular expressions of a guardrail (sensitiveInformationPolicy.regexes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import regex

from localbedrock.embeddings import Embedder
from localbedrock.errors import validation
from localbedrock.guardrails.normal_text import Normal, normal
from localbedrock.guardrails.sides import action_of, is_enabled
from localbedrock.guardrails.values import Found, Source

TIME_LIMIT_S = 0.5
"""Of computing, for one expression over one text."""


def assess(policy: Mapping[str, Any], text: str, source: Source, _embedder: Embedder) -> list[Found]:
    """Every match in the text, masked by its expression's name in braces. As on AWS, an expression that does
    not match is not told.

    An expression also matches what it would match without invisible characters. ValidationException for
    one that takes longer than :data:`TIME_LIMIT_S`.
    """
    founds = []
    seen = normal(text)
    for each in policy.get("regexes", []):
        if not is_enabled(each, source):
            continue
        for start, end in _spans(each, text, seen):
            item = {"name": each["name"], "match": text[start:end], "regex": each["pattern"]}
            told = item | {"action": action_of(each, source), "detected": True}
            founds.append(Found("regexes", told, start, end, "{" + each["name"] + "}"))
    return founds


def _spans(each: Mapping[str, Any], text: str, seen: Normal) -> list[tuple[int, int]]:
    """Where an expression matches in the text and without what is invisible in it: each place once."""
    spans = _matches(each, text)
    if seen.text != text:
        spans += [seen.span(*span) for span in _matches(each, seen.text)]
    outer: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not outer or end > outer[-1][1]:
            outer.append((start, end))
    return outer


def _matches(each: Mapping[str, Any], text: str) -> list[tuple[int, int]]:
    try:
        found = regex.finditer(each["pattern"], text, timeout=TIME_LIMIT_S, concurrent=True)
        return [match.span() for match in found if match.end() > match.start()]
    except TimeoutError:
        raise validation(
            f"The regex {each['name']} takes longer than {TIME_LIMIT_S:g} s on this text. "
            "Make it simpler, without repetitions inside repetitions."
        ) from None
