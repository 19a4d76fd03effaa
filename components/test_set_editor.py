"""The questions of a test set: loaded, edited in a table, saved under a name."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from components.kept_text import keep, kept
from components.safe_markdown import plain
from components.stored_work import FILE_TYPES, saved_bar, saving_bar, table_height, told
from services import rag_test_set
from services.batch_files import BatchFileError
from services.rag_test_set import SEPARATOR, Question, QuestionSet
from services.rag_test_store import RagTests
from services.run_tables import LONGEST_NAME
from services.users import User

_COLUMNS = ("question", "expected", "answer", "kind")
_NAME = "rag_test_name"
_UNNAMED = "Questions"


@dataclass
class Draft:
    """The rows of the editor; they outlive reruns and page changes.

    `base` is what the editor began with: it must stay the same while its edits are applied to it. Another
    `edition` is another editor.
    """

    base: pd.DataFrame = field(default_factory=lambda: _frame(()))
    now: pd.DataFrame = field(default_factory=lambda: _frame(()))
    edition: int = 0
    faults: tuple[str, ...] = ()
    """Why the latest file could not be read."""

    def take(self, questions: tuple[Question, ...], name: str) -> None:
        """Put these questions into the editor."""
        self.base = self.now = _frame(questions)
        self.edition += 1
        self.faults = ()
        keep(_NAME, name)


def draft() -> Draft:
    """The draft of this browser session."""
    return st.session_state.setdefault("rag_test_draft", Draft())


def question_editor(store: RagTests, user: User) -> QuestionSet | None:
    """Draw the editor and its sources; the questions as they stand, or None while a row has a fault."""
    current = draft()
    _sources(store, user)
    if current.faults:
        st.error(
            "\n".join(f"- {plain(fault)}" for fault in current.faults),
            title="The file cannot be used",
            icon=":material/error:",
        )
    _table(current)
    if not current.now.fillna("").astype(bool).to_numpy().any():
        st.caption(
            "Type questions into the table, or load a CSV or JSONL file with the columns `question` and "
            "`expected_source`."
        )
        return None
    questions = _questions(current)
    _saving(store, user, questions)
    return QuestionSet(kept(_NAME).strip() or _UNNAMED, questions) if questions else None


def _sources(store: RagTests, user: User) -> None:
    saved = {each.name: each for each in store.sets(user.username)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        saved_bar(
            "rag_test",
            "Saved test sets",
            {name: name for name in saved},
            load=lambda name: draft().take(saved[name].questions, name),
            delete=lambda name: _delete(store, user, name),
        )
        if rag_test_set.SAMPLE.exists():
            st.button(
                "Load the sample questions",
                key="rag_test_sample",
                icon=":material/science:",
                help="About the sample documents; `make samples` builds a knowledge base of them",
                on_click=lambda: draft().take(rag_test_set.sample(), "Sample questions"),
            )
    with st.expander("Load a file", icon=":material/upload_file:", type="compact"):
        st.file_uploader(
            "Questions: CSV or JSONL",
            type=FILE_TYPES,
            key="rag_test_file",
            on_change=_uploaded,
        )
        st.caption(
            f"Columns: `question`, `expected_source`, and if you like `answer` and `kind`. Several sources "
            f"that are right stand with `{SEPARATOR}` between."
        )


def _table(current: Draft) -> None:
    key = f"rag_test_editor_{current.edition}"
    if key not in st.session_state:  # the page was left, and the editor's own memory of its edits with it
        current.base = current.now
    text = st.column_config.TextColumn
    current.now = st.data_editor(
        current.base,
        key=key,
        num_rows="dynamic",
        hide_index=True,
        height=table_height(current.base),
        column_config={
            "question": text("Question", width="large", max_chars=rag_test_set.LONGEST_QUESTION),
            "expected": text(
                "Expected source",
                help=f"A file name, a URI or a part of it. With “{SEPARATOR}” between them, any is right.",
                width="medium",
            ),
            "answer": text("Expected answer", help="For you; it is not measured", width="medium"),
            "kind": text("Kind", help="Figures are also shown by kind", width="small"),
        },
        alt="Questions and their expected sources",
    )


def _questions(current: Draft) -> tuple[Question, ...]:
    rows = current.now.reindex(columns=list(_COLUMNS)).fillna("").astype(str).to_dict("records")
    try:
        return rag_test_set.questions_of(rows)
    except BatchFileError as error:
        st.warning(
            "\n".join(f"- {plain(fault)}" for fault in error.faults),
            title="These rows cannot be asked yet",
            icon=":material/edit:",
        )
        return ()


def _saving(store: RagTests, user: User, questions: tuple[Question, ...]) -> None:
    saving_bar(
        "rag_test",
        "Name of the test set",
        name_key=_NAME,
        unnamed=_UNNAMED,
        usable=bool(questions),
        what="set",
        save=lambda name: store.save(user.username, QuestionSet(name, questions)),
        csv=lambda: rag_test_set.csv_text(questions).encode(),
        file_name="test-set.csv",
    )


def _delete(store: RagTests, user: User, name: str) -> None:
    with told("The set was not deleted"):
        store.delete(user.username, name)
        st.toast(f"{plain(name)} is deleted; its questions stay in the table while it is open.")


def _uploaded() -> None:
    if not (uploaded := st.session_state.rag_test_file):
        return
    try:
        questions = rag_test_set.read(uploaded.getvalue(), uploaded.name)
    except BatchFileError as error:
        draft().faults = error.faults  # the questions that were there stay
    else:
        draft().take(questions, uploaded.name.rpartition(".")[0][:LONGEST_NAME])


def _frame(questions: tuple[Question, ...]) -> pd.DataFrame:
    rows = [[each.question, SEPARATOR.join(each.expected), each.answer, each.kind] for each in questions]
    return pd.DataFrame(rows, columns=list(_COLUMNS), dtype="str")
