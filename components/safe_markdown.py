"""Markdown from models and documents, made harmless before Streamlit draws it.

Model output is untrusted. Streamlit already escapes HTML; what is left is text that its Markdown dialect
would turn into something else: `$…$` into a formula, `:red[…]` into styling, `![](https://…)` into a request
to someone else's server. Inside code spans and fences nothing is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import streamlit as st

_FENCES = ("`", "~")


class MarkdownGuard:
    """Escapes a reply piece by piece, so that a stream can be drawn while it arrives.

    `feed` may hold back the last few characters while their meaning depends on what follows; `flush` gives
    them out.
    """

    def __init__(self) -> None:
        self._held = ""
        self._code = ""  # the run of backticks or tildes that will close the code we are in
        self._fenced = False
        self._line_start = True
        self._blank_line = False

    def feed(self, text: str) -> str:
        """The escaped form of what is certain so far."""
        text = self._held + text
        end = _certain(text)
        self._held = text[end:]
        return self._escape(text[:end], text[end:])

    def flush(self) -> str:
        """The escaped form of what was held back."""
        rest, self._held = self._held, ""
        return self._escape(rest, "")

    def _escape(self, text: str, following: str) -> str:
        out: list[str] = []
        position = 0
        whole = text + following
        while position < len(text):
            character = text[position]
            if character in _FENCES:
                run = _run(whole, position)
                self._see_run(run)
                out.append(run)
                position += len(run)
                self._line_start = self._blank_line = False
                continue
            if self._code:
                out.append(character)
            elif character == "\\":
                out.append(whole[position : position + 2])
                position += 1
            elif character == "$" or _starts_directive(whole, position):
                out.append("\\" + character)
            else:
                out.append(character)
            self._see_end_of_line(character)
            position += 1
        return "".join(out)

    def _see_run(self, run: str) -> None:
        if self._code:
            closes = run.startswith(self._code) if self._fenced else run == self._code
            if closes and (self._line_start or not self._fenced):
                self._code, self._fenced = "", False
        elif len(run) >= 3 and self._line_start:
            self._code, self._fenced = run, True
        elif run[0] == "`":
            self._code = run

    def _see_end_of_line(self, character: str) -> None:
        if character == "\n":
            if self._blank_line and not self._fenced:
                self._code = ""  # a code span cannot reach over a blank line
            self._line_start = self._blank_line = True
        elif not character.isspace():
            self._line_start = self._blank_line = False


def _starts_directive(text: str, position: int) -> bool:
    """Whether `!` or `:` here would begin an image or one of Streamlit's directives."""
    following = text[position + 1 : position + 2]
    if text[position] == "!":
        return following == "["
    return text[position] == ":" and following.isalpha()


def _run(text: str, position: int) -> str:
    """The run of equal characters that starts here."""
    end = position
    while end < len(text) and text[end] == text[position]:
        end += 1
    return text[position:end]


def _certain(text: str) -> int:
    """How much of the text can be judged without seeing what follows it."""
    if text and text[-1] in "\\!:":
        return len(text) - 1
    end = len(text)
    while end and text[end - 1] in _FENCES:
        end -= 1
    return end


def escape(text: str) -> str:
    """A whole text, escaped."""
    guard = MarkdownGuard()
    return guard.feed(text) + guard.flush()


def escape_stream(chunks: Iterable[str]) -> Iterator[str]:
    """A stream of text, escaped as it arrives; what is held back follows with the next chunk."""
    guard = MarkdownGuard()
    for chunk in chunks:
        if safe := guard.feed(chunk):
            yield safe
    if rest := guard.flush():
        yield rest


def safe_markdown(text: str) -> None:
    """Draw untrusted Markdown."""
    st.markdown(escape(text))


def plain(text: str) -> str:
    """Untrusted text as one literal run inside our own Markdown: labels, names, messages."""
    return "".join("\\" + c if c in "\\`*_{}[]()<>#+-.!|~$:" else c for c in text.replace("\n", " "))
