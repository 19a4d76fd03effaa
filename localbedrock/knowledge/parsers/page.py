"""What every parser gives: pages of text, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_TEXT_CHARACTERS = 50_000_000
"""A small file can hold an enormous text (compressed, or a long header repeated for each row)."""


class UnreadableError(Exception):
    """A document cannot be used; the message is the reason, a sentence, as an ingestion job reports it."""


@dataclass(frozen=True)
class Page:
    """A stretch of a document's text. ``number`` counts from 1; None where the format has no pages."""

    number: int | None
    text: str


def bounded(pieces: Iterable[str], separator: str) -> str:
    """The pieces as one text; UnreadableError as soon as it grows beyond what can be indexed."""
    kept: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece) + len(separator)
        check_text_size(size)
        kept.append(piece)
    return separator.join(kept)


def check_text_size(characters: int) -> None:
    """UnreadableError for more text than can be indexed."""
    if characters > MAX_TEXT_CHARACTERS:
        raise UnreadableError(
            f"The document holds more than {MAX_TEXT_CHARACTERS:,} characters of text: split it into several."
        )
