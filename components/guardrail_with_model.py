"""One prompt to a model with a guardrail and without it, side by side: what it changes, and what it adds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

import streamlit as st

from components.guardrail_and_cache import guardrail_form
from components.guardrail_state import (
    NO_GUARDRAIL,
    asked,
    change_target,
    details_button,
    retries,
    targets,
    text_field,
)
from components.guardrail_trace import guardrail_trace
from components.metrics_line import format_ms, metrics_line
from components.model_picker import model_picker
from components.problem_card import problem_card
from components.reply import draw_reply
from services import models
from services.clients import Identity
from services.guardrail_traces import trace_of
from services.guardrails import GuardrailChoice, put_guardrail, well_formed
from services.replies import content_of
from services.runs import Call, Run
from services.runtime import call_once, converse_request
from services.users import User

_MOST_TOKENS = 400
"""Enough for a reply to be judged; both calls stop there."""


def guardrail_with_model(identity: Identity, user: User) -> None:
    """Draw the choice of guardrail and model, the prompt, and both replies."""
    catalogue = models.catalogue(identity)
    model_id = _chosen_model(catalogue)
    left, right = st.columns(2, gap="medium")
    with left:
        guardrail_form(
            targets()[0],
            identity,
            key="guardrail_model_guardrail",
            change=partial(change_target, 0),
            of_model=False,
        )
    with right:
        st.caption("Model")
        model_picker(
            catalogue,
            next((one for one in catalogue.models if one.model_id == model_id), None),
            key="guardrail_model",
            on_change=lambda: _choose(identity, str(st.session_state.guardrail_model or "")),
        )
    text = text_field()
    if _asked(text, model_id, user):
        with st.spinner("Asking the model twice"):
            st.session_state.guardrail_model_runs = ask(text, model_id, targets()[0], identity, user)
    if pair := cast(list[Run], st.session_state.get("guardrail_model_runs") or []):
        _pair(pair[0], pair[1], user)


def ask(text: str, model_id: str, choice: GuardrailChoice, identity: Identity, user: User) -> list[Run]:
    """Ask with the guardrail and without it, at the same time."""
    calls = []
    for guarded in (True, False):
        messages = [{"role": "user", "content": [{"text": text}]}]
        request = converse_request(model_id, messages, inference_config={"maxTokens": _MOST_TOKENS})
        if guarded:
            put_guardrail(request, "Converse", choice)
        calls.append(
            Call(
                operation="Converse",
                request=request,
                identity=identity,
                model_id=model_id,
                user=user.username,
            )
        )
    with ThreadPoolExecutor(max_workers=2) as threads:
        return list(threads.map(call_once, calls))


def _chosen_model(catalogue: models.Catalogue) -> str:
    if not st.session_state.get("guardrail_model_kept") and (first := models.defaults(catalogue, 1)):
        st.session_state.guardrail_model_kept = first[0].model_id
    return str(st.session_state.get("guardrail_model_kept") or "")


def _choose(identity: Identity, text: str) -> None:
    try:
        st.session_state.guardrail_model_kept = models.resolve(identity, text.strip()).model_id
    except ValueError as error:
        st.toast(str(error), icon=":material/error:")


def _asked(text: str, model_id: str, user: User) -> bool:
    reason = ""
    if not well_formed(targets()[0].identifier):
        reason = NO_GUARDRAIL
    elif not model_id:
        reason = "Choose a model"
    return asked(
        text,
        user,
        key="guardrail_model_run",
        label="Ask with and without the guardrail",
        icon=":material/compare_arrows:",
        help=f"Two calls of Converse, each of at most {_MOST_TOKENS} tokens",
        reason=reason,
    )


def _pair(guarded: Run, bare: Run, user: User) -> None:
    for place, run, name in zip(
        st.columns(2, gap="medium"), (guarded, bare), ("With the guardrail", "Without it"), strict=True
    ):
        key = "guardrail_on" if run is guarded else "guardrail_off"
        with place, st.container(key=key, gap="small"):
            st.markdown(f"**{name}**")
            _reply(run, key, user)
    if not guarded.problem and not bare.problem:
        st.markdown(
            f"**With the guardrail, against without it:** {added(guarded, bare)}",
            help="A model may say something else each time, so part of this is chance.",
        )


def _reply(run: Run, key: str, user: User) -> None:
    if run.problem:
        problem_card(run.problem, key=key, actions=retries(user), since=run.started_at.timestamp())
    else:
        draw_reply(content_of(run.call.operation, run.response or {}))
    metrics_line(run, key=f"{key}_metrics")
    guardrail_trace(run)
    details_button(run, key)


def added(guarded: Run, bare: Run) -> str:
    """What the guardrail changed in the time and in the tokens of one prompt, in words."""
    slower = guarded.latency_ms - bare.latency_ms
    parts = [f"{'+' if slower >= 0 else '−'}{format_ms(abs(slower))}"]
    if guarded.usage and bare.usage:
        for name, more in (
            ("input", guarded.usage.input_tokens - bare.usage.input_tokens),
            ("output", guarded.usage.output_tokens - bare.usage.output_tokens),
        ):
            parts.append(f"{'+' if more >= 0 else '−'}{abs(more):,} {name} tokens")
    if (trace := trace_of(guarded)) and trace.latency_ms is not None:
        parts.append(f"the guardrail itself took {format_ms(trace.latency_ms)}")
    return " · ".join(parts)
