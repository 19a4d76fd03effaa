"""Documents of any format as text, page by page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from localbedrock.knowledge.parsers.csv_rows import parse_csv
from localbedrock.knowledge.parsers.docx_file import parse_docx
from localbedrock.knowledge.parsers.html_page import parse_html
from localbedrock.knowledge.parsers.page import Page, UnreadableError
from localbedrock.knowledge.parsers.pdf import parse_pdf
from localbedrock.knowledge.parsers.text import parse_text

__all__ = ["MAX_FILE_BYTES", "Page", "UnreadableError", "check_size", "mime_type_of", "parse"]

MAX_FILE_BYTES = 50 * 1024 * 1024
"""AWS's quota for one file."""

_MIME_TYPES = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".csv": "text/csv",
}
# fmt: off
_ONLY_ON_AWS = frozenset({
    ".doc", ".flac", ".gif", ".jpeg", ".jpg", ".json", ".m4a", ".mkv", ".mov", ".mp3", ".mp4", ".ogg", ".png",
    ".ppt", ".pptx", ".tif", ".tiff", ".wav", ".webm", ".webp", ".xls", ".xlsx", ".xml", ".zip",
})
# fmt: on
"""Kinds of files whose name says that their content is nothing we read, whatever the MIME type says."""
_READ = "What is read here is .txt, .md, .html, .pdf, .docx and .csv"


def parse(name: str, content: bytes, mime_type: str = "") -> tuple[Page, ...]:
    """The text of a document, told by the ending of its name, else by ``mime_type``.

    UnreadableError for what cannot be read, with the reason.
    """
    parser = _parser(name, mime_type)
    check_size(len(content))
    pages = parser(content)
    if not any(page.text.strip() for page in pages):
        raise UnreadableError("The document holds no text.")
    return pages


def check_size(size_bytes: int) -> None:
    """UnreadableError for a file that is empty or larger than AWS takes. To be asked before it is fetched."""
    if size_bytes == 0:
        raise UnreadableError("The file is empty.")
    if size_bytes > MAX_FILE_BYTES:
        raise UnreadableError(
            f"The file has {size_bytes / 1024**2:,.1f} MB; the quota for one file is "
            f"{MAX_FILE_BYTES // 1024**2} MB."
        )


def mime_type_of(name: str) -> str:
    """The MIME type that a name's ending tells; ``application/octet-stream`` for one that is not read."""
    return _MIME_TYPES.get(_ending(name), "application/octet-stream")


def _parser(name: str, mime_type: str) -> Callable[[bytes], tuple[Page, ...]]:
    ending = _ending(name)
    kind = _MIME_TYPES.get(ending) or ("" if ending in _ONLY_ON_AWS else mime_type)
    parser = _PARSERS.get(kind.partition(";")[0].strip().lower())
    if parser is None:
        what = ending or mime_type or "a name without ending"
        raise UnreadableError(f"Files of this kind ({what[:100]}) are not read. {_READ}.")
    return parser


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


_PARSERS: dict[str, Callable[[bytes], tuple[Page, ...]]] = {
    "text/plain": parse_text,
    "text/markdown": parse_text,
    "text/x-markdown": parse_text,
    "text/html": parse_html,
    "application/pdf": parse_pdf,
    _MIME_TYPES[".docx"]: parse_docx,
    "text/csv": parse_csv,
}
