"""Suites of guardrail tests: load, check on one version or on two, and see what was missed and what flips."""

from __future__ import annotations

import streamlit as st

from components.guardrail_suite_comparison import comparison
from components.guardrail_suite_editor import suite_editor
from components.guardrail_suite_results import figures_of, result_view
from components.kept_text import kept_choice
from components.problem_card import problem_card
from components.safe_markdown import plain
from components.stored_work import choose_results, stop_button, told, unreadable
from services import batch_values, guardrails, settings
from services.clients import Identity
from services.guardrail_suites import runner as suite_runner
from services.guardrail_suites import store as suite_store
from services.guardrail_suites.cases import Case
from services.guardrail_suites.metrics import verdicts
from services.guardrail_suites.runner import Runners, SuiteRunner
from services.guardrail_suites.store import SuiteStore
from services.guardrail_suites.values import SuiteResult, Target
from services.run_tables import STORE_ERRORS
from services.users import User

_POLL_S = 1.0
_OPEN, _BESIDE = "guardrail_suite_open", "guardrail_suite_beside"
_SECOND = "guardrail_suite_second"
_NOT_ON = "The suite did not go on"


def guardrail_suite(identity: Identity, user: User, *, identifier: str, version: str) -> None:
    """Draw the suite, its run on this version of the guardrail, and the results."""
    with st.container(key="guardrail_suite"):
        try:
            store = suite_store.store()
            name, cases = suite_editor(store, user)
            with st.container(horizontal=True, vertical_alignment="bottom"):
                targets = _targets(identity, identifier, version)
                _run(store, identity, user, targets, name, cases)
            _results(store, identity, user)
        except STORE_ERRORS as error:
            unreadable(error, "The suites cannot be read or stored", "The cases in the table are kept.")


def _runners() -> Runners:
    return suite_runner.runners(settings.get().database_url)


def _targets(identity: Identity, identifier: str, version: str) -> list[Target]:
    """The version that the page has chosen, and one to compare it with, if somebody wants to."""
    if not identifier:
        return []
    listed = guardrails.guardrails(identity).summaries
    name = next((each.name for each in listed if identifier in (each.id, each.arn)), identifier)
    chosen = version or guardrails.DRAFT
    others = [each.version for each in guardrails.versions(identity, identifier).summaries]
    options = ["", *(each for each in dict.fromkeys(others) if each != chosen)]
    wanted = [chosen]
    if len(options) > 1:
        second = kept_choice(_SECOND, "Check a second version as well", options, lambda each: each or "no")
        wanted += [second] if second else []
    return [Target(identifier, each, f"{name} · {each}") for each in wanted]


def _run(
    store: SuiteStore,
    identity: Identity,
    user: User,
    targets: list[Target],
    name: str,
    cases: tuple[Case, ...],
) -> None:
    why = _why_not(user, targets, cases)
    words = f"Check {len(cases):,} texts" if len(cases) != 1 else "Check 1 text"
    st.button(
        words + (" on 2 versions" if len(targets) > 1 else ""),
        key="guardrail_suite_run",
        type="primary",
        icon=":material/play_arrow:",
        disabled=bool(why),
        help=why or "One ApplyGuardrail call for each text and version. AWS bills its text units.",
        on_click=_start,
        args=(store, identity, user, targets, name, cases),
    )
    st.caption(" and ".join(plain(each.label) for each in targets) or "No guardrail is chosen")


def _why_not(user: User, targets: list[Target], cases: tuple[Case, ...]) -> str:
    """Why nothing can be checked now; "" where it can."""
    if not user.can("spend"):
        return "Your role can look, but not send texts."
    if not targets:
        return "Choose a guardrail first."
    return "" if cases else "There are no texts that can be checked yet."


def _start(
    store: SuiteStore,
    identity: Identity,
    user: User,
    targets: list[Target],
    name: str,
    cases: tuple[Case, ...],
) -> None:
    if _why_not(user, targets, cases):
        return
    with told("The texts were not checked"):
        ids = store.create(user.username, name, cases, targets, identity)
        st.session_state[_OPEN] = ids[0]
        st.session_state[_BESIDE] = ids[1] if len(ids) > 1 else ""
        results = [found for each in ids if (found := store.result(user.username, each))]
        _runners().start(store, results, identity)


def _results(store: SuiteStore, identity: Identity, user: User) -> None:
    results = {each.id: each for each in store.results(user.username)}
    alive = [each for each in results.values() if batch_values.is_alive(each)]
    for run_id in dict.fromkeys(each.run_id for each in alive):
        ids = [each.id for each in alive if each.run_id == run_id]
        st.fragment(_progress, run_every=_POLL_S)(store, user, ids)
    ready = {key: each for key, each in results.items() if each not in alive}
    if not ready:
        if not alive:
            st.caption("No suite has been checked yet.")
        return

    shown, beside = choose_results(
        "guardrail_suite",
        {key: _line(each) for key, each in ready.items()},
        open_key=_OPEN,
        beside_key=_BESIDE,
        forget=lambda result_id: store.forget(user.username, result_id),
    )
    _ways_on(store, identity, user, ready[shown], list(ready.values()))
    if beside:
        comparison(store, ready[beside], ready[shown])
    result_view(store, ready[shown])


def _line(result: SuiteResult) -> str:
    left = f" · {result.done:,} of {result.total:,}" if result.waiting else ""
    return f"{result.suite_name} · {result.label} · {result.created_at:%Y-%m-%d %H:%M} UTC{left}"


def _progress(store: SuiteStore, user: User, ids: list[str]) -> None:
    """How far a run is; drawn again each second, alone, until it is over."""
    results = [found for each in ids if (found := store.result(user.username, each))]
    if not any(batch_values.is_alive(each) for each in results):
        st.rerun()
    runner = _runners().of(ids[0])
    total = sum(each.total for each in results)
    done = runner.done if runner else sum(each.done for each in results)
    words = f"{done:,} of {total:,} texts"
    if runner and runner.failed:
        words += f" · {runner.failed:,} failed"
    words += f" · up to {runner.at_once} at once" if runner else " · in another process of the workbench"
    st.progress(min(done / max(total, 1), 1.0), text=words)
    if runner:
        stop_button(runner, f"guardrail_suite_stop_{results[0].run_id}")
        _not_stored(runner)
    st.caption("It goes on when you leave or close this page.")


def _not_stored(runner: SuiteRunner) -> None:
    if runner.store_problem:
        st.error(
            f"{plain(runner.store_problem)}\n\nWhat was checked is kept in memory until it can be stored.",
            title="The database does not take the results",
            icon=":material/database_off:",
        )


def _ways_on(
    store: SuiteStore, identity: Identity, user: User, result: SuiteResult, results: list[SuiteResult]
) -> None:
    """Why a result is not whole, and how to go on with it."""
    runner = _runners().of(result.id)
    together = [each for each in results if each.run_id == result.run_id and each.waiting]
    failed = verdicts(figures_of(store, result).tallies)["failed"]
    if result.note:
        st.warning(plain(result.note), title="Stopped", icon=":material/front_hand:")
    if runner and runner.problem and (failed or result.note):
        problem_card(runner.problem, key="guardrail_suite")
    may = user.can("spend") and result.made_by(identity)
    why = "" if may else "Your role can look, but not send texts."
    if user.can("spend") and not may:
        why = f"It was begun in {result.region} ({result.backend}): switch to it to go on."
    with st.container(horizontal=True):
        if together:
            st.button(
                f"Resume: {sum(each.waiting for each in together):,} texts",
                key="guardrail_suite_resume",
                type="primary",
                icon=":material/play_arrow:",
                disabled=not may,
                help=why or "What is checked is not checked again",
                on_click=_resume,
                args=(store, identity, user, [each.id for each in together]),
            )
        if failed:
            st.button(
                f"Check {failed:,} failed again",
                key="guardrail_suite_retry",
                icon=":material/replay:",
                disabled=not may,
                help=why or None,
                on_click=_retry,
                args=(store, identity, user, result.id),
            )


def _resume(store: SuiteStore, identity: Identity, user: User, ids: list[str]) -> None:
    with told(_NOT_ON):
        results = [found for each in ids if (found := store.result(user.username, each))]
        if not _runners().start(store, results, identity):
            st.toast("This suite is running already.", icon=":material/info:")


def _retry(store: SuiteStore, identity: Identity, user: User, result_id: str) -> None:
    with told(_NOT_ON):
        store.reopen_failed(user.username, result_id)
        _resume(store, identity, user, [result_id])
