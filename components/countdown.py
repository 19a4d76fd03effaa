"""The seconds until a button makes sense, counted in the browser.

A fragment with `run_every` would stand still while replies stream: Streamlit runs it after them.
"""

from __future__ import annotations

import streamlit as st

_HTML = '<button type="button" disabled></button>'

_CSS = """
button {
  min-height: 2.5rem;
  padding: 0.25rem 0.75rem;
  border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius);
  background: transparent;
  color: var(--st-text-color);
  opacity: 0.6;
  font-family: var(--st-font);
  font-size: 0.875rem;
  font-variant-numeric: tabular-nums;
}
"""

_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const button = parentElement.querySelector("button");
  const end = Date.now() + data.seconds * 1000;
  const show = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.textContent = `${data.label} in ${Math.max(left, 0)} s`;
    if (left > 0) return;
    window.clearInterval(timer);
    setTriggerValue("over", true);
  };
  const timer = window.setInterval(show, 200);
  show();
  return () => window.clearInterval(timer);
}
"""

_clock = st.components.v2.component("workbench_countdown", html=_HTML, css=_CSS, js=_JS)


def countdown(label: str, seconds: float, *, key: str) -> None:
    """Draw "`label` in `seconds` s" in the place of a button. At 0 the page runs again, once."""
    _clock(key=key, data={"label": label, "seconds": seconds}, width="content")
