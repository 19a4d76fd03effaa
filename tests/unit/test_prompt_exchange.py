"""What of a pane goes into a managed prompt and back, what is refused, and how Converse is called by ARN."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from services import prompt_exchange, prompts
from services.capabilities import Capabilities, capabilities_of
from services.clients import Identity
from services.conversations import Settings, Turn
from services.problems import Problem
from services.prompt_exchange import call_by_arn, draft, name_refused, settings_from, with_values
from services.prompts import ManagedPrompt, PromptError, Variant, read_prompt

IDENTITY = Identity("aws", None, "us-east-1")
ARN = "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:3"
PLAIN = Settings(model_id="amazon.nova-lite-v1:0")


def check(variant: dict[str, Any]) -> None:
    """botocore takes the variant for CreatePrompt."""
    model = botocore.session.get_session().get_service_model("bedrock-agent")
    shape = model.operation_model("CreatePrompt").input_shape
    arguments = {"name": "x", "defaultVariant": variant["name"], "variants": [variant]}
    assert not ParamValidator().validate(arguments, shape).has_errors()


def test_without_a_system_prompt_it_is_a_text_with_its_variables_declared() -> None:
    made = draft(PLAIN, Capabilities(), "Dear {{name}}, {{name}} of {{city}}", [])
    check(made.variant)
    assert made.variant == {
        "name": "default",
        "templateType": "TEXT",
        "templateConfiguration": {
            "text": {
                "text": "Dear {{name}}, {{name}} of {{city}}",
                "inputVariables": [{"name": "name"}, {"name": "city"}],
            }
        },
        "modelId": "amazon.nova-lite-v1:0",
    }
    assert (made.refused, made.lost) == ((), ())


def test_with_a_system_prompt_it_is_a_chat() -> None:
    settings = Settings(
        model_id="anthropic.claude-sonnet-4-5-20250929-v1:0",
        system="You sell {{product}}.",
        parameters={"temperature": 0.0, "maxTokens": 9, "topK": 50, "thinkingBudget": 2048},
        stop_sequences=("END",),
        additional_json='{"anthropic_beta": ["x"]}',
    )
    made = draft(settings, capabilities_of(settings.model_id), "Hi {{name}}", [])
    check(made.variant)
    chat = made.variant["templateConfiguration"]["chat"]
    assert made.variant["templateType"] == "CHAT"
    assert chat["system"] == [{"text": "You sell {{product}}."}]
    assert chat["messages"] == [{"role": "user", "content": [{"text": "Hi {{name}}"}]}]
    assert chat["inputVariables"] == [{"name": "product"}, {"name": "name"}]
    assert made.variant["inferenceConfiguration"] == {
        "text": {"temperature": 0.0, "maxTokens": 9, "stopSequences": ["END"]}
    }
    assert made.variant["additionalModelRequestFields"] == {
        "anthropic_beta": ["x"],
        "top_k": 50,
        "thinking": {"type": "enabled", "budget_tokens": 2048},
    }
    assert made.refused == ()


@pytest.mark.parametrize(
    ("settings", "template", "word"),
    [
        (PLAIN, "  ", "The template is empty"),
        (PLAIN, "".join(f"{{{{v{n}}}}}" for n in range(21)), "20 variables; this one has 21"),
        (Settings(stop_sequences=tuple("abcde")), "Hi", "4 stop sequences; this pane has 5"),
        (Settings(parameters={"temperature": 1.5}), "Hi", "temperature up to 1; here it is 1.5"),
        (Settings(additional_json="{"), "Hi", "no JSON object"),
        (Settings(additional_json="[1]"), "Hi", "no JSON object"),
        (Settings(model_id=ARN), "Hi", "choose a model for it first"),
        (Settings(model_id="a_b"), "Hi", "does not take a_b as its model"),
    ],
)
def test_what_aws_would_refuse_is_a_sentence(settings: Settings, template: str, word: str) -> None:
    (sentence,) = draft(settings, Capabilities(), template, []).refused
    assert word in sentence
    assert sentence.endswith(".")


def test_what_a_managed_prompt_does_not_hold_is_a_sentence() -> None:
    turns = [Turn(prompt=({"image": {"format": "png", "source": {"bytes": b""}}}, {"text": "What is it?"}))]
    made = draft(Settings(parameters={"topK": 3}), Capabilities(), "Hi", turns)
    assert made.lost == (
        "The pane's turn is not kept, nor are the files.",
        "topK is not kept: this model has no field for it.",
    )


@pytest.mark.parametrize("name", ["", "two words", "_x", "a--b", "ü", "a" * 101])
def test_a_bad_name_is_refused(name: str) -> None:
    assert len(name_refused(name, "")) == 1


def test_a_long_description_is_refused() -> None:
    assert "200 characters; this one has 201" in name_refused("good-name_1", "x" * 201)[0]
    assert name_refused("good-name_1", "x" * 200) == ()


@pytest.mark.parametrize("system", ["", "Be brief, {{name}}."])
def test_a_saved_pane_comes_back_as_it_was(system: str) -> None:
    settings = Settings(
        model_id="amazon.nova-lite-v1:0",
        system=system,
        parameters={"temperature": 0.5, "maxTokens": 100},
        stop_sequences=("END",),
        additional_json='{\n  "top_k": 5\n}',
    )
    made = draft(settings, Capabilities(), "Hi {{x}}", [])
    prompt = read_prompt({"id": "ABCDEFGHIJ", "arn": ARN, "version": "3", "variants": [made.variant]})
    assert prompt.variant
    assert prompt.variant.template == "Hi {{x}}"
    assert settings_from(prompt.variant, Settings(), has_model=True) == (settings, [])


def test_what_a_pane_cannot_take_is_said() -> None:
    variant = Variant(
        name="v",
        template_type="CHAT",
        template="Now?",
        messages=({"role": "user", "content": []}, {"role": "assistant", "content": []}),
        tools={"tools": []} | {"toolChoice": {}},
        model_id="other.model-v1:0",
    )
    settings, said = settings_from(variant, PLAIN, has_model=False)
    assert settings.model_id == PLAIN.model_id
    assert ["other.model-v1:0" in said[0], "2 messages" in said[1], "tools" in said[2]] == [True] * 3


REQUEST: dict[str, Any] = {
    "modelId": ARN,
    "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
    "system": [{"text": "s"}],
    "inferenceConfig": {"temperature": 0},
    "toolConfig": {},
    "additionalModelRequestFields": {"x": 1},
    "guardrailConfig": {"guardrailIdentifier": "g"},
}


def test_only_what_aws_takes_beside_a_prompts_arn_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = Variant("v", "TEXT", "{{a}}{{b}}", variables=("a", "b"))
    monkeypatch.setattr(prompts, "by_arn", lambda *_: ManagedPrompt("i", ARN, "n", "3", variant=variant))
    assert call_by_arn(REQUEST, IDENTITY, {"a": "1", "other": "2"}) == {
        "modelId": ARN,
        "messages": REQUEST["messages"],
        "guardrailConfig": {"guardrailIdentifier": "g"},
        "promptVariables": {"a": {"text": "1"}},
    }
    empty = REQUEST | {"messages": [{"role": "user", "content": []}]}
    assert "messages" not in call_by_arn(empty, IDENTITY, {})
    assert prompt_exchange.pane_variables(IDENTITY, Settings(model_id=ARN)) == ("a", "b")


def test_a_prompt_that_may_not_be_read_gets_all_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> ManagedPrompt:
        raise PromptError(Problem("AccessDeniedException", "t", "c", "f"))

    monkeypatch.setattr(prompts, "by_arn", denied)
    assert call_by_arn(REQUEST, IDENTITY, {"a": "1"})["promptVariables"] == {"a": {"text": "1"}}


def test_a_call_of_a_model_is_left_alone() -> None:
    request = REQUEST | {"modelId": "amazon.nova-lite-v1:0"}
    assert call_by_arn(request, IDENTITY, {"a": "1"}) is request


def test_the_system_prompt_is_filled_where_it_has_variables() -> None:
    assert with_values(Settings(system="For {{who}}, {{x}}"), {"who": "you"}).system == "For you, {{x}}"
    settings = Settings(system="Plain")
    assert with_values(settings, {"who": "you"}) is settings
