"""PDF, page by page. Text alone is read: a scanned page has none, and is not recognised here."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

from localbedrock.knowledge.parsers.page import Page, UnreadableError, check_text_size

_PASSWORD, _SECURITY = 4, 5
"""PDFium's FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY."""
MAX_PAGES = 20_000
_LOCK = threading.Lock()
"""PDFium may be used by one thread at a time."""
_BROKEN_WORD = re.compile(r"[\x02\ufffe]\s*")
"""What PDFium writes for a hyphen at the end of a line that parts a word."""


def parse_pdf(content: bytes) -> tuple[Page, ...]:
    """The text of each page, numbered from 1."""
    import pypdfium2

    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError as error:
            raise UnreadableError(_why(error)) from None
        try:
            pages = tuple(_pages(document))
        except pypdfium2.PdfiumError:
            raise UnreadableError("The PDF is damaged: one of its pages cannot be read.") from None
        finally:
            document.close()
    if not any(page.text.strip() for page in pages):
        raise UnreadableError(
            "The PDF holds no text: probably its pages are scanned pictures, "
            "and text in pictures is not recognised."
        )
    return pages


def _why(error: Any) -> str:
    if error.err_code in (_PASSWORD, _SECURITY):
        return "The PDF is encrypted with a password: save it without one."
    return "The file is not a PDF, is damaged, or has no pages."


def _pages(document: Any) -> Iterator[Page]:
    if len(document) > MAX_PAGES:
        raise UnreadableError(f"The PDF has more than {MAX_PAGES:,} pages: split it into several.")
    size = 0
    for index in range(len(document)):
        page = document[index]
        text_page = page.get_textpage()
        text = text_page.get_text_range().replace("\r\n", "\n").replace("\0", "")
        text_page.close()
        page.close()
        size += len(text)
        check_text_size(size)
        yield Page(index + 1, _BROKEN_WORD.sub("", text))
