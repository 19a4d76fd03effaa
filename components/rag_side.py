"""One way of asking, at the top of the RAG chat: the knowledge base, the mode, the model and the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import streamlit as st

from components.edits import Editing
from components.model_picker import model_picker
from components.retrieval_settings import retrieval_settings
from components.shown import show
from services import models
from services.citations import Source
from services.clients import Identity
from services.knowledge import KnowledgeBase, Listing
from services.models import Catalogue, Model, UnknownModelId
from services.rag_settings import Mode, RagSettings

MODES: dict[Mode, str] = {"generate": "Answer", "converse": "Own prompt", "retrieve": "Retrieve only"}
EXPLAINED: dict[Mode, str] = {
    "generate": "The service retrieves, answers and cites (RetrieveAndGenerateStream). It keeps a session.",
    "converse": "Retrieve, then the model with a prompt of your own (ConverseStream): tokens and cost are "
    "told. Each question stands by itself.",
    "retrieve": "What the knowledge base finds, with ranks and scores. No model is asked (Retrieve).",
}

Change = Editing[RagSettings]


def suffix(side: int) -> str:
    """What the keys of a side end in: nothing for the first, "_b" for the one beside it."""
    return "_b" if side else ""


def rag_side(
    side: int,
    settings: RagSettings,
    *,
    identity: Identity,
    listed: Listing[KnowledgeBase],
    catalogue: Catalogue,
    change: Change,
    found: Sequence[Source],
    narrow: bool,
) -> None:
    """Draw the pickers of a side; `narrow` where another stands beside it.

    `found` are passages whose metadata the filter can suggest.
    """
    end = suffix(side)
    with st.container(key=f"rag_side{end}", gap="xsmall"):
        if narrow:
            first, last = st.columns([5, 1], vertical_alignment="center")
            second, third = st.container(), st.container()
        else:
            first, second, third, last = st.columns([4, 5, 4, 1], vertical_alignment="center")
        with first:
            knowledge_base_picker(f"rag_kb{end}", settings, listed, change)
        with second:
            _mode(f"rag_mode{end}", settings, change)
        with third:
            if settings.mode != "retrieve":
                _model(f"rag_model{end}", settings, identity, catalogue, change)
        with last:
            _settings(end, settings, catalogue, found, change)


def rerankers(catalogue: Catalogue) -> list[Model]:
    """The models that sort passages anew; the lists name no such kind, their ids do."""
    return [model for model in catalogue.models if "rerank" in model.model_id and model.callable]


def knowledge_base_picker(
    key: str, settings: RagSettings, listed: Listing[KnowledgeBase], change: Change
) -> None:
    """Draw the picker of the knowledge base; an ID or ARN that is pasted is taken too."""
    names = {one.id: _line(one) for one in listed.items}
    chosen = settings.knowledge_base_id
    if chosen and chosen not in names:
        names = {chosen: chosen, **names}
    show(key, chosen or None)
    st.selectbox(
        "Knowledge base",
        list(names),
        index=0 if chosen else None,
        key=key,
        format_func=lambda one: names.get(one, one),
        placeholder="Choose a knowledge base, or paste an ID",
        label_visibility="collapsed",
        accept_new_options=True,
        on_change=lambda: change(
            lambda now: replace(now, knowledge_base_id=str(st.session_state[key] or "").strip())
        ),
    )


def _line(one: KnowledgeBase) -> str:
    name = f"{one.name} ({one.id})"
    return name if one.status in ("", "ACTIVE") else f"{name}: {one.status.lower()}"


def _mode(key: str, settings: RagSettings, change: Change) -> None:
    def chosen() -> None:
        """A template says nothing to another mode: each keeps its own."""
        templates = st.session_state.setdefault(f"{key}_templates", {})
        mode = cast("Mode", st.session_state[key])

        def switch(now: RagSettings) -> RagSettings:
            templates[now.mode] = now.prompt_template
            return replace(now, mode=mode, prompt_template=templates.get(mode, ""))

        change(switch)

    show(key, settings.mode)
    st.segmented_control(
        "Mode",
        list(MODES),
        key=key,
        format_func=lambda mode: MODES[mode],
        label_visibility="collapsed",
        required=True,
        on_change=chosen,
    )


def _model(key: str, settings: RagSettings, identity: Identity, catalogue: Catalogue, change: Change) -> None:
    def chosen() -> None:
        text = str(st.session_state[key] or "").strip()
        try:
            model_id = models.resolve(identity, text).model_id
            change(lambda now: replace(now, model_id=model_id))
        except ValueError as error:
            st.toast(str(error), icon=":material/error:")

    try:
        model = models.resolve(identity, settings.model_id) if settings.model_id else None
    except UnknownModelId:
        model = None
    model_picker(catalogue, model, key=key, on_change=chosen)


def _settings(
    end: str, settings: RagSettings, catalogue: Catalogue, found: Sequence[Source], change: Change
) -> None:
    popover = st.popover(
        "",
        icon=":material/tune:",
        help="Retrieval, filter, reranker, prompt, guardrail",
        key=f"rag_settings{end}",
        on_change="rerun",
    )
    if not popover.open:  # a form that nobody looks at would be most of every run
        return
    with popover:
        retrieval_settings(
            settings, key=f"rag_form{end}", rerankers=rerankers(catalogue), change=change, sources=found
        )
