"""A guardrail's configuration: read and written without loss, refused in words, compared item by item."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from services import clients, guardrail_editor, guardrails
from services.clients import Identity
from services.code_export.boto3 import boto3_code
from services.guardrail_configuration import (
    LISTS,
    Configuration,
    ConfigurationError,
    ContentFilter,
    GroundingFilter,
    Regex,
    Topic,
    Word,
    from_guardrail,
    from_json,
)
from services.guardrail_differences import Difference, differences
from services.guardrail_rules import choices, longest, problems, request_shape

IDENTITY = Identity("aws", "team", "eu-west-1")
GOOD = Configuration(
    name="support",
    blocked_input_messaging="No.",
    blocked_outputs_messaging="No.",
    words=(Word(text="secret"),),
)
MODEL = botocore.session.get_session().get_service_model("bedrock")
ANSWER = MODEL.operation_model("GetGuardrail").output_shape
UPDATE = MODEL.operation_model("UpdateGuardrail").input_shape


def made_up(shape: Any, chance: random.Random) -> Any:
    """A value that a shape allows; optional members come and go."""
    if shape.type_name == "structure":
        return {
            name: made_up(member, chance)
            for name, member in shape.members.items()
            if name in shape.required_members or chance.random() < 0.6
        }
    if shape.type_name == "list":
        return [made_up(shape.member, chance) for _ in range(chance.randint(1, 3))]
    if shape.type_name == "string":
        text = f"text {chance.randint(0, 10**6)} with “quotes”"
        return chance.choice(shape.enum) if shape.enum else text[: shape.metadata.get("max", 50)]
    return chance.choice([True, False]) if shape.type_name == "boolean" else round(chance.random(), 3)


def in_request_terms(answer: dict[str, Any]) -> dict[str, Any]:
    """What a request is to say for an answer, by the service model's names alone."""
    wanted: dict[str, Any] = {}
    for name, value in answer.items():
        if name in request_shape().members:
            wanted[name] = value
        elif f"{name}Config" in request_shape().members:
            members = request_shape().members[f"{name}Config"].members
            wanted[f"{name}Config"] = {
                key if key in members else f"{key}Config": member for key, member in value.items()
            }
    if "kmsKeyArn" in answer:
        wanted["kmsKeyId"] = answer["kmsKeyArn"]
    details = answer.get("crossRegionDetails", {})
    if profile := details.get("guardrailProfileArn") or details.get("guardrailProfileId"):
        wanted["crossRegionConfig"] = {"guardrailProfileIdentifier": profile}
    for topic in wanted.get("topicPolicyConfig", {}).get("topicsConfig", []):
        topic.setdefault("type", "DENY")  # the answer may leave it out, the request may not
    for policy in [name for name in wanted if name.endswith("PolicyConfig")]:
        lists = [value for key, value in wanted[policy].items() if key != "tierConfig"]
        if not any(isinstance(value, list) for value in lists):
            del wanted[policy]  # a tier without a filter is no policy
    return wanted


@pytest.mark.parametrize("seed", range(60))
def test_whatever_aws_may_answer_is_saved_as_it_is(seed: int) -> None:
    answer = made_up(ANSWER, random.Random(seed))
    read = from_guardrail(answer)
    request = read.to_request()
    assert request == in_request_terms(json.loads(json.dumps(answer)))
    assert from_guardrail(request) == replace(read, content_tier=_tier(request, "contentPolicyConfig"))
    assert from_json(read.to_json()).to_request() == request
    update = guardrail_editor.update_call(IDENTITY, "abc", read).request
    for shape, given in ((request_shape(), request), (UPDATE, update)):
        report = ParamValidator().validate(given, shape)
        assert not report.has_errors(), report.generate_report()
    assert not read.other, "a member of the service model that is not known here"
    assert not read.other_of
    assert not any(item.other for each in LISTS for item in read.items(each.field))


def _tier(request: dict[str, Any], policy: str) -> str:
    return str(request.get(policy, {}).get("tierConfig", {}).get("tierName", ""))


def test_what_is_not_known_is_kept_and_said() -> None:
    raw = GOOD.to_request() | {"futurePolicyConfig": {"level": 3}}
    raw["wordPolicyConfig"] = {"wordsConfig": [{"text": "secret", "fuzzy": 2}], "languages": ["de"]}
    read = from_guardrail(raw)
    assert read.to_request() == raw
    said = " ".join(problems(read))
    for name in ("fuzzy", "languages", "future policy"):
        assert name in said
    assert said.count("cannot be sent") == 3


def test_tags_come_with_a_new_guardrail_and_not_with_an_update() -> None:
    read = from_json(json.dumps(GOOD.to_request() | {"tags": [{"key": "team", "value": "a"}]}))
    assert "tags" in guardrail_editor.create_call(IDENTITY, read).request
    assert "tags" not in guardrail_editor.update_call(IDENTITY, "abc", read).request


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "no guardrail"),
        ('{"colour": "red"}', "no guardrail"),
        ("[" * 100_000, "not JSON"),
        ('{"name": 5}', "to be a text"),
        ('{"topicPolicy": {"topics": {}, "x": 1}, "name": "a", "wordPolicyConfig": 3}', "is to be"),
        ('{"topicPolicy": {"topics": ["x"]}}', "Denied topic 1 is to be an object"),
        ('{"topicPolicy": {"topics": [{"name": "a", "examples": "b"}]}}', "list of texts"),
        ('{"wordPolicy": {"words": [{"text": "a", "inputEnabled": "yes"}]}}', "true or false"),
        ('{"contextualGroundingPolicy": {"filters": [{"threshold": true}]}}', "a number"),
        ('{"automatedReasoningPolicy": {"policies": ["a"], "confidenceThreshold": "high"}}', "a number"),
    ],
)
def test_a_text_that_is_no_guardrail_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        from_json(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "The name is missing."),
        ({"name": "two words"}, "letters, digits, hyphens and underscores"),
        ({"name": "n" * 51}, "51 characters; AWS takes at most 50"),
        ({"description": "d" * 201}, "at most 200"),
        ({"blocked_input_messaging": ""}, "The message for a blocked prompt is missing."),
        ({"words": ()}, "at least one policy"),
        ({"words": (Word(text="a"), Word(text="a"))}, "“a” is there 2 times"),
        ({"words": (Word(text="w" * 101),)}, "101 characters; AWS takes at most 100"),
        ({"topics": (Topic(name="stocks"),)}, "Denied topic “stocks”: the definition is missing."),
        ({"topics": (Topic(name="a/b", definition="d"),)}, "letters, digits, spaces"),
        (
            {"topics": tuple(Topic(name=f"t{n}", definition="d") for n in range(31))},
            "Denied topics: the list has 31 entries; AWS takes at most 30",
        ),
        (
            {"topics": (Topic(name="a", definition="d", examples=("e",) * 6),)},
            "the examples has 6 entries; AWS takes at most 5",
        ),
        ({"filters": (ContentFilter(type="PROMPT_ATTACK"),)}, "its output strength must be NONE"),
        ({"filters": (ContentFilter(type="RUDENESS"),)}, "is “RUDENESS”; AWS knows SEXUAL"),
        ({"grounding": (GroundingFilter(type="GROUNDING", threshold=1.0),)}, "at most 0.99"),
        ({"grounding": (GroundingFilter(type="GROUNDING", threshold=-0.5),)}, "from 0 on"),
        ({"regexes": (Regex(name="r", pattern="(["),)}, "cannot be read"),
        ({"regexes": (Regex(name="r", pattern="a(?=b)"),)}, "lookahead"),
        ({"regexes": (Regex(name="r"),)}, "the pattern is missing"),
        ({"filters": (ContentFilter(type="HATE"),), "content_tier": "STANDARD"}, "cross-Region profile"),
        ({"guardrail_profile": "us.guardrail.v1:0", "reasoning_policies": ("a",) * 3}, "at most 2"),
    ],
)
def test_what_aws_would_refuse_is_said(changes: dict[str, Any], said: str) -> None:
    assert problems(GOOD) == ()
    assert said in " ".join(problems(replace(GOOD, **changes)))


def test_the_bounds_and_choices_are_the_sdks() -> None:
    assert longest("name") == 50
    assert "EMAIL" in choices("pii", "type")
    assert choices("filters", "input_modalities".replace("_m", "M")) == ("TEXT", "IMAGE")


def test_two_configurations_are_compared_item_by_item() -> None:
    old = replace(GOOD, topics=(Topic(name="a", definition="one"), Topic(name="b", definition="two")))
    new = replace(
        GOOD,
        description="now said",
        words=(Word(text="hidden"),),
        topics=(Topic(name="b", definition="two"), Topic(name="a", definition="1", input_enabled=False)),
    )
    assert differences(old, old) == ()
    assert differences(old, new) == (
        Difference("changed", "Description", "not set → “now said”"),
        Difference("changed", "Denied topic “a”", "definition: “one” → “1”; inputEnabled: not set → False"),
        Difference("removed", "Custom word “secret”"),
        Difference("added", "Custom word “hidden”", "text: “hidden”"),
    )


def test_the_code_says_what_is_sent_and_a_token_belongs_to_its_request() -> None:
    call = guardrail_editor.create_call(IDENTITY, GOOD, "seed")
    again = guardrail_editor.create_call(IDENTITY, GOOD, "seed")
    other = guardrail_editor.create_call(IDENTITY, replace(GOOD, name="other"), "seed")
    assert call.request == again.request
    assert call.request["clientRequestToken"] != other.request["clientRequestToken"]
    code = boto3_code(guardrail_editor.create_call(IDENTITY, GOOD))
    assert 'client("bedrock")' in code
    assert "client.create_guardrail(" in code
    assert "clientRequestToken" not in code


class Bedrock:
    """Answers as the client does, and counts."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = "READY"

    def get_guardrail(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        return {"guardrailId": "abc", "version": "DRAFT", "status": self.status, "name": "n"}

    def update_guardrail(self, **arguments: Any) -> dict[str, Any]:
        answer: Any = {"Error": {"Code": "ConflictException", "Message": "busy"}}
        raise ClientError(answer, "UpdateGuardrail")


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Bedrock:
    fake = Bedrock()
    monkeypatch.setattr(clients, "client", lambda service, identity: fake)
    guardrail_editor.refresh()
    return fake


def test_a_settled_guardrail_is_kept_per_identity_until_something_is_written(bedrock: Bedrock) -> None:
    bedrock.status = "CREATING"
    guardrail_editor.get(IDENTITY, "abc")
    bedrock.status = "READY"
    assert guardrail_editor.get(IDENTITY, "abc").status == "READY", "what is on its way is asked for again"
    guardrail_editor.get(IDENTITY, "abc")
    assert len(bedrock.asked) == 2
    guardrail_editor.get(replace(IDENTITY, profile="other"), "abc")
    assert len(bedrock.asked) == 3
    with pytest.raises(guardrail_editor.GuardrailError) as caught:
        guardrail_editor.update(IDENTITY, "abc", GOOD)
    assert caught.value.problem.title
    guardrail_editor.get(IDENTITY, "abc")
    assert len(bedrock.asked) == 4, "a refused write may have been carried out"


def test_lists_have_dates_and_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    class Paginator:
        def paginate(self, **arguments: Any) -> list[dict[str, Any]]:
            return [{"guardrails": [{"id": "abc", "version": "1", "description": "first"}]}]

    class Client:
        def get_paginator(self, name: str) -> Paginator:
            return Paginator()

    monkeypatch.setattr(clients, "client", lambda service, identity: Client())
    guardrails.refresh()
    assert [one.description for one in guardrails.versions(IDENTITY, "abc").summaries] == ["first"]
    guardrails.refresh()


def test_the_sample_is_a_guardrail_where_it_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(guardrail_editor, "SAMPLE", tmp_path / "none.json")
    assert guardrail_editor.sample() is None
    (tmp_path / "none.json").write_text(GOOD.to_json())
    assert guardrail_editor.sample() == GOOD
