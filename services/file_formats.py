"""What a file is: by its content first, by its name only where the content has no signature.

The formats are those of Converse's ImageBlock, DocumentBlock, VideoBlock and AudioBlock.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Literal

Kind = Literal["image", "document", "video", "audio"]

_TEXT_SUFFIXES = {"csv": "csv", "html": "html", "htm": "html", "md": "md", "markdown": "md", "txt": "txt"}
_IMAGES = ("png", "jpg", "jpeg", "gif", "webp")
_DOCUMENTS = ("pdf", "doc", "docx", "xls", "xlsx")
_VIDEOS = ("mp4", "mov", "mkv", "webm", "flv", "mpeg", "mpg", "wmv", "3gp")
_AUDIO = ("mp3", "wav", "flac", "ogg", "opus", "aac", "m4a", "mka")
_BINARY_SUFFIXES = frozenset((*_IMAGES, *_DOCUMENTS, *_VIDEOS, *_AUDIO))

_SIGNATURES: tuple[tuple[bytes, Kind, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image", "png"),
    (b"\xff\xd8\xff", "image", "jpeg"),
    (b"GIF87a", "image", "gif"),
    (b"GIF89a", "image", "gif"),
    (b"FLV\x01", "video", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video", "wmv"),
    (b"\x00\x00\x01\xba", "video", "mpeg"),
    (b"\x00\x00\x01\xb3", "video", "mpeg"),
    (b"ID3", "audio", "mp3"),
    (b"\xff\xfb", "audio", "mp3"),
    (b"\xff\xf3", "audio", "mp3"),
    (b"\xff\xf2", "audio", "mp3"),
    (b"\xff\xf1", "audio", "aac"),
    (b"\xff\xf9", "audio", "aac"),
    (b"fLaC", "audio", "flac"),
)
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a compiled program"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BM", "a BMP image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"SQLite format 3\x00", "an SQLite database"),
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NEVER_IN_TEXT = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")


class NotTakenError(Exception):
    """Converse has no block for this file; the message says what it is, as in "a RAR archive"."""


def suffix_of(name: str) -> str:
    """The ending of a file name in lower case, without the dot; "" where there is none."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def recognise(name: str, data: bytes) -> tuple[Kind, str]:
    r"""The kind and Converse's format of a file. NotTakenError where Converse has no format for it.

    >>> recognise("photo.png", b"\xff\xd8\xff\xe0")
    ('image', 'jpeg')
    """
    suffix = suffix_of(name)
    if found := _container(suffix, data):
        return found
    for start, kind, found_format in _SIGNATURES:
        if data.startswith(start):
            return kind, "mpg" if found_format == "mpeg" and suffix == "mpg" else found_format
    if b"%PDF-" in data[:1024]:
        return "document", "pdf"
    return "document", _text(suffix, data)


def _container(suffix: str, data: bytes) -> tuple[Kind, str] | None:
    """Files whose first bytes only say what holds the content."""
    if data.startswith(b"PK\x03\x04"):
        return "document", _office_archive(data)
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "document", _old_office(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image", "webp"
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "audio", "wav"
    if data.startswith(b"OggS"):
        return "audio", "opus" if b"OpusHead" in data[:128] else "ogg"
    if data[4:8] == b"ftyp":
        return _iso_media(suffix, data[8:12])
    if data.startswith(b"\x1aE\xdf\xa3"):
        if b"webm" in data[:128]:
            return "video", "webm"
        return ("audio", "mka") if suffix == "mka" else ("video", "mkv")
    return None


def _office_archive(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError) as error:
        raise NotTakenError("a damaged or incomplete file") from error
    if "word/document.xml" in names:
        return "docx"
    if "xl/workbook.xml" in names:
        return "xlsx"
    raise NotTakenError("a ZIP archive")


def _old_office(data: bytes) -> str:
    """Word and Excel before 2007 share one container; the names of its streams tell them apart."""
    if "WordDocument".encode("utf-16-le") in data:
        return "doc"
    if "Workbook".encode("utf-16-le") in data or "Book".encode("utf-16-le") in data:
        return "xls"
    raise NotTakenError("an Office file that is neither Word nor Excel")


def _iso_media(suffix: str, brand: bytes) -> tuple[Kind, str]:
    if brand in (b"heic", b"heix", b"mif1", b"avif"):
        raise NotTakenError("a HEIC or AVIF image")
    if brand.startswith(b"M4A") or suffix == "m4a":
        return "audio", "m4a"
    if brand.startswith(b"qt"):
        return "video", "mov"
    return "video", "three_gp" if brand.startswith(b"3g") else "mp4"


def _text(suffix: str, data: bytes) -> str:
    if not data.startswith(_UTF16) and _NEVER_IN_TEXT.search(data):
        what = (what for start, what in _REFUSED if data.startswith(start))
        raise NotTakenError(next(what, "neither text nor a format that is known here"))
    if suffix in _BINARY_SUFFIXES:
        raise NotTakenError(f"text, not {suffix.upper()}")
    return _TEXT_SUFFIXES.get(suffix, "txt")
