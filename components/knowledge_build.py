"""From nothing to a knowledge base that answers: documents in, one click, and the steps fill in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from components.build_steps import build_program, build_steps
from components.chunking_form import chunking_form
from components.document_upload import document_upload, file_faults
from components.edits import Edit
from components.problem_card import problem_card
from components.safe_markdown import plain
from components.shown import show
from services import knowledge_files
from services.clients import Identity
from services.knowledge_build import (
    PRICING_URL,
    STEPS,
    Builder,
    Chunking,
    Plan,
    builders,
    embedding_models,
    make_plan,
    name_fault,
    start_build,
    start_taking_apart,
)
from services.knowledge_files import Checked
from services.models import Model
from services.problems import Problem
from services.users import User

LOOK_S = 1
"""How often a build that goes on is looked at."""
_DRAFT = "rag_build_draft"
_FIRST_NAME = "my-documents"
_SAMPLES_NAME = "sample-documents"


@dataclass
class _Draft:
    """What is to be built, kept through reruns and page changes. `shown` names the build that is drawn."""

    name: str = _FIRST_NAME
    model_id: str = ""
    chunking: Chunking = field(default_factory=Chunking)
    checked: Checked = field(default_factory=lambda: Checked((), ()))
    shown: str = ""


def knowledge_build(identity: Identity, user: User, *, chosen: Callable[[str], None]) -> None:
    """Draw the form, or the build that goes on or has ended. `chosen` is called with the id to chat with."""
    draft: _Draft = st.session_state.setdefault(_DRAFT, _Draft())
    running = builders().live(identity)
    if running and not draft.shown:  # begun before this browser session
        draft.shown = running.plan.name
    builder = builders().of(identity, draft.shown) if draft.shown else None
    if builder is None:
        _form(draft, identity, user)
    elif builder.live:
        _heading(builder)
        st.button(
            "Stop",
            key="rag_build_stop",
            icon=":material/stop:",
            on_click=builder.stop,
            disabled=builder.stopped or not user.can("admin"),
            help="No further call is made. What AWS has begun goes on, and is found again by the next build.",
        )
        st.fragment(_watch, run_every=LOOK_S)(builder)
    else:
        _ended(builder, draft, identity, user, chosen)


def _watch(builder: Builder) -> None:
    """The steps, until the builder has ended: then the page is drawn once more."""
    if not builder.live:
        st.rerun()
    build_steps(builder.plan, builder)


# ---- before ----------------------------------------------------------------------------------------------


def _form(draft: _Draft, identity: Identity, user: User) -> None:
    may_build = user.can("admin")
    if not may_build:
        st.info(
            f"Building makes resources in the account, which needs the role admin; yours is {user.role}. "
            "What would be done is below, with its code.",
            icon=":material/lock:",
        )
    _documents(draft)
    models = embedding_models(identity)
    _name_and_model(draft, models)
    with st.expander("Chunking", icon=":material/content_cut:"):
        chunking_form(draft.chunking, key="rag_build_chunking", change=lambda edit: _rechunk(draft, edit))
    if identity.backend == "aws":
        st.info(
            "The OpenSearch Serverless collection is billed per hour while it exists, whether it is asked or "
            f"not; embedding is billed by the token. [AWS's prices]({PRICING_URL})",
            icon=":material/payments:",
        )
    plan = _plan(draft, identity, models)
    fault = name_fault(draft.name) or draft.chunking.fault
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Build",
            key="rag_build_start",
            type="primary",
            icon=":material/construction:",
            disabled=not isinstance(plan, Plan) or bool(fault) or not may_build,
            on_click=_build,
            args=(draft, identity, user, plan),
        )
        if isinstance(plan, Plan):
            build_program(plan)
        if fault:
            st.caption(fault)
        elif not draft.checked.files:
            st.caption("Without documents it begins empty, or with what was uploaded under this name before.")
    if isinstance(plan, Problem):
        problem_card(plan, key="rag_build_plan")
    elif plan:
        st.subheader("What will be done", anchor=False)
        build_steps(plan, None)
        _take_apart(draft, plan, identity, user)


def _documents(draft: _Draft) -> None:
    document_upload("rag_build_files", lambda checked: setattr(draft, "checked", checked))
    with st.container(horizontal=True, vertical_alignment="center"):
        if knowledge_files.has_samples():
            st.button(
                "Use the sample documents",
                key="rag_build_samples",
                icon=":material/library_books:",
                on_click=_use_samples,
                args=(draft,),
            )
        if draft.checked.files:
            st.caption(_amount(draft.checked))
    file_faults(draft.checked.faults)


def _amount(checked: Checked) -> str:
    size = sum(len(file.data) for file in checked.files) / 1024**2
    beside = len(checked.files) - checked.documents
    extra = f" and {beside} files with metadata" if beside else ""
    return f"{checked.documents} documents{extra}, {size:.1f} MB, are ready."


def _use_samples(draft: _Draft) -> None:
    draft.checked = knowledge_files.checked(knowledge_files.samples())
    if draft.name == _FIRST_NAME:
        draft.name = _SAMPLES_NAME


def _rechunk(draft: _Draft, edit: Edit[Chunking]) -> None:
    draft.chunking = edit(draft.chunking)


def _name_and_model(draft: _Draft, models: Sequence[Model]) -> None:
    name_key, model_key = "rag_build_name", "rag_build_model"
    names = {model.model_id: model.name for model in models}
    if names and draft.model_id not in names:
        draft.model_id = next(iter(names))
    show(name_key, draft.name, "")
    show(model_key, draft.model_id or None)

    def renamed() -> None:
        draft.name = (st.session_state[name_key] or "").strip()

    def remodelled() -> None:
        draft.model_id = st.session_state[model_key] or ""

    left, right = st.columns(2)
    left.text_input("Name", key=name_key, on_change=renamed, max_chars=100)
    right.selectbox(
        "Embedding model",
        list(names),
        key=model_key,
        format_func=lambda model_id: f"{names.get(model_id, model_id)} · {model_id}",
        placeholder="This region lists no embedding model",
        on_change=remodelled,
        help="It cannot be changed once the knowledge base is made.",
    )


def _plan(draft: _Draft, identity: Identity, models: Sequence[Model]) -> Plan | Problem | None:
    model = next((model for model in models if model.model_id == draft.model_id), None)
    if model is None or name_fault(draft.name):
        return None
    names = [file.name for file in draft.checked.files]
    return make_plan(identity, draft.name, model, draft.chunking, names)


def _build(draft: _Draft, identity: Identity, user: User, plan: Plan) -> None:
    if not user.can("admin"):
        return
    start_build(identity, plan, {file.name: file.data for file in draft.checked.files})
    draft.shown = plan.name


# ---- after -----------------------------------------------------------------------------------------------


def _heading(builder: Builder) -> None:
    what = "Building" if builder.task == "build" else "Taking apart"
    st.subheader(f"{what} {plain(builder.plan.name)}", anchor=False)


def _ended(
    builder: Builder, draft: _Draft, identity: Identity, user: User, chosen: Callable[[str], None]
) -> None:
    may_build = user.can("admin")
    name = plain(builder.plan.name)
    if builder.succeeded and builder.task == "build":
        st.success(f"The knowledge base {name} is ready.", icon=":material/check_circle:")
        if "failed" in builder.progress(STEPS[-1]).detail:
            st.caption("Some documents could not be read; the list of documents says which, and why.")
    elif builder.succeeded:
        st.success(f"Of {name} nothing is left that the workbench made.", icon=":material/check_circle:")
    else:
        _heading(builder)
        st.caption(
            "It was stopped." if builder.stopped else "It did not come to its end; what is done stays."
        )
    with st.container(horizontal=True):
        if builder.succeeded and builder.knowledge_base_id and builder.task == "build":
            st.button(
                "Chat with it",
                key="rag_build_chat",
                type="primary",
                icon=":material/forum:",
                on_click=chosen,
                args=(builder.knowledge_base_id,),
            )
        if not builder.succeeded:
            st.button(
                "Go on from here",
                key="rag_build_again",
                type="primary",
                icon=":material/replay:",
                on_click=_again,
                args=(builder, identity, user),
                disabled=not may_build,
                help="AWS is asked what is done already, and that is passed over.",
            )
        st.button("New build", key="rag_build_new", icon=":material/add:", on_click=_leave, args=(draft,))
        build_program(builder.plan)
    build_steps(builder.plan, builder)
    if builder.task == "build":
        _take_apart(draft, builder.plan, identity, user)


def _again(builder: Builder, identity: Identity, user: User) -> None:
    if not user.can("admin"):
        return
    if builder.task == "build":
        start_build(identity, builder.plan, builder.files)
    else:
        start_taking_apart(identity, builder.plan)


def _leave(draft: _Draft) -> None:
    draft.shown = ""


def _take_apart(draft: _Draft, plan: Plan, identity: Identity, user: User) -> None:
    with st.expander("Take apart", icon=":material/delete:", key="rag_build_take_apart"):
        lines = "\n".join(f"- {plain(step.makes(plan))}" for step in reversed(STEPS))
        st.markdown(
            f"This deletes what is there and was made by the workbench for {plain(plan.name)}:\n\n{lines}\n\n"
            "Each is checked first by its tag or its description; what is somebody else's is left alone."
        )
        st.button(
            "Delete all of this",
            key="rag_build_delete",
            icon=":material/delete_forever:",
            disabled=not user.can("admin"),
            on_click=_delete,
            args=(draft, plan, identity, user),
        )


def _delete(draft: _Draft, plan: Plan, identity: Identity, user: User) -> None:
    if not user.can("admin"):
        return
    start_taking_apart(identity, plan)
    draft.shown = plan.name
