"""The pages that exist, once, for the router, the gate and the links between pages."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import StreamlitPage

HOME = "pages/home.py"
MODEL_PLAYGROUND = "pages/model_playground.py"
RUN_HISTORY = "pages/run_history.py"


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
            RUN_HISTORY,
            title="Run history",
            url_path="run_history",
            help="Every call that was made: search it, open it again, share, export, import and delete it.",
        ),
    ]
