"""Templates: what counts as a variable, and that values are only ever put in, never read as templates."""

from __future__ import annotations

import time

import botocore.session
import pytest

from services import prompt_exchange, prompt_template
from services.prompt_template import fill, not_variables, unfilled, variables


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("Dear {{name}}", ("name",)),
        ("{{b}} {{a}} {{b}}", ("b", "a")),
        ("{{{name}}}", ("name",)),
        ("{{a{{b}}}}", ("b",)),
        ("{{open", ()),
        ("{{open {{x}}", ("x",)),
        ("{x} }}{{ {{}}", ()),
        ("{{two words}} {{ x }} {{größe}} {{_x}} {{a--b}}", ()),
        ("{{a-b_c}} {{1}} {{x_}}", ("a-b_c", "1", "x_")),
        ("日本{{x}}語", ("x",)),
        ("{{" + "a" * 100 + "}}{{" + "b" * 101 + "}}", ("a" * 100,)),
        ("{{a\n}}", ()),
    ],
)
def test_a_variable_is_a_name_that_aws_takes_in_double_braces(text: str, names: tuple[str, ...]) -> None:
    assert variables(text) == names


def test_the_variables_of_several_texts_stand_in_order_and_once() -> None:
    assert variables("{{b}}{{a}}", "{{a}}{{c}}") == ("b", "a", "c")


@pytest.mark.parametrize(
    ("text", "values", "filled"),
    [
        ("{{a}}-{{a}}", {"a": "1"}, "1-1"),
        ("{{a}} {{b}}", {"a": "1"}, "1 {{b}}"),
        ("{{a}} {{b}}", {"a": "", "b": "2"}, "{{a}} 2"),
        ("{{a}}", {"a": "{{b}}", "b": "no"}, "{{b}}"),
        ("{{{{a}}}}", {"a": "b", "b": "no"}, "{{b}}"),
        ("{{a}}", {"a": r"\1 \g<0> $x"}, r"\1 \g<0> $x"),
        ("{{a}}", {"a": "🎈 \x00 ü"}, "🎈 \x00 ü"),
        ("no braces", {"a": "1"}, "no braces"),
    ],
)
def test_values_go_in_verbatim_and_once(text: str, values: dict[str, str], filled: str) -> None:
    assert fill(text, values) == filled


def test_what_has_no_value_is_named() -> None:
    assert unfilled("{{a}} {{b}} {{c}}", {"a": "1", "b": ""}) == ("b", "c")


def test_braces_that_look_like_a_variable_are_told() -> None:
    assert not_variables("{{ x }} {{ok}} {{größe}} {{ x }}") == (" x ", "größe")


@pytest.mark.parametrize("piece", ["{{x}} word ", "{{", "{{a_", "}}", "{{ ", "{" * 7 + "x"])
def test_a_megabyte_is_read_in_an_instant(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    fill(text, dict.fromkeys(variables(text), "value"))
    not_variables(text)
    assert time.perf_counter() - started < 2


def test_names_and_limits_are_those_of_botocore() -> None:
    model = botocore.session.get_session().get_service_model("bedrock-agent")

    def facts(shape: str) -> dict[str, object]:
        return dict(model.shape_for(shape).metadata)

    assert facts("PromptInputVariableName")["pattern"] == prompt_template.VARIABLE_NAME.replace("?:", "")
    assert facts("PromptName")["pattern"] == prompt_exchange.NAME
    assert facts("PromptVariantName")["pattern"] == prompt_exchange.NAME
    assert facts("PromptModelIdentifier")["pattern"] == prompt_exchange.MODEL_ID
    assert facts("PromptInputVariablesList")["max"] == prompt_exchange.MOST_VARIABLES
    assert facts("StopSequences")["max"] == prompt_exchange.MOST_STOP_SEQUENCES
    assert facts("Temperature")["max"] == prompt_exchange.HIGHEST["temperature"]
    assert facts("TopP")["max"] == prompt_exchange.HIGHEST["topP"]
    assert facts("PromptDescription")["max"] == prompt_exchange.LONGEST_DESCRIPTION
