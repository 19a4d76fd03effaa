"""What a knowledge base has read: its documents and what became of them, its syncs, and new documents in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zlib import crc32

import pandas as pd
import streamlit as st

from components.document_upload import document_upload, file_faults
from components.problem_card import problem_card
from components.safe_markdown import plain
from services import knowledge
from services.clients import Identity
from services.knowledge import DataSource, Document, IngestionJob
from services.knowledge_files import Checked
from services.problems import Problem
from services.users import User

LOOK_S = {"local": 1, "aws": 3}
"""How often a sync that goes on is looked at."""
_PROBLEM = "rag_ingestion_problem"
_FILES = "rag_ingestion_kept"
_UPLOADS = "rag_ingestion_uploads"
_COUNTS = ("scanned", "new", "modified", "deleted", "failed", "skipped")


def ingestion_view(identity: Identity, user: User, knowledge_base_id: str) -> None:
    """Draw the data sources of a knowledge base: documents, upload, sync, history. Changes need admin."""
    listing = knowledge.data_sources(identity, knowledge_base_id)
    if listing.problem:
        problem_card(listing.problem, key="rag_sources")
    source = _chosen(listing.items)
    if source is None:
        if not listing.problem:
            st.info("This knowledge base has no data source yet.", icon=":material/info:")
        return
    if not user.can("admin"):
        st.caption(f"To sync, upload and delete needs the role admin; yours is {user.role}.")
    jobs = knowledge.ingestion_jobs(identity, source.knowledge_base_id, source.id)
    latest = jobs.items[0] if jobs.items else None
    _sync(identity, user, source, latest)
    problem: Problem | None = st.session_state.get(_PROBLEM)
    if problem:
        problem_card(problem, key="rag_ingestion")
    documents, upload, history = st.tabs(["Documents", "Upload", "Syncs"])
    with documents:
        _documents(identity, user, source)
    with upload:
        _upload(identity, user, source)
    with history:
        if jobs.problem:
            problem_card(jobs.problem, key="rag_jobs")
        _history(identity, source, jobs.items)


def _chosen(sources: Sequence[DataSource]) -> DataSource | None:
    if len(sources) < 2:
        return sources[0] if sources else None
    by_id = {source.id: source for source in sources}
    key = "rag_ingestion_source"
    if st.session_state.get(key) not in by_id:
        st.session_state[key] = sources[0].id
    st.selectbox("Data source", list(by_id), key=key, format_func=lambda one: by_id[one].name)
    return by_id[st.session_state[key]]


# ---- sync ------------------------------------------------------------------------------------------------


def _sync(identity: Identity, user: User, source: DataSource, latest: IngestionJob | None) -> None:
    active = latest if latest and latest.active else None
    with st.container(horizontal=True, vertical_alignment="center"):
        place = f"s3://{source.bucket}/{source.prefix}" if source.bucket else source.type
        st.markdown(f"**{plain(source.name)}** · {plain(place)}", width="stretch")
        if active:
            st.button(
                "Stop",
                key="rag_sync_stop",
                icon=":material/stop:",
                disabled=not user.can("admin") or active.status == "STOPPING",
                on_click=_do,
                args=(user, lambda: _stop(identity, source, active)),
                help="What is in the index by then stays.",
            )
        else:
            st.button(
                "Sync",
                key="rag_sync_start",
                type="primary",
                icon=":material/sync:",
                disabled=not user.can("admin"),
                on_click=_do,
                args=(user, lambda: _start(identity, source)),
                help="Takes up what is new, changed or gone since the last sync, and nothing else.",
            )
    if active:
        st.fragment(_watch, run_every=LOOK_S[identity.backend])(identity, source, active)
    elif latest:
        st.caption(f"Last sync {_when(latest.started_at)}: {_said(latest)}")


def _watch(identity: Identity, source: DataSource, job: IngestionJob) -> None:
    """The numbers of a sync as they grow; the page is drawn anew when it has ended."""
    found = knowledge.ingestion_job(identity, source.knowledge_base_id, source.id, job.id)
    if isinstance(found, Problem):
        problem_card(found, key="rag_sync")
        return
    if not found.active:
        knowledge.documents.clear(identity, source.knowledge_base_id, source.id)
        st.rerun()
    for column, name in zip(st.columns(len(_COUNTS)), _COUNTS, strict=True):
        column.metric(name.capitalize(), f"{getattr(found, name):,}")
    st.caption(f"{plain(found.status)} · looked at {datetime.now(UTC):%H:%M:%S} UTC")


def _do(user: User, act: Callable[[], Problem | None]) -> None:
    """Carry out a change for who may, and keep its problem for the next run."""
    if user.can("admin"):
        st.session_state[_PROBLEM] = act()


def _start(identity: Identity, source: DataSource) -> Problem | None:
    found = knowledge.start_ingestion(identity, source.knowledge_base_id, source.id)
    return found if isinstance(found, Problem) else None


def _stop(identity: Identity, source: DataSource, job: IngestionJob) -> Problem | None:
    found = knowledge.stop_ingestion(identity, source.knowledge_base_id, source.id, job.id)
    return found if isinstance(found, Problem) else None


# ---- documents -------------------------------------------------------------------------------------------


def _documents(identity: Identity, user: User, source: DataSource) -> None:
    listing = knowledge.documents(identity, source.knowledge_base_id, source.id)
    if listing.problem:
        problem_card(listing.problem, key="rag_documents")
    bad = sum(document.bad for document in listing.items)
    with st.container(horizontal=True, vertical_alignment="center"):
        more = " at least" if listing.more else ""
        st.caption(f"{len(listing.items):,} documents{more}, {bad:,} with faults", width="stretch")
        only_bad = st.toggle("Only with faults", key="rag_documents_bad", disabled=not bad)
        st.button(
            "Look again",
            key="rag_documents_refresh",
            icon=":material/refresh:",
            on_click=knowledge.documents.clear,
            args=(identity, source.knowledge_base_id, source.id),
        )
    shown = [document for document in listing.items if document.bad or not (only_bad and bad)]
    if not shown:
        return
    chosen = _table(source, shown)
    marked = [shown[row] for row in chosen if row < len(shown)]
    for document in marked[:5]:
        if document.reason:
            st.caption(f"{plain(document.address)}: {plain(document.reason)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Delete {len(marked):,}" if marked else "Delete",
            key="rag_documents_delete",
            icon=":material/delete:",
            disabled=not marked or not user.can("admin"),
            on_click=_do,
            args=(user, lambda: knowledge.delete_documents(identity, source, marked)),
        )
        st.caption("Mark rows to delete them from the bucket and from the index, for good.")


def _table(source: DataSource, documents: Sequence[Document]) -> list[int]:
    """Draw the table; the rows that are marked."""
    rows = [
        {
            "Document": document.address.removeprefix(f"s3://{source.bucket}/{source.prefix}"),
            "Status": document.status,
            "Reason": document.reason,
            "Updated": document.updated_at,
        }
        for document in documents
    ]
    addresses = "\n".join(document.address for document in documents)
    found = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="stretch",
        height=min(420, 38 + 35 * len(rows)),
        key=f"rag_documents_table_{crc32(addresses.encode())}",  # marks are places: other rows, no marks
        on_select="rerun",
        selection_mode="multi-row",
    )
    return list(found["selection"]["rows"])


# ---- upload ----------------------------------------------------------------------------------------------


def _upload(identity: Identity, user: User, source: DataSource) -> None:
    if not source.bucket:
        st.info(f"Documents of a source of type {plain(source.type)} are added at their own place.")
        return
    number = st.session_state.setdefault(_UPLOADS, 0)  # a new uploader is an empty one
    document_upload(
        f"rag_ingestion_files_{number}", lambda checked: st.session_state.update({_FILES: checked})
    )
    checked: Checked = st.session_state.get(_FILES) or Checked((), ())
    file_faults(checked.faults)
    for name, label, then_sync in (
        ("rag_upload", f"Upload {len(checked.files)} files", False),
        ("rag_upload_sync", "Upload and sync", True),
    ):
        st.button(
            label,
            key=name,
            icon=":material/upload:",
            type="primary" if then_sync else "secondary",
            disabled=not checked.files or not user.can("admin"),
            on_click=_do,
            args=(user, lambda sync=then_sync: _put(identity, source, checked, sync)),
        )
    st.caption("A file of the same name is replaced. New documents are found after the next sync.")


def _put(identity: Identity, source: DataSource, checked: Checked, then_sync: bool) -> Problem | None:
    written, problem = knowledge.upload_documents(identity, source, checked.files)
    if problem:
        return problem
    st.session_state[_FILES] = None
    st.session_state[_UPLOADS] += 1
    st.toast(f"{len(written)} files are in the bucket.", icon=":material/check_circle:")
    return _start(identity, source) if then_sync else None


# ---- history ---------------------------------------------------------------------------------------------


def _history(identity: Identity, source: DataSource, jobs: Sequence[IngestionJob]) -> None:
    if not jobs:
        st.caption("Nothing has been synced yet.")
        return
    rows = [
        {
            "Started": job.started_at,
            "Status": job.status,
            "Seconds": _seconds(job),
            **{name.capitalize(): getattr(job, name) for name in _COUNTS},
        }
        for job in jobs
    ]
    found = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="stretch",
        key=f"rag_jobs_table_{jobs[0].id}",
        on_select="rerun",
        selection_mode="single-row",
    )
    marked = [row for row in found["selection"]["rows"] if row < len(jobs)]
    if not marked:
        st.caption("Mark a sync to read why documents failed.")
        return
    whole = knowledge.ingestion_job(identity, source.knowledge_base_id, source.id, jobs[marked[0]].id)
    if isinstance(whole, Problem):
        problem_card(whole, key="rag_job")
    elif whole.failure_reasons:
        st.markdown("\n".join(f"- {plain(reason)}" for reason in whole.failure_reasons))
    else:
        st.caption("No document failed in this sync." if not whole.failed else "AWS gives no reason.")


def _said(job: IngestionJob) -> str:
    counts = [f"{getattr(job, name):,} {name}" for name in _COUNTS if getattr(job, name)]
    return f"{plain(job.status)} · {', '.join(counts) or 'nothing found'}"


def _seconds(job: IngestionJob) -> float | None:
    if job.started_at is None or job.updated_at is None:
        return None
    return round((job.updated_at - job.started_at).total_seconds(), 1)


def _when(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%d %b %Y %H:%M} UTC" if moment else ""
