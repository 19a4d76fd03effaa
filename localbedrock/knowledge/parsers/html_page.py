"""HTML as a reader sees it: title, headings and text; no scripts, no styles, nothing hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.dammit import EncodingDetector
from bs4.element import NavigableString, PageElement, PreformattedString, Tag

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
    "ol", "p", "section", "table", "ul",
})
_LINES = frozenset({"br", "caption", "dd", "dt", "legend", "li", "option", "summary", "tr"})
# fmt: on
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_WINDOWS = frozenset({"ascii", "iso-8859-1", "latin-1", "latin1", "us-ascii"})
_CELL_END = " | "
_PREFORMATTED_END = "\n\n "


def parse_html(content: bytes) -> tuple[Page, ...]:
    """The visible text of a page. The encoding is the one that the page declares, else UTF-8."""
    declared = "" if marked_encoding(content) else _declared(content)
    html = decoded(content, declared) + "\n"  # one line without tags would be suspected to be a file's name
    soup = BeautifulSoup(html, "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    body = _tidied(bounded(_pieces(soup), ""))
    return (Page(None, f"{title}\n\n{body}" if title and not body.startswith(title) else body),)


def _declared(content: bytes) -> str:
    encoding = EncodingDetector.find_declared_encoding(content, is_html=True, search_entire_document=False)
    # HTML's own rule: a page that says so in ASCII is not UTF-16, and Latin-1 means Windows-1252.
    if not encoding or encoding.lower().startswith("utf-16"):
        return ""
    return "cp1252" if encoding.lower() in _WINDOWS else encoding


def _pieces(root: Tag) -> Iterator[str]:
    """Text and line ends in reading order; without recursion, because a page may be nested without end."""
    stack: list[PageElement | str] = [root]
    preformatted = 0
    while stack:
        node = stack.pop()
        if isinstance(node, str) and not isinstance(node, NavigableString):
            preformatted -= node == _PREFORMATTED_END
            yield node
        elif isinstance(node, NavigableString):
            if not isinstance(node, PreformattedString):  # comments, doctypes, processing instructions
                yield str(node) if preformatted else re.sub(r"\s+", " ", node)
        elif isinstance(node, Tag) and not _hidden(node):
            before, after = _around(node.name)
            preformatted += node.name == "pre"
            yield before
            stack.append(after)
            stack.extend(reversed(node.contents))


def _hidden(tag: Tag) -> bool:
    if tag.name in _DROPPED or tag.has_attr("hidden"):
        return True
    return _HIDDEN_STYLE.search(str(tag.get("style") or "")) is not None


def _around(name: str) -> tuple[str, str]:
    """What stands before and after an element's text."""
    if name in _BLOCKS:
        return "\n\n", "\n\n"
    if name == "pre":
        return "\n\n", _PREFORMATTED_END
    if name in _LINES:
        return "\n", ""
    return ("", _CELL_END) if name in ("td", "th") else ("", "")


def _tidied(text: str) -> str:
    lines = [line.strip().removesuffix("|").rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
