"""The waiting cells of a batch as batch inference jobs of Bedrock: create, look, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import streamlit as st

from components.problem_card import problem_card
from components.recent_runs import ago
from components.safe_markdown import plain
from components.shown import show
from services import batch_jobs
from services.batch_jobs import Job
from services.batch_store import BatchStore
from services.batch_values import Batch
from services.clients import CALL_ERRORS, Identity
from services.problems import Problem, from_exception

_CHOICES = "playground_batch_job"
_PROBLEM = "playground_batch_job_problem"
_DRAWN = "playground_batch_job_drawn"
WATCH_S = 10
"""How often a page that is open asks for the jobs that have not ended."""


def batch_jobs_form(store: BatchStore, batch: Batch, identity: Identity, *, may_run: bool) -> None:
    """Draw the form, closed unless there are jobs, and the jobs."""
    found = batch_jobs.jobs(store, batch)
    with st.expander(
        "Batch inference jobs", icon=":material/schedule:", type="compact", expanded=bool(found)
    ):
        st.caption(
            "Bedrock takes the waiting cells of a column from S3 and answers there within hours, at its "
            "batch price. Each model has its own minimum of records for a job."
        )
        _form(store, batch, identity, may_run)
        for job in found:
            _job(store, batch, job, identity, may_run)
        problem: Problem | None = st.session_state.get(_PROBLEM)
        if problem:
            problem_card(problem, key="batch_job")
        under_way = _under_way(found)
        if under_way and not problem and batch.made_by(identity):
            st.session_state[_DRAWN] = time.time()
            st.fragment(_watch, run_every=WATCH_S)(store, batch, under_way, identity)


def _watch(store: BatchStore, batch: Batch, under_way: list[Job], identity: Identity) -> None:
    """Look by itself, some time after the page was drawn; the page is drawn again for what is new."""
    if time.time() - st.session_state[_DRAWN] < WATCH_S / 2:
        return
    for job in under_way:
        _look(store, batch, job, identity)
        if st.session_state[_PROBLEM]:
            break
    if st.session_state[_PROBLEM] or _under_way(batch_jobs.jobs(store, batch)) != under_way:
        st.rerun()


def _under_way(found: Sequence[Job]) -> list[Job]:
    return [job for job in found if job.job_arn and not job.ended]


def _form(store: BatchStore, batch: Batch, identity: Identity, may_run: bool) -> None:
    offer = batch_jobs.offer(identity)
    chosen = st.session_state.setdefault(_CHOICES, {"folder": offer.folder, "role": offer.role_arn})
    _field("folder", "S3 folder", "s3://bucket/folder", chosen)
    _field("role", "Service role that Bedrock assumes", "arn:aws:iam::123456789012:role/name", chosen)
    if offer.note:
        st.caption(offer.note)
    with st.container(horizontal=True):
        for number, column in enumerate(batch.columns):
            st.button(
                f"Create a job for {plain(column.label)}",
                key=f"playground_batch_job_create_{number}",
                icon=":material/cloud_upload:",
                disabled=not may_run,
                on_click=_create,
                args=(store, batch, number, identity),
            )


def _field(name: str, label: str, placeholder: str, chosen: dict[str, str]) -> None:
    key = f"{_CHOICES}_{name}"
    show(key, chosen[name], "")

    def changed() -> None:
        chosen[name] = (st.session_state[key] or "").strip()

    st.text_input(label, key=key, placeholder=placeholder, on_change=changed)


def _create(store: BatchStore, batch: Batch, column: int, identity: Identity) -> None:
    chosen = st.session_state[_CHOICES]
    if fault := batch_jobs.folder_fault(chosen["folder"]) or batch_jobs.role_fault(chosen["role"]):
        st.toast(plain(fault), icon=":material/error:")
        return
    job = batch_jobs.prepare(store, batch, column, chosen["folder"], chosen["role"])
    if job is None:
        st.toast("No cell of this column waits.", icon=":material/info:")
        return
    _submit(store, batch, job, identity)


def _submit(store: BatchStore, batch: Batch, job: Job, identity: Identity) -> None:
    try:
        _call("CreateModelInvocationJob", identity, lambda: batch_jobs.submit(store, batch, job, identity))
    except ValueError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _look(store: BatchStore, batch: Batch, job: Job, identity: Identity) -> None:
    _call("GetModelInvocationJob", identity, lambda: batch_jobs.look(store, batch, job, identity))


def _stop(store: BatchStore, batch: Batch, job: Job, identity: Identity) -> None:
    if _call("StopModelInvocationJob", identity, lambda: batch_jobs.stop(job, identity)):
        _look(store, batch, job, identity)


def _call(operation: str, identity: Identity, call: Callable[[], object]) -> bool:
    """Make a call and keep its problem for the next run; False where there is one."""
    st.session_state[_PROBLEM] = None
    try:
        call()
    except CALL_ERRORS as error:
        st.session_state[_PROBLEM] = from_exception(error, operation=operation, identity=identity)
        return False
    return True


def _job(store: BatchStore, batch: Batch, job: Job, identity: Identity, may_run: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        made = ago(datetime.fromtimestamp(job.created_at, UTC))
        label = plain(batch.columns[job.column].label)
        words = f"{label} · **{plain(job.status)}** · {made}"
        st.markdown(words + (f" · {plain(job.message)}" if job.message else ""), width="stretch")
        arguments = (store, batch, job)
        if job.job_arn is None and not job.ended:
            st.button(
                "Submit again",
                key=f"playground_batch_job_submit_{job.token}",
                help="The same request with the same token: it makes no second job.",
                disabled=not may_run,
                on_click=_submit,
                args=(*arguments, identity),
            )
            st.button(
                "Give up",
                key=f"playground_batch_job_drop_{job.token}",
                help="The cells wait again. Do this only where AWS refused the job.",
                disabled=not may_run,
                on_click=batch_jobs.give_up,
                args=arguments,
            )
        elif not job.ended:
            st.button(
                "Look now",
                key=f"playground_batch_job_look_{job.token}",
                icon=":material/refresh:",
                on_click=_look,
                args=(*arguments, identity),
            )
            st.button(
                "Stop",
                key=f"playground_batch_job_stop_{job.token}",
                icon=":material/stop:",
                help="What the job has answered by then is kept; its other cells wait again.",
                disabled=not may_run or job.status == "Stopping",
                on_click=_stop,
                args=(*arguments, identity),
            )
