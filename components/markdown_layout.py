"""Where the blocks and inline pieces of a Markdown text lie, for who puts something between its words.

No parser: it knows what must not be broken open (code, tables, links), and is right about those.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["text", "blank", "heading", "table", "code", "rule"]

_PREFIX = re.compile(r"[ \t]*(?:>[ \t]?)*[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?)?")
_LIST = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_FENCE = re.compile(r"`{3,}(?=[^`]*$)|~{3,}")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r" {0,3}(?:([-*_])(?:[ \t]*\1){2,}|=+|-+)[ \t]*$")
_DEFINITION = re.compile(r" {0,3}\[[^\]\n]+\]:[ \t]")
_DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_LINK = re.compile(r"\[[^\[\]\n]*\]\([^()\s]*\)")
_ADDRESS = re.compile(r"https?://[^\s<>\[\]]+")
_BACKTICKS = re.compile(r"`+")


@dataclass(frozen=True)
class Line:
    """`text[start:end]`, without its line break.

    `content` is where its words begin, behind list and quote marks. `block_end` is the end of the code or
    table that it belongs to; `closer` the fence that is missing there.
    """

    start: int
    end: int
    kind: Kind
    content: int
    block_end: int
    closer: str = ""


class Layout:
    """The lines of a text, and the stretches within them that stay whole."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = _lines(text)
        self._starts = [line.start for line in self.lines]

    def line_at(self, position: int) -> Line:
        """The line in which the character before `position` stands."""
        return self.lines[max(bisect_right(self._starts, max(position - 1, 0)) - 1, 0)]

    @cached_property
    def whole(self) -> list[tuple[int, int]]:
        """Inline code, links and bare addresses, outside blocks of code; in order, and not overlapping."""
        links = [match.span() for match in _LINK.finditer(self.text)]
        addresses = [
            (match.start(), match.start() + len(match[0].rstrip(".,;:!?)")))
            for match in _ADDRESS.finditer(self.text)
        ]
        found = [*self._code_spans, *links, *addresses]
        kept: list[tuple[int, int]] = []
        for start, end in sorted(found, key=lambda one: (one[0], -one[1])):
            if (not kept or start >= kept[-1][1]) and self.line_at(start + 1).kind != "code":
                kept.append((start, end))
        return kept

    def is_code(self, position: int) -> bool:
        """Whether the character at `position` is part of code."""
        if self.line_at(position + 1).kind == "code":
            return True
        return any(start <= position < end for start, end in self._code_spans)

    @cached_property
    def _code_spans(self) -> list[tuple[int, int]]:
        return list(self._find_code_spans())

    def _find_code_spans(self) -> Iterator[tuple[int, int]]:
        runs = [
            (match.start(), match.end())
            for match in _BACKTICKS.finditer(self.text)
            if self.line_at(match.start() + 1).kind != "code" and not escaped(self.text, match.start())
        ]
        blanks = [line.start for line in self.lines if line.kind in ("blank", "code")]
        at = 0
        while at < len(runs):
            start, end = runs[at]
            limit = next((blank for blank in blanks[bisect_right(blanks, start) :]), len(self.text))
            closing = next(
                (n for n in range(at + 1, len(runs)) if runs[n][1] - runs[n][0] == end - start), None
            )
            if closing is None or runs[closing][0] >= limit:
                at += 1
                continue
            yield start, runs[closing][1]
            at = closing + 1


def escaped(text: str, position: int) -> bool:
    """Whether a backslash takes the meaning from the character at `position`."""
    backslashes = len(text[:position]) - len(text[:position].rstrip("\\"))
    return backslashes % 2 == 1


@dataclass
class _State:
    """What the lines so far say about the next one."""

    fence: str = ""
    in_table: bool = False
    in_list: bool = False
    after_blank: bool = True
    in_indented: bool = False


def _lines(text: str) -> list[Line]:
    rows = text.split("\n")
    kinds: list[tuple[Kind, int]] = []  # with the number of the block
    state, block = _State(), 0
    for number, row in enumerate(rows):
        was_open, was_table, was_indented = state.fence, state.in_table, state.in_indented
        kind = _kind(state, row, rows[number + 1] if number + 1 < len(rows) else "")
        if not (was_open or (was_table and state.in_table) or (was_indented and state.in_indented)):
            block += 1
        kinds.append((kind, block))
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row) + 1)
    ends = {block: starts[number] + len(rows[number]) for number, (_, block) in enumerate(kinds)}
    return [
        Line(
            start=start,
            end=start + len(row),
            kind=kind,
            content=start + _words_at(row),
            block_end=ends[block],
            closer=state.fence if block == kinds[-1][1] else "",
        )
        for row, start, (kind, block) in zip(rows, starts, kinds, strict=False)
    ]


def _kind(state: _State, row: str, following: str) -> Kind:
    """The kind of the next line; moves the state on."""
    kind = _kind_of(state, row, following)
    state.in_table = kind in ("table", "rule") and state.in_table
    state.in_list = bool(_LIST.match(row)) or (state.in_list and (kind == "blank" or row[:1] in " \t"))
    state.after_blank = kind == "blank"
    return kind


def _kind_of(state: _State, row: str, following: str) -> Kind:
    if state.fence:
        bare = row.strip(" \t>")
        if len(bare) >= len(state.fence) and not bare.strip(state.fence[0]):
            state.fence = ""
        return "code"
    indented = row.startswith(("    ", "\t")) and not state.in_list
    state.in_indented = bool(row.strip()) and indented and (state.after_blank or state.in_indented)
    if state.in_indented:
        return "code"
    if opening := _FENCE.match(row[_words_at(row) :]):
        state.fence = opening[0]
        return "code"
    if not row.strip():
        return "blank"
    if state.in_table:
        return "rule" if _DELIMITERS.match(row) else "table"
    if "|" in row and "|" in following and _DELIMITERS.match(following):
        state.in_table = True
        return "table"
    if _HEADING.match(row):
        return "heading"
    return "rule" if _RULE.match(row) or _DEFINITION.match(row) else "text"


def _words_at(row: str) -> int:
    match = _PREFIX.match(row)
    return match.end() if match else 0
