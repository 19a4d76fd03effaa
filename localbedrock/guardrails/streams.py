"""The text of a reply under a guardrail while it is written: pieces in, what may be shown out.

In the mode ``sync`` text waits until it has been checked. A check sees what is waiting and the text before
it. Released is what ends at least ``HELD`` characters before the end of what is known, at a word's end and
where no mask is open: so what a word, a phrase or a pattern of up to ``HELD`` characters matches is known as
a whole before its first character leaves. In ``async`` text leaves at once and is checked behind; what has
left stays, a match ends the reply, and nothing is masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, Protocol

from localbedrock.guardrails.values import Verdict

Mode = Literal["sync", "async", "whole"]
"""``whole`` is ``sync`` with one check at the end: for a reply that does not stream, or one whose grounding
can only be judged as a whole.
"""

HELD = 100
"""Characters: the longest custom word there can be."""
STEP = 50
"""Characters that are gathered for one check."""
BEFORE = 400
"""Characters of what has been released that a check sees again."""

_SPACE = re.compile(r"\s")


class Filter(Protocol):
    """Takes a reply's pieces. ``blocked`` is the verdict that ended it; from then on nothing is released."""

    blocked: Verdict | None

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        ...

    def flush(self) -> str:
        """What may be shown of the rest: the text has ended."""
        ...


def filter_for(mode: Mode, check: Callable[[str], Verdict]) -> Filter:
    """``check`` judges a text as output of the model."""
    return Behind(check) if mode == "async" else Ahead(check, whole=mode == "whole")


class Ahead:
    """Nothing is released before it has been checked."""

    def __init__(self, check: Callable[[str], Verdict], *, whole: bool = False) -> None:
        self.blocked: Verdict | None = None
        self._check = check
        self._whole = whole
        self._before = ""
        self._waiting = ""
        self._next_check = HELD + STEP

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        if self.blocked:
            return ""
        self._waiting += piece
        if self._whole or len(self._waiting) < self._next_check:
            return ""
        shown = self._release(end=False)
        self._next_check = max(HELD, len(self._waiting)) + STEP
        return shown

    def flush(self) -> str:
        """What may be shown of the rest."""
        return "" if self.blocked or not self._waiting else self._release(end=True)

    def _release(self, *, end: bool) -> str:
        verdict = self._check(self._before + self._waiting)
        if verdict.blocked:
            self.blocked, self._waiting = verdict, ""
            return ""
        seen = _masked(verdict, self._before + self._waiting)
        if end:
            return self._let_go(len(self._waiting), self._fresh(seen))
        for cut in _cuts(self._waiting):
            shown = self._shown_until(cut, seen)
            if shown is not None:
                return self._let_go(cut, shown)
        return ""

    def _shown_until(self, cut: int, seen: str) -> str | None:
        """The waiting text up to the cut as it may be shown; None where the cut goes through a mask."""
        text = self._before + self._waiting
        if seen == text:
            return self._waiting[:cut]
        head = self._before + self._waiting[:cut]
        shown = _masked(self._check(head), head)
        whole = seen.startswith(shown + self._waiting[cut])
        return self._fresh(shown) if whole else None

    def _fresh(self, masked: str) -> str:
        """A masked text without the part of it that has been released before."""
        if not self._before:
            return masked
        released = _masked(self._check(self._before), self._before)
        if masked.startswith(released):
            return masked[len(released) :]
        return _masked(self._check(self._waiting), self._waiting)

    def _let_go(self, cut: int, shown: str) -> str:
        text = self._before + self._waiting[:cut]
        self._waiting = self._waiting[cut:]
        self._before = text
        if len(text) > BEFORE and (word := _SPACE.search(text, len(text) - BEFORE)):
            self._before = text[word.start() :]  # whole words: half of one may be another word
        return shown


class Behind:
    """Everything is released at once, and checked when the next pieces come."""

    def __init__(self, check: Callable[[str], Verdict]) -> None:
        self.blocked: Verdict | None = None
        self._check = check
        self._text = ""
        self._checked = 0

    def feed(self, piece: str) -> str:
        """The piece, unless what has been shown already is blocked."""
        if len(self._text) - self._checked >= STEP:
            self._look()
        if self.blocked:
            return ""
        self._text += piece
        return piece

    def flush(self) -> str:
        """Nothing waits here; checks the rest."""
        if not self.blocked and len(self._text) > self._checked:
            self._look()
        return ""

    def _look(self) -> None:
        start = max(0, self._checked - BEFORE)
        word = _SPACE.search(self._text, start) if start else None
        verdict = self._check(self._text[word.start() if word else start :])
        self._checked = len(self._text)
        if verdict.blocked:
            self.blocked = verdict


def _masked(verdict: Verdict, text: str) -> str:
    return verdict.masked[0] if verdict.masked else text


def _cuts(waiting: str) -> list[int]:
    """Where the waiting text may be cut, the latest first: before a space. Text without any (Chinese, an
    address that does not end) is cut anywhere once it is long.
    """
    latest = len(waiting) - HELD
    spaces = [found.start() for found in _SPACE.finditer(waiting, 0, latest) if found.start()]
    if not spaces and latest > 3 * HELD:
        return [latest]
    return spaces[::-1][:9:2]
