"""Checks a reply against the JSON Schema that was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable

from services.json_places import JsonTextError, path_text, read_json
from services.tools import read_schema

_FENCED = re.compile(r"```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_MOST_ERRORS = 20


@dataclass(frozen=True)
class OutputCheck:
    """`errors` has a sentence for each thing that is wrong; a reply without any is valid."""

    errors: tuple[str, ...] = ()
    note: str = ""

    @property
    def valid(self) -> bool:
        """Whether the reply follows its schema."""
        return not self.errors


def reply_text(content: Iterable[dict[str, Any]]) -> str:
    """The words of a reply, without reasoning and tool calls."""
    return "".join(block["text"] for block in content if "text" in block)


@lru_cache(maxsize=256)
def check_output(text: str, schema_text: str) -> OutputCheck | None:
    """How a reply keeps to a schema; None where the schema itself is empty or wrong.

    JSON in a code fence is taken, with a note: a program that reads the reply would have to remove it.
    """
    schema, _ = read_schema(schema_text)
    if schema is None:
        return None
    text, note = text.strip(), ""
    if fenced := _FENCED.fullmatch(text):
        text, note = fenced[1], "The JSON stands in a code fence, which a program has to take off first."
    try:
        value = read_json(text)
    except JsonTextError as error:
        where = f"line {error.line}, column {error.column}"
        return OutputCheck((f"The reply is not JSON: {error} at {where}.",), note)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    validator = kind(schema, registry=Registry())  # an empty registry: no schema is fetched from the network
    try:
        found = sorted(validator.iter_errors(value), key=lambda error: [str(step) for step in error.path])
    except Unresolvable as error:
        return OutputCheck((f"The schema refers to {error.ref}, which is not part of it.",), note)
    except re.error as error:
        return OutputCheck((f"A pattern in the schema cannot be checked here: {error}.",), note)
    except RecursionError:
        return OutputCheck(("The reply or its schema is nested too deeply to be checked.",), note)
    errors = [_sentence(error) for error in found[:_MOST_ERRORS]]
    if len(found) > _MOST_ERRORS:
        errors.append(f"And {len(found) - _MOST_ERRORS} more.")
    return OutputCheck(tuple(errors), note)


def _sentence(error: jsonschema.ValidationError) -> str:
    message = error.message if len(error.message) <= 200 else error.message[:200] + "…"
    return f"{path_text(list(error.absolute_path)) or 'The whole reply'}: {message}."
