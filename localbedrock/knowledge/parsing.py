"""Documents of any format as text, page by page."""

from __future__ import annotations

from dataclasses import dataclass


class UnreadableError(Exception):
    """A document cannot be used; the message is the reason, a sentence, as an ingestion job reports it."""


@dataclass(frozen=True)
class Page:
    """A stretch of a document's text. ``number`` counts from 1; None where the format has no pages."""

    number: int | None
    text: str


def parse(name: str, content: bytes, mime_type: str = "") -> tuple[Page, ...]:
    """The text of a document, told by the ending of its name, else by ``mime_type``.

    UnreadableError for what cannot be read, with the reason.
    """
    raise NotImplementedError
