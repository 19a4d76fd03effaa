"""Untrusted text exactly as it stands, with what a guardrail found in it marked, or as a diff of words.

Markdown would change it: arrows, links and line breaks are read there whatever is escaped. So the browser is
given the pieces and makes text nodes of them: nothing in them is ever read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from services.guardrail_highlights import Change, Mark, Segment, visible, visible_pieces

_HTML = '<div class="text" tabindex="0" role="region"></div>'
_CSS = """
.text {
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext;
  max-height: 24rem; overflow-y: auto; padding: 0.6rem 0.8rem; line-height: 1.65;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
  font-family: var(--st-font); color: var(--st-text-color);
}
.text:focus-visible { outline: 2px solid var(--st-primary-color); }
mark { color: inherit; background: var(--back); border-bottom: 2px solid var(--ink); border-radius: 2px; }
.label, .unseen {
  unicode-bidi: isolate; font-size: 0.72em; font-weight: 600; margin: 0 0.15em; padding: 0 0.3em;
  border-radius: 3px; user-select: none;
}
.label { background: var(--back); color: var(--ink); }
.unseen { background: var(--st-gray-background-color); color: var(--st-gray-text-color);
  font-family: var(--st-code-font); }
del { background: var(--st-red-background-color); color: var(--st-red-text-color); }
ins { background: var(--st-green-background-color); color: var(--st-green-text-color);
  text-decoration: none; font-weight: 600; }
"""
_JS = """
export default function ({ parentElement, data }) {
  const box = parentElement.querySelector(".text");
  box.setAttribute("aria-label", data.name);
  const nodes = data.pieces.map(({ text, tag, color, label }) => {
    if (!tag) return document.createTextNode(text);
    const node = document.createElement(tag === "label" || tag === "unseen" ? "span" : tag);
    if (tag === "label" || tag === "unseen") node.className = tag;
    if (color) {
      node.style.setProperty("--back", `var(--st-${color}-background-color)`);
      node.style.setProperty("--ink", `var(--st-${color}-text-color)`);
    }
    if (label) node.title = label;
    node.textContent = text;
    return node;
  });
  box.replaceChildren(...nodes);
}
"""
_COLORS = ("blue", "orange", "violet", "green", "yellow", "red")
_TAGS: Mapping[Change, str] = {"removed": "del", "added": "ins", "same": ""}

_text = st.components.v2.component("workbench_marked_text", html=_HTML, css=_CSS, js=_JS)


def guardrail_highlight(segments: Sequence[Segment], *, key: str, name: str = "The text") -> None:
    """Draw the text with its marks; each label has a colour, and stands behind what it names."""
    _text(key=key, data={"name": name, "pieces": highlighted(segments)}, height="content")


def diff_highlight(changes: Sequence[tuple[Change, str]], *, key: str, name: str) -> None:
    """Draw a diff of words: what was taken out, what was put in."""
    pieces = [piece for change, text in changes for piece in _pieces(text, _TAGS[change])]
    _text(key=key, data={"name": name, "pieces": pieces}, height="content")


def highlighted(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """The pieces that the browser draws: {"text"}, or with a "tag", a "color" and a "label" for a mark."""
    colors: dict[str, str] = {}
    pieces: list[dict[str, Any]] = []
    for segment in segments:
        for mark in segment.marks:
            colors.setdefault(mark.label, _COLORS[len(colors) % len(_COLORS)])
        innermost = max(segment.marks, key=lambda mark: mark.start, default=None)
        if innermost is None:
            pieces += _pieces(segment.text)
            continue
        label = ", ".join(_named(mark) for mark in segment.marks)
        pieces += _pieces(segment.text, "mark", color=colors[innermost.label], label=label)
        pieces += [
            {"text": _named(mark), "tag": "label", "color": colors[mark.label]} for mark in segment.ends
        ]
    return pieces


def _named(mark: Mark) -> str:
    return visible(f"{mark.label}: {mark.tone}")


def _pieces(text: str, tag: str = "", **more: str) -> list[dict[str, Any]]:
    return [
        {"text": piece, "tag": "unseen"}
        if unseen
        else {"text": piece, **({"tag": tag, **more} if tag else {})}
        for piece, unseen in visible_pieces(text)
    ]
