"""Variables of managed prompts: which count as such, and that a value is never read as a template."""

from __future__ import annotations

import pytest

from localbedrock import templates


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Hello {{name}}", {"name"}),
        ("{{a}}{{b-c}}{{a}}", {"a", "b-c"}),
        ('{{"json": 1}} {single} {{ spaced }} {{}}', set()),
    ],
)
def test_only_names_in_double_braces_are_variables(text: str, names: set[str]) -> None:
    assert templates.used({"text": {"text": text}}) == names


def test_variables_are_found_in_every_text_of_a_chat() -> None:
    chat = {
        "system": [{"text": "{{a}}"}, {"cachePoint": {"type": "default"}}],
        "messages": [{"role": "user", "content": [{"text": "{{b}}"}]}],
        "inputVariables": [{"name": "a"}, {}],
    }
    assert templates.used({"chat": chat}) == {"a", "b"}
    assert templates.declared({"chat": chat}) == ["a"]


def test_a_value_is_not_filled_again() -> None:
    assert templates.fill("{{a}} {{b}} {{c}}", {"a": "{{b}}", "b": r"\1"}) == r"{{b}} \1 {{c}}"
