"""A click on a number within an answer presses the button of its source.

The numbers are links within the page (`#rag_citation_<turn>_<n>`), the buttons have the same words as keys. A
source that is open stays open, and its panel comes into view: on a narrow window it stands below the answer.
One listener on the document serves every answer, also those that are drawn later. Without it the buttons
themselves are the way. The same script brings a new question into sight.
"""

from __future__ import annotations

import streamlit as st

from components.cited_text import ANCHOR

_JS = """
export default function ({ data }) {
  // Streamlit scrolls a page with a chat input to its end whenever it grows. So what somebody has just asked
  // for is held in sight for a while, unless they scroll or press something.
  const hold = (find, milliseconds) => {
    let end = Date.now() + milliseconds;
    for (const event of ["wheel", "touchmove", "pointerdown"])
      window.addEventListener(event, () => { end = 0; }, { once: true, passive: true });
    const show = () => {
      if (Date.now() > end) return;
      const element = find();
      if (element) {
        const { top } = element.getBoundingClientRect();
        if (top < 0 || top > 0.7 * window.innerHeight) {
          element.style.scrollMarginTop = "4rem";  // what the page's header covers
          element.scrollIntoView({ block: "start" });
        }
      }
      window.setTimeout(show, 50);
    };
    show();
  };
  const press = (event) => {
    const link = event.target.closest?.(`a[href^="#${data.anchor}"]`);
    if (!link) return;
    event.preventDefault();
    const key = link.getAttribute("href").slice(1);
    if (!/^[a-z0-9_]+$/.test(key)) return;
    const source = `.st-key-rag_document_${key.slice(data.anchor.length)}`;
    if (!document.querySelector(source)) document.querySelector(`.st-key-${key} button`)?.click();
    hold(() => document.querySelector(source)?.closest("[class*=st-key-rag_sources_]"), 2500);
  };
  // Streamlit runs this again when the theme or the data change, and cleans up once, at the end.
  document.removeEventListener("click", window.workbenchCitationPress);
  window.workbenchCitationPress = press;
  document.addEventListener("click", press);
  const before = Number(document.body.dataset.ragQuestions ?? data.questions);
  document.body.dataset.ragQuestions = data.questions;
  if (data.questions > before)
    hold(() => [...document.querySelectorAll("[data-testid=stChatMessage]")].at(-1), 5000);
  return () => document.removeEventListener("click", window.workbenchCitationPress);
}
"""

_listener = st.components.v2.component("workbench_citation_links", js=_JS)


def citation_links(questions: int) -> None:
    """Make the numbers of this page's answers lead to their sources; `questions` have been asked so far."""
    _listener(key="rag_citation_links", data={"anchor": ANCHOR, "questions": questions}, height=1)
