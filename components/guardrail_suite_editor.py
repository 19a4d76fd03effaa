"""The cases of a guardrail suite: from a file or the library, edited in a table, saved under a name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import streamlit as st

from components.kept_text import keep, kept
from components.safe_markdown import plain
from components.stored_work import FILE_TYPES, saved_bar, saving_bar, table_height, told
from services.batch_files import BatchFileError
from services.guardrail_suites import cases as suite_cases
from services.guardrail_suites.cases import COLUMNS, Case, Read
from services.guardrail_suites.metrics import EXPECTED
from services.guardrail_suites.names import POLICIES
from services.guardrail_suites.store import SuiteStore
from services.run_tables import LONGEST_NAME
from services.users import User

PAGE_ROWS = 200
_SHOWN_FAULTS = 10
_NAME = "guardrail_suite_name"
_UNNAMED = "Suite"
_ORDER = ("text", "expected", "policy", "item", "source", "grounding_source", "query", "note", "id")


@dataclass
class Draft:
    """The rows of the editor, all as texts; they outlive reruns and page changes.

    The table shows one page of them. `base` is what it began with: it must stay the same while its edits are
    applied to it. Another `edition` is another table. `read` has the cases of the rows.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    read: Read = field(default_factory=lambda: Read(()))
    file_faults: tuple[str, ...] = ()
    """What was left out of the latest file, or why it could not be read."""
    start: int = 0
    held: int = 0
    base: pd.DataFrame = field(default_factory=lambda: _frame([]))
    now: pd.DataFrame = field(default_factory=lambda: _frame([]))
    edition: int = 0

    def take(self, read: Read, name: str) -> None:
        """Put these cases into the table."""
        self.rows = suite_cases.rows_of(read.cases)
        self.read, self.file_faults = Read(read.cases), read.faults
        self.turn_to(0)
        keep(_NAME, name[:LONGEST_NAME])

    def turn_to(self, page: int) -> None:
        """Show another page of the rows."""
        self.start = page * PAGE_ROWS
        shown = self.rows[self.start : self.start + PAGE_ROWS]
        self.base = self.now = _frame(shown)
        self.held = len(shown)
        self.edition += 1

    def edit(self, edited: pd.DataFrame) -> None:
        """Take over what the table shows by now."""
        if edited.equals(self.now):
            return
        rows = edited.reindex(columns=list(COLUMNS)).fillna("").astype(str).to_dict("records")
        self.rows[self.start : self.start + self.held] = rows
        self.now, self.held = edited, len(rows)
        self.read = suite_cases.cases_of(self.rows)


def draft() -> Draft:
    """The draft of this browser session."""
    return st.session_state.setdefault("guardrail_suite_draft", Draft())


def suite_editor(store: SuiteStore, user: User) -> tuple[str, tuple[Case, ...]]:
    """Draw the cases and where they come from; the suite's name and the cases that can be checked."""
    current = draft()
    _sources(store, user)
    _faults(current.file_faults, "Not everything of the file can be used", ":material/upload_file:")
    _table(current)
    if not current.rows:
        st.caption("Type texts into the table, load a CSV or JSONL file, or begin with a library.")
    _faults(current.read.faults, "These rows are left out", ":material/edit:")
    if current.rows:
        _saving(store, user, current)
    return kept(_NAME).strip() or _UNNAMED, current.read.cases


def _faults(faults: tuple[str, ...], title: str, icon: str) -> None:
    if not faults:
        return
    lines = [f"- {plain(fault)}" for fault in faults[:_SHOWN_FAULTS]]
    if len(faults) > _SHOWN_FAULTS:
        lines.append(f"- {len(faults) - _SHOWN_FAULTS:,} more cannot be used either.")
    st.warning("\n".join(lines), title=title, icon=icon)


def _sources(store: SuiteStore, user: User) -> None:
    saved = store.suites(user.username)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        saved_bar(
            "guardrail_suite",
            "Saved suites",
            {name: f"{name} · {count:,}" for name, count in saved.items()},
            load=lambda name: _open(store, user, name),
            delete=lambda name: _delete(store, user, name),
        )
        for number, (words, path) in enumerate(suite_cases.library().items()):
            st.button(
                words,
                key=f"guardrail_suite_library_{number}",
                icon=":material/science:",
                help="Texts about the sample company, to begin with",
                on_click=_take_library,
                args=(words, path),
            )
    with st.expander("Load a file", icon=":material/upload_file:", type="compact"):
        st.file_uploader(
            "Cases: CSV or JSONL",
            type=FILE_TYPES,
            key="guardrail_suite_file",
            on_change=_uploaded,
        )
        st.caption(
            "Columns: `text` and `expected` (blocked, masked or passed); if you like `policy`, `source` "
            "(INPUT or OUTPUT), `item`, `id`, `note`, and `grounding_source` with `query`. Other usual "
            "names, such as `prompt` and `label`, are understood."
        )


def _table(current: Draft) -> None:
    pages = max(1, -(-len(current.rows) // PAGE_ROWS))
    if pages > 1:
        page = current.start // PAGE_ROWS + 1
        key = f"guardrail_suite_page_{current.edition}"
        st.number_input(
            f"Page, of {pages} with {PAGE_ROWS} cases",
            1,
            max(pages, page),
            value=page,
            key=key,
            width=240,
            on_change=lambda: draft().turn_to(st.session_state[key] - 1),
        )
    key = f"guardrail_suite_editor_{current.edition}"
    if key not in st.session_state:  # the page was left, and the editor's own memory of its edits with it
        current.base = current.now
    text, choice = st.column_config.TextColumn, st.column_config.SelectboxColumn
    edited = st.data_editor(
        current.base,
        key=key,
        num_rows="dynamic",
        hide_index=True,
        height=table_height(current.base),
        column_order=_ORDER,
        column_config={
            "text": text("Text", width="large"),
            "expected": choice("Expected", options=list(EXPECTED), width="small"),
            "policy": choice(
                "Policy",
                options=["", *POLICIES],
                format_func=lambda name: POLICIES.get(str(name), "any"),
                help="Which policy should act; any, where none is named",
            ),
            "item": text("Item", help="For you: the topic, filter or entity that is meant", width="small"),
            "source": choice("Source", options=["INPUT", "OUTPUT"], width="small"),
            "grounding_source": text("Grounding source", help="What the text, an answer, must rest on"),
            "query": text("Query", help="What the text, an answer, must be about"),
            "note": text("Note", width="small"),
            "id": text("ID", width="small"),
        },
        alt="Texts and what should become of them",
    )
    current.edit(edited)


def _saving(store: SuiteStore, user: User, current: Draft) -> None:
    cases = current.read.cases
    saving_bar(
        "guardrail_suite",
        "Name of the suite",
        name_key=_NAME,
        unnamed=_UNNAMED,
        usable=bool(cases),
        what="suite",
        save=lambda name: store.save(user.username, name, cases),
        csv=lambda: suite_cases.csv_text(cases).encode(),
        file_name="guardrail-suite.csv",
    )


def _open(store: SuiteStore, user: User, name: str) -> None:
    with told("The suite was not opened"):
        cases = store.suite(user.username, name)
        if cases is not None:
            draft().take(Read(cases), name)


def _delete(store: SuiteStore, user: User, name: str) -> None:
    with told("The suite was not deleted"):
        store.delete(user.username, name)
        st.toast(f"{plain(name)} is deleted; its cases stay in the table while it is open.")


def _take_library(words: str, path: Path) -> None:
    _take_file(path.read_bytes(), path.name, words)


def _uploaded() -> None:
    if uploaded := st.session_state.guardrail_suite_file:
        _take_file(uploaded.getvalue(), uploaded.name, uploaded.name.rpartition(".")[0])


def _take_file(data: bytes, file_name: str, name: str) -> None:
    try:
        read = suite_cases.read(data, file_name)
    except BatchFileError as error:
        draft().file_faults = error.faults  # the cases that were there stay
        return
    if read.cases:
        draft().take(read, name)
    else:
        draft().file_faults = read.faults or ("The file has no case.",)


def _frame(rows: list[dict[str, str]]) -> pd.DataFrame:
    return pd.DataFrame([[row[name] for name in COLUMNS] for row in rows], columns=list(COLUMNS), dtype="str")
