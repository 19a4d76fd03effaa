"""HTML as a reader sees it: title, headings and text; no scripts, no styles, nothing hidden.

The page is read in one pass without a tree: neither its size nor its nesting can cost more than the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localbedrock.knowledge.parsers.page import Page, bounded
from localbedrock.knowledge.parsers.text import decoded, marked_encoding

# fmt: off
_DROPPED = frozenset({
    "audio", "canvas", "embed", "head", "iframe", "math", "noscript", "object", "script", "style", "svg",
    "template", "video",
})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "details", "div", "dl", "fieldset", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "main", "nav",
    "ol", "p", "pre", "section", "table", "ul",
})
_LINES = frozenset({"br", "caption", "dd", "dt", "legend", "li", "option", "summary", "tr"})
# fmt: on
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""")
_HEAD_BYTES = 4_096
_WINDOWS = frozenset({"ascii", "iso-8859-1", "latin-1", "latin1", "us-ascii"})


def parse_html(content: bytes) -> tuple[Page, ...]:
    """The visible text of a page. The encoding is the one that the page declares, else UTF-8."""
    html = decoded(content, "" if marked_encoding(content) else _declared(content))
    if not html.strip():
        return (Page(None, ""),)
    from lxml import etree  # type: ignore[import-untyped]

    reader = _Reader()
    parser = etree.HTMLParser(target=reader, encoding="utf-8", huge_tree=True)
    parser.feed(html.encode())
    parser.close()
    title, body = " ".join("".join(reader.title).split()), _tidied(bounded(reader.pieces, ""))
    return (Page(None, f"{title}\n\n{body}" if title and not body.startswith(title) else body),)


def _declared(content: bytes) -> str:
    head = content[:_HEAD_BYTES]
    found = _XML_ENCODING.search(head) or _CHARSET.search(head)
    encoding = found[1].decode("ascii").lower() if found else ""
    if encoding.startswith("utf-16"):
        return ""  # HTML's own rules: what says so in ASCII is not UTF-16 ...
    return "cp1252" if encoding in _WINDOWS else encoding  # ... and Latin-1 means Windows-1252


class _Reader:
    """Collects the visible text of what lxml's parser meets."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self.pieces: list[str] = []
        self._hidden_from: list[bool] = []
        """Of each open element, whether it hides what is in it although its parent does not."""
        self._hidden = 0
        self._preformatted = 0
        self._in_title = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._in_title = tag == "title" and not self.title
        hides = tag in _DROPPED or "hidden" in attributes
        hides = hides or _HIDDEN_STYLE.search(attributes.get("style") or "") is not None
        self._hidden_from.append(hides)
        self._hidden += hides
        self._preformatted += tag == "pre"
        self._break(tag)

    def end(self, tag: str) -> None:
        self._in_title = False
        if self._hidden_from:
            self._hidden -= self._hidden_from.pop()
        self._preformatted -= tag == "pre"
        if tag in ("td", "th") and not self._hidden:
            self.pieces.append(" | ")
        elif tag not in _LINES:
            self._break(tag)

    def data(self, text: str) -> None:
        if self._in_title:
            self.title.append(text)
        elif not self._hidden:
            self.pieces.append(text if self._preformatted > 0 else re.sub(r"\s+", " ", text))

    def comment(self, text: str) -> None:
        """Is not read."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Is not read."""

    def close(self) -> Any:
        return None

    def _break(self, tag: str) -> None:
        if not self._hidden:
            self.pieces.append("\n\n" if tag in _BLOCKS else "\n" if tag in _LINES else "")


def _tidied(text: str) -> str:
    lines = [line.strip().removesuffix("|").rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
