"""A click on a number within an answer presses the button of its source.

The numbers are links within the page (`#rag_citation_<turn>_<n>`), the buttons have the same words as keys.
One listener on the document serves every answer, also those that are drawn later. Without it the buttons
themselves are the way.
"""

from __future__ import annotations

import streamlit as st

from components.cited_text import ANCHOR

_JS = """
export default function ({ data }) {
  const press = (event) => {
    const link = event.target.closest?.(`a[href^="#${data.anchor}"]`);
    if (!link) return;
    event.preventDefault();
    const key = link.getAttribute("href").slice(1);
    if (!/^[a-z0-9_]+$/.test(key)) return;
    document.querySelector(`.st-key-${key} button`)?.click();
  };
  document.addEventListener("click", press);
  return () => document.removeEventListener("click", press);
}
"""

_listener = st.components.v2.component("workbench_citation_links", js=_JS)


def citation_links() -> None:
    """Make the numbers of this page's answers lead to their sources."""
    _listener(key="rag_citation_links", data={"anchor": ANCHOR}, height=1)
