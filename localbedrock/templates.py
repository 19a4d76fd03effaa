"""The ``{{variables}}`` of managed prompts: found, declared, filled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_VARIABLE = re.compile(r"\{\{((?:[0-9a-zA-Z][_-]?){1,100})\}\}")


def used(template: Mapping[str, Any]) -> set[str]:
    """The variables in the texts of a ``templateConfiguration``."""
    return {name for text in _texts(template) for name in _VARIABLE.findall(text)}


def declared(template: Mapping[str, Any]) -> list[str]:
    """The names in its ``inputVariables``, in their order."""
    (configuration,) = template.values()
    return [variable["name"] for variable in configuration.get("inputVariables", ()) if "name" in variable]


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables replaced, in one pass: a value is never read as a template."""
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def _texts(template: Mapping[str, Any]) -> Iterator[str]:
    if "text" in template:
        yield template["text"]["text"]
        return
    chat = template["chat"]
    for block in chat.get("system", ()):
        yield block.get("text", "")
    for message in chat["messages"]:
        for block in message["content"]:
            yield block.get("text", "")
