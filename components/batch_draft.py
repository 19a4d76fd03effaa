"""A batch before it starts: the file, the template, the columns, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd
import streamlit as st

from components.metrics_line import format_usd
from components.safe_markdown import plain
from components.shown import show
from services import batch_files, models
from services.batch_files import BatchFileError, Survey, Table
from services.batch_runner import MOST_THREADS
from services.batch_values import Column
from services.clients import Identity
from services.conversations import Pane
from services.pricing import cost_usd
from services.runs import TokenUsage

_PREVIEW_ROWS = 50
_PREVIEW_CHARS = 2000
_PASTED_CHARS = 200_000
_CHARS_PER_TOKEN = 4  # a rule of thumb for English; CountTokens for every row would take as long as the batch
_AT_ONCE = 4


@dataclass
class Draft:
    """What was chosen so far; it outlives reruns and page changes."""

    name: str = ""
    pasted: str = ""
    table: Table | None = None
    faults: tuple[str, ...] = ()
    template: str = ""
    chosen: dict[str, str] = field(default_factory=dict)
    """The columns that were picked by hand, by variable."""
    at_once: int = _AT_ONCE
    surveyed: tuple[object, Survey] | None = None

    def take(self, data: bytes, name: str) -> None:
        """Read a file. One that cannot be read leaves the last good one, and the template, in place."""
        try:
            table = batch_files.read(data, name)
        except BatchFileError as error:
            self.faults = error.faults
            return
        headers_changed = self.table is None or table.headers != self.table.headers
        self.table, self.faults, self.name = table, (), name or "Pasted rows"
        self.chosen = {var: header for var, header in self.chosen.items() if header in table.headers}
        if not self.template or (headers_changed and self.unknown):
            self.template = batch_files.default_template(table.headers)

    @property
    def mapping(self) -> dict[str, str]:
        """The column of each variable, as far as it has one."""
        headers = self.table.headers if self.table else ()
        return batch_files.match(batch_files.variables(self.template), headers) | {
            name: header for name, header in self.chosen.items() if name in self.variables
        }

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the template."""
        return batch_files.variables(self.template)

    @property
    def unknown(self) -> list[str]:
        """The variables that no column fills."""
        return [name for name in self.variables if name not in self.mapping]

    def survey(self, table: Table) -> Survey:
        """The prompts in figures; looked at again only when something has changed."""
        key = (id(table), self.template, tuple(sorted(self.mapping.items())))
        if self.surveyed is None or self.surveyed[0] != key:
            self.surveyed = key, batch_files.survey(table, self.template, self.mapping)
        return self.surveyed[1]


def draft() -> Draft:
    """The draft of this browser session."""
    return st.session_state.setdefault("playground_batch_draft", Draft())


def columns_of(panes: Sequence[Pane], identity: Identity) -> list[Column]:
    """The panes as columns, named by their models; numbered where two have the same."""
    names = [_model_name(pane.settings.model_id, identity) for pane in panes]
    labels = [f"{name} ({n})" if names.count(name) > 1 else name for n, name in enumerate(names, 1)]
    return [Column(label, replace(pane.settings)) for label, pane in zip(labels, panes, strict=True)]


def draft_form(
    panes: Sequence[Pane],
    identity: Identity,
    *,
    may_start: bool,
    on_start: Callable[[], None],
    on_keep: Callable[[], None],
) -> None:
    """Draw the form. When the batch is complete, Start calls `on_start`, and the other button `on_keep`."""
    current = draft()
    _file(current)
    if current.table is None:
        return
    table = current.table
    _rows(table)
    _template(current, table)
    columns = columns_of(panes, identity)
    st.markdown("**Columns:** " + " · ".join(plain(column.label) for column in columns))
    st.caption("The panes of the chat, with their models and settings as they are now.")
    survey = current.survey(table)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _at_once(current)
        incomplete = bool(current.unknown or not may_start or not any(c.settings.model_id for c in columns))
        st.button(
            f"Start {len(table.rows) * len(columns):,} calls",
            key="playground_batch_start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=incomplete,
            on_click=on_start,
            help=None if may_start else "Your role can look, but not send prompts.",
        )
        st.button(
            "Keep it waiting",
            key="playground_batch_keep",
            icon=":material/inventory_2:",
            disabled=incomplete,
            on_click=on_keep,
            help="Makes the batch and calls nothing yet: its columns can go to batch inference jobs, which "
            "suit thousands of rows that may take hours, or be started later.",
        )
    st.caption(_estimate(survey, len(table.rows), columns, identity))


def _file(current: Draft) -> None:
    st.file_uploader(
        "A file of prompts: CSV or JSONL, one row each",
        type=["csv", "tsv", "txt", "jsonl", "ndjson"],
        key="playground_batch_file",
        help=f"Up to {batch_files.MAX_ROWS:,} rows and {batch_files.MAX_BYTES // 2**20} MB.",
        on_change=_uploaded,
    )
    with st.expander("Or paste rows", icon=":material/content_paste:", type="compact"):
        show("playground_batch_paste", current.pasted, "")
        st.text_area(
            "Rows, with the names of the columns above them",
            key="playground_batch_paste",
            height=160,
            max_chars=_PASTED_CHARS,
            placeholder="prompt\nWhat is a heron?\nWhat is a crane?",
            on_change=_pasted,
        )
    if current.faults:
        kept = f"\n\n“{plain(current.name)}” is still in place." if current.table else ""
        st.error(
            "\n".join(f"- {plain(fault)}" for fault in current.faults) + kept,
            title="The rows cannot be used",
            icon=":material/error:",
        )


def _uploaded() -> None:
    if uploaded := st.session_state.playground_batch_file:
        draft().take(uploaded.getvalue(), uploaded.name)


def _pasted() -> None:
    current = draft()
    current.pasted = st.session_state.playground_batch_paste or ""
    if current.pasted.strip():
        current.take(current.pasted.encode("utf-8", "replace"), "")


def _rows(table: Table) -> None:
    shown = table.rows[:_PREVIEW_ROWS]
    of = f", the first {_PREVIEW_ROWS} shown" if len(table.rows) > _PREVIEW_ROWS else ""
    rows = "1 row" if len(table.rows) == 1 else f"{len(table.rows):,} rows"
    st.markdown(f"**{plain(draft().name)}** · {rows}{of}")
    for note in table.notes:
        st.caption(plain(note))
    frame = pd.DataFrame(
        [[value[:_PREVIEW_CHARS] for value in row] for row in shown], columns=list(table.headers)
    )
    st.dataframe(frame, hide_index=True, height=min(38 + 35 * len(shown), 215), alt="Rows of the file")


def _template(current: Draft, table: Table) -> None:
    left, right = st.columns(2)
    with left:
        show("playground_batch_template", current.template, "")
        st.text_area(
            "Prompt template",
            key="playground_batch_template",
            height=150,
            help="Names of columns in double braces, such as {{question}}, are replaced row by row.",
            on_change=_template_changed,
        )
        for name in current.variables:
            if name not in table.headers:
                _column_of(name, current, table)
        if not current.variables:
            st.warning(
                "The template names no column, so every row gets the same prompt. Write a name in double "
                f"braces: {plain(batch_files.default_template(table.headers))}"
            )
    with right:
        text = batch_files.prompt(table, 0, current.template, current.mapping)
        st.caption("The first prompt")
        st.code(text[:_PREVIEW_CHARS] or " ", language=None, wrap_lines=True, height=150)
        if len(text) > _PREVIEW_CHARS:
            st.caption(f"The first {_PREVIEW_CHARS:,} of {len(text):,} characters.")


def _column_of(name: str, current: Draft, table: Table) -> None:
    """The choice of a column for a variable that has another name."""
    key = f"playground_batch_column_{name}"
    show(key, current.mapping.get(name))
    st.selectbox(
        f"Column for {plain(name)}",
        table.headers,
        index=None,
        key=key,
        placeholder="no column has this name: choose one",
        on_change=_column_chosen,
        args=(name, key),
    )


def _column_chosen(name: str, key: str) -> None:
    current = draft()
    if header := st.session_state[key]:
        current.chosen[name] = header
    else:
        current.chosen.pop(name, None)


def _template_changed() -> None:
    draft().template = st.session_state.playground_batch_template or ""


def _at_once(current: Draft) -> None:
    show("playground_batch_at_once", current.at_once, 1)
    st.slider(
        "Calls at once, for each model",
        1,
        MOST_THREADS // 2,
        key="playground_batch_at_once",
        help="Fewer while the service throttles, up to this many again when it does not.",
        on_change=_at_once_changed,
        width=320,
    )


def _at_once_changed() -> None:
    draft().at_once = st.session_state.playground_batch_at_once


def _estimate(survey: Survey, rows: int, columns: Sequence[Column], identity: Identity) -> str:
    """Cells, and what they may cost, in words."""
    parts = [f"{rows:,} rows × {len(columns)} columns"]
    costs = [_cost(survey, rows, column, identity) for column in columns]
    known = [cost for cost in costs if cost is not None]
    if known:
        least, most = sum(prompts for prompts, _ in known), [whole for _, whole in known]
        words = f"prompts about {format_usd(least)}"
        if all(whole is not None for whole in most):
            words += f", with replies at most {format_usd(sum(whole or 0 for whole in most))}"
        elif least:
            words += ", replies come on top: set max tokens in the panes to bound them"
        parts.append(plain(words))
    if len(known) < len(columns):
        parts.append(f"{len(columns) - len(known)} unpriced")
    if survey.blank:
        parts.append(f":orange[{survey.blank:,} prompts are empty and will not be sent]")
    return " · ".join(parts)


def _cost(survey: Survey, rows: int, column: Column, identity: Identity) -> tuple[float, float | None] | None:
    """USD of the prompts, and with the longest replies; None where the price is not known."""
    settings = column.settings
    try:
        price = models.price_of(identity, settings.model_id) if settings.model_id else None
    except ValueError:
        return None
    tokens = (survey.characters + rows * len(settings.system)) // _CHARS_PER_TOKEN
    prompts = cost_usd(TokenUsage(tokens, 0), price)
    if prompts is None:
        return None
    limit = settings.parameters.get("maxTokens")
    most = int(limit) * rows if isinstance(limit, int | float) else None
    return prompts, None if most is None else cost_usd(TokenUsage(tokens, most), price)


def _model_name(model_id: str, identity: Identity) -> str:
    try:
        return models.resolve(identity, model_id).name if model_id else "No model"
    except ValueError:
        return model_id
