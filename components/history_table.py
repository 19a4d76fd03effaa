"""The table of all runs: filters, pages, and what can be done with the selected ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import urljoin

import pandas as pd
import streamlit as st

from components.metrics_line import format_ms, format_usd
from components.navigation import MODEL_PLAYGROUND, RUN_HISTORY, page_of
from components.recent_runs import unreadable_history
from components.run_details import run_details
from services import run_files, run_store
from services.run_store import RunFilter, RunScope, RunSummary
from services.run_tables import STORE_ERRORS
from services.runs import RunState, to_json
from services.users import User

PAGE_RUNS = 50
_SCOPES = {"own": "Mine", "shared": "Shared by others"}


def history_table(user: User) -> None:
    """Draw the filters, one page of runs, and the actions on what is selected in it."""
    try:
        _table(user)
    except STORE_ERRORS as error:
        unreadable_history(error)


def _table(user: User) -> None:
    store = run_store.store()
    only = _filters(user)
    count = store.count(user.username, only)
    last_page = max(0, (count - 1) // PAGE_RUNS)
    page = min(st.session_state.get("history_page", 0), last_page)
    runs = store.list(user.username, only, limit=PAGE_RUNS, offset=page * PAGE_RUNS)
    selected = _draw_page(runs, user) if runs else []
    if not runs:
        narrowed = only != RunFilter()
        st.caption("No run fits these filters." if narrowed else "Nothing has been run yet.")
    if runs:
        _pager(page, last_page, count)
    _actions(selected, user)
    _open_linked(user)


def _filters(user: User) -> RunFilter:
    """What the filters stand for."""
    kinds, model_ids = run_store.store().kinds_and_models(user.username)
    with st.container(horizontal=True, gap="small", key="history_filters"):
        text = st.text_input(
            "Search",
            key="q",
            bind="query-params",
            placeholder="Words of the prompt or the reply",
            on_change=_first_page,
            width=320,
        )
        kind = _choice("Kind", "history_kind", kinds)
        model_id = _choice("Model", "history_model", model_ids)
        state = _choice("State", "history_state", get_args(RunState)[1:])
        scope = _choice("Whose", "history_scope", tuple(_SCOPES)) or "all"
    return RunFilter(text or "", kind, model_id, cast("RunState | None", state), cast("RunScope", scope))


def _choice(label: str, key: str, options: Sequence[str]) -> str | None:
    return st.selectbox(
        label,
        options,
        index=None,
        placeholder="All",
        key=key,
        format_func=lambda option: _SCOPES.get(option, option),
        on_change=_first_page,
        persist_state="session",
        width=180,
    )


def _first_page() -> None:
    st.session_state.history_page = 0


def _draw_page(runs: Sequence[RunSummary], user: User) -> list[RunSummary]:
    """The table; its key changes with its runs, so that a selection never falls on other ones."""
    shown = hashlib.sha256("".join(run.id for run in runs).encode()).hexdigest()[:12]
    event: Any = st.dataframe(
        pd.DataFrame([_row(run, user) for run in runs]),
        hide_index=True,
        width="stretch",
        height=420,
        key=f"history_table_{shown}",
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="",
        column_config={
            "when": st.column_config.DatetimeColumn("when (UTC)", format="YYYY-MM-DD HH:mm:ss"),
            "prompt": st.column_config.TextColumn(width="medium"),
            "reply": st.column_config.TextColumn(width="medium"),
            "tokens": st.column_config.NumberColumn(format="localized"),
        },
    )
    return [runs[row] for row in event.selection.rows if row < len(runs)]


def _row(run: RunSummary, user: User) -> dict[str, Any]:
    whose = "yours, shared" if run.shared else "yours"
    return {
        "when": run.started_at.replace(tzinfo=None),
        "prompt": " ".join(run.prompt.split()) or run.operation,
        "reply": " ".join(run.reply.split()) or (run.problem or ""),
        "model": run.model_id,
        "state": run.state,
        "tokens": run.usage.total_tokens if run.usage else None,
        "ttft": "" if run.ttft_ms is None else format_ms(run.ttft_ms),
        "latency": format_ms(run.latency_ms),
        "cost": _cost(run),
        "tags": ", ".join(f"{name}: {value}" for name, value in run.tags.items()),
        "whose": whose if run.user == user.username else run.user,
    }


def _cost(run: RunSummary) -> str:
    if run.cost_usd is not None:
        return format_usd(run.cost_usd)
    return "unpriced" if run.usage else ""


def _pager(page: int, last_page: int, count: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="history_pager"):
        first = page * PAGE_RUNS
        st.caption(f"{first + 1:,} to {min(first + PAGE_RUNS, count):,} of {count:,}", width="stretch")
        for label, icon, to in (
            ("Newer", ":material/chevron_left:", page - 1),
            ("Older", ":material/chevron_right:", page + 1),
        ):
            st.button(
                label,
                key=f"history_{label.lower()}",
                icon=icon,
                disabled=not 0 <= to <= last_page,
                on_click=_go_to,
                args=(to,),
            )


def _go_to(page: int) -> None:
    st.session_state.history_page = page


def _actions(selected: Sequence[RunSummary], user: User) -> None:
    """The buttons; they stand there without a selection too, so that nothing jumps."""
    own = [run for run in selected if run.user == user.username]
    one = selected[0] if len(selected) == 1 else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="history_actions"):
        if st.button("Details", key="history_details", icon=":material/data_object:", disabled=one is None):
            _open_details(one.id if one else "", user)
        _export(selected, user)
        if own and all(run.shared for run in own):
            _button("Unshare", "history_unshare", ":material/lock:", own, _share, (own, user, False))
        else:
            _button("Share", "history_share", ":material/share:", own, _share, (own, user, True))
        with st.popover("Delete", icon=":material/delete:", disabled=not own, key="history_delete"):
            many = "this run" if len(own) == 1 else f"these {len(own)} runs"
            st.markdown(f"Delete {many}? This cannot be undone.")
            _button("Delete", "history_delete_confirm", ":material/delete:", own, _delete, (own, user))
        if one and (page := page_of(one)) != RUN_HISTORY:
            st.page_link(
                page,
                label="Open in the playground" if page == MODEL_PLAYGROUND else "Open in its chat",
                icon=":material/chat:",
                query_params={"run": one.id},
                width="content",
            )
    if len(own) < len(selected):
        st.caption("Runs that others have shared can be opened and exported; only their owner changes them.")
    if one and one.shared:
        st.caption("Everybody who can sign in opens the run by this link:")
        st.code(_link(one), language=None)


def _button(label: str, key: str, icon: str, own: Sequence[RunSummary], do: Any, args: tuple) -> None:
    st.button(label, key=key, icon=icon, disabled=not own, on_click=do, args=args)


def _export(selected: Sequence[RunSummary], user: User) -> None:
    one = len(selected) == 1

    def data() -> str:
        store = run_store.store()
        runs = [run for summary in selected if (run := store.get(summary.id, user.username))]
        return to_json(runs[0]) if one and runs else run_files.to_lines(runs)

    st.download_button(
        "Export",
        data=data,
        file_name=f"run-{selected[0].id}.json" if one else "runs.jsonl",
        mime="application/json" if one else "application/jsonl",
        icon=":material/download:",
        on_click="ignore",
        disabled=not selected,
        key="history_export",
    )


def _link(run: RunSummary) -> str:
    """A chat opens on its page, anything else here."""
    return urljoin(st.context.url or "", f"{Path(page_of(run)).stem}?run={run.id}")


def _share(runs: Sequence[RunSummary], user: User, shared: bool) -> None:
    for run in runs:
        run_store.store().share(run.id, user.username, shared)


def _delete(runs: Sequence[RunSummary], user: User) -> None:
    for run in runs:
        run_store.store().delete(run.id, user.username)
    st.toast("1 run deleted." if len(runs) == 1 else f"{len(runs)} runs deleted.")


def _open_linked(user: User) -> None:
    """The details of the run that `?run=<id>` names, once per link."""
    run_id = st.query_params.get("run")
    if run_id and st.session_state.get("history_linked") != run_id:
        st.session_state.history_linked = run_id
        _open_details(run_id, user)


def _open_details(run_id: str, user: User) -> None:
    run = run_store.store().get(run_id, user.username)
    if run is None:
        st.toast("This run does not exist, or is private to someone else.")
    else:
        run_details(run)
