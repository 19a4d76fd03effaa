"""Plain text and Markdown: told by its byte order mark, else UTF-8.

Nothing else is guessed. Bytes that are no UTF-8 may be Windows-1252, Shift JIS or anything, and a wrong guess
would index words that nobody wrote: the document is refused with what to do.
"""

from __future__ import annotations

import codecs

from localbedrock.knowledge.parsers.page import Page, UnreadableError

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXT_ENCODINGS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
"""Python's own; the first takes hours for a long text."""


def parse_text(content: bytes) -> tuple[Page, ...]:
    """The text as it stands, with plain line ends."""
    return (Page(None, decoded(content)),)


def marked_encoding(content: bytes) -> str:
    """The encoding that a byte order mark names, or ""."""
    return next((name for mark, name in _MARKS if content.startswith(mark)), "")


def decoded(content: bytes, encoding: str = "") -> str:
    """Bytes as text with plain line ends. ``encoding`` is what the document itself declares, if it does."""
    encoding = marked_encoding(content) or encoding or "utf-8"
    try:
        if codecs.lookup(encoding).name in _NO_TEXT_ENCODINGS:
            raise LookupError
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableError(_not_decodable(content, encoding, error.start)) from None
    except LookupError:
        raise UnreadableError(f"The document declares an unknown text encoding ({encoding[:40]}).") from None
    if "\0" in text:
        raise UnreadableError(
            "The document holds NUL bytes, so it is not text: a binary file under a text file's name, "
            "or UTF-16 without a byte order mark. Save it as UTF-8."
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _not_decodable(content: bytes, encoding: str, position: int) -> str:
    if position >= len(content):
        return f"The document ends in the middle of a character ({encoding})."
    line = content.count(b"\n", 0, position) + 1
    said = encoding.upper().removesuffix("-SIG")
    return (
        f"The document is not {said} (byte 0x{content[position]:02X} in line {line:,}). "
        "Its encoding is not guessed, because a wrong guess would garble it: save it as UTF-8."
    )
