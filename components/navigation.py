"""The pages that exist, once, for the router, the gate and the links between pages."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from services.citations import RAG_OPERATIONS
from services.guardrail_results import KIND as GUARDRAIL_KIND
from services.rag_replies import PAGE_TAG
from services.replies import CONVERSE_OPERATIONS, INVOKE_OPERATIONS
from services.run_store import RunSummary

HOME = "pages/home.py"
MODEL_PLAYGROUND = "pages/model_playground.py"
RAG_CHAT = "pages/rag_chat.py"
GUARDRAIL_TESTER = "pages/guardrail_tester.py"
RUN_HISTORY = "pages/run_history.py"

_CHATS = CONVERSE_OPERATIONS + INVOKE_OPERATIONS


def page_of(run: RunSummary) -> str:
    """The page that opens a run by `?run=`."""
    if run.operation in (*RAG_OPERATIONS, "Retrieve") or run.tags.get("page") == PAGE_TAG:
        return RAG_CHAT
    if run.kind == GUARDRAIL_KIND:
        return GUARDRAIL_TESTER
    return MODEL_PLAYGROUND if run.operation in _CHATS else RUN_HISTORY


def all_pages() -> list[StreamlitPage]:
    """Every page, in the order of the sidebar.

    Without icons: the browser would fetch a page's icon, as the tab's, from another company's server.
    """
    return [
        st.Page(HOME, title="Home", default=True),
        st.Page(
            MODEL_PLAYGROUND,
            title="Model playground",
            url_path="model_playground",
            help="One prompt to several models: replies stream side by side, with times, tokens and cost.",
        ),
        st.Page(
            RAG_CHAT,
            title="RAG chat",
            url_path="rag_chat",
            help="Ask a knowledge base: every claim leads to its source. Build one, and test it.",
        ),
        st.Page(
            GUARDRAIL_TESTER,
            title="Guardrail tester",
            url_path="guardrail_tester",
            help="What a guardrail stops in a text, and why; several side by side; suites, editor, versions.",
        ),
        st.Page(
            RUN_HISTORY,
            title="Run history",
            url_path="run_history",
            help="Every call that was made: search it, open it again, share, export, import and delete it.",
        ),
    ]
