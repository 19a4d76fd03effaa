"""Prompt templates: text with `{{variable}}` in it, as Bedrock's Prompt Management writes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE_NAME = r"(?:[0-9a-zA-Z][_-]?){1,100}"
"""The pattern of `PromptInputVariableName` in botocore's bedrock-agent model."""

_VARIABLE = re.compile(r"\{\{(" + VARIABLE_NAME + r")\}\}")
_IN_BRACES = re.compile(r"\{\{([^{}\n]{0,100})\}\}")


def variables(*texts: str) -> tuple[str, ...]:
    """The names of the variables in these texts, each once, in the order in which they first appear.

    >>> variables("Dear {{name}}, {{name}} of {{city}}")
    ('name', 'city')
    """
    return tuple(dict.fromkeys(name for text in texts for name in _VARIABLE.findall(text)))


def not_variables(text: str) -> tuple[str, ...]:
    """What stands in double braces on one line but is no name that AWS takes, such as `{{ x }}`."""
    found = dict.fromkeys(_IN_BRACES.findall(text))
    return tuple(name for name in found if not re.fullmatch(VARIABLE_NAME, name))


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with the values in place of their variables; a variable without a value stays as it is.

    Values go in verbatim and are not looked at again: a value with `{{x}}` in it is not a template.

    >>> fill("{{a}} and {{b}}", {"a": "{{b}}"})
    '{{b}} and {{b}}'
    """
    return _VARIABLE.sub(lambda match: values.get(match[1]) or match[0], text)


def unfilled(text: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """The variables of the text that have no value, or an empty one."""
    return tuple(name for name in variables(text) if not values.get(name))
