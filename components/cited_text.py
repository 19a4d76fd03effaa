"""A cited answer as Markdown: numbers at the end of every stretch that rests on a source, the rest shaded.

Pure. The text is untrusted: it goes through `safe_markdown.escape` piece by piece, and what is put between
the pieces is ours. Code, tables and links stay whole: a number moves behind what it must not break open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from components.markdown_layout import Layout, Line, escaped
from components.safe_markdown import MarkdownGuard
from services.citations import Answer

ANCHOR = "rag_citation_"
"""What the address of a number's link begins with, and the key of its source's button."""

_GAP = "\u202f"  # narrow, and no place for a line break
_SHADE = ":gray-background["
_EMPHASIS = re.compile(r"(?<!\s)[*_~]+")
_EMPHASIS_RUNS = re.compile(r"(?<=\s)[*_~]+(?=\s)|(?<=\w)_+(?=\w)|([*_~]+)")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")

# In the order in which they stand at one place.
_END_OF_SHADE, _NUMBERS, _START_OF_SHADE, _BACKSLASH = range(4)


@dataclass(frozen=True, order=True)
class _Insertion:
    """Something of ours between two characters of the text."""

    position: int
    order: int
    text: str


def cited_markdown(answer: Answer, *, turn: str, shade: bool = True) -> str:
    """The answer as Markdown that is safe to draw.

    The number n links to `#rag_citation_<turn>_<n>`. `shade`: put a grey ground behind what rests on no
    source, where that cannot break the Markdown.
    """
    layout = Layout(answer.text)
    cited = [(span.start, *_place(layout, span.start, span.end), span.numbers) for span in answer.spans]
    insertions = [
        _Insertion(position, _NUMBERS, before + _numbers(numbers, turn, gap=not before))
        for _, position, before, numbers in cited
        if numbers
    ]
    insertions += [
        _Insertion(match.start(), _BACKSLASH, "\\")
        for match in _TAG.finditer(answer.text)
        if not layout.is_code(match.start()) and not escaped(answer.text, match.start())
    ]
    if shade:
        insertions += _shades(layout, [(start, end) for start, end, _, numbers in cited if numbers])
    return _joined(answer.text, sorted(insertions))


def _joined(text: str, insertions: list[_Insertion]) -> str:
    guard, pieces, done = MarkdownGuard(), [], 0
    for insertion in insertions:
        pieces.append(guard.feed(text[done : insertion.position]))
        pieces.append(guard.flush())
        pieces.append(insertion.text)
        done = insertion.position
    return "".join([*pieces, guard.feed(text[done:]), guard.flush()])


def _numbers(numbers: tuple[int, ...], turn: str, *, gap: bool) -> str:
    links = "".join(f"[:blue-badge[{number}]](#{ANCHOR}{turn}_{number})" for number in numbers)
    return (_GAP if gap else "") + links


def _place(layout: Layout, start: int, end: int) -> tuple[int, str]:
    """Where the numbers of a stretch stand, and what must come before them."""
    text = layout.text
    end = start + len(text[start:end].rstrip())
    line = layout.line_at(end)
    if line.kind in ("code", "rule"):
        indent = (
            " " * (line.content - line.start) if line.kind == "code" and line.content > line.start else ""
        )
        closer = f"\n{line.closer}" if line.closer else ""
        return line.block_end, f"{closer}\n\n{indent if len(indent) < 4 else ''}"
    if line.kind == "table":
        return _in_table(text, line, end), ""
    for whole_start, whole_end in layout.whole:
        if whole_start < end < whole_end:
            end = whole_end
    if closing := _EMPHASIS.match(text, end):
        end = closing.end()
    return end, ""


def _in_table(text: str, line: Line, end: int) -> int:
    """Within the cell in which the stretch ends: behind the last bar of a row nothing is drawn."""
    inside = len(text[line.start : end].rstrip(" \t|")) + line.start
    return inside if inside > line.start else end


def _shades(layout: Layout, cited: list[tuple[int, int]]) -> Iterator[_Insertion]:
    for line in layout.lines:
        if line.kind != "text":
            continue
        for start, end in _gaps(line.content, line.end, cited):
            words = layout.text[start:end]
            start += len(words) - len(words.lstrip())
            end = start + len(words.strip())
            if start < end and _can_be_shaded(layout, start, end):
                yield _Insertion(start, _START_OF_SHADE, _SHADE)
                yield _Insertion(end, _END_OF_SHADE, "]")


def _gaps(start: int, end: int, cited: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What of a line no cited stretch covers."""
    for cited_start, cited_end in cited:
        if cited_end <= start or cited_start >= end:
            continue
        if cited_start > start:
            yield start, cited_start
        start = cited_end
    if start < end:
        yield start, end


def _can_be_shaded(layout: Layout, start: int, end: int) -> bool:
    """Whether brackets around these words leave their Markdown, and what is around them, as it is."""
    words, following = layout.text[start:end], layout.text[end : end + 1]
    if not any(character.isalnum() for character in words) or words.endswith("\\") or following == "{":
        return False
    if any(at < start < to or at < end < to for at, to in layout.whole):
        return False
    if "://" in words.split()[-1] or not _is_balanced(words):
        return False
    return words.count("`") % 2 == 0 and _opens_what_it_closes(words)


def _opens_what_it_closes(words: str) -> bool:
    runs: dict[str, list[int]] = {}
    for match in _EMPHASIS_RUNS.finditer(words):
        if match[1]:
            runs.setdefault(match[1], []).append(match.start())
    return all(len(at) % 2 == 0 and not words[at[0] - 1 : at[0]].isalnum() for at in runs.values())


def _is_balanced(words: str) -> bool:
    depth = 0
    for character in re.sub(r"\\.", "", words):
        depth += (character == "[") - (character == "]")
        if depth < 0:
            return False
    return depth == 0
