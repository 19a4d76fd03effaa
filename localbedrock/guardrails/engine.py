"""A guardrail at work: every policy over every guarded text, and what follows from it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localbedrock.embeddings import Embedder
from localbedrock.guardrails import content_filters, grounding, pii, regexes, topics, words
from localbedrock.guardrails.assessments import assessment_of, is_done
from localbedrock.guardrails.masking import masked
from localbedrock.guardrails.sides import enabled_part
from localbedrock.guardrails.values import Content, Found, Policy, Source, Verdict

TEXT_UNIT = 1_000
"""Characters of a text unit, by which AWS bills each policy."""

GROUNDING = "contextualGroundingPolicy"


@dataclass(frozen=True)
class _Check:
    """What checks a text for the items of some lists of a policy, and how AWS counts it."""

    policy: str
    lists: tuple[str, ...]
    units: str
    module: Policy


_CHECKS = (
    _Check("topicPolicy", ("topics",), "topicPolicyUnits", topics),
    _Check("contentPolicy", ("filters",), "contentPolicyUnits", content_filters),
    _Check("wordPolicy", ("words", "managedWordLists"), "wordPolicyUnits", words),
    _Check("sensitiveInformationPolicy", ("piiEntities",), "sensitiveInformationPolicyUnits", pii),
    _Check("sensitiveInformationPolicy", ("regexes",), "sensitiveInformationPolicyFreeUnits", regexes),
)
_NO_USAGE = {check.units: 0 for check in _CHECKS} | {
    "contextualGroundingPolicyUnits": 0,
    "contentPolicyImageUnits": 0,
    "automatedReasoningPolicyUnits": 0,
    "automatedReasoningPolicies": 0,
}


def evaluate(
    guardrail: Mapping[str, Any], content: Sequence[Content], source: Source, embedder: Embedder
) -> Verdict:
    """What the guardrail (a version of it, as GetGuardrail answers) makes of the content.

    Where some content is marked ``guard_content``, that alone is guarded; grounding sources and queries are
    not, unless they are marked so too. Grounding is checked for OUTPUT where there is a source and a query.
    """
    started = time.perf_counter()
    policies = {check.policy: enabled_part(guardrail.get(check.policy, {}), source) for check in _CHECKS}
    is_guarded = _guarded(content)
    founds = [
        _found_in(policies, each.text, source, embedder) if guarded else []
        for each, guarded in zip(content, is_guarded, strict=True)
    ]
    guarded_texts = [each.text for each, guarded in zip(content, is_guarded, strict=True) if guarded]
    grounded, grounded_characters = _grounding(guardrail, content, guarded_texts, source, embedder)
    everything = [pair for part in founds for pair in part] + [(GROUNDING, each) for each in grounded]
    texts = tuple(
        masked(each.text, [found for _, found in part]) for each, part in zip(content, founds, strict=True)
    )
    usage = _usage(policies, sum(map(len, guarded_texts)), grounded_characters)
    coverage = _coverage(content, guarded_texts, source)
    latency_ms = math.ceil((time.perf_counter() - started) * 1000)
    told = _metrics(usage, coverage, latency_ms) | {"appliedGuardrailDetails": _details(guardrail)}
    blocked = is_done(everything, "BLOCKED")
    intervened = blocked or is_done(everything, "ANONYMIZED")
    outputs: tuple[str, ...] = ()
    if blocked:
        outputs = (_message(guardrail, source),)
    elif intervened:
        outputs = tuple(text for text, guarded in zip(texts, is_guarded, strict=True) if guarded)
    return Verdict(
        action="GUARDRAIL_INTERVENED" if intervened else "NONE",
        reason="Guardrail blocked." if blocked else "Guardrail masked." if intervened else "No action.",
        outputs=outputs,
        assessment=assessment_of(everything, full=False) | told,
        full_assessment=assessment_of(everything, full=True) | told,
        usage=usage,
        coverage=coverage,
        latency_ms=latency_ms,
        blocked=blocked,
        masked=texts,
    )


def is_answer(content: Content) -> bool:
    """Whether it is no mere source or query of a grounding check."""
    return not content.qualifiers or "guard_content" in content.qualifiers


def _guarded(content: Sequence[Content]) -> list[bool]:
    """Which texts the policies look at."""
    if any("guard_content" in each.qualifiers for each in content):
        return ["guard_content" in each.qualifiers for each in content]
    return [is_answer(each) for each in content]


def _found_in(
    policies: Mapping[str, Mapping[str, Any]], text: str, source: Source, embedder: Embedder
) -> list[tuple[str, Found]]:
    """What each policy finds in a text, with the policy's name."""
    return [
        (check.policy, found)
        for check in _CHECKS
        if _applies(check, policies)
        for found in check.module.assess(policies[check.policy], text, source, embedder)
    ]


def _applies(check: _Check, policies: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(policies[check.policy].get(name) for name in check.lists)


def _grounding(
    guardrail: Mapping[str, Any],
    content: Sequence[Content],
    guarded_texts: Sequence[str],
    source: Source,
    embedder: Embedder,
) -> tuple[list[Found], int]:
    """The grounding scores of the answer, and how many characters were read for them; ([], 0) for none."""
    policy = enabled_part(guardrail.get(GROUNDING, {}), source)
    sources = _marked(content, "grounding_source")
    query = "\n".join(_marked(content, "query"))
    answer = "\n".join(text for text in guarded_texts if text.strip())
    if source != "OUTPUT" or not (policy and sources and query and answer):
        return [], 0
    characters = sum(map(len, sources)) + len(query) + len(answer)
    return grounding.assess(policy, answer, sources, query, embedder), characters


def _marked(content: Sequence[Content], qualifier: str) -> list[str]:
    return [each.text for each in content if qualifier in each.qualifiers and each.text.strip()]


def _usage(
    policies: Mapping[str, Mapping[str, Any]], characters: int, grounded_characters: int
) -> dict[str, int]:
    """GuardrailUsage: every policy that looks at this side counts all guarded text, at least one unit."""
    usage = _NO_USAGE | {check.units: _units(characters) for check in _CHECKS if _applies(check, policies)}
    if grounded_characters:
        usage["contextualGroundingPolicyUnits"] = _units(grounded_characters)
    return usage


def _units(characters: int) -> int:
    return max(1, math.ceil(characters / TEXT_UNIT))


def _coverage(content: Sequence[Content], guarded_texts: Sequence[str], source: Source) -> dict[str, Any]:
    """GuardrailCoverage. AWS counts sources and queries for INPUT, but not beside an answer."""
    counted = [each for each in content if source == "INPUT" or is_answer(each)]
    total = sum(len(each.text) for each in counted)
    return {"textCharacters": {"guarded": sum(map(len, guarded_texts)), "total": total}}


def _metrics(usage: dict[str, int], coverage: dict[str, Any], latency_ms: int) -> dict[str, Any]:
    metrics = {"guardrailProcessingLatency": latency_ms, "usage": usage, "guardrailCoverage": coverage}
    return {"invocationMetrics": metrics}


def _details(guardrail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "guardrailId": guardrail["guardrailId"],
        "guardrailVersion": guardrail["version"],
        "guardrailArn": guardrail["guardrailArn"],
        "guardrailOrigin": ["REQUEST"],
        "guardrailOwnership": "SELF",
    }


def _message(guardrail: Mapping[str, Any], source: Source) -> str:
    return str(guardrail["blockedInputMessaging" if source == "INPUT" else "blockedOutputsMessaging"])
