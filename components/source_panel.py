"""The sources of an answer: a numbered button for each, and all that is known of the one that is open."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from components.document_view import document_view
from components.safe_markdown import plain
from services.citations import Answer, Source
from services.clients import Identity

_LONGEST_TITLE = 32
_TALL_PASSAGE = 500  # characters from which on a passage scrolls
_PASSAGE_HEIGHT = 260
_LARGEST_IMAGE = 10_000_000


def source_panel(
    turn: str,
    answer: Answer,
    *,
    chosen: int | None,
    choose: Callable[[int], None],
    identity: Identity,
    knowledge_base_id: str,
) -> None:
    """Draw a turn's sources in the container `rag_sources_<turn>`; the number `chosen` is open."""
    uncited = _not_cited(answer)
    if not answer.sources and not uncited:
        return
    with st.container(key=f"rag_sources_{turn}", border=True, gap="small"):
        _buttons(turn, answer.sources, chosen, choose)
        for source in answer.sources:
            if source.number == chosen:
                _open_source(f"{turn}_{source.number}", source, identity, knowledge_base_id)
        if uncited:
            _passages_not_cited(turn, uncited)


def _buttons(turn: str, sources: Sequence[Source], chosen: int | None, choose: Callable[[int], None]) -> None:
    if not sources:
        return
    with st.container(horizontal=True, gap="xsmall"):
        for source in sources:
            title = source.location.title
            title = title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"
            page = f", page {source.location.page}" if source.location.page is not None else ""
            st.button(
                f"{source.number} · {plain(title)}{page}",
                key=f"rag_citation_{turn}_{source.number}",
                type="primary" if source.number == chosen else "secondary",
                on_click=choose,
                args=(source.number,),
            )


def _open_source(key: str, source: Source, identity: Identity, knowledge_base_id: str) -> None:
    location = source.location
    facts = [f":gray-badge[{plain(location.kind)}]", f"**{plain(location.title)}**"]
    if location.page is not None:
        facts.append(f"page {location.page}")
    if source.score is not None:
        facts.append(f"score {source.score:.4g}")
    st.markdown(" · ".join(facts))
    if location.address:
        st.code(location.address, language=None, wrap_lines=True)
    _passage(source)
    with st.container(horizontal=True, gap="xsmall"):
        if st.button("Open document", key=f"rag_document_{key}", icon=":material/description:"):
            _document(identity, source, key, knowledge_base_id)
        if location.is_web:
            st.link_button("Open the page", location.address, icon=":material/open_in_new:")
    if source.score is None:
        st.caption("RetrieveAndGenerate tells no score; “Retrieve only” does.")
    if source.metadata:
        st.dataframe(_table(source.metadata), hide_index=True, width="stretch")
    with st.expander("Raw reference", icon=":material/data_object:", type="compact"):
        st.code(json.dumps(source.reference, indent=2, ensure_ascii=False, default=str), language="json")


def _passage(source: Source) -> None:
    if source.text:
        height = _PASSAGE_HEIGHT if len(source.text) > _TALL_PASSAGE else None
        st.code(source.text, language=None, wrap_lines=True, height=height or "content")
    elif image := _image(source):
        try:
            st.image(image)
        except Exception:  # noqa: BLE001 (whatever the decoder says: it is no image)
            st.caption("This passage is an image that cannot be read.")
    else:
        kind = plain(source.content_type.lower())
        st.caption(f"This passage has no text: its kind is {kind}. The raw reference has what came with it.")


def _image(source: Source) -> bytes | None:
    """The picture in a reference, which comes as a data URI."""
    content = source.reference.get("content")
    data = str((content or {}).get("byteContent") or "") if isinstance(content, Mapping) else ""
    head, _, body = data.partition(";base64,")
    if not head.startswith("data:image/") or len(body) > _LARGEST_IMAGE:
        return None
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        return None


def _table(metadata: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"metadata": name, "value": value if isinstance(value, str) else json.dumps(value, default=str)}
            for name, value in metadata.items()
        ]
    )


def _not_cited(answer: Answer) -> list[Source]:
    """What was retrieved and no claim rests on, under its rank."""
    cited = [(source.text, source.location) for source in answer.sources]
    return [source for source in answer.retrieved if (source.text, source.location) not in cited]


def _passages_not_cited(turn: str, sources: Sequence[Source]) -> None:
    label = f"Retrieved but not cited: {len(sources)}"
    shown = st.expander(
        label, icon=":material/find_in_page:", type="compact", key=f"rag_uncited_{turn}", on_change="rerun"
    )
    if not shown.open:
        return
    with shown:
        for source in sources:
            score = "" if source.score is None else f" · score {source.score:.4g}"
            st.caption(f"Rank {source.number} · {plain(source.location.title)}{score}")
            st.code(source.text or f"({source.content_type})", language=None, wrap_lines=True)


@st.dialog("Document", width="large", icon=":material/description:")
def _document(identity: Identity, source: Source, key: str, knowledge_base_id: str) -> None:
    document_view(identity, source, key=f"rag_document_view_{key}", knowledge_base_id=knowledge_base_id)
