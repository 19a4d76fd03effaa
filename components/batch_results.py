"""A batch that runs or has run: progress, a summary of each column, the grid, one row in full, the CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from components.metrics_line import format_ms, format_usd, metrics_line
from components.problem_card import problem_card
from components.reply import draw_reply
from components.safe_markdown import plain, safe_markdown
from services import batch_files, batch_grid, batch_values, run_store
from services.batch_grid import Cell, Filter, Page, Summary
from services.batch_runner import BatchRunner, Runners
from services.batch_store import BatchStore
from services.batch_values import Batch, CellState
from services.conversations import reply_content

_POLL_S = 1.5
_FILTERS: dict[Filter, str] = {"all": "All rows", "differ": "Only rows that differ", "failed": "Only failed"}
_STATES: dict[CellState, str] = {
    "waiting": "Waiting",
    "running": "Under way",
    "in_job": "In a batch inference job",
}
_PROMPT_CHARS = 2000


def batch_results(
    store: BatchStore,
    batch: Batch,
    runners: Runners,
    *,
    may_run: bool,
    on_resume: Callable[[], None],
    on_retry: Callable[[], None],
) -> None:
    """Draw a batch; while it runs, this part alone is drawn again every 1.5 s."""
    running = batch_values.is_alive(batch)

    def draw() -> None:
        now = store.get(batch.id, batch.owner)
        if now is None or batch_values.is_alive(now) != running:
            st.rerun()
        _progress(store, now, runners, may_run, on_resume, on_retry)
        _summary(store, now)
        _grid(store, now)

    st.fragment(draw, run_every=_POLL_S if running else None)()


def _progress(
    store: BatchStore,
    batch: Batch,
    runners: Runners,
    may_run: bool,
    on_resume: Callable[[], None],
    on_retry: Callable[[], None],
) -> None:
    found = _counts(_key(store, batch), store, batch)
    ended = found["done"] + found["failed"]
    alive, runner = batch_values.is_alive(batch), runners.of(batch.id)
    ours = runner if alive and runner and runner.live else None
    words = f"{ended:,} of {batch.cell_count:,} cells"
    if found["failed"]:
        words += f" · {found['failed']:,} failed"
    if found["in_job"]:
        words += f" · {found['in_job']:,} in jobs"
    if alive:
        words += _at_work(ours, found)
    st.progress(ended / max(batch.cell_count, 1), text=words)
    with st.container(horizontal=True, gap="small"):
        if ours:
            st.button(
                "Cancelling: calls under way come to their end" if ours.cancelled else "Cancel",
                key="playground_batch_cancel",
                icon=":material/stop_circle:",
                disabled=ours.cancelled,
                on_click=ours.cancel,
            )
        elif not alive:
            _ways_on(found, may_run, on_resume, on_retry)
        st.download_button(
            "Download as CSV",
            data=lambda: batch_grid.csv_text(store.engine, batch).encode(),
            file_name=f"batch-{batch.id}.csv",
            mime="text/csv",
            icon=":material/download:",
            help="One row for each row of the file, with the whole replies and what was measured",
            on_click="ignore",
            key="playground_batch_csv",
        )
    if alive:
        st.caption("It goes on when you leave or close this page. The address brings you back.")
    _notes(batch, found, alive, runner)


def _at_work(runner: BatchRunner | None, found: dict[CellState, int]) -> str:
    words = f" · {found['running']:,} under way"
    if runner is None:
        return words + " in another process of the workbench"
    rate = runner.cells_per_s
    if rate:
        words += f" · {rate:.1f} a second · {_duration((found['waiting'] + found['running']) / rate)} left"
    return f"{words} · up to {runner.at_once} at once"


def _ways_on(
    found: dict[CellState, int],
    may_run: bool,
    on_resume: Callable[[], None],
    on_retry: Callable[[], None],
) -> None:
    left = found["waiting"] + found["running"]
    if left:
        st.button(
            f"Resume: {left:,} cells",
            key="playground_batch_resume",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not may_run,
            on_click=on_resume,
        )
    if found["failed"]:
        with st.popover(
            f"Run {found['failed']:,} failed again", icon=":material/replay:", disabled=not may_run
        ):
            st.markdown("What broke off midway may be charged already, and is charged again.")
            st.button("Run them again", key="playground_batch_retry", type="primary", on_click=on_retry)


def _notes(batch: Batch, found: dict[CellState, int], alive: bool, runner: BatchRunner | None) -> None:
    if batch.note and not alive:
        st.warning(
            f"{plain(batch.note)} The other cells wait.", title="Stopped", icon=":material/front_hand:"
        )
    if found["running"] and not alive:
        st.warning(
            f"{found['running']:,} cells were under way when the workbench ended. They may have been billed; "
            "Resume asks them again. Cells that are done are not asked again.",
            icon=":material/power_off:",
        )
    if runner and runner.store_problem:
        st.error(
            f"{plain(runner.store_problem)}\n\nReplies are kept in memory, and no call is made, until "
            "the database takes them.",
            title="The database does not take the replies",
            icon=":material/database_off:",
        )


def _summary(store: BatchStore, batch: Batch) -> None:
    shown = _summaries(_key(store, batch), store, batch)
    frame = pd.DataFrame(
        [_summary_row(c.label, s, batch.row_count) for c, s in zip(batch.columns, shown, strict=True)]
    )
    st.dataframe(frame, hide_index=True, alt="Summary of each column", key="playground_batch_summary")


def _summary_row(label: str, summary: Summary, rows: int) -> dict[str, Any]:
    cost = "unpriced" if summary.cost_usd is None else format_usd(summary.cost_usd)
    if summary.cost_usd is not None and summary.unpriced:
        cost += f" and {summary.unpriced:,} unpriced"
    return {
        "Column": label,
        "Done": summary.done,
        "Failed": summary.failed,
        "First token, p50": "" if summary.ttft_ms is None else format_ms(summary.ttft_ms),
        "Total, p50": "" if summary.latency_ms is None else format_ms(summary.latency_ms),
        "Tokens in": summary.input_tokens,
        "Tokens out": summary.output_tokens,
        "Cost": cost if summary.done else "",
        "Of all rows, about": ""
        if summary.cost_usd is None
        else format_usd(summary.cost_usd / (summary.done - summary.unpriced) * rows),
    }


def _grid(store: BatchStore, batch: Batch) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        only: Filter = st.segmented_control(
            "Rows",
            list(_FILTERS),
            default="all",
            format_func=lambda each: _FILTERS[each],
            key="playground_batch_filter",
            label_visibility="collapsed",
            required=True,
        )
        widget = f"playground_batch_page_{only}"
        number = st.session_state.get(widget, 1)
        page = _page(_key(store, batch), store, batch, only, number - 1)
        pages = max(1, -(-page.total // batch_grid.PAGE_ROWS))
        if pages > 1 or number > 1:
            label = f"Page, of {pages} with {batch_grid.PAGE_ROWS} rows"
            st.number_input(label, 1, max(pages, number), key=widget, width=180)
    if not page.rows:
        st.caption(
            {
                "all": "No rows on this page.",
                "differ": "No rows with replies that differ on this page.",
                "failed": "No failed cells on this page.",
            }[only]
        )
        return
    if only != "all":
        st.caption(f"{page.total:,} of {batch.row_count:,} rows.")
    event = st.dataframe(
        _frame(batch, page),
        hide_index=True,
        height=420,
        on_select="rerun",
        selection_mode="single-row",
        key=f"playground_batch_grid_{batch.id}_{only}_{number}",
        column_config={"Row": st.column_config.NumberColumn(width=60, pinned=True)},
        alt="Replies of the batch",
    )
    selected = event.selection.rows
    if selected and selected[0] < len(page.rows):
        _row(store, batch, page.rows[selected[0]].number, page.rows[selected[0]].cells)
    else:
        st.caption("Select a row to read its replies in full.")


def _frame(batch: Batch, page: Page) -> pd.DataFrame:
    """Values and replies; names that are taken get a number, as Arrow wants them to differ."""
    data: dict[str, list[Any]] = {"Row": [row.number + 1 for row in page.rows]}
    for n, header in enumerate(batch.headers):
        data[_free(header, data)] = [row.values[n] for row in page.rows]
    for n, column in enumerate(batch.columns):
        data[_free(column.label, data)] = [_words(row.cells[n]) for row in page.rows]
    return pd.DataFrame(data)


def _free(name: str, taken: dict[str, Any]) -> str:
    while name in taken:
        name += " ·"
    return name


def _words(cell: Cell) -> str:
    if cell.state == "done":
        return cell.reply or "(no text)"
    if cell.state == "failed":
        return f"⚠ {cell.problem}"
    return "" if cell.state == "waiting" else "…"


def _row(store: BatchStore, batch: Batch, number: int, cells: tuple[Cell, ...]) -> None:
    """The prompt of a row, and its replies side by side."""
    with st.container(border=True, key="playground_batch_row"):
        values = store.row(batch.id, number, batch.headers)
        prompt = batch_files.render(
            batch.template, {name: values[header] for name, header in batch.mapping.items()}
        )
        st.caption(f"Row {number + 1}")
        st.code(prompt[:_PROMPT_CHARS] or " ", language=None, wrap_lines=True)
        for n, (place, cell) in enumerate(zip(st.columns(len(cells)), cells, strict=True)):
            with place:
                st.markdown(f"**{plain(batch.columns[n].label)}**")
                _cell(cell, store.reply(batch.id, number, n), batch.owner, n)


def _cell(cell: Cell, reply: str, owner: str, n: int) -> None:
    run = run_store.store().get(cell.run_id, owner) if cell.run_id else None
    if run is None:
        if cell.problem:
            st.error(plain(cell.problem), icon=":material/error:")
        elif cell.state == "done":
            safe_markdown(reply)
            st.caption(
                "The run was deleted from the history." if cell.run_id else "From a batch inference job."
            )
        else:
            st.caption(_STATES[cell.state])
        return
    draw_reply(reply_content(run))
    if run.problem:
        problem_card(run.problem, key=f"batch_{n}")
    metrics_line(run, key=f"playground_batch_metrics_{n}")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


# What the store says is asked for once for each version of a batch, whoever looks. Arguments with an
# underscore are not part of Streamlit's key; `key` is nothing else.

Key = tuple[str, str, int]


def _key(store: BatchStore, batch: Batch) -> Key:
    return (str(store.engine.url), batch.id, batch.version)


@st.cache_data(show_spinner=False, max_entries=64)
def _counts(key: Key, _store: BatchStore, _batch: Batch) -> dict[CellState, int]:  # noqa: ARG001
    return batch_grid.counts(_store.engine, _batch.id)


@st.cache_data(show_spinner=False, max_entries=64)
def _summaries(key: Key, _store: BatchStore, _batch: Batch) -> tuple[Summary, ...]:  # noqa: ARG001
    return batch_grid.summaries(_store.engine, _batch)


@st.cache_data(show_spinner=False, max_entries=64)
def _page(key: Key, _store: BatchStore, _batch: Batch, only: Filter, number: int) -> Page:  # noqa: ARG001
    return batch_grid.page(_store.engine, _batch, only=only, number=number)
