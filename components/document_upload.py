"""Documents for a knowledge base, dropped on the page: those that can be taken, and why others cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components.safe_markdown import plain
from services import knowledge_files
from services.knowledge_files import Checked, DocumentFile


def document_upload(key: str, take: Callable[[Checked], None]) -> None:
    """Draw the field; `take` gets what was dropped, checked, whenever that changes."""

    def dropped() -> None:
        files = [DocumentFile(file.name, file.getvalue()) for file in st.session_state[key] or ()]
        take(knowledge_files.checked(files))

    st.file_uploader(
        f"Documents: {', '.join(knowledge_files.FORMATS)}",
        accept_multiple_files=True,
        key=key,
        max_upload_size=knowledge_files.MOST_BYTES // 1024**2,
        on_change=dropped,
        help=f"A file name{knowledge_files.SIDECAR} beside a document holds attributes to filter by.",
    )


def file_faults(faults: Sequence[str]) -> None:
    """Draw the list, if there is anything on it."""
    if faults:
        lines = "\n".join(f"- {plain(fault)}" for fault in faults)
        st.warning(lines, icon=":material/error:", title="These files are left out")
