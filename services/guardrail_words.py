"""What a guardrail is set to do, in words (Bedrock: GetGuardrail)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services import guardrail_editor
from services.clients import Identity
from services.guardrail_editor import GuardrailError
from services.guardrails import DRAFT, well_formed
from services.problems import Problem

JsonDict = dict[str, Any]

_DONE = {"BLOCK": "block", "ANONYMIZE": "mask", "NONE": "only report"}
_FROM_CONFIDENCE = {
    "LOW": "blocks at high confidence",
    "MEDIUM": "blocks from medium",
    "HIGH": "blocks from low",
}
_ABOUT = frozenset(
    {"name", "description", "guardrailId", "guardrailArn", "version", "status", "createdAt", "updatedAt"}
    | {"statusReasons", "failureRecommendations", "blockedInputMessaging", "blockedOutputsMessaging"}
    | {"ResponseMetadata"}
)
# policy -> (its name, {list of items -> member that names an item})
_POLICIES: dict[str, tuple[str, dict[str, str]]] = {
    "contentPolicy": ("Content filters", {"filters": "type"}),
    "topicPolicy": ("Denied topics", {"topics": "name"}),
    "wordPolicy": ("Word filters", {"words": "text", "managedWordLists": "type"}),
    "sensitiveInformationPolicy": ("Sensitive information", {"piiEntities": "type", "regexes": "name"}),
    "contextualGroundingPolicy": ("Contextual grounding", {"filters": "type"}),
}
_SAID = frozenset(
    {
        f"{side}{what}"
        for side in ("input", "output")
        for what in ("Strength", "Action", "Enabled", "Modalities")
    }
    | {"action", "enabled", "threshold", "definition", "examples", "description", "pattern"}
)


@dataclass(frozen=True)
class Rule:
    """One item of a policy: what happens in a prompt and in a reply, and what else is set, in words.

    `more` holds the members that this version does not know.
    """

    item: str
    prompt: str
    reply: str
    detail: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyWords:
    """One policy with its rules. `tier` is AWS's name of the models behind it, "" where none is told."""

    name: str
    rules: tuple[Rule, ...]
    tier: str = ""


@dataclass(frozen=True)
class Configuration:
    """What GetGuardrail says; `problem` tells why it says nothing. `unknown` are members not known here."""

    name: str = ""
    description: str = ""
    version: str = DRAFT
    status: str = ""
    reasons: tuple[str, ...] = ()
    blocked_prompt: str = ""
    blocked_reply: str = ""
    policies: tuple[PolicyWords, ...] = ()
    unknown: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None


def configuration(identity: Identity, identifier: str, version: str) -> Configuration:
    """The configuration of one version of a guardrail. Never raises."""
    if not well_formed(identifier):
        return Configuration()
    try:
        return in_words(guardrail_editor.get(identity, identifier, version or DRAFT).raw)
    except GuardrailError as error:  # who may not look may still be allowed to check
        return Configuration(problem=error.problem)


def in_words(answer: Mapping[str, Any]) -> Configuration:
    """GetGuardrail's answer in words."""
    known = {
        key: content for key, content in answer.items() if key in _POLICIES and isinstance(content, dict)
    }
    policies = [_policy(key, content) for key, content in known.items()]
    if reasoning := answer.get("automatedReasoningPolicy"):
        policies.append(_reasoning(reasoning))
    unknown: JsonDict = {
        key: value
        for key, value in answer.items()
        if key not in _ABOUT and key not in known and key != "automatedReasoningPolicy"
    }
    for key, content in known.items():
        lists = _POLICIES[key][1]
        if rest := {name: value for name, value in content.items() if name not in lists and name != "tier"}:
            unknown[key] = rest
    return Configuration(
        name=str(answer.get("name") or ""),
        description=str(answer.get("description") or ""),
        version=str(answer.get("version") or DRAFT),
        status=str(answer.get("status") or ""),
        reasons=tuple(
            str(reason)
            for key in ("statusReasons", "failureRecommendations")
            for reason in answer.get(key) or ()
        ),
        blocked_prompt=str(answer.get("blockedInputMessaging") or ""),
        blocked_reply=str(answer.get("blockedOutputsMessaging") or ""),
        policies=tuple(policy for policy in policies if policy.rules),
        unknown=unknown,
    )


def _policy(key: str, content: JsonDict) -> PolicyWords:
    name, lists = _POLICIES[key]
    rules = [
        _rule(item, named, grounding=key == "contextualGroundingPolicy")
        for list_name, named in lists.items()
        for item in content.get(list_name) or ()
        if isinstance(item, dict)
    ]
    return PolicyWords(name, tuple(rules), str((content.get("tier") or {}).get("tierName") or ""))


def _rule(item: JsonDict, named: str, *, grounding: bool) -> Rule:
    return Rule(
        item=str(item.get(named) or "?"),
        prompt="not checked" if grounding else _side(item, "input"),
        reply=_grounding(item) if grounding else _side(item, "output"),
        detail="; ".join(_details(item)),
        more={
            key: value
            for key, value in item.items()
            if key not in _SAID and key != named and not (key == "type" and value == "DENY")
        },
    )


def _side(item: JsonDict, side: str) -> str:
    """What is done about an item in a prompt (`input`) or in a reply (`output`)."""
    if item.get(f"{side}Enabled") is False:
        return "off"
    strength = item.get(f"{side}Strength")
    if strength == "NONE":
        return "off"
    action = str(item.get(f"{side}Action") or item.get("action") or "BLOCK")
    done = _DONE.get(action, action.lower())
    if not strength:
        return done
    start = _FROM_CONFIDENCE.get(str(strength), "")
    if action != "BLOCK":
        return f"strength {str(strength).lower()}, {done}"
    return f"strength {str(strength).lower()} ({start})" if start else f"strength {str(strength).lower()}"


def _grounding(item: JsonDict) -> str:
    if item.get("enabled") is False:
        return "off"
    done = _DONE.get(str(item.get("action") or "BLOCK"), str(item.get("action")).lower())
    return f"{done} below a score of {item.get('threshold', '?')}"


def _details(item: JsonDict) -> Iterator[str]:
    for key in ("definition", "description"):
        if item.get(key):
            yield str(item[key]).rstrip(".")
    if item.get("examples"):
        yield "for example " + ", ".join(f"“{example}”" for example in item["examples"])
    if item.get("pattern"):
        yield f"pattern {item['pattern']}"
    kinds = {kind for key in ("inputModalities", "outputModalities") for kind in item.get(key) or ()}
    if kinds - {"TEXT"}:
        yield "checks " + " and ".join(sorted(kinds)).lower()


def _reasoning(policy: JsonDict) -> PolicyWords:
    threshold = policy.get("confidenceThreshold")
    reply = "report" if threshold is None else f"report from a confidence of {threshold} on"
    rules = [Rule(str(arn), "not checked", reply) for arn in policy.get("policies") or ()]
    return PolicyWords("Automated reasoning", tuple(rules))
