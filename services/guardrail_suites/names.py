"""The words of a suite's files: policies and outcomes, under AWS's names and under those that people use."""

from __future__ import annotations

import re
from typing import Literal

from services.guardrail_traces import policy_in_words

Expected = Literal["blocked", "masked", "passed"]

_POLICY_WORDS = {
    "topicPolicy": "topic topics deniedtopic deniedtopics",
    "contentPolicy": "content contents contentfilter contentfilters promptattack promptattacks hate insults "
    "sexual violence misconduct",
    "wordPolicy": "word words wordfilter wordfilters customword customwords profanity managedwords",
    "sensitiveInformationPolicy": "sensitiveinformation pii piientities regex regexes",
    "contextualGroundingPolicy": "contextualgrounding grounding relevance",
    "automatedReasoningPolicy": "automatedreasoning",
}
POLICIES = {policy: policy_in_words(policy) for policy in _POLICY_WORDS}
"""The members of an assessment (ApplyGuardrail), and what findings call them."""
_EXPECTED_WORDS: dict[Expected, str] = {
    "blocked": "blocked block deny denied refuse refused unsafe attack malicious harmful intervened 1 true",
    "masked": "masked mask anonymized anonymize anonymised anonymise redacted redact",
    "passed": "passed pass allow allowed safe benign none clean 0 false",
}
_INPUT = frozenset(["input", "prompt", "user", "question"])
_OUTPUT = frozenset(["output", "reply", "response", "answer", "assistant", "completion"])


def policy_of(text: str) -> str | None:
    """AWS's member for a policy's name, "" for no text; None for what names no policy."""
    word = re.sub(r"[^a-z]", "", text.casefold()).removesuffix("policy")
    return _POLICIES_BY_WORD.get(word) if word else ""


def expected_of(text: str) -> Expected | None:
    """The outcome that a text names: "blocked", "unsafe", "benign" ...; None for none of them."""
    return _EXPECTED_BY_WORD.get(text.strip().casefold().removeprefix("guardrail_"))


def source_of(text: str) -> Literal["INPUT", "OUTPUT"] | None:
    """The side that a text names; None for what names none."""
    word = text.strip().casefold()
    if word in _INPUT:
        return "INPUT"
    return "OUTPUT" if word in _OUTPUT else None


_POLICIES_BY_WORD = {word: policy for policy, words in _POLICY_WORDS.items() for word in words.split()}
_EXPECTED_BY_WORD = {word: expected for expected, words in _EXPECTED_WORDS.items() for word in words.split()}
BY_FINDING = {words: policy for policy, words in POLICIES.items()}
"""AWS's member, by the name that a finding has for it."""
