"""A document's text as pieces that are never cut (words), with their sizes in tokens.

Windows over pieces are what every way of chunking is made of.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from localbedrock.embeddings import Embedder
from localbedrock.knowledge.parsing import Page

Window = tuple[int, int]
"""The first piece of a stretch, and the one behind its last."""

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CLOSING = "、。」』】）！，．：；？…"
_PIECE = re.compile(rf"([{_IDEOGRAPHS}][{_CLOSING}]*|[^\s{_IDEOGRAPHS}]{{1,200}})(\s*)")
"""A word with the blanks behind it. Chinese and Japanese put none between words; 200 letters are no word."""
_SENTENCE_ENDS = frozenset(".!?…。！？")
_CLOSERS = "\"')]}»”’*_」』）"
_LINE_MARKS = frozenset("-*•#>|")
"""What begins a line that is an item, a heading, a quotation or a row."""
_PIECES_AT_ONCE = 20_000


@dataclass(frozen=True)
class Pieces:
    """``starts`` and ``tokens`` have one entry more than there are pieces: the text's end.

    ``tokens[n]`` is how many tokens stand before piece n; ``sentences`` are the pieces that begin a sentence.
    """

    text: str
    starts: Sequence[int]
    tokens: Sequence[int]
    sentences: Sequence[int]
    page_starts: Sequence[int]
    page_numbers: Sequence[int | None]

    @classmethod
    def of(cls, pages: Sequence[Page], embedder: Embedder) -> Pieces:
        """The pieces of a document; none for one without text."""
        page_starts = [0]
        for page in pages:
            page_starts.append(page_starts[-1] + len(page.text) + 1)
        text = "\n".join(page.text for page in pages)
        starts, ends, sentences = _split(text)
        counts = _token_counts(text, starts, ends, embedder)
        return cls(text, starts, counts, sentences, page_starts[:-1], [page.number for page in pages])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def words(self, window: Window) -> str:
        """The text of a window."""
        return self.text[self.starts[window[0]] : self.starts[window[1]]].rstrip()

    def page(self, window: Window) -> int | None:
        """The number of the page where a window begins."""
        return self.page_numbers[bisect_right(self.page_starts, self.starts[window[0]]) - 1]

    def windows(self, within: Window, most: int, overlap: int = 0) -> Iterator[Window]:
        """Windows of at most so many tokens that cover a window, cut at ends of sentences if there are any.

        Each repeats up to ``overlap`` tokens of the one before. A word that is larger stays whole.
        """
        first, last = within
        start = end = first
        while end < last:
            if end > first:
                start = self._overlap_start(start, end, most, overlap)
            end = self._cut(start, end, last, most)
            yield start, end

    def _cut(self, start: int, after: int, last: int, most: int) -> int:
        """Where a window ends that begins at ``start`` and must reach beyond ``after``."""
        limit = bisect_right(self.tokens, self.tokens[start] + most) - 1
        limit = max(limit, after + 1)
        if limit >= last:
            return last
        sentence = self.sentences[bisect_right(self.sentences, limit) - 1]
        return sentence if sentence > after else limit

    def _overlap_start(self, start: int, end: int, most: int, overlap: int) -> int:
        """Where the window behind ``end`` begins: after ``start``, and with room for what is new."""
        wanted = max(self.tokens[end] - overlap, self.tokens[end + 1] - most)
        earliest = bisect_left(self.tokens, wanted, start + 1, end)
        sentence = self.sentences[bisect_left(self.sentences, earliest)]
        return sentence if sentence < end else earliest


def _split(text: str) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Where pieces begin, where their words end, and which pieces begin a sentence.

    The end of the text counts as the beginning of a piece and of a sentence.
    """
    # A fifth of the memory of lists: a document may have ten million words.
    starts, ends, sentences = array("q"), array("q"), array("q")
    begins = True
    for match in _PIECE.finditer(text):
        if begins:
            sentences.append(len(starts))
        starts.append(match.start())
        ends.append(match.end(1))
        begins = _ends_sentence(match[1], match[2], text[match.end() : match.end() + 1])
    sentences.append(len(starts))
    starts.append(len(text))
    return starts, ends, sentences


def _ends_sentence(word: str, gap: str, following: str) -> bool:
    if gap.count("\n") > 1 or ("\n" in gap and following in _LINE_MARKS):
        return True
    last = word.rstrip(_CLOSERS)[-1:]
    if last in "。！？" and last:
        return True
    return bool(gap) and last in _SENTENCE_ENDS and not following.islower()


def _token_counts(text: str, starts: Sequence[int], ends: Sequence[int], embedder: Embedder) -> Sequence[int]:
    """How many tokens stand before each piece; those of blanks count to the piece behind them.

    A long text is counted in parts, which keeps memory small.
    """
    counts = array("q", [0])
    for first in range(0, len(ends), _PIECES_AT_ONCE):
        block = ends[first : first + _PIECES_AT_ONCE]
        begin = starts[first]
        token_ends = [end for _, end in embedder.offsets(text[begin : block[-1]])]
        within = np.searchsorted(token_ends, np.asarray(block) - begin, side="right")
        counts.extend((within + counts[-1]).tolist())
    return counts
