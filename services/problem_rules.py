"""The table of what errors mean, read from `data/problems.toml`; the format is explained there."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Action = Literal[
    "retry",
    "use_inference_profile",
    "renew_credentials",
    "restart_backend",
    "choose_model",
    "edit_parameters",
    "shorten",
    "none",
]

_TABLE = Path(__file__).parent / "data" / "problems.toml"


@dataclass(frozen=True)
class Rule:
    """One kind of problem: when it applies, and its texts with {placeholders}."""

    kind: str
    title: str
    cause: str
    fix: str
    action: Action
    errors: frozenset[str] = frozenset()
    wording: str = ""
    operation: str = ""
    backend: Literal["local", "aws"] | None = None
    link: str | None = None
    link_label: str = "Open the documentation"
    wait_s: float | None = None
    billed: bool = False

    def match(
        self, errors: Iterable[str], message: str, operation: str, backend: str
    ) -> dict[str, str] | None:
        """The wording's groups if the rule applies, else None. `errors` are the names that the error has."""
        if self.errors and self.errors.isdisjoint(errors):
            return None
        if self.backend not in {None, backend} or not re.search(self.operation, operation):
            return None
        found = re.search(self.wording, message, re.IGNORECASE | re.DOTALL)
        if found is None:
            return None
        groups: dict[str, str] = {}
        for name, text in found.groupdict("").items():
            # A pattern may name a group once only; its alternatives are name, name2 ...
            base = name.rstrip("0123456789")
            groups[base] = groups.get(base) or text
        return groups


def choose(
    errors: Iterable[str], message: str, *, operation: str, backend: str
) -> tuple[Rule, dict[str, str]]:
    """The first rule that applies, with the groups of its wording. The last one takes everything.

    `errors` are names in lower case: an AWS error code without "Exception", or the classes of an exception.
    """
    names = frozenset(errors)
    text = message.replace("’", "'")
    for rule in rules():
        groups = rule.match(names, text, operation, backend)
        if groups is not None:
            return rule, groups
    raise LookupError("the table has no rule for everything at its end")


@functools.cache
def rules() -> tuple[Rule, ...]:
    """The table, in its order."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return tuple(_rule(entry, table["codes"]) for entry in table["rule"])


def _rule(entry: dict[str, Any], codes: dict[str, list[str]]) -> Rule:
    errors = frozenset(code for name in entry.get("errors", ()) for code in codes.get(name, [name]))
    return Rule(**(entry | {"errors": errors}))
