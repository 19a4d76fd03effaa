"""What batches, test sets of knowledge bases and suites of guardrails draw alike: sets, runs and results that
are kept in the database. `prefix` begins the keys of a view's widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import streamlit as st

from components.kept_text import kept_choice, kept_input
from components.safe_markdown import plain
from services import run_store
from services.run_tables import STORE_ERRORS

FILE_TYPES = ["csv", "tsv", "txt", "jsonl", "ndjson"]


class Stoppable(Protocol):
    """A run in the background."""

    @property
    def stopped(self) -> bool: ...

    def stop(self) -> None: ...


@contextmanager
def told(what: str) -> Iterator[None]:
    """A database that fails is told in a toast: `what` did not happen ("The suite was not saved")."""
    try:
        yield
    except STORE_ERRORS as error:
        st.toast(f"{what}: {plain(run_store.reason(error))}", icon=":material/error:")


def unreadable(error: Exception, title: str, kept: str) -> None:
    """The card in place of a view whose database fails; `kept` says what is not lost."""
    st.error(
        f"{plain(run_store.reason(error))}\n\n**What to do:** check `WORKBENCH_DATABASE_URL`, its disk and "
        f"its rights. {kept}",
        title=title,
        icon=":material/database_off:",
    )


def saved_bar(
    prefix: str,
    label: str,
    saved: Mapping[str, str],
    *,
    load: Callable[[str], None],
    delete: Callable[[str], None],
) -> None:
    """Draw the choice of what is saved, names with their words, and the buttons to open and delete it."""
    if not saved:
        return
    key = f"{prefix}_saved"
    st.selectbox(label, list(saved), key=key, format_func=lambda name: saved.get(name, name))
    st.button(
        "Open",
        key=f"{prefix}_load",
        icon=":material/folder_open:",
        on_click=lambda: load(st.session_state[key]),
    )
    st.button(
        "Delete",
        key=f"{prefix}_delete",
        icon=":material/delete:",
        on_click=lambda: delete(st.session_state[key]),
    )


def saving_bar(
    prefix: str,
    label: str,
    *,
    name_key: str,
    unnamed: str,
    usable: bool,
    what: str,
    save: Callable[[str], None],
    csv: Callable[[], bytes],
    file_name: str,
) -> None:
    """Draw the name under which to save, and the buttons to save and to download; only what is `usable`.

    `what` is what is saved: "set", "suite".
    """

    def saved() -> None:
        try:
            with told(f"The {what} was not saved"):
                save(name)
                st.toast(f"{plain(name)} is saved.", icon=":material/check:")
        except ValueError as error:
            st.toast(plain(str(error)), icon=":material/error:")

    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = kept_input(name_key, label, placeholder=unnamed).strip()
        st.button(
            "Save",
            key=f"{prefix}_save",
            icon=":material/save:",
            disabled=not usable or not name,
            help=f"For you alone; a {what} of this name is replaced",
            on_click=saved,
        )
        st.download_button(
            "Download as CSV",
            data=csv,
            file_name=file_name,
            mime="text/csv",
            icon=":material/download:",
            disabled=not usable,
            on_click="ignore",
            key=f"{prefix}_csv",
        )


def table_height(rows: Sequence[Any]) -> int:
    """The height of an editor that shows these rows and one more, up to a few."""
    return min(38 + 35 * (len(rows) + 1), 320)


def stop_button(runner: Stoppable, key: str) -> None:
    """Draw the button that ends a run."""
    st.button(
        "Stopping: calls under way come to their end" if runner.stopped else "Stop",
        key=key,
        icon=":material/stop_circle:",
        disabled=runner.stopped,
        on_click=runner.stop,
    )


def choose_results(
    prefix: str,
    words: Mapping[str, str],
    *,
    open_key: str,
    beside_key: str,
    forget: Callable[[str], object],
) -> tuple[str, str]:
    """Draw the choice of a result and of one to compare it with, by id; the latter may be ""."""

    def forgotten(result_id: str) -> None:
        with told("The result was not deleted"):
            forget(result_id)

    def named(result_id: str) -> str:
        return words[result_id] if result_id else "nothing"

    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = kept_choice(open_key, "Result", list(words), named)
        others = [each for each in words if each != shown]
        beside = kept_choice(beside_key, "Compare with", ["", *others], named)
        st.button(
            "Delete this result",
            key=f"{prefix}_forget",
            icon=":material/delete:",
            on_click=forgotten,
            args=(shown,),
        )
    return shown, beside
