"""What the guardrail tester keeps while it is open: guardrails, side, text, runs. Fields only show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, cast

import streamlit as st

from components.edits import Edit
from components.kept_text import keep, kept, kept_area
from components.shown import show
from services import guardrails, run_store
from services.clients import Identity
from services.guardrail_results import Grounding, TextSource, text_of
from services.guardrails import GuardrailChoice, guardrail_of
from services.inline_checks import OPERATION, chosen_in, text_in
from services.problems import Action
from services.runs import Run
from services.users import User

View = Literal["Test", "With a model", "Suite", "Edit", "Inline checks"]

MOST_TARGETS = 4
MAY_NOT_CHECK = "Your role can look at guardrails, but not run checks"
NO_GUARDRAIL = "Choose a guardrail, or paste its ID or ARN"
TEXT, SOURCE_TEXT, QUERY = "guardrail_text", "guardrail_grounding_source", "guardrail_query"
_SIDES: dict[TextSource, str] = {"INPUT": "Prompt (INPUT)", "OUTPUT": "Reply (OUTPUT)"}


def targets() -> list[GuardrailChoice]:
    """The guardrails that are tested, one to four of them; the first is the page's own."""
    return cast(list[GuardrailChoice], st.session_state.setdefault("guardrail_targets", [GuardrailChoice()]))


def change_target(n: int, edit: Edit[GuardrailChoice]) -> None:
    """Another guardrail, or another version, in column `n`."""
    targets()[n] = edit(targets()[n])


def runs() -> list[Run]:
    """The runs of the last check, one for each guardrail."""
    return cast(list[Run], st.session_state.setdefault("guardrail_runs", []))


def choose_first(identity: Identity) -> None:
    """The first guardrail of the list, once: a first visit needs nothing but a text."""
    listed = guardrails.guardrails(identity).summaries
    if st.session_state.get("guardrail_first_chosen") or not (listed or targets()[0].identifier):
        return
    st.session_state.guardrail_first_chosen = True
    if not targets()[0].identifier:
        change_target(0, lambda now: replace(now, identifier=listed[0].id))


def source() -> TextSource:
    """The side that the text is on."""
    return cast(TextSource, st.session_state.setdefault("guardrail_source_kept", "INPUT"))


def text_and_source(height: int = 200) -> str:
    """Draw the side and the text, which all views share; returns the text."""
    show("guardrail_source", source())
    st.segmented_control(
        "The text is a",
        list(_SIDES),
        key="guardrail_source",
        format_func=lambda side: _SIDES[side],
        required=True,
        on_change=lambda: st.session_state.update(guardrail_source_kept=st.session_state.guardrail_source),
    )
    return text_field(height)


def text_field(height: int = 200) -> str:
    """Draw the text alone."""
    return kept_area(
        TEXT, "Text", height=height, placeholder="Type or paste what a user may ask, or what a model may say."
    )


def take_reply(text: str) -> None:
    """Put a model's reply into the page, to be checked as one."""
    keep(TEXT, text)
    st.session_state.update(guardrail_source_kept="OUTPUT", guardrail_view_kept="Test", guardrail_runs=[])


def asked(text: str, user: User, *, key: str, label: str, icon: str, help: str, reason: str) -> bool:
    """Draw the button that makes the calls; says whether to make them now. `reason`: why not, or ""."""
    reason = reason if user.can("spend") else MAY_NOT_CHECK
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(label, key=key, icon=icon, type="primary", disabled=bool(reason), help=help)
        pressed = bool(st.session_state.pop("guardrail_again", False)) or pressed
        if reason:
            st.caption(reason)
        elif pressed and not text.strip():
            st.caption("Type a text first.")
    return pressed and not reason and bool(text.strip())


def retries(user: User) -> dict[Action, Callable[[], None]]:
    """What the button of a problem does: the same once more, for those who may."""

    def again() -> None:
        st.session_state.guardrail_again = True

    return {"retry": again, "renew_credentials": again} if user.can("spend") else {}


def details_button(run: Run, key: str) -> None:
    """Draw the button that opens a run through its other lenses; the page opens them at its end."""
    st.button(
        "Details",
        key=f"{key}_details",
        icon=":material/data_object:",
        type="tertiary",
        help="Request, response and code",
        on_click=lambda: st.session_state.update(guardrail_details=run),
    )


def grounding() -> Grounding | None:
    """What the text is to rest on; None where that is not asked for, or the text is a prompt."""
    if source() != "OUTPUT" or not st.session_state.get("guardrail_grounding_kept"):
        return None
    return Grounding(kept(SOURCE_TEXT), kept(QUERY))


def read_run_link(user: User) -> View | None:
    """Put what `?run=…` names back into the page, once per link; says where it is shown."""
    run_id = str(st.query_params.get("run", ""))
    if not run_id or st.session_state.get("guardrail_linked") == run_id:
        return None
    st.session_state.guardrail_linked = run_id
    run = run_store.store().get(run_id, user.username)
    if run is None:
        st.toast("This link names a run that does not exist, or that is private to someone else.")
        return None
    if run.call.operation == "ApplyGuardrail":
        _put_back(run)
        return "Test"
    if run.call.operation == OPERATION:
        keep(TEXT, text_in(run.call))
        st.session_state.guardrail_checked = run
        st.session_state.guardrail_checks_chosen = chosen_in(run.call)
        return "Inline checks"
    st.toast("This run is no check of a guardrail: open it from the run history.")
    return None


def _put_back(run: Run) -> None:
    keep(TEXT, text_of(run.call))
    st.session_state.guardrail_source_kept = (
        "OUTPUT" if run.call.request.get("source") == "OUTPUT" else "INPUT"
    )
    st.session_state.guardrail_targets = [guardrail_of(run.call.request)]
    st.session_state.guardrail_runs = [run]
    texts = [part.get("text") or {} for part in run.call.request.get("content") or ()]
    sources = _qualified(texts, "grounding_source")
    queries = _qualified(texts, "query")
    st.session_state.guardrail_grounding_kept = bool(sources or queries)
    keep(SOURCE_TEXT, "\n".join(sources))
    keep(QUERY, "\n".join(queries))


def _qualified(texts: Sequence[dict[str, object]], qualifier: str) -> list[str]:
    return [
        str(one.get("text") or "")
        for one in texts
        if qualifier in cast(Sequence[str], one.get("qualifiers") or ())
    ]
