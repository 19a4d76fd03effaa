"""Where a guardrail's matches stand in a text, and what is in a text that nobody sees.

ApplyGuardrail tells what it matched and not where. So every place of a match is looked for: as it stands
first, then in another case or with other white space. InvokeGuardrailChecks tells offsets.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Tone = Literal["blocked", "masked", "reported"]
Change = Literal["same", "removed", "added"]

_INVISIBLE = frozenset("\u034f\u115f\u1160\u2028\u2029\u2800\u3164\uffa0")
"""Drawn as nothing or as a line's end, though Unicode counts them as letters, marks or separators."""
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
_JOINER, _EMOJI_SELECTOR = "\u200d", "\ufe0f"
_VISIBLE_CONTROLS = frozenset("\n\t")
_SUSPECT = re.compile(r"[^\n\t -~\u00a1-\u00ac\u00ae-\u02ff]")
"""Finds what needs a closer look: everything but plain ASCII and Latin letters."""


@dataclass(frozen=True)
class Mark:
    """A stretch of a text, from `start` to before `end`, what was found there and what came of it."""

    start: int
    end: int
    label: str
    tone: Tone = "reported"


@dataclass(frozen=True)
class Segment:
    """A piece of a text under the same marks throughout; `ends` are the marks whose last piece this is."""

    text: str
    marks: tuple[Mark, ...] = ()
    ends: tuple[Mark, ...] = ()


def marks_of(text: str, matches: Iterable[tuple[str, str, Tone]]) -> tuple[Mark, ...]:
    """The marks of (match, label, tone): every place of every match, the longest first where two begin."""
    places: dict[str, tuple[tuple[int, int], ...]] = {}
    found: dict[Mark, None] = {}
    for match, label, tone in dict.fromkeys(matches):  # a guardrail tells a match once for each of its places
        if match.strip():
            places[match] = places[match] if match in places else tuple(_places(text, match))
            found.update((Mark(start, end, label, tone), None) for start, end in places[match])
    return tuple(sorted(found, key=lambda mark: (mark.start, -mark.end)))


def segments(text: str, marks: Sequence[Mark]) -> tuple[Segment, ...]:
    """The text cut where a mark begins or ends, so that no mark hides another. Their texts join to `text`.

    >>> [(one.text, [mark.label for mark in one.marks]) for one in segments("a bc", [Mark(2, 4, "word")])]
    [('a ', []), ('bc', ['word'])]
    """
    fitting = [mark for mark in marks if 0 <= mark.start < mark.end <= len(text)]
    begins: dict[int, list[Mark]] = {}
    stops: dict[int, list[Mark]] = {}
    for mark in fitting:
        begins.setdefault(mark.start, []).append(mark)
        stops.setdefault(mark.end, []).append(mark)
    pieces: list[Segment] = []
    open_marks: dict[Mark, None] = {}
    at = 0
    for cut in sorted({*begins, *stops, len(text)} - {0}):
        open_marks.update((mark, None) for mark in begins.get(at, ()))
        ends = tuple(stops.get(cut, ()))
        pieces.append(Segment(text[at:cut], tuple(open_marks), ends))
        for mark in ends:
            open_marks.pop(mark, None)
        at = cut
    return tuple(pieces)


def word_diff(before: str, after: str) -> tuple[tuple[Change, str], ...]:
    """What was taken out of a text and what was put in, word by word, in reading order."""
    left, right = _words(before), _words(after)
    head = _common(left, right)
    tail = _common(left[head:][::-1], right[head:][::-1])
    middle_left, middle_right = left[head : len(left) - tail], right[head : len(right) - tail]
    changes: list[tuple[Change, str]] = [("same", "".join(left[:head]))]
    matcher = SequenceMatcher(None, middle_left, middle_right)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        if kind == "equal":
            changes.append(("same", "".join(middle_left[start:end])))
        else:
            changes.append(("removed", "".join(middle_left[start:end])))
            changes.append(("added", "".join(middle_right[other_start:other_end])))
    changes.append(("same", "".join(left[len(left) - tail :])))
    return tuple((change, text) for change, text in changes if text)


def visible_pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces: (what can be drawn, False), or (the name of what cannot be seen, True).

    Zero-width and direction marks, control characters and halves of a surrogate pair become "U+200B"; what
    joins an emoji stays.

    >>> list(visible_pieces("pass\u200bword"))
    [('pass', False), ('U+200B', True), ('word', False)]
    """
    at = 0
    for suspect in _SUSPECT.finditer(text):
        place = suspect.start()
        if not _invisible(text, place):
            continue
        if place > at:
            yield text[at:place], False
        yield f"U+{ord(text[place]):04X}", True
        at = place + 1
    if at < len(text):
        yield text[at:], False


def visible(text: str) -> str:
    """The text with what cannot be seen in it named."""
    return "".join(piece for piece, _ in visible_pieces(text))


def _invisible(text: str, place: int) -> bool:
    character = text[place]
    if character in (_JOINER, _EMOJI_SELECTOR):
        return not (place and _belongs_to_emoji(text[place - 1]))
    if character in _INVISIBLE or 0xFE00 <= ord(character) <= 0xFE0E or 0xE0100 <= ord(character) <= 0xE01EF:
        return True
    return unicodedata.category(character) in _INVISIBLE_CATEGORIES and character not in _VISIBLE_CONTROLS


def _belongs_to_emoji(character: str) -> bool:
    return (
        character == _EMOJI_SELECTOR
        or unicodedata.category(character) in ("So", "Sk", "Sm", "Po")
        or (character.isdigit() and character.isascii())
    )


def _places(text: str, match: str) -> Iterator[tuple[int, int]]:
    """Where the match stands: as a word of its own if it does so anywhere, else within words."""
    exact = re.escape(match)
    loose = r"\s+".join(re.escape(word) for word in match.split())
    for pattern, ends, flags in ((exact, match, 0), (loose, match.strip(), re.IGNORECASE)):
        for wanted in (_whole(ends, pattern), pattern):
            if spans := [found.span() for found in re.finditer(wanted, text, flags)]:
                yield from spans
                return


def _whole(match: str, pattern: str) -> str:
    before = r"(?<!\w)" if match[0].isalnum() else ""
    after = r"(?!\w)" if match[-1].isalnum() else ""
    return f"{before}{pattern}{after}"


def _words(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", text)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """How many words both begin with."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
