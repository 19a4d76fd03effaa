"""The script that `streamlit run` starts: it opens the house for every page, and draws none itself."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from components.auth import gate
from components.navigation import MODEL_PLAYGROUND, all_pages
from components.recent_runs import has_no_runs
from components.sidebar import current_identity, draw_sidebar
from components.startup import check_settings, settle, start_backend, warm_up

ICON = str(Path(__file__).parent / "components" / "icon.png")
SIDEBAR_PIXELS = 230

st.set_page_config(
    page_title="Bedrock Workbench", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_PIXELS
)
st.logo(ICON, size="large")
warm_up()
check_settings()
user = gate()
page = st.navigation(all_pages())
draw_sidebar(user)
start_backend(user)

# A first visit finds the playground ready for a prompt. Home is there as soon as someone asks for it.
if "entered" not in st.session_state and page.url_path == "" and has_no_runs(user):
    st.switch_page(MODEL_PLAYGROUND)
st.session_state.entered = True  # only here: another run may have taken the place of the one that moved on

page.run()
settle(current_identity())
