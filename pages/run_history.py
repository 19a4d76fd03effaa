"""Run history: every call that was made, to be found, opened again, shared, exported and deleted."""

from __future__ import annotations

import streamlit as st

from components.auth import require_user
from components.history_import import history_import
from components.history_table import history_table

user = require_user()

with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    st.markdown("### Run history", width="stretch", anchors=False)
    history_import(user)
history_table(user)
