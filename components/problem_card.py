"""A problem, told as guidance: what happened, why, what to do, and a button where one can help."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

import streamlit as st

from components.countdown import countdown
from components.safe_markdown import plain
from services.problems import Action, Problem

_BUTTONS: dict[str, tuple[str, str]] = {
    "retry": ("Retry", ":material/replay:"),
    "use_inference_profile": ("Use the inference profile", ":material/alt_route:"),
    "renew_credentials": ("Read the credentials again", ":material/key:"),
    "restart_backend": ("Restart the local endpoint", ":material/restart_alt:"),
    "choose_model": ("Choose another model", ":material/swap_horiz:"),
    "edit_parameters": ("Edit the parameters", ":material/tune:"),
    "shorten": ("Start a new chat", ":material/add_comment:"),
}


def problem_card(
    problem: Problem,
    *,
    key: str,
    actions: Mapping[Action, Callable[[], None]] | None = None,
    since: float | None = None,
) -> None:
    """Draw a problem in the container `problem_card_<key>`.

    `actions` maps the actions that this page can carry out to their callbacks; a button appears for the
    problem's own action if it is among them. `since` (Unix seconds) is when the problem happened: with
    `retry_after_s` it becomes a countdown.
    """
    with st.container(key=f"problem_card_{key}"):
        body = f"{plain(problem.cause)}\n\n**What to do:** {plain(problem.fix)}"
        st.error(body, icon=":material/error:", title=plain(problem.title))
        callback = (actions or {}).get(problem.action)
        if callback or problem.link:
            with st.container(horizontal=True, gap="xsmall"):
                if callback:
                    _action_button(problem, callback, key, since)
                if problem.link:
                    st.link_button(plain(problem.link_label), problem.link, icon=":material/open_in_new:")
        if problem.iam_statement:
            st.caption("The IAM statement to add:")
            st.code(json.dumps(problem.iam_statement, indent=2), language="json")
        if problem.message:
            with st.expander("What the service said", type="compact"):
                request = f"\nRequest ID: {problem.request_id}" if problem.request_id else ""
                st.code(f"{problem.code}: {problem.message}{request}", language=None, wrap_lines=True)


def _action_button(problem: Problem, callback: Callable[[], None], key: str, since: float | None) -> None:
    label, icon = _BUTTONS[problem.action]
    if problem.action == "use_inference_profile" and problem.suggestion:
        label = f"Use {problem.suggestion}"
    wait_s = (since or 0) + (problem.retry_after_s or 0) - time.time()
    if wait_s > 0:  # before that the service would refuse again
        countdown(label, wait_s, key=f"problem_wait_{key}")
    elif problem.billed:
        with st.popover(plain(label), icon=icon, key=f"problem_ask_{key}"):
            st.markdown("The reply that was lost may be charged, and so will the new one.")
            st.button("Send it again", key=f"problem_action_{key}", icon=icon, on_click=callback)
    else:
        st.button(plain(label), key=f"problem_action_{key}", icon=icon, on_click=callback)
