"""Custom words and the managed list of profanity (wordPolicy)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.guardrails import profanity
from localbedrock.guardrails.normal_text import normal
from localbedrock.guardrails.phrases import Phrases
from localbedrock.guardrails.sides import action_of, is_enabled
from localbedrock.guardrails.values import Action, Found, Source


def assess(policy: Mapping[str, Any], text: str, source: Source, _embedder: Embedder) -> list[Found]:
    """Every custom word and every profanity in the text. As on AWS, words that are not there are not told."""
    seen = normal(text)
    words: dict[Action, list[str]] = {}
    for word in policy.get("words", []):
        if is_enabled(word, source):
            words.setdefault(action_of(word, source), []).append(word["text"])
    founds = []
    for action, listed in words.items():
        spans = _phrases(tuple(listed)).find(seen.text)
        founds += _found(text, (seen.span(*span) for span in spans), "customWords", action)
    for managed in policy.get("managedWordLists", []):
        if is_enabled(managed, source):
            places = [seen.span(*span) for span in sorted(profanity.find(seen.text))]
            founds += _found(
                text, places, "managedWordLists", action_of(managed, source), type=managed["type"]
            )
    return founds


def _found(
    text: str, spans: Iterable[tuple[int, int]], group: str, action: Action, **members: str
) -> list[Found]:
    return [
        Found(group, {"match": text[start:end], **members, "action": action, "detected": True}, start, end)
        for start, end in spans
    ]


@lru_cache(maxsize=16)
def _phrases(words: tuple[str, ...]) -> Phrases:
    return Phrases(words)
