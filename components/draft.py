"""Keeps a prompt that is typed but not sent, over a change of page or a reload of the tab.

`st.chat_input` tells the server nothing before it is sent, so what is typed lives in the browser alone. This
keeps a copy in the tab's own storage, for one user, and puts it back into an empty field.
"""

from __future__ import annotations

import streamlit as st

_JS = """
export default function ({ data }) {
  const store = window.sessionStorage;
  const field = () => document.querySelector(`.st-key-${data.field} textarea`);
  const name = `draft:${data.user}:${data.field}`;
  const sentName = `${name}:sent`;
  if (store.getItem(sentName) !== String(data.sends)) {
    if (store.getItem(sentName) !== null && data.sends > 0) store.removeItem(name);
    store.setItem(sentName, String(data.sends));
  }
  const keep = (event) => {
    if (event.target !== field()) return;
    store.setItem(name, event.target.value);
    window.workbenchDraftField = event.target;
  };
  document.addEventListener("input", keep);
  const restore = () => {
    const area = field();
    const draft = store.getItem(name);
    if (!area || area.disabled || area.value || !draft) return;
    if (area === window.workbenchDraftField) return;  // typed here and gone: it is being sent
    const setter = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set;
    setter.call(area, draft);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const timer = window.setTimeout(restore, 50);
  return () => {
    window.clearTimeout(timer);
    document.removeEventListener("input", keep);
  };
}
"""

_keeper = st.components.v2.component("workbench_draft", js=_JS)


def keep_draft(field: str, user: str, sends: int) -> None:
    """Keep the draft of the chat input with the key `field`.

    `sends` is how many prompts this session has sent from it: when it rises, the draft has gone out and is
    forgotten.
    """
    data = {"field": field, "user": user, "sends": sends}
    _keeper(key=f"{field}_draft", data=data, height=1)
