"""A configuration in words: every policy, side and action is told, and what is not known is not dropped."""

from __future__ import annotations

from typing import Any

import pytest

from services.guardrail_words import Configuration, Rule, in_words

ABOUT = {
    "name": "shop",
    "guardrailId": "gr1",
    "version": "3",
    "status": "READY",
    "blockedInputMessaging": "No.",
    "blockedOutputsMessaging": "Not that.",
}


def rules(**policies: Any) -> list[Rule]:
    found = in_words({**ABOUT, **policies})
    assert not found.unknown
    return [rule for policy in found.policies for rule in policy.rules]


def rule(policy: str, items: str, **item: Any) -> Rule:
    (only,) = rules(**{policy: {items: [item]}})
    assert not only.more
    return only


def test_what_is_said_of_the_guardrail_itself() -> None:
    found = in_words({**ABOUT, "statusReasons": ["Slow"], "failureRecommendations": ["Wait"]})
    assert found == Configuration(
        name="shop",
        version="3",
        status="READY",
        reasons=("Slow", "Wait"),
        blocked_prompt="No.",
        blocked_reply="Not that.",
    )


def test_a_content_filter_has_a_strength_for_each_side() -> None:
    told = rule("contentPolicy", "filters", type="HATE", inputStrength="HIGH", outputStrength="LOW")
    assert (told.prompt, told.reply) == (
        "strength high (blocks from low)",
        "strength low (blocks at high confidence)",
    )


def test_a_filter_for_prompts_alone_is_off_for_replies() -> None:
    told = rule(
        "contentPolicy", "filters", type="PROMPT_ATTACK", inputStrength="MEDIUM", outputStrength="NONE"
    )
    assert (told.prompt, told.reply) == ("strength medium (blocks from medium)", "off")


def test_a_filter_that_only_reports_says_so() -> None:
    told = rule(
        "contentPolicy",
        "filters",
        type="HATE",
        inputStrength="LOW",
        outputStrength="LOW",
        inputAction="NONE",
        outputEnabled=False,
        inputModalities=["TEXT", "IMAGE"],
    )
    assert (told.prompt, told.reply) == ("strength low, only report", "off")
    assert told.detail == "checks image and text"


def test_a_topic_has_its_definition_and_examples() -> None:
    told = rule("topicPolicy", "topics", name="Money", definition="Advice.", examples=["Buy?"], type="DENY")
    assert told == Rule("Money", "block", "block", "Advice; for example “Buy?”")


@pytest.mark.parametrize(
    ("action", "said"),
    [("BLOCK", "block"), ("ANONYMIZE", "mask"), ("NONE", "only report"), ("FUTURE", "future")],
)
def test_the_action_of_an_entity_holds_for_both_sides(action: str, said: str) -> None:
    told = rule("sensitiveInformationPolicy", "piiEntities", type="EMAIL", action=action)
    assert (told.prompt, told.reply) == (said, said)


def test_the_action_of_a_side_goes_before_the_common_one() -> None:
    told = rule(
        "sensitiveInformationPolicy",
        "regexes",
        name="order",
        description="Our numbers",
        pattern="A-\\d+",
        action="BLOCK",
        outputAction="ANONYMIZE",
        inputEnabled=False,
    )
    assert told == Rule("order", "off", "mask", "Our numbers; pattern A-\\d+")


def test_words_and_managed_lists_stand_in_one_policy() -> None:
    told = rules(wordPolicy={"words": [{"text": "darn"}], "managedWordLists": [{"type": "PROFANITY"}]})
    assert [one.item for one in told] == ["darn", "PROFANITY"]


def test_grounding_is_about_replies() -> None:
    told = rule("contextualGroundingPolicy", "filters", type="GROUNDING", threshold=0.75, action="BLOCK")
    assert (told.prompt, told.reply) == ("not checked", "block below a score of 0.75")


def test_automated_reasoning_and_the_tier_are_told() -> None:
    found = in_words(
        {
            "automatedReasoningPolicy": {"policies": ["arn:x"], "confidenceThreshold": 0.3},
            "topicPolicy": {"topics": [{"name": "A", "definition": "B"}], "tier": {"tierName": "STANDARD"}},
        }
    )
    assert [(policy.name, policy.tier) for policy in found.policies] == [
        ("Denied topics", "STANDARD"),
        ("Automated reasoning", ""),
    ]
    assert found.policies[1].rules[0].reply == "report from a confidence of 0.3 on"


def test_members_that_are_not_known_are_kept() -> None:
    found = in_words(
        {
            **ABOUT,
            "kmsKeyArn": "arn:key",
            "newPolicy": {"x": 1},
            "wordPolicy": {"words": [{"text": "a", "mood": "bad"}], "grammars": [{"g": 1}]},
        }
    )
    assert found.unknown == {
        "kmsKeyArn": "arn:key",
        "newPolicy": {"x": 1},
        "wordPolicy": {"grammars": [{"g": 1}]},
    }
    assert found.policies[0].rules[0].more == {"mood": "bad"}
