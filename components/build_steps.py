"""The steps of a knowledge base: how far each is, the code that it runs, and who may run it."""

from __future__ import annotations

import json

import streamlit as st

from components.problem_card import problem_card
from components.safe_markdown import plain
from services.knowledge_build import STEPS, Builder, Plan, Progress, Step, program

_ICONS = {
    "waiting": ":material/radio_button_unchecked:",
    "running": "spinner",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "kept": ":material/remove_circle_outline:",
}
_WORDS = {"running": "at work", "done": "done", "failed": "failed", "kept": "left alone"}


def build_steps(plan: Plan, builder: Builder | None) -> None:
    """Draw the steps; with a builder, how far it is."""
    for number, step in enumerate(STEPS, 1):
        _step(number, step, plan, builder.progress(step) if builder else Progress())


def build_program(plan: Plan) -> None:
    """A button that downloads the whole build as one Python file."""
    st.download_button(
        "Download as Python",
        data=lambda: program(plan),
        file_name=f"build-{plan.slug}.py",
        mime="text/x-python",
        icon=":material/download:",
        on_click="ignore",
        key="rag_build_program",
        help="All steps in one file, with the same requests. Run it in the folder of the documents.",
    )


def _step(number: int, step: Step, plan: Plan, progress: Progress) -> None:
    left, right = st.columns([3, 2], gap="small")
    # The label stays the same while the step goes on: with a new one an open expander would close.
    key, icon = f"rag_build_step_{step.key}", _ICONS[progress.state]
    with left.expander(f"{number}. {step.title}", icon=icon, key=key, type="compact"):
        st.markdown(plain(step.why))
        st.code(step.code(plan), language="python", wrap_lines=True)
        st.caption("The least IAM policy for this step, and for taking it apart:")
        st.code(json.dumps(step.policy(plan), indent=2), language="json")
    right.caption(_words(progress) or plain(step.why))
    if progress.problem:
        problem_card(progress.problem, key=f"rag_build_{step.key}")


def _words(progress: Progress) -> str:
    words = [_WORDS.get(progress.state, ""), plain(progress.detail)]
    if progress.seconds is not None and progress.state == "done":
        words.append(f"{progress.seconds:.1f} s")
    return " · ".join(word for word in words if word)
