"""A source document, opened at the passage that was retrieved from it."""

from __future__ import annotations

import re

import streamlit as st

from components.problem_card import problem_card
from components.safe_markdown import escape, plain
from services import pdf_pages
from services.citations import Source
from services.clients import Identity
from services.pdf_pages import Pdf, PdfError
from services.problems import Problem
from services.source_documents import SourceDocument, fetch, passage_place

_CONTEXT = 700
"""So many characters before and after the passage are shown at first, to the next paragraph's end."""
_MOST_SHOWN = 300_000
"""More than this a browser does not draw in reasonable time."""
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


def document_view(identity: Identity, source: Source, *, key: str, knowledge_base_id: str = "") -> None:
    """Draw the document of a source with the passage marked; `key` must be unique on the page.

    `knowledge_base_id` makes documents readable that are no S3 objects. Nothing is fetched before this is
    drawn, and nothing twice.
    """
    with st.spinner("Opening the document …"):
        found = fetch(identity, source, knowledge_base_id)
    if isinstance(found, Problem):
        problem_card(found, key=f"{key}_problem")
        _passage(source.text)
        return
    with st.container(key=key):
        st.markdown(f"**{plain(found.name)}**")
        st.caption(plain(source.location.address))
        if found.kind == "pdf":
            _pdf(found, source, key)
        elif found.kind in ("markdown", "text"):
            _text(found, source, key)
        else:
            _unshown(found, source)
        _download(found, key)


def _text(document: SourceDocument, source: Source, key: str) -> None:
    text = document.text
    if document.note:
        st.caption(document.note)
    place = passage_place(document, source.text)
    if place is None:
        st.caption(
            "The passage is not found in the document as it is now: it may have changed since it was read."
        )
        _passage(source.text)
        start = end = 0
    else:
        start, end = _whole_lines(text, *place) if document.kind == "markdown" else place
    end = min(end, start + _MOST_SHOWN)
    whole = st.toggle("Show the whole document", key=f"{key}_whole")
    reach = _MOST_SHOWN if whole else _CONTEXT
    first, last = _paragraph_start(text, start - reach), _paragraph_end(text, end + reach)
    if first > 0:
        st.caption(f"… {first:,} characters before")
    _stretch(document, first, start)
    if start < end:
        _marked(_as_markdown(document, start, end))
    _stretch(document, end, last)
    if last < len(text):
        st.caption(f"… {len(text) - last:,} characters after")


def _stretch(document: SourceDocument, start: int, end: int) -> None:
    if document.text[start:end].strip():
        st.markdown(_as_markdown(document, start, end))


def _as_markdown(document: SourceDocument, start: int, end: int) -> str:
    """A stretch of the document's untrusted text, made harmless; one from inside a code block stays code."""
    stretch = document.text[start:end]
    if document.kind == "text":
        return _lines(stretch)
    inside = len(_FENCE.findall(document.text, 0, start)) % 2
    return escape(f"```\n{stretch}" if inside else stretch)


def _pdf(document: SourceDocument, source: Source, key: str) -> None:
    pdf = Pdf(document.digest, document.content)
    turned = f"{key}_{document.digest[:12]}_{source.number}"  # each passage opens at its own page
    try:
        pages = pdf_pages.page_count(pdf)
        at = pdf_pages.passage_page(pdf, source.text, source.location.page)
        number = min(st.session_state.get(turned) or at or 1, pages)
        picture = pdf_pages.picture(pdf, number, source.text)
    except PdfError as error:
        st.warning(f"{error} Here is the passage alone.", icon=":material/picture_as_pdf:")
        _passage(source.text)
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _page_button("Previous page", ":material/chevron_left:", number - 1, pages, turned)
        st.markdown(f"Page {number} of {pages}")
        _page_button("Next page", ":material/chevron_right:", number + 1, pages, turned)
        if at and number != at:
            label = f"Back to the passage on page {at}"
            st.button(label, key=f"{key}_back", on_click=_turn_to, args=(turned, at), type="tertiary")
    if at is None:
        st.caption("The passage is not found in the document's text.")
        _passage(source.text)
    elif number == at and not picture.marked:
        st.caption("The passage is on this page, but its words are not found one by one.")
        _passage(source.text)
    st.image(picture.png, width="stretch", alt=f"Page {number} of the document")


def _page_button(label: str, icon: str, number: int, pages: int, turned: str) -> None:
    st.button(
        label,
        key=f"{turned}_{label.partition(' ')[0].lower()}",
        icon=icon,
        disabled=not 1 <= number <= pages,
        on_click=_turn_to,
        args=(turned, number),
    )


def _turn_to(turned: str, number: int) -> None:
    st.session_state[turned] = number


def _unshown(document: SourceDocument, source: Source) -> None:
    """What is said where the document cannot be drawn as it is, and the passage."""
    if document.kind == "file":
        st.caption(f"{document.note} This format is not drawn here: this is the passage.".strip())
    else:
        st.caption(document.note)
    _passage(source.text)
    if document.kind == "link":
        st.link_button("Open the web page", source.location.address, icon=":material/open_in_new:")


def _download(document: SourceDocument, key: str) -> None:
    if document.content:
        st.download_button(
            "Download the document",
            document.content,
            file_name=document.name.rpartition("/")[2],
            key=f"{key}_download",
            icon=":material/download:",
            on_click="ignore",
        )


def _passage(text: str) -> None:
    if text.strip():
        _marked(_lines(text))
    else:
        st.caption("The passage has no text.")


def _marked(markdown: str) -> None:
    st.info(markdown, icon=":material/format_quote:")


def _lines(text: str) -> str:
    """Untrusted text as Markdown that shows it line by line."""
    return "  \n".join(plain(line) if line.strip() else "\u00a0" for line in text.strip("\n").split("\n"))


def _whole_lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The lines that a place touches: half a line of Markdown may mean something else."""
    after = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, after if after >= 0 else len(text)


def _paragraph_start(text: str, place: int) -> int:
    """The beginning of a paragraph that is near before a place; the place itself where none is."""
    if place <= 0:
        return 0
    found = text.rfind("\n\n", max(place - _CONTEXT, 0), place)
    return found + 2 if found >= 0 else place


def _paragraph_end(text: str, place: int) -> int:
    if place >= len(text):
        return len(text)
    found = text.find("\n\n", place, place + _CONTEXT)
    return found if found >= 0 else place
