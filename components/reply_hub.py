"""The replies of this browser session: they outlive reruns and page changes, and end with the tab."""

from __future__ import annotations

import streamlit as st

from services.streaming import StreamHub


@st.cache_resource(scope="session", on_release=StreamHub.stop_all, show_spinner=False)
def reply_hub() -> StreamHub:
    """The replies of this session's playground."""
    return StreamHub()


@st.cache_resource(scope="session", on_release=StreamHub.stop_all, show_spinner=False)
def rag_hub() -> StreamHub:
    """The answers of this session's RAG chat."""
    return StreamHub()
