"""The engine of guardrails over made-up policies: who is guarded, what is told, masked and counted."""

from __future__ import annotations

from typing import Any, cast

import pytest

from localbedrock.embeddings import Embedder
from localbedrock.guardrails import content_filters, engine, grounding, masking, pii, regexes, topics, words
from localbedrock.guardrails.values import Action, Content, Found, Source, Verdict

ASKED: list[Any] = []
"""What the grounding check was asked."""

EMBEDDER = cast(Embedder, None)
"""None of the made-up policies asks it."""

GUARDRAIL: dict[str, Any] = {
    "guardrailId": "abc",
    "guardrailArn": "arn:aws:bedrock:us-east-1:000000000000:guardrail/abc",
    "version": "1",
    "blockedInputMessaging": "Not this question.",
    "blockedOutputsMessaging": "Not this answer.",
}


def matches(group: str, text: str, item: dict[str, Any], name: str, action: Action = "NONE") -> list[Found]:
    """Every occurrence of a word, or that there was none."""
    found, place = [], text.find(name)
    while place >= 0:
        told = item | {"match": name, "action": action, "detected": True}
        found.append(Found(group, told, place, place + len(name), "{" + name.upper() + "}"))
        place = text.find(name, place + 1)
    return found or [Found(group, item | {"match": "", "action": "NONE", "detected": False})]


@pytest.fixture(autouse=True)
def policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies that find their items' names in a text."""

    def find_topics(policy: Any, text: str, *_: Any) -> list[Found]:
        items = [
            {
                "name": topic["name"],
                "type": "DENY",
                "action": "BLOCKED" if topic["name"] in text else "NONE",
                "detected": topic["name"] in text,
            }
            for topic in policy["topics"]
        ]
        return [Found("topics", item) for item in items]

    def find_filters(policy: Any, text: str, *_: Any) -> list[Found]:
        confidence = next((level for level in ("HIGH", "LOW") if level in text), "NONE")
        item = {"type": "HATE", "confidence": confidence, "filterStrength": "HIGH"}
        hit = confidence != "NONE"
        return [Found("filters", item | {"action": "BLOCKED" if hit else "NONE", "detected": hit})]

    def find_pii(policy: Any, text: str, *_: Any) -> list[Found]:
        return [
            found
            for each in policy["piiEntities"]
            for found in matches("piiEntities", text, {"type": each["type"]}, each["word"], each["action"])
        ]

    def score(policy: Any, answer: str, sources: Any, query: str, _: Any) -> list[Found]:
        ASKED.append((answer, list(sources), query))
        item = {"type": "GROUNDING", "threshold": 0.5, "score": 0.9, "action": "NONE", "detected": False}
        return [Found("filters", item)]

    ASKED.clear()
    monkeypatch.setattr(topics, "assess", find_topics)
    monkeypatch.setattr(content_filters, "assess", find_filters)
    monkeypatch.setattr(words, "assess", lambda *_: [])
    monkeypatch.setattr(pii, "assess", find_pii)
    monkeypatch.setattr(regexes, "assess", lambda *_: [])
    monkeypatch.setattr(grounding, "assess", score)


TOPICS: dict[str, Any] = {
    "topicPolicy": {"topics": [{"name": "tax"}, {"name": "law"}], "tier": {"tierName": "CLASSIC"}}
}
FILTERS: dict[str, Any] = {"contentPolicy": {"filters": [{"type": "HATE"}]}}
GROUNDING: dict[str, Any] = {
    "contextualGroundingPolicy": {"filters": [{"type": "GROUNDING", "threshold": 0.5}]}
}


def personal(*entities: tuple[str, str, str]) -> dict[str, Any]:
    listed = [{"type": kind, "word": word, "action": action} for kind, word, action in entities]
    return {"sensitiveInformationPolicy": {"piiEntities": listed}}


def check(*texts: str | Content, source: Source = "INPUT", **policies: Any) -> Verdict:
    content = [text if isinstance(text, Content) else Content(text) for text in texts]
    return engine.evaluate(GUARDRAIL | policies, content, source, EMBEDDER)


def test_what_is_clean_passes() -> None:
    verdict = check("hello", **TOPICS)
    assert (verdict.action, verdict.reason, verdict.outputs) == ("NONE", "No action.", ())
    assert (verdict.blocked, verdict.masked) == (False, ("hello",))
    assert list(verdict.assessment) == ["invocationMetrics", "appliedGuardrailDetails"]
    assert [topic["detected"] for topic in verdict.full_assessment["topicPolicy"]["topics"]] == [False, False]


@pytest.mark.parametrize(
    ("source", "said"), [("INPUT", "Not this question."), ("OUTPUT", "Not this answer.")]
)
def test_what_is_blocked_becomes_the_message_of_its_side(source: Source, said: str) -> None:
    verdict = check("hello", "pay no tax", source=source, **TOPICS)
    assert (verdict.action, verdict.reason) == ("GUARDRAIL_INTERVENED", "Guardrail blocked.")
    assert (verdict.blocked, verdict.outputs) == (True, (said,))
    topic = {"name": "tax", "type": "DENY", "action": "BLOCKED", "detected": True}
    assert verdict.assessment["topicPolicy"] == {"topics": [topic]}
    assert verdict.assessment["appliedGuardrailDetails"] == {
        "guardrailId": "abc",
        "guardrailVersion": "1",
        "guardrailArn": GUARDRAIL["guardrailArn"],
        "guardrailOrigin": ["REQUEST"],
        "guardrailOwnership": "SELF",
    }


def test_several_texts_have_one_assessment() -> None:
    verdict = check("LOW tax", "HIGH", "nothing, Bo", **TOPICS, **FILTERS, **personal(("NAME", "Bo", "NONE")))
    told = verdict.full_assessment
    assert [(topic["name"], topic["action"]) for topic in told["topicPolicy"]["topics"]] == [
        ("tax", "BLOCKED"),
        ("law", "NONE"),
    ]
    assert [each["confidence"] for each in told["contentPolicy"]["filters"]] == ["HIGH"]
    # Found in one text, so it is not told that the others have none.
    entities = [{"type": "NAME", "match": "Bo", "action": "NONE", "detected": True}]
    assert told["sensitiveInformationPolicy"] == {"piiEntities": entities, "regexes": []}


def test_what_is_only_detected_is_told_and_left() -> None:
    verdict = check("I am Bo", **personal(("NAME", "Bo", "NONE"), ("AGE", "12", "BLOCKED")))
    assert verdict.action == "NONE"
    assert [each["type"] for each in verdict.assessment["sensitiveInformationPolicy"]["piiEntities"]] == [
        "NAME"
    ]
    full = verdict.full_assessment["sensitiveInformationPolicy"]["piiEntities"]
    assert full[1] == {"type": "AGE", "match": "", "action": "NONE", "detected": False}


def test_every_match_is_masked_where_it_stands() -> None:
    verdict = check("Bo \U0001f600 and Bo <b>", "no name", **personal(("NAME", "Bo", "ANONYMIZED")))
    assert verdict.reason == "Guardrail masked."
    assert verdict.outputs == verdict.masked == ("{BO} \U0001f600 and {BO} <b>", "no name")
    assert len(verdict.assessment["sensitiveInformationPolicy"]["piiEntities"]) == 2


def test_no_type_hides_another() -> None:
    both = personal(("NAME", "Ann Lee", "ANONYMIZED"), ("ADDRESS", "Lee Road 4", "ANONYMIZED"))
    verdict = check("Ann Lee Road 4!", **both)
    assert verdict.outputs == ("{LEE ROAD 4}!",)
    entities = verdict.assessment["sensitiveInformationPolicy"]["piiEntities"]
    assert [each["type"] for each in entities] == ["NAME", "ADDRESS"]
    blocking = personal(("NAME", "Ann Lee", "ANONYMIZED"), ("ADDRESS", "Lee Road 4", "BLOCKED"))
    assert check("Ann Lee Road 4!", **blocking).outputs == ("Not this question.",)


def test_neighbours_and_matches_within_matches_are_masked() -> None:
    def at(start: int, end: int, mask: str) -> Found:
        return Found("piiEntities", {"action": "ANONYMIZED"}, start, end, mask)

    assert masking.masked("abcdef", [at(3, 5, "{Y}"), at(0, 3, "{X}")]) == "{X}{Y}f"
    assert masking.masked("abcdef", [at(1, 2, "{Y}"), at(0, 4, "{X}"), at(3, 5, "{Z}")]) == "{X}f"
    assert masking.masked("abc", []) == "abc"


def test_marked_content_alone_is_guarded() -> None:
    marked = Content("law", frozenset({"guard_content"}))
    verdict = check("tax", marked, **TOPICS)
    assert [topic["name"] for topic in verdict.assessment["topicPolicy"]["topics"]] == ["law"]
    assert verdict.coverage == {"textCharacters": {"guarded": 3, "total": 6}}
    assert verdict.masked == ("tax", "law")


def test_sources_and_queries_are_for_grounding_alone() -> None:
    content = (
        Content("tax is due", frozenset({"grounding_source"})),
        Content("when is tax due?", frozenset({"query"})),
        Content("It is."),
    )
    asked = check(*content, source="INPUT", **TOPICS, **GROUNDING)
    assert asked.action == "NONE"
    assert asked.coverage == {"textCharacters": {"guarded": 6, "total": 32}}
    assert ASKED == []
    assert asked.usage["contextualGroundingPolicyUnits"] == 0
    answered = check(*content, source="OUTPUT", **TOPICS, **GROUNDING)
    assert ASKED == [("It is.", ["tax is due"], "when is tax due?")]
    assert answered.usage["contextualGroundingPolicyUnits"] == 1
    assert answered.coverage == {"textCharacters": {"guarded": 6, "total": 6}}
    # Scores are told although nothing came of them, as on AWS.
    assert answered.assessment["contextualGroundingPolicy"]["filters"][0]["score"] == 0.9


def test_without_a_source_or_a_query_nothing_is_grounded() -> None:
    source, query = Content("s", frozenset({"grounding_source"})), Content(" ", frozenset({"query"}))
    verdict = check(source, query, Content("a"), source="OUTPUT", **GROUNDING)
    assert "contextualGroundingPolicy" not in verdict.full_assessment


def test_a_policy_that_is_off_on_this_side_is_neither_asked_nor_counted() -> None:
    off: dict[str, Any] = {"topicPolicy": {"topics": [{"name": "tax", "inputEnabled": False}]}}
    verdict = check("tax", **off)
    assert verdict.action == "NONE"
    assert "topicPolicy" not in verdict.full_assessment
    assert verdict.usage["topicPolicyUnits"] == 0
    assert check("tax", source="OUTPUT", **off).blocked


def test_usage_is_counted_in_units_of_a_thousand_characters() -> None:
    patterns: dict[str, Any] = {"sensitiveInformationPolicy": {"regexes": [{"name": "a"}]}}
    verdict = check("a" * 1_000, "b", **TOPICS, **patterns)
    assert verdict.usage == {
        "topicPolicyUnits": 2,
        "contentPolicyUnits": 0,
        "wordPolicyUnits": 0,
        "sensitiveInformationPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 2,
        "contextualGroundingPolicyUnits": 0,
        "contentPolicyImageUnits": 0,
        "automatedReasoningPolicyUnits": 0,
        "automatedReasoningPolicies": 0,
    }
    assert verdict.assessment["invocationMetrics"]["usage"] == verdict.usage
    assert verdict.latency_ms >= 1
