"""What Retrieve found: passages by rank with their raw scores, and why there may be none."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

from components.marked_text import marked_text
from components.safe_markdown import plain
from services import question_words, retrieval_exports
from services.citations import Source

_AT_FIRST = 10
_LONGEST_CHARS = 3_000


def retrieval_results(
    results: Sequence[Source], *, key: str, question: str = "", filtered: bool = False
) -> None:
    """Draw the results by rank; the words of the question are marked in them.

    `filtered` says that a metadata filter was sent, to explain an empty result.
    """
    if not results:
        _nothing(filtered)
        return
    _summary(results, key)
    words = question_words.words_of(question)
    shown = len(results) if st.session_state.get(f"{key}_all") else _AT_FIRST
    highest = max((result.score or 0.0 for result in results), default=0.0)
    for result in results[:shown]:
        _result(result, highest, words, key)
    if shown < len(results):
        st.button(
            f"Show {len(results) - shown} more",
            key=f"{key}_more",
            icon=":material/expand_more:",
            on_click=lambda: st.session_state.update({f"{key}_all": True}),
        )


def _nothing(filtered: bool) -> None:
    causes = [
        "The knowledge base may be empty, or its last sync not over: look at its data sources.",
        "The documents may have failed to be read: the sync says which, and why.",
    ]
    if filtered:
        causes.insert(
            0,
            "The metadata filter may fit no document: take a condition out, or look at what metadata "
            "results have without it. Keys and values must match exactly, and a number is not a text.",
        )
    else:
        causes.append("No metadata filter was sent, so none of the documents was left out by one.")
    lines = "\n".join(f"- {cause}" for cause in causes)
    st.info(f"**No passage was found.**\n{lines}", icon=":material/search_off:")


def _summary(results: Sequence[Source], key: str) -> None:
    scores = [result.score for result in results if result.score is not None]
    documents = len({result.location.address for result in results})
    words = [_count(len(results), "passage"), f"from {_count(documents, 'document')}"]
    if scores:
        words.append(f"scores {min(scores):.3f} to {max(scores):.3f}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            " · ".join(words),
            help="A score says how well a passage fits the question, by the measure of the vector store or "
            "of the reranker. It puts the passages of one search in order. It is no probability, and scores "
            "of other searches, knowledge bases or search types have another scale.",
        )
        _download(key, "CSV", lambda: retrieval_exports.csv_text(results).encode(), "text/csv")
        _download(key, "JSON", lambda: retrieval_exports.json_text(results).encode(), "application/json")


def _download(key: str, kind: str, data: object, mime: str) -> None:
    st.download_button(
        kind,
        data=data,  # type: ignore[arg-type]
        file_name=f"passages.{kind.lower()}",
        mime=mime,
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key=f"{key}_{kind.lower()}",
    )


def _result(result: Source, highest: float, words: frozenset[str], key: str) -> None:
    location = result.location
    with st.container(border=True, key=f"{key}_{result.number}", gap="small"):
        page = f" · page {location.page}" if location.page else ""
        left, right = st.columns([3, 1], vertical_alignment="center")
        with left:
            st.markdown(
                f"**{result.number}** · **{plain(location.title)}**{page} · {plain(location.kind)}",
                help=plain(location.address) or None,
            )
        with right:
            _score(result.score, highest)
        text = result.text[:_LONGEST_CHARS]
        if text:
            marked_text(text, question_words.places(text, words))
        else:
            st.caption(f"No text: this is content of type {plain(result.content_type)}. See as received.")
        if len(result.text) > len(text):
            st.caption(f"{len(result.text) - len(text):,} more characters: see as received.")
        _raw(result, key)


def _score(score: float | None, highest: float) -> None:
    """The raw score, and a bar: of 1, or of the highest score where scores go beyond it."""
    if score is None:
        st.caption("no score")
        return
    share = score / max(highest, 1.0)
    st.progress(min(max(share, 0.0), 1.0), text=f"{score:.4f}")


def _raw(result: Source, key: str) -> None:
    """Metadata and AWS's own object, drawn once they are asked for."""
    label = "As received"
    if result.metadata:
        label += f" · {_count(len(result.metadata), 'metadata attribute')}"
    opened = st.expander(label, type="compact", key=f"{key}_raw_{result.number}", on_change="rerun")
    if opened.open:
        opened.code(
            json.dumps(result.reference, indent=2, ensure_ascii=False, default=str),
            language="json",
            wrap_lines=True,
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
