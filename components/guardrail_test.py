"""A text against one guardrail, or against up to four guardrails or versions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pandas as pd
import streamlit as st

from components.guardrail_and_cache import guardrail_form
from components.guardrail_configuration import guardrail_configuration
from components.guardrail_state import (
    MOST_TARGETS,
    NO_GUARDRAIL,
    QUERY,
    SOURCE_TEXT,
    asked,
    change_target,
    grounding,
    retries,
    runs,
    source,
    targets,
    text_and_source,
)
from components.guardrail_verdict import guardrail_verdict
from components.kept_text import kept_area, kept_input
from components.safe_markdown import plain
from components.shown import show
from services.clients import Identity
from services.guardrail_reasons import differences, reasons_of
from services.guardrail_results import apply_call, result_of
from services.guardrails import GuardrailChoice, guardrail_of, well_formed
from services.runs import Run
from services.runtime import call_once
from services.users import User


def guardrail_test(identity: Identity, user: User) -> None:
    """Draw the pickers, the text and the verdicts."""
    _pickers(identity)
    text = text_and_source()
    _grounding_fields()
    if _asked(text, user):
        with st.spinner("Checking"):
            st.session_state.guardrail_runs = check(text, targets(), identity, user)
    if runs():
        _verdicts(runs(), user)


def check(text: str, choices: Sequence[GuardrailChoice], identity: Identity, user: User) -> list[Run]:
    """Ask every guardrail at the same time; each call is stored, a failure is in its run."""
    calls = [
        apply_call(
            text,
            choice.identifier,
            identity,
            version=choice.version,
            source=source(),
            grounding=grounding(),
            user=user.username,
        )
        for choice in choices
    ]
    with ThreadPoolExecutor(max_workers=MOST_TARGETS) as threads:
        return list(threads.map(call_once, calls))


def picker_key(n: int) -> str:
    """The key of the picker of column `n`."""
    return "guardrail_picker" if n == 0 else f"guardrail_picker_{n}"


def _pickers(identity: Identity) -> None:
    chosen = targets()
    for n, place in enumerate(st.columns(len(chosen), gap="medium")):
        with place:
            guardrail_form(
                chosen[n], identity, key=picker_key(n), change=partial(change_target, n), of_model=False
            )
            if well_formed(chosen[n].identifier):
                with st.expander("What it does", icon=":material/policy:", type="compact"):
                    guardrail_configuration(identity, chosen[n], key=f"guardrail_configuration_{n}")
            if n:
                st.button(
                    "Remove",
                    key=f"guardrail_remove_{n}",
                    icon=":material/close:",
                    type="tertiary",
                    on_click=_remove,
                    args=(n,),
                )
    if len(chosen) < MOST_TARGETS:
        st.button(
            "Compare with another guardrail or version",
            key="guardrail_compare",
            icon=":material/add:",
            type="tertiary",
            on_click=_add,
        )


def _add() -> None:
    """One more column, with the last one's guardrail: mostly another version of it is wanted."""
    targets().append(targets()[-1])


def _remove(n: int) -> None:
    del targets()[n]


def _grounding_fields() -> None:
    """The source and the query that a reply is held against, where they are wanted."""
    if source() != "OUTPUT":
        return
    show("guardrail_grounding", bool(st.session_state.get("guardrail_grounding_kept")), False)
    st.toggle(
        "Check against a source and a question",
        key="guardrail_grounding",
        help="For contextual grounding: does the reply rest on the source, and does it answer the question?",
        on_change=lambda: st.session_state.update(
            guardrail_grounding_kept=st.session_state.guardrail_grounding
        ),
    )
    if st.session_state.guardrail_grounding:
        kept_area(SOURCE_TEXT, "Grounding source", height=120, placeholder="What the reply must rest on")
        kept_input(QUERY, "Query", placeholder="What the user asked")


def _asked(text: str, user: User) -> bool:
    """Draw the button; says whether the text is to be checked now."""
    wanted = grounding()
    reason = ""
    if not all(well_formed(choice.identifier) for choice in targets()):
        reason = NO_GUARDRAIL
    elif wanted and not (wanted.source.strip() and wanted.query.strip()):
        reason = "Grounding needs a source and a query"
    return asked(
        text,
        user,
        key="guardrail_run",
        label="Check",
        icon=":material/shield:",
        help="Asks the guardrail, and no model",
        reason=reason,
    )


def _verdicts(done: Sequence[Run], user: User) -> None:
    several = len(done) > 1
    for n, (place, run) in enumerate(zip(st.columns(len(done), gap="medium"), done, strict=True)):
        with place:
            if several:
                st.markdown(f"**{plain(_title(run))}**")
            guardrail_verdict(
                run, key="guardrail_verdict" if n == 0 else f"guardrail_verdict_{n}", retries=retries(user)
            )
    if several:
        _differences(done)


def _title(run: Run) -> str:
    choice = guardrail_of(run.call.request)
    return f"{choice.identifier.rpartition('/')[2]} · {choice.version}"


def _differences(done: Sequence[Run]) -> None:
    """What the guardrails did differently, as a table."""
    answered = [run for run in done if not run.problem]
    if len(answered) < 2:
        return
    rows = differences([reasons_of(run) for run in answered])
    outcomes = {result_of(run).outcome for run in answered}
    same = "The same verdict" if len(outcomes) == 1 else "Different verdicts"
    if not rows:
        st.markdown(f"**{same}**, and nothing that they did differently.")
        return
    st.markdown(f"**{same}**; what was done differently:")
    titles = [f"{n}: {_title(run)}" for n, run in enumerate(answered, 1)]
    table = [{"what": name, **dict(zip(titles, cells, strict=True))} for name, cells in rows]
    st.dataframe(pd.DataFrame(table), hide_index=True, width="stretch", key="guardrail_differences")
