"""Links to the RAG chat: `?run=` opens what was asked again, `?kb=` a knowledge base."""

from __future__ import annotations

import streamlit as st

from services import run_store
from services.rag_chat import Conversation, reopened
from services.users import User


def read_run_link(user: User) -> Conversation | None:
    """The conversation that `?run=…` (or two of them, side by side) asks for, once per link."""
    run_ids = tuple(st.query_params.get_all("run"))
    if not run_ids or st.session_state.get("rag_linked") == run_ids:
        return None
    st.session_state.rag_linked = run_ids
    store = run_store.store()
    runs = [run for run in (store.get(run_id, user.username) for run_id in run_ids) if run]
    if len(runs) < len(run_ids):
        st.toast("This link names a run that does not exist, or that is private to someone else.")
    conversation = reopened(runs, lambda run_id: store.get(run_id, user.username))
    if runs and conversation is None:
        st.toast("This run is none of a knowledge base: open it from the run history.")
    return conversation


def read_knowledge_base_link() -> str:
    """The knowledge base that `?kb=…` asks for, once per link; "" where there is nothing new."""
    asked = str(st.query_params.get("kb", "")).strip()
    if not asked or st.session_state.get("rag_linked_kb") == asked:
        return ""
    st.session_state.rag_linked_kb = asked
    return asked
