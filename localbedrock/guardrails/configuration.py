"""The policies of a guardrail: from what CreateGuardrail is given to what GetGuardrail answers, and what AWS
refuses of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from localbedrock.errors import AwsError, validation
from localbedrock.guardrails.patterns import check_pattern

MAX_THRESHOLD = 0.99

_SIDES: dict[str, Any] = {"inputEnabled": True, "outputEnabled": True}
_MODALITIES: dict[str, Any] = {"inputModalities": ["TEXT"], "outputModalities": ["TEXT"]}

Item = dict[str, Any]
Policies = dict[str, dict[str, Any]]


def policies_of(params: Mapping[str, Any]) -> Policies:
    """Every policy of the request as GetGuardrail answers it, with AWS's defaults filled in.

    Raises ValidationException for what AWS refuses, and for what cannot work here.
    """
    if "automatedReasoningPolicyConfig" in params:
        raise validation(
            "Automated Reasoning policies cannot be used here: the local endpoint has no solver."
        )
    made = {
        "topicPolicy": _topics(params.get("topicPolicyConfig", {})),
        "contentPolicy": _content(params.get("contentPolicyConfig", {})),
        "wordPolicy": _words(params.get("wordPolicyConfig", {})),
        "sensitiveInformationPolicy": _sensitive(params.get("sensitiveInformationPolicyConfig", {})),
        "contextualGroundingPolicy": _grounding(params.get("contextualGroundingPolicyConfig", {})),
    }
    policies = {name: policy for name, policy in made.items() if policy}
    if not policies:
        raise validation("A guardrail must have at least one policy.")
    return policies


def _topics(config: Mapping[str, Any]) -> Item:
    topics = [_blocking(topic) | {"type": "DENY"} for topic in config.get("topicsConfig", [])]
    _unique(topics, lambda topic: topic["name"], "topic")
    return _with_tier({"topics": topics} if topics else {}, config)


def _content(config: Mapping[str, Any]) -> Item:
    filters = [_MODALITIES | _blocking(each) for each in config.get("filtersConfig", [])]
    _unique(filters, lambda each: each["type"], "content filter")
    for each in filters:
        if each["type"] == "PROMPT_ATTACK" and each["outputStrength"] != "NONE":
            raise validation("The PROMPT_ATTACK content filter strength for response must be NONE.")
    return _with_tier({"filters": filters} if filters else {}, config)


def _words(config: Mapping[str, Any]) -> Item:
    words = [_blocking(word) for word in config.get("wordsConfig", [])]
    lists = [_blocking(each) for each in config.get("managedWordListsConfig", [])]
    _unique(words, lambda word: word["text"], "word")
    _unique(lists, lambda each: each["type"], "managed word list")
    if blank := [word["text"] for word in words if not word["text"].strip()]:
        raise validation(f"A word must not be blank: {blank[0]!r}.")
    return _filled({"words": words, "managedWordLists": lists})


def _sensitive(config: Mapping[str, Any]) -> Item:
    entities = [_own_action(entity) for entity in config.get("piiEntitiesConfig", [])]
    regexes = [_own_action(each) for each in config.get("regexesConfig", [])]
    _unique(entities, lambda entity: entity["type"], "PII entity")
    _unique(regexes, lambda each: each["name"], "regex name")
    _unique(regexes, lambda each: each["pattern"], "regex pattern")
    for each in regexes:
        check_pattern(each["name"], each["pattern"])
    return _filled({"piiEntities": entities, "regexes": regexes})


def _grounding(config: Mapping[str, Any]) -> Item:
    filters = [{"action": "BLOCK", "enabled": True} | each for each in config.get("filtersConfig", [])]
    _unique(filters, lambda each: each["type"], "contextual grounding filter")
    for each in filters:
        if not 0 <= each["threshold"] <= MAX_THRESHOLD:
            raise validation(
                f"The threshold of the {each['type']} filter must be between 0 and {MAX_THRESHOLD}, "
                f"not {each['threshold']}."
            )
    return {"filters": filters} if filters else {}


def _blocking(item: Mapping[str, Any]) -> Item:
    return {"inputAction": "BLOCK", "outputAction": "BLOCK", **_SIDES, **item}


def _own_action(item: Mapping[str, Any]) -> Item:
    return {"inputAction": item["action"], "outputAction": item["action"], **_SIDES, **item}


def _with_tier(policy: Item, config: Mapping[str, Any]) -> Item:
    return policy | {"tier": config.get("tierConfig", {"tierName": "CLASSIC"})} if policy else {}


def _filled(policy: Item) -> Item:
    return {name: items for name, items in policy.items() if items}


def _unique(items: Sequence[Item], key: Callable[[Item], Hashable], what: str) -> None:
    if twice := [value for value, times in Counter(map(key, items)).items() if times > 1]:
        raise _twice(what, twice[0])


def _twice(what: str, value: Hashable) -> AwsError:
    return validation(f"Each {what} may be given once, but {value} is given more than once.")
