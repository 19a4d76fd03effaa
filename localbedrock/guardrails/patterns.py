"""Which regular expressions a guardrail takes."""

from __future__ import annotations

import re

import regex

from localbedrock.errors import validation

MAX_SIZE = 100_000
"""Characters that an expression may describe when its repetitions are written out: with more, compiling it
takes seconds, hours, or all memory.
"""

_LOOKAROUND = re.compile(r"(?<!\\)\(\?<?[=!]")
_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<least>\d*)(?P<more>,(?P<most>\d*))?\}|.", re.DOTALL)


def check_pattern(name: str, pattern: str) -> None:
    """Raises ValidationException for an expression that AWS refuses, or that cannot be compiled."""
    if _LOOKAROUND.search(pattern):
        raise validation(f"The regex {name} uses lookaround, which guardrails do not support.")
    if _size(pattern) > MAX_SIZE:
        raise validation(f"The regex {name} is too large: it has repetitions inside repetitions.")
    try:
        regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError) as error:
        raise validation(f"The regex {name} is not a valid regular expression: {error}.") from None


def _size(pattern: str) -> int:
    """How many characters an expression describes with its counted repetitions written out."""
    open_groups, last = [0], 0
    for part in _PART.finditer(pattern):
        if part[0] == "(":
            open_groups.append(0)
            continue
        if part["least"] or part["most"]:
            times = int((part["most"] or part["least"])[:9])
            open_groups[-1] += last * max(times - 1, 0)
            last *= times
            continue
        last = open_groups.pop() if part[0] == ")" and len(open_groups) > 1 else 1
        open_groups[-1] += last
    return sum(open_groups)
