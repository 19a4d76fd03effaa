"""A text with its matches masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localbedrock.guardrails.values import Found


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    mask: str
    length: int


def masked(text: str, founds: Iterable[Found]) -> str:
    """The text with the mask of every match whose action is ANONYMIZED in the match's place.

    Matches that overlap get one mask, the longest match's, in the place of all that they cover: nothing of
    a shorter match stays readable beside it.
    """
    pieces, done = [], 0
    for span in _merged(founds):
        pieces += [text[done : span.start], span.mask]
        done = span.end
    return "".join([*pieces, text[done:]])


def _merged(founds: Iterable[Found]) -> Iterator[_Span]:
    spans = sorted(
        (
            _Span(found.start, found.end, found.mask, found.end - found.start)
            for found in founds
            if found.action == "ANONYMIZED" and found.start is not None and found.end is not None
        ),
        key=lambda span: (span.start, -span.length),
    )
    open_span: _Span | None = None
    for span in spans:
        if open_span is None or span.start >= open_span.end:
            if open_span:
                yield open_span
            open_span = span
            continue
        longest = max(open_span, span, key=lambda each: each.length)
        open_span = _Span(open_span.start, max(open_span.end, span.end), longest.mask, longest.length)
    if open_span:
        yield open_span
