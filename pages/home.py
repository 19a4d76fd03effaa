"""Home: whether everything runs, where calls go, what was run last, and what each page is for."""

from __future__ import annotations

import streamlit as st

from components.auth import require_user
from components.endpoint_card import endpoint_card
from components.health_list import health_list
from components.identity_card import identity_card
from components.navigation import all_pages
from components.recent_runs import recent_runs
from components.sidebar import current_identity

user = require_user()
identity = current_identity()

st.title("Bedrock Workbench", anchor=False)
st.caption("Build, test and watch what you make with Amazon Bedrock.")

for page in all_pages():
    if page.url_path:
        with st.container(
            horizontal=True, vertical_alignment="center", border=True, key=f"page_{page.url_path}"
        ):
            st.page_link(page, width="content")
            st.caption(page.help, width="stretch")

left, right = st.columns(2, gap="medium")
with left:
    recent_runs(user)
    if identity.backend == "local":
        endpoint_card(user)
with right:
    identity_card(identity)
    health_list(identity)
