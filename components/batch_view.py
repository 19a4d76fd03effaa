"""Batches in the playground: a file of prompts through all panes, as a grid."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components.batch_draft import columns_of, draft, draft_form
from components.batch_jobs_form import batch_jobs_form
from components.batch_results import batch_results
from components.recent_runs import ago
from components.safe_markdown import plain
from components.stored_work import told, unreadable
from services import batch_runner, batch_store, batch_values, settings
from services.batch_store import BatchStore
from services.batch_values import Batch
from services.clients import Identity
from services.conversations import Pane
from services.run_tables import STORE_ERRORS
from services.users import User

PARAMETER = "batch"
"""The query parameter that names the open batch."""


def batch_view(user: User, identity: Identity, panes: Sequence[Pane]) -> None:
    """Draw the batch that `?batch=` names, or the form for a new one and the list of earlier ones."""
    try:
        store = batch_store.store()
        batch = _open_batch(store, user)
        if batch:
            _one(store, batch, user, identity)
        else:
            draft_form(
                panes,
                identity,
                may_start=user.can("spend"),
                on_start=lambda: _make(store, user, identity, panes, run=True),
                on_keep=lambda: _make(store, user, identity, panes, run=False),
            )
            _earlier(store, user)
    except STORE_ERRORS as error:
        unreadable(error, "The batches cannot be read or stored", "Your file and template are kept.")


def _open_batch(store: BatchStore, user: User) -> Batch | None:
    batch_id = st.query_params.get(PARAMETER)
    if not batch_id:
        return None
    batch = store.get(batch_id, user.username)
    if batch is None:
        st.warning(
            "This link names a batch that does not exist, or that is another user's.",
            icon=":material/link_off:",
        )
    return batch


def _make(store: BatchStore, user: User, identity: Identity, panes: Sequence[Pane], *, run: bool) -> None:
    current = draft()
    if current.table is None or not user.can("spend"):
        return
    with told("The batch was not made"):
        batch_id = store.create(
            user.username,
            current.name,
            current.table.headers,
            current.table.rows,
            template=current.template,
            mapping=current.mapping,
            columns=columns_of(panes, identity),
            concurrency=current.at_once,
            identity=identity,
        )
        st.query_params[PARAMETER] = batch_id
        if run and (batch := store.get(batch_id, user.username)):
            _run(store, batch, identity)


def _run(store: BatchStore, batch: Batch, identity: Identity) -> None:
    runner = batch_runner.runners(settings.get().database_url).start(store, batch, identity)
    if runner is None:
        st.toast("This batch is running already.", icon=":material/info:")


def _one(store: BatchStore, batch: Batch, user: User, identity: Identity) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("All batches", key="playground_batch_close", icon=":material/arrow_back:", on_click=_close)
        st.markdown(f"**{plain(batch.name)}** · {ago(batch.created_at)}", width="stretch")
        with st.popover("Delete", icon=":material/delete:", disabled=batch_values.is_alive(batch)):
            st.markdown("The grid is deleted. Its calls stay in the history.")
            st.button(
                "Delete this batch",
                key="playground_batch_delete",
                type="primary",
                on_click=lambda: _delete(store, batch, user),
            )
    elsewhere = not batch.made_by(identity)
    if elsewhere:
        place = f"{batch.region}" + (f", profile {batch.profile}" if batch.profile else "")
        st.info(
            f"This batch was made in {plain(place)} ({batch.backend}). Switch to it to go on with the batch.",
            icon=":material/swap_horiz:",
        )
    batch_results(
        store,
        batch,
        batch_runner.runners(settings.get().database_url),
        may_run=user.can("spend") and not elsewhere,
        on_resume=lambda: _resume(store, batch.id, user, identity, failed=False),
        on_retry=lambda: _resume(store, batch.id, user, identity, failed=True),
    )
    if not batch_values.is_alive(batch):
        batch_jobs_form(store, batch, identity, may_run=user.can("spend") and not elsewhere)


def _resume(store: BatchStore, batch_id: str, user: User, identity: Identity, *, failed: bool) -> None:
    """Run what waits; with `failed`, what has failed as well."""
    with told("The batch did not go on"):
        if failed:
            store.reopen_failed(batch_id, user.username)
        if batch := store.get(batch_id, user.username):
            _run(store, batch, identity)


def _delete(store: BatchStore, batch: Batch, user: User) -> None:
    if store.delete(batch.id, user.username):
        _close()


def _close() -> None:
    st.query_params.pop(PARAMETER, None)


def _open(batch_id: str) -> None:
    st.query_params[PARAMETER] = batch_id


def _earlier(store: BatchStore, user: User) -> None:
    batches = store.latest(user.username)
    if not batches:
        return
    with st.container(border=True, key="playground_batches", gap="xsmall"):
        st.markdown("**Earlier batches**")
        for batch in batches:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    plain(batch.name),
                    key=f"playground_batch_open_{batch.id}",
                    type="tertiary",
                    icon=":material/table_chart:",
                    on_click=_open,
                    args=(batch.id,),
                )
                labels = ", ".join(plain(column.label) for column in batch.columns)
                state = " · :green-badge[running]" if batch_values.is_alive(batch) else ""
                st.caption(f"{batch.row_count:,} rows · {labels} · {ago(batch.created_at)}{state}")
