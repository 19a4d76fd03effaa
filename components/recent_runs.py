"""The latest calls of a user, each one a way back into it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from components.metrics_line import format_ms, format_usd
from components.navigation import RUN_HISTORY, page_of
from components.safe_markdown import plain
from services import run_store
from services.run_store import RunSummary
from services.run_tables import STORE_ERRORS
from services.users import User

SHOWN = 8
_STATES = {"stopped": ":orange-badge[stopped]", "failed": ":red-badge[failed]"}


def has_no_runs(user: User) -> bool:
    """Whether the history is empty; one that cannot be read is not."""
    try:
        return not run_store.store().list(user.username, limit=1)
    except STORE_ERRORS:
        return False


def recent_runs(user: User) -> None:
    """Draw the list, or why there is none."""
    with st.container(border=True, key="recent_runs", gap="small"):
        st.subheader("Recent runs", anchor=False)
        try:
            summaries = run_store.store().list(user.username, limit=SHOWN)
        except STORE_ERRORS as error:
            unreadable_history(error)
            return
        if not summaries:
            st.caption("Nothing has been run yet. Your calls are kept here, private until you share them.")
        for summary in summaries:
            _draw(summary, user)
        if summaries:
            st.page_link(RUN_HISTORY, label="All runs", icon=":material/history:")


def unreadable_history(error: Exception) -> None:
    """Say why the history cannot be read, and what to do; `error` is one of STORE_ERRORS."""
    reason = plain(str(getattr(error, "orig", error)))
    st.error(
        f"{reason}\n\n**What to do:** check `WORKBENCH_DATABASE_URL`.",
        title="The history cannot be read",
        icon=":material/database_off:",
    )


def _draw(summary: RunSummary, user: User) -> None:
    title = " ".join(summary.prompt.split()) or summary.operation
    with st.container(gap=None, key=f"run_{summary.id}"):
        st.page_link(
            page_of(summary),
            label=plain(title if len(title) <= 90 else title[:89] + "…"),
            icon=":material/chat:",
            query_params={"run": summary.id},
        )
        st.caption(" · ".join(_facts(summary, user)))


def _facts(summary: RunSummary, user: User) -> list[str]:
    facts = [plain(summary.model_id), ago(summary.started_at), format_ms(summary.latency_ms)]
    if summary.usage:
        facts.append(f"{summary.usage.total_tokens:,} tokens")
        facts.append("unpriced" if summary.cost_usd is None else plain(format_usd(summary.cost_usd)))
    if summary.user != user.username:
        facts.append(f"shared by {plain(summary.user)}")
    if badge := _STATES.get(summary.state):
        facts.append(f"{badge} {plain(summary.problem or '')}".strip())
    return facts


def ago(moment: datetime) -> str:
    """How long ago, in the coarsest unit that says enough: "just now", "5 min ago", "2026-11-04"."""
    passed = datetime.now(UTC) - moment
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} h ago"
    return f"{moment:%Y-%m-%d}"
