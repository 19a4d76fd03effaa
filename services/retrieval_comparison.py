"""Two retrievals, or two cited answers, on one question: what they share and how the order differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.citations import Source

Change = Literal["same", "up", "down", "new", "gone"]
"""What became of a passage from the left list to the right one."""

_MOVES: dict[Change, str] = {
    "same": "in its place",
    "up": "further up",
    "down": "further down",
    "new": "new",
    "gone": "gone",
}


@dataclass(frozen=True)
class Row:
    """One passage in the left list, the right one, or both. Ranks count from 1; None where it is not."""

    source: Source
    left_rank: int | None
    right_rank: int | None
    left_score: float | None
    right_score: float | None

    @property
    def change(self) -> Change:
        """What became of the passage on the way from left to right."""
        if self.left_rank is None:
            return "new"
        if self.right_rank is None:
            return "gone"
        if self.left_rank == self.right_rank:
            return "same"
        return "up" if self.right_rank < self.left_rank else "down"

    @property
    def places(self) -> int:
        """How many ranks it moved; 0 for what is new or gone."""
        return abs(self.left_rank - self.right_rank) if self.left_rank and self.right_rank else 0


@dataclass(frozen=True)
class Comparison:
    """All passages of both lists: in the order of the right one, then what is gone in that of the left."""

    rows: tuple[Row, ...]

    @property
    def common(self) -> int:
        """How many passages are in both lists."""
        return sum(row.change not in ("new", "gone") for row in self.rows)

    @property
    def overlap(self) -> float | None:
        """Jaccard's index, 0 to 1: the passages in both by those in either. None where both are empty."""
        return self.common / len(self.rows) if self.rows else None

    @property
    def documents_in_common(self) -> int:
        """How many documents both lists have passages of."""
        left = {row.source.location.address for row in self.rows if row.left_rank}
        return len((left & {row.source.location.address for row in self.rows if row.right_rank}) - {""})

    def count(self, change: Change) -> int:
        """How many passages changed so."""
        return sum(row.change == change for row in self.rows)

    @property
    def sentence(self) -> str:
        """What changed from left to right, in one sentence."""
        if not self.rows:
            return "Neither found a passage."
        if not self.common:
            return f"They share no passage{self.documents_words()}."
        if self.common == len(self.rows) == self.count("same"):
            return f"Both found the same {_count(self.common, 'passage')} in the same order."
        if self.common == len(self.rows):
            return f"Both found the same {_count(self.common, 'passage')}, in another order: {self._moves()}."
        shared = f"{self.common} of {_count(len(self.rows), 'passage')} {'is' if self.common == 1 else 'are'}"
        return f"{shared} in both (overlap {self.overlap:.0%}): {self._moves()}."

    def _moves(self) -> str:
        counts = ((self.count(change), said) for change, said in _MOVES.items())
        return ", ".join(f"{count} {said}" for count, said in counts if count)

    def documents_words(self) -> str:
        """What to add where no passage is shared: whether documents are."""
        count = self.documents_in_common
        return f", but passages of {_count(count, 'document')}" if count else ""


def compare(left: Sequence[Source], right: Sequence[Source]) -> Comparison:
    """Compare two lists of passages by rank: results of Retrieve, or the sources of two answers.

    A passage is known by its location and its text. One that is in a list twice counts where it comes first.
    """
    lefts, rights = _ranked(left), _ranked(right)
    rows = [_row(ranked[1], lefts.get(key), ranked) for key, ranked in rights.items()]
    rows += [_row(ranked[1], ranked, None) for key, ranked in lefts.items() if key not in rights]
    return Comparison(tuple(rows))


def compare_answers_sentence(left: Sequence[Source], right: Sequence[Source]) -> str:
    """What two cited answers rest on in common, in one sentence."""
    if not left and not right:
        return "Neither answer cites a source."
    if not left or not right:
        return f"{'The first' if left else 'The second'} answer alone cites sources."
    found = compare(left, right)
    if not found.common:
        return f"The answers cite no passage in common{found.documents_words()}."
    if found.common == len(found.rows):
        return f"Both answers cite the same {_count(found.common, 'passage')}."
    return (
        f"Both answers cite {_count(found.common, 'passage')} in common (overlap {found.overlap:.0%}); "
        f"{found.count('gone')} only the first, {found.count('new')} only the second."
    )


_Ranked = tuple[int, Source]


def _ranked(sources: Sequence[Source]) -> dict[str, _Ranked]:
    ranked: dict[str, _Ranked] = {}
    for rank, source in enumerate(sources, 1):
        ranked.setdefault(_identity(source), (rank, source))
    return ranked


def _row(source: Source, left: _Ranked | None, right: _Ranked | None) -> Row:
    return Row(
        source=source,
        left_rank=left[0] if left else None,
        right_rank=right[0] if right else None,
        left_score=left[1].score if left else None,
        right_score=right[1].score if right else None,
    )


def _identity(source: Source) -> str:
    """A passage by its location and text; what has no text by its content."""
    content = " ".join(source.text.split()) or json.dumps(source.reference.get("content"), default=str)
    return json.dumps([source.location.kind, source.location.address, content])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
