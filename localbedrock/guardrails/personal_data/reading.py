"""A text that is searched for personal data, with what several searches need of it, each made once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from localbedrock.guardrails.personal_data.labels import Label, Labels

CERTAIN = 0.99
"""A form with a checksum, or one that nothing else has."""
LIKELY = 0.9
"""A form, and words beside it that name it; or a form that is rarely something else."""
POSSIBLE = 0.7
"""A form or a word that may be something else."""

CONNECTION = re.compile(
    r"(?:(?:\s{1,3}[a-z']{1,12}){0,4}\s{0,3}(?:\b(?:is|was|are)\b|[:=#]|->)\s{0,3}[:#]?\s{0,3}|\s{1,3})[\"'`(]?"
)


@dataclass(frozen=True)
class Entity:
    """Personal data in a text: AWS's type, where it stands (code points), and how sure it is (0 to 1)."""

    type: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Reading:
    """A normal text (``normal_text.normal``)."""

    text: str

    @cached_property
    def labels(self) -> Labels:
        """The words that say what stands beside them."""
        return Labels(self.text)

    def after(self, kind: str, value: re.Pattern[str]) -> Iterator[tuple[Label, re.Match[str]]]:
        """What follows the labels of a type ("plate is", "passport:"), where it has the form of ``value``."""
        for label in self.labels.of(kind):
            joint = CONNECTION.match(self.text, label.end)
            if joint and (found := value.match(self.text, joint.end())):
                yield label, found

    def matches(self, kind: str, pattern: re.Pattern[str], confidence: float) -> Iterator[tuple[Entity, str]]:
        """Every match of a pattern as an entity of a type, with its text."""
        for found in pattern.finditer(self.text):
            yield Entity(kind, *found.span(), confidence), found[0]


Finder = Callable[[Reading], Iterator[Entity]]
