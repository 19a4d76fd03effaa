"""JSON that somebody typed: read strictly, with the line and column of whatever is wrong in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from json import JSONDecoder
from typing import Any, NoReturn

Path = Sequence[str | int]

_WHITESPACE = re.compile(r"[ \t\n\r]*")


class JsonTextError(ValueError):
    """The text is not JSON; `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def read_json(text: str) -> Any:
    """The value of a JSON text. JsonTextError says what is wrong and where; NaN and Infinity are no JSON."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise JsonTextError(error.msg, error.lineno, error.colno) from error
    except RecursionError as error:
        raise JsonTextError("It is nested too deeply", 1, 1) from error
    except _ConstantError as error:
        line, column = _line_and_column(text, max(text.find(str(error)), 0))
        raise JsonTextError(f"{error} is no JSON value", line, column) from error


def place_of(text: str, path: Path) -> tuple[int, int]:
    """Line and column, from 1, of the value at `path` in a valid JSON text.

    Where the path leads to nothing (a missing member), it is the place of the nearest value around it.
    """
    at = _skip(text, 0)
    for step in path:
        inner = _member(text, at, step)
        if inner is None:
            break
        at = inner
    return _line_and_column(text, at)


def path_text(path: Path) -> str:
    """A path as people write it: `tools[0].inputSchema`; "" for the whole."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


class _ConstantError(Exception):
    pass


def _no_constant(word: str) -> NoReturn:
    raise _ConstantError(word)


def _line_and_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _skip(text: str, at: int) -> int:
    found = _WHITESPACE.match(text, at)
    return found.end() if found else at


def _member(text: str, at: int, step: str | int) -> int | None:
    """Where the member of the object or list at `at` starts; of a name that stands twice, the last counts."""
    opening = text[at : at + 1]
    if opening != ("[" if isinstance(step, int) else "{"):
        return None
    decoder = JSONDecoder()
    found: int | None = None
    index = 0
    at = _skip(text, at + 1)
    while text[at : at + 1] not in ("]", "}", ""):
        name: str | int = index
        if opening == "{":
            name, at = decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)  # the colon
        if name == step:
            found = at
        _, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        index += 1
    return found
