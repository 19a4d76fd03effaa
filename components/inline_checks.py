"""Checks without a guardrail: what is scored, and where one would draw the line. A slider calls nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import streamlit as st

from components.guardrail_highlight import guardrail_highlight
from components.guardrail_state import asked, details_button, retries, source, text_and_source
from components.metrics_line import format_ms
from components.problem_card import problem_card
from components.safe_markdown import plain
from components.shown import show
from services.clients import Identity
from services.guardrail_highlights import Mark, segments
from services.inline_checks import CHECK_WORDS, Check, Score, Scores, checks_call, choices, found, scores_of
from services.runs import Run
from services.runtime import call_once
from services.users import User

_DEFAULT_THRESHOLD = 0.5


def inline_checks(identity: Identity, user: User) -> None:
    """Draw the choice of checks, the text, the scores and the sliders."""
    st.caption(
        "Scores a text without a guardrail (InvokeGuardrailChecks). Where the line is drawn is up to you: "
        "the sliders only read the scores anew."
    )
    text = text_and_source()
    chosen = _choices()
    if _asked(text, chosen, user):
        call = checks_call(text, chosen, identity, source=source(), user=user.username)
        with st.spinner("Checking"):
            st.session_state.guardrail_checked = call_once(call)
    if run := cast("Run | None", st.session_state.get("guardrail_checked")):
        with st.container(key="guardrail_checks", gap="small"):
            _answer(run, user)


def _choices() -> Mapping[Check, tuple[str, ...]]:
    """Draw what can be checked; everything is chosen at first."""
    offered = choices()
    kept = cast(
        dict[Check, tuple[str, ...]], st.session_state.setdefault("guardrail_checks_chosen", dict(offered))
    )

    def changed(check: Check, key: str) -> None:
        kept[check] = tuple(st.session_state[key])

    for check, words in CHECK_WORDS.items():
        key = f"guardrail_check_{check}"
        show(key, list(kept.get(check, ())), [])
        options = list(dict.fromkeys([*offered[check], *kept.get(check, ())]))
        label = f"{words}: {len(kept.get(check, ()))} of {len(options)}"
        with st.expander(label, icon=":material/checklist:", type="compact"):
            st.multiselect(
                words,
                options,
                key=key,
                format_func=_in_words,
                label_visibility="collapsed",
                on_change=changed,
                args=(check, key),
            )
    return kept


def _asked(text: str, chosen: Mapping[Check, tuple[str, ...]], user: User) -> bool:
    return asked(
        text,
        user,
        key="guardrail_checks_run",
        label="Check",
        icon=":material/shield:",
        help="Asks the checks that are chosen, and no model",
        reason="" if any(chosen.values()) else "Choose something to check",
    )


def _answer(run: Run, user: User) -> None:
    if run.problem:
        problem_card(
            run.problem, key="guardrail_checks", actions=retries(user), since=run.started_at.timestamp()
        )
    else:
        scores = scores_of(run)
        thresholds = _sliders(scores)
        _decision(scores, found(scores, thresholds, _DEFAULT_THRESHOLD))
        if scores.unknown:
            st.code(json.dumps(scores.unknown, indent=2, ensure_ascii=False, default=str), language="json")
        counts = ", ".join(f"{plain(name.lower())} {count}" for name, count in scores.units.items())
        cost = "free" if run.call.identity.backend == "local" else "unpriced"
        st.caption(f"{format_ms(run.latency_ms)} in total · text units: {counts or 'none told'} · {cost}")
    details_button(run, "guardrail_checks")


def _sliders(scores: Scores) -> dict[str, float]:
    """Draw a threshold for everything that was scored; none of them makes a call."""
    kept = cast(dict[str, float], st.session_state.setdefault("guardrail_thresholds", {}))
    highest: dict[tuple[Check, str], float] = {}
    for one in scores.scores:
        highest[one.check, one.name] = max(one.score, highest.get((one.check, one.name), 0.0))

    def changed(name: str, key: str) -> None:
        kept[name] = float(st.session_state[key])

    columns = st.columns(3, gap="medium")
    for n, ((check, name), score) in enumerate(highest.items()):
        key = f"guardrail_threshold_{name}"
        show(key, kept.get(name, _DEFAULT_THRESHOLD), 0.0)
        measure = "confidence" if check == "sensitiveInformation" else "severity"
        with columns[n % 3]:
            st.slider(
                f"{plain(_in_words(name))}: {measure} {score:.2f}",
                0.0,
                1.0,
                step=0.05,
                key=key,
                on_change=changed,
                args=(name, key),
            )
    return kept


def _decision(scores: Scores, reached: tuple[Score, ...]) -> None:
    harmful = [one for one in reached if one.check != "sensitiveInformation"]
    entities = [one for one in reached if one.check == "sensitiveInformation"]
    if harmful:
        named = ", ".join(f"{plain(_in_words(one.name))} ({one.score:.2f})" for one in harmful)
        st.error(f"**Would be blocked** with these thresholds: {named}", icon=":material/block:")
    elif entities:
        st.warning("**Would be masked** with these thresholds.", icon=":material/visibility_off:")
    else:
        st.success("**Would pass** with these thresholds.", icon=":material/check_circle:")
    marks = [
        Mark(one.start, one.end, f"{_in_words(one.name)} {one.score:.2f}", "masked")
        for one in entities
        if one.start is not None and one.end is not None
    ]
    guardrail_highlight(segments(scores.text, marks), key="guardrail_checks_text", name="The text")
    if scores.truncated:
        st.caption("The service found more entities than it reports.")


def _in_words(name: str) -> str:
    return name.replace("_", " ").capitalize()
