"""Pages of a PDF as pictures, with a passage's words marked."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from services.passages import Letters, page_of, passage_on_page

MOST_PIXELS = 1_600
"""The longer side of a picture."""
MOST_PAGES_SEARCHED = 2_000
_MARKER = (255, 236, 120)
_LOCK = threading.Lock()
"""PDFium may be used by one thread at a time."""
T = TypeVar("T")


class PdfError(Exception):
    """A PDF cannot be shown; the message is the reason, a sentence."""


@dataclass(frozen=True)
class Pdf:
    """A PDF's bytes; two are the same if their digests are."""

    digest: str
    content: bytes


@dataclass(frozen=True)
class Picture:
    """One page as PNG, and whether the passage is marked on it."""

    png: bytes
    marked: bool


_BY_DIGEST: dict[str | type[Any], Callable[[Any], Any]] = {Pdf: lambda pdf: pdf.digest}


@st.cache_resource(show_spinner=False, max_entries=64, hash_funcs=_BY_DIGEST)
def page_count(pdf: Pdf) -> int:
    """How many pages there are. PdfError for what is no PDF, or is encrypted."""
    return _with_document(pdf, len)


@st.cache_resource(show_spinner=False, max_entries=256, hash_funcs=_BY_DIGEST)
def passage_page(pdf: Pdf, passage: str, hint: int | None) -> int | None:
    """The number, from 1, of the page where a passage begins; None where it is not found.

    `hint` is the number that the passage's metadata gives: that page is looked at first, and it is the answer
    if the passage is nowhere else.
    """

    def search(document: Any) -> int | None:
        pages = len(document)
        first = hint - 1 if hint and hint <= pages else 0
        if hint and hint <= pages:
            near = page_of([_text(document, n) for n in range(first, min(first + 3, pages))], passage)
            if near is not None:
                return first + near + 1
        found = page_of([_text(document, n) for n in range(min(pages, MOST_PAGES_SEARCHED))], passage)
        if found is not None:
            return found + 1
        return hint if hint and hint <= pages else None

    return _with_document(pdf, search)


@st.cache_resource(show_spinner=False, max_entries=32, hash_funcs=_BY_DIGEST)
def picture(pdf: Pdf, number: int, passage: str) -> Picture:
    """The page with this number, from 1, with what stands of the passage on it marked."""

    def draw(document: Any) -> Picture:
        page = document[number - 1]
        scale = min(MOST_PIXELS / max(*page.get_size(), 1.0), 4.0)
        bitmap = page.render(scale=scale)
        image = bitmap.to_pil().convert("RGB")
        text_page = page.get_textpage()
        boxes = _boxes(text_page, passage)
        where = bitmap.get_posconv(page)
        for left, bottom, right, top in boxes:
            _mark(image, where.to_bitmap(left, top), where.to_bitmap(right, bottom))
        file = io.BytesIO()
        image.save(file, "PNG")
        for each in (text_page, bitmap, page):
            each.close()
        return Picture(file.getvalue(), bool(boxes))

    return _with_document(pdf, draw)


def _with_document(pdf: Pdf, work: Callable[[Any], T]) -> T:
    import pypdfium2

    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(pdf.content)
        except pypdfium2.PdfiumError as error:
            encrypted = "password" in str(error).lower()
            raise PdfError(
                "The PDF is encrypted." if encrypted else "The file is not a PDF, or it is damaged."
            ) from None
        try:
            return work(document)
        except pypdfium2.PdfiumError:
            raise PdfError("A page of the PDF is damaged.") from None
        finally:
            document.close()


def _text(document: Any, index: int) -> str:
    page = document[index]
    text_page = page.get_textpage()
    text: str = text_page.get_text_range()
    text_page.close()
    page.close()
    return text


def _boxes(text_page: Any, passage: str) -> list[tuple[float, float, float, float]]:
    """The rectangles, one for each line, of a passage: left, bottom, right, top in the page's own units."""
    import pypdfium2.raw as pdfium

    # Places are PDFium's own numbers of characters, which are not always those of its text.
    characters = (pdfium.FPDFText_GetUnicode(text_page, n) for n in range(text_page.count_chars()))
    page = Letters.of("".join(chr(code) if code <= 0x10FFFF else "\0" for code in characters))
    found = passage_on_page(page, passage)
    if found is None:
        return []
    start, end = page.span(*found)
    return [text_page.get_rect(n) for n in range(text_page.count_rects(start, end - start))]


def _mark(image: Any, first: tuple[int, int], second: tuple[int, int]) -> None:
    """Colours the paper of a rectangle and leaves the ink."""
    from PIL import Image, ImageChops

    (left, right), (top, bottom) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    box = (max(left - 2, 0), max(top - 2, 0), min(right + 2, image.width), min(bottom + 2, image.height))
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    part = image.crop(box)
    image.paste(ImageChops.multiply(part, Image.new("RGB", part.size, _MARKER)), box)
