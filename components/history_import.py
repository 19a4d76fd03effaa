"""Runs from a file that the workbench exported."""

from __future__ import annotations

import streamlit as st

from components.recent_runs import unreadable_history
from components.safe_markdown import plain
from services import run_files, run_store
from services.run_tables import STORE_ERRORS
from services.runs import RunFormatError
from services.users import User


def history_import(user: User) -> None:
    """Draw the button that opens the upload."""
    with st.popover("Import", icon=":material/upload:", key="history_import"):
        uploads = st.session_state.setdefault("history_uploads", 0)
        file = st.file_uploader(
            "Exported runs, JSON or JSON Lines",
            type=["json", "jsonl"],
            key=f"history_upload_{uploads}",
            help="The runs become yours, and private, whoever made them.",
        )
        if file is None:
            return
        try:
            imported = run_files.import_file(run_store.store(), file.getvalue(), user.username)
        except RunFormatError as error:
            st.error(
                f"{plain(str(error))}\n\nNothing was imported. Choose a file that Export has written.",
                title="This file cannot be imported",
                icon=":material/error:",
            )
        except STORE_ERRORS as error:
            unreadable_history(error)
        else:
            st.session_state.history_uploads = uploads + 1  # a fresh upload: a rerun must not import again
            st.toast("1 run imported." if len(imported) == 1 else f"{len(imported)} runs imported.")
            st.rerun()
