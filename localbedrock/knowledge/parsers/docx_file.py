"""DOCX: paragraphs, headings, tables and text boxes in reading order."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from localbedrock.knowledge.parsers.page import Page, UnreadableError, bounded

MAX_UNPACKED_BYTES = 200 * 1024 * 1024
_MAX_XML_BYTES = 32 * 1024 * 1024
"""What python-docx reads into a tree, which is many times as big."""
_NAMESPACE = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BROKEN = "The file is not a DOCX document, or it is damaged."
_ENCRYPTED_MARK = b"\xd0\xcf\x11\xe0"
"""An OLE file: what Word writes for a document with a password, and for .doc."""


def parse_docx(content: bytes) -> tuple[Page, ...]:
    """The text of the document's body; a table's row is one line."""
    if content.startswith(_ENCRYPTED_MARK):
        raise UnreadableError(
            "The document is encrypted with a password, or is an old .doc file: save it as .docx."
        )
    _check_size(content)
    from docx import Document

    try:
        body = Document(io.BytesIO(content)).element.body
    except Exception as error:  # python-docx lets through whatever its parts raise
        raise UnreadableError(_BROKEN) from error
    text = bounded(_pieces(body), "")
    lines = [line.strip().removesuffix("|").rstrip() for line in text.split("\n")]
    return (Page(None, re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()),)


def _check_size(content: bytes) -> None:
    """Before anything is unpacked: zipfile never gives more bytes than an entry announces."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise UnreadableError(_BROKEN) from None
    sizes = [(entry.filename.endswith((".xml", ".rels")), entry.file_size) for entry in entries]
    if (
        sum(size for _, size in sizes) > MAX_UNPACKED_BYTES
        or sum(s for xml, s in sizes if xml) > _MAX_XML_BYTES
    ):
        raise UnreadableError(
            "The document is too large when unpacked (more than "
            f"{_MAX_XML_BYTES // 1024**2} MB of text parts or {MAX_UNPACKED_BYTES // 1024**2} MB in all)."
        )


def _pieces(body: Any) -> Iterator[str]:
    from lxml import etree  # type: ignore[import-untyped]

    in_cells = 0
    walk = etree.iterwalk(body, events=("start", "end"))
    for event, element in walk:
        if element.tag == _FALLBACK:  # the same text once more, for old readers
            if event == "start":
                walk.skip_subtree()
            continue
        name = str(element.tag).removeprefix(_NAMESPACE)
        if name == "tc":
            in_cells += 1 if event == "start" else -1
        if event == "start" and name == "t":
            yield element.text or ""
        elif event == "start":
            yield {"tab": "\t", "br": "\n", "cr": "\n"}.get(name, "")
        else:
            yield {"p": " " if in_cells else "\n\n", "tc": "| ", "tr": "\n", "tbl": "\n"}.get(name, "")
