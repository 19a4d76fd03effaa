"""ApplyGuardrail over HTTP: verdicts, masks, scopes and sizes, with the answer in AWS's shape."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Endpoint

NO_GUARDRAIL = "The guardrail identifier or version provided in the request does not exist."
ACCOUNT = {"name": "Account Number", "pattern": r"\b\d{6}\d{4}\b", "action": "ANONYMIZE"}


@pytest.fixture(scope="module")
def runtime(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-runtime")


@pytest.fixture(scope="module")
def guardrail(endpoint: Endpoint) -> Iterator[str]:
    """A guardrail of words, personal data and a regex, with a version 1."""
    bedrock = endpoint.client("bedrock")
    content: dict[str, Any] = {
        "name": f"guardrail-{uuid4().hex}",
        "blockedInputMessaging": "Not this question.",
        "blockedOutputsMessaging": "Not this answer.",
        "wordPolicyConfig": {
            "wordsConfig": [{"text": "acme"}, {"text": "rival", "inputAction": "NONE"}],
            "managedWordListsConfig": [{"type": "PROFANITY", "outputEnabled": False}],
        },
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [{"type": kind, "action": "ANONYMIZE"} for kind in ("EMAIL", "IP_ADDRESS")],
            "regexesConfig": [ACCOUNT | {"inputAction": "BLOCK"}],
        },
        "contextualGroundingPolicyConfig": {"filtersConfig": [{"type": "GROUNDING", "threshold": 0.1}]},
    }
    identifier = bedrock.create_guardrail(**content)["guardrailId"]
    bedrock.create_guardrail_version(guardrailIdentifier=identifier)
    bedrock.update_guardrail(guardrailIdentifier=identifier, **content, description="changed")
    yield identifier
    bedrock.delete_guardrail(guardrailIdentifier=identifier)


def apply(runtime: Any, guardrail: str, *texts: Any, source: str = "INPUT", **changes: Any) -> dict[str, Any]:
    blocks = [text if isinstance(text, dict) else {"text": {"text": text}} for text in texts]
    arguments: dict[str, Any] = {
        "guardrailIdentifier": guardrail,
        "guardrailVersion": "DRAFT",
        "source": source,
        "content": blocks,
    }
    answer: dict[str, Any] = runtime.apply_guardrail(**arguments | changes)
    return answer


def failure(runtime: Any, guardrail: str, *texts: Any, **changes: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        apply(runtime, guardrail, *texts, **changes)
    response: Any = caught.value.response
    return (
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Message"],
    )


def test_a_clean_text_passes(runtime: Any, guardrail: str) -> None:
    answer = apply(runtime, guardrail, "Hello there")
    assert (answer["action"], answer["actionReason"], answer["outputs"]) == ("NONE", "No action.", [])
    assert answer["guardrailCoverage"] == {"textCharacters": {"guarded": 11, "total": 11}}
    (assessment,) = answer["assessments"]
    assert set(assessment) == {"invocationMetrics", "appliedGuardrailDetails"}
    assert assessment["invocationMetrics"]["usage"] == answer["usage"]
    assert answer["usage"]["wordPolicyUnits"] == 1
    assert answer["usage"]["sensitiveInformationPolicyFreeUnits"] == 1
    assert answer["usage"]["sensitiveInformationPolicyUnits"] == 1
    assert answer["usage"]["topicPolicyUnits"] == 0


def test_a_blocked_text_becomes_the_message_of_its_side(runtime: Any, guardrail: str) -> None:
    asked = apply(runtime, guardrail, "What does ACME do?")
    assert (asked["action"], asked["actionReason"]) == ("GUARDRAIL_INTERVENED", "Guardrail blocked.")
    assert asked["outputs"] == [{"text": "Not this question."}]
    words = [{"match": "ACME", "action": "BLOCKED", "detected": True}]
    assert asked["assessments"][0]["wordPolicy"] == {"customWords": words, "managedWordLists": []}
    answered = apply(runtime, guardrail, "ACME", source="OUTPUT")
    assert answered["outputs"] == [{"text": "Not this answer."}]


def test_what_is_only_detected_passes_and_is_told(runtime: Any, guardrail: str) -> None:
    answer = apply(runtime, guardrail, "our rival", outputScope="FULL")
    assert answer["action"] == "NONE"
    told = answer["assessments"][0]["wordPolicy"]["customWords"]
    assert told == [{"match": "rival", "action": "NONE", "detected": True}]


def test_masked_texts_take_the_given_ones_place(runtime: Any, guardrail: str) -> None:
    text = 'The string "1234561666" <b>\U0001f600</b>'
    answer = apply(runtime, guardrail, text, "clean", source="OUTPUT")
    assert (answer["action"], answer["actionReason"]) == ("GUARDRAIL_INTERVENED", "Guardrail masked.")
    masked = text.replace("1234561666", "{Account Number}")
    assert answer["outputs"] == [{"text": masked}, {"text": "clean"}]
    assert apply(runtime, guardrail, text)["outputs"] == [{"text": "Not this question."}]


def test_the_full_scope_tells_what_was_looked_for_in_vain(runtime: Any, guardrail: str) -> None:
    # As recorded from AWS: personal data that is not there has no match; words and regexes are not told.
    answer = apply(runtime, guardrail, "Send it to abc@pqrt.com", outputScope="FULL")
    assert answer["outputs"] == [{"text": "Send it to {EMAIL}"}]
    assert answer["assessments"][0]["sensitiveInformationPolicy"] == {
        "piiEntities": [
            {"match": "abc@pqrt.com", "type": "EMAIL", "action": "ANONYMIZED", "detected": True},
            {"match": "", "type": "IP_ADDRESS", "action": "NONE", "detected": False},
        ],
        "regexes": [],
    }
    assert "wordPolicy" not in answer["assessments"][0]


def test_a_policy_works_on_the_side_it_is_enabled_for(runtime: Any, guardrail: str) -> None:
    assert apply(runtime, guardrail, "what the sh1t")["action"] == "GUARDRAIL_INTERVENED"
    assert apply(runtime, guardrail, "what the sh1t", source="OUTPUT")["action"] == "NONE"


def test_marked_content_alone_is_guarded(runtime: Any, guardrail: str) -> None:
    marked = {"text": {"text": "fine", "qualifiers": ["guard_content"]}}
    answer = apply(runtime, guardrail, "acme", marked)
    assert answer["action"] == "NONE"
    assert answer["guardrailCoverage"] == {"textCharacters": {"guarded": 4, "total": 8}}


def test_a_guardrail_is_named_by_arn_and_version(runtime: Any, guardrail: str) -> None:
    arn = f"arn:aws:bedrock:us-east-1:000000000000:guardrail/{guardrail}"
    answer = apply(runtime, arn, "acme", guardrailVersion="1")
    assert answer["assessments"][0]["appliedGuardrailDetails"] == {
        "guardrailId": guardrail,
        "guardrailVersion": "1",
        "guardrailArn": arn,
        "guardrailOrigin": ["REQUEST"],
        "guardrailOwnership": "SELF",
    }


def test_what_does_not_exist_is_said_as_aws_says_it(runtime: Any, guardrail: str) -> None:
    refused = ("ValidationException", 400, NO_GUARDRAIL)
    assert failure(runtime, "nosuchguardrail", "a") == refused
    assert failure(runtime, guardrail, "a", guardrailVersion="9") == refused


def test_content_that_cannot_be_checked_is_refused(runtime: Any, guardrail: str) -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
    code, status, message = failure(runtime, guardrail, "a", image)
    assert (code, status) == ("ValidationException", 400)
    assert message.startswith("Images cannot be checked here")
    assert failure(runtime, guardrail, " ")[0] == "ValidationException"
    assert failure(runtime, guardrail)[0] == "ValidationException"


@pytest.mark.parametrize("sizes", [(100_001, 5, 5), (5, 1_001, 5), (5, 5, 5_001)])
def test_grounding_takes_as_much_as_on_aws(runtime: Any, guardrail: str, sizes: tuple[int, int, int]) -> None:
    blocks = [
        {"text": {"text": "a" * size, "qualifiers": [qualifier]}}
        for size, qualifier in zip(sizes, ("grounding_source", "query", "guard_content"), strict=True)
    ]
    code, _, message = failure(runtime, guardrail, *blocks, source="OUTPUT")
    assert code == "ValidationException"
    assert "contextual grounding takes" in message


def test_a_hundred_thousand_characters_are_masked_in_no_time(runtime: Any, guardrail: str) -> None:
    text = "<i>No.</i> 1234561666, \u202eabc\u202c \U0001f600 and so on; " * 2_400
    started = time.perf_counter()
    answer = apply(runtime, guardrail, text, source="OUTPUT")
    assert time.perf_counter() - started < 20
    assert len(text) > 100_000
    assert answer["outputs"] == [{"text": text.replace("1234561666", "{Account Number}")}]
    assert answer["usage"]["wordPolicyUnits"] == -(-len(text) // 1_000)
