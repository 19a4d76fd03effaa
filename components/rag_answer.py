"""One answer of the RAG chat: it streams with its sources' numbers, then says how well it is held up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from components.cited_text import cited_markdown
from components.guardrail_trace import guardrail_trace
from components.metrics_line import format_ms, metrics_line
from components.problem_card import problem_card
from components.retrieval_results import retrieval_results
from components.run_details import run_details
from components.source_panel import source_panel
from services.citations import Answer
from services.clients import Identity
from services.problems import Action
from services.rag_replies import RagReply
from services.runs import Run
from services.streaming import WAKE_S

_COVERAGE = """
The part of the answer's characters that stand in a stretch with a source. What stands in none is shaded grey:
it may be a phrase that needs no source, or something that the model made up.
"""
_LOW_COVERAGE = 0.5


@dataclass(frozen=True)
class AnswerActions:
    """What an answer can ask of its page. `retry` is None for all but the last one."""

    choose_source: Callable[[str, int], None]
    look_up: Callable[[RagReply], None] | None
    retry: Callable[[], None] | None
    problems: Mapping[Action, Callable[[], None]]
    """What the button of a problem does, by its action."""


def rag_answer(
    key: str,
    reply: RagReply,
    *,
    identity: Identity,
    chosen: int | None,
    wide: bool,
    actions: AnswerActions,
    still_live: Callable[[], bool],
) -> None:
    """Draw the answer `key` ("0", or "0_b" beside it) with its sources; `chosen` is the one that is open.

    `wide`: there is room for the sources beside it, where the window has it. `still_live` says whether any
    answer of the page streams: the last one to end draws the page anew.
    """
    text, sources = _columns(wide and reply.settings.mode != "retrieve")
    if reply.live:
        with text, _place(key, reply):
            _live_answer(key, reply, still_live)
        return
    answer = reply.answer()
    with text, st.container(key=f"rag_answer_{key}", gap="small"):
        _finished(key, reply, answer, actions)
    if reply.settings.mode == "retrieve":
        return
    with sources:
        source_panel(
            key,
            answer,
            chosen=chosen,
            choose=lambda number: actions.choose_source(key, number),
            identity=identity,
            knowledge_base_id=reply.settings.knowledge_base_id,
        )


def open_run_details() -> None:
    """Open the details dialog if an answer asked for it in this run."""
    if run := st.session_state.pop("rag_details", None):
        run_details(run)


def _columns(beside: bool) -> tuple[DeltaGenerator, DeltaGenerator]:
    """The places of text and sources; on a narrow window the columns stand one below the other."""
    if not beside:
        return st.container(), st.container()
    left, right = st.columns([3, 2], gap="medium")
    return left, right


def _place(key: str, reply: RagReply) -> DeltaGenerator:
    """Where the answer streams; without this, what it replaces would stay below it to the end."""
    name = f"rag_streams_{key}"
    first_time = st.session_state.get(name) != reply.key
    st.session_state[name] = reply.key
    return st.empty().container() if first_time else st.container()


@st.fragment(parallel=True)
def _live_answer(key: str, reply: RagReply, still_live: Callable[[], bool]) -> None:
    """Runs beside the other answer. The page is drawn anew when the last one ends."""
    with st.container(key=f"rag_answer_{key}"):
        _stream(key, reply)
    if reply.problem or not still_live():
        st.rerun()  # comes back here: in a parallel fragment it is only a request
    elif run := reply.run:
        metrics_line(run, key=f"rag_metrics_{key}")


def _stream(key: str, reply: RagReply) -> None:
    place = st.empty()
    place.markdown(":shimmer[Searching the knowledge base, then answering]")
    while not reply.wait_until_asked(WAKE_S):
        _checkpoint()
    if reply.settings.mode == "converse" and reply.live:
        found = len(reply.answer().retrieved)
        place.markdown(f":shimmer[{found} passages found: waiting for the first token]")
    drawn = ""
    for _ in reply.follow(_checkpoint):
        markdown = cited_markdown(reply.answer(), turn=key, shade=False)
        if markdown and markdown != drawn:
            place.markdown(markdown)
            drawn = markdown
    if not drawn:
        place.empty()


def _checkpoint() -> None:
    """Touches the session's state, which is where Streamlit can interrupt this run for a click."""
    _ = "rag_chat" in st.session_state


def _finished(key: str, reply: RagReply, answer: Answer, actions: AnswerActions) -> None:
    run = reply.run
    if reply.settings.mode == "retrieve":
        if run and run.state == "done":
            retrieval_results(
                answer.retrieved,
                key=f"rag_results_{key}",
                question=reply.question,
                filtered=bool(reply.settings.retrieval.filter),
            )
    elif answer.text.strip():
        shade = not answer.refused and answer.guardrail_action != "INTERVENED"
        st.markdown(cited_markdown(answer, turn=key, shade=shade))
    if run:
        metrics_line(run, key=f"rag_metrics_{key}")
    if run and run.state != "failed" and not reply.refusal:
        _how_well_held_up(key, reply, answer, run, actions)
    if problem := reply.problem:
        problem_card(problem, key=f"rag_{key}", actions=_possible(actions), since=reply.ended_at)
    if run:
        guardrail_trace(run)
    _tools(key, reply, actions)


def _possible(actions: AnswerActions) -> Mapping[Action, Callable[[], None]]:
    return actions.problems if actions.retry else {}


def _how_well_held_up(key: str, reply: RagReply, answer: Answer, run: Run, actions: AnswerActions) -> None:
    """Coverage, and in words what is odd about this answer, with what to do about it."""
    mode, stopped = reply.settings.mode, run.state == "stopped"
    if answer.guardrail_action == "INTERVENED":
        st.warning(
            "A guardrail intervened: what stands here is its message, or what it left of the answer. "
            "**What to do:** ask in other words, or choose another guardrail in the settings.",
            icon=":material/shield:",
        )
        return
    if answer.refused:
        st.info(
            "The service says that it cannot answer: what it found in the knowledge base, if anything, does "
            "not answer the question. **What to do:** see what is found; ask for more results or hybrid "
            "search, loosen the filter, or sync documents that hold the answer.",
            icon=":material/block:",
        )
    elif mode == "converse" and not answer.retrieved and not stopped:
        st.info(
            "Nothing was retrieved. So no model was asked. **What to do:** loosen the filter, use hybrid "
            "search, and see under Documents whether the documents are indexed.",
            icon=":material/search_off:",
        )
        return
    elif answer.text.strip() and mode != "retrieve":
        _coverage(answer)
        if not answer.sources:
            _nothing_cited(answer, mode == "converse")
    elif not stopped and mode != "retrieve":
        st.info("The answer is empty. **What to do:** ask again, or choose another model.")
    if mode == "generate" and not answer.sources and actions.look_up:
        st.button(
            "See what is found",
            key=f"rag_look_up_{key}",
            icon=":material/search:",
            help="Retrieve alone, with the same question and settings",
            on_click=actions.look_up,
            args=(reply,),
        )


def _coverage(answer: Answer) -> None:
    color = "green" if answer.coverage >= _LOW_COVERAGE else "orange"
    cited = "1 source" if len(answer.sources) == 1 else f"{len(answer.sources)} sources"
    st.markdown(f":{color}-badge[{answer.coverage:.0%} covered] :gray-badge[{cited}]", help=_COVERAGE)


def _nothing_cited(answer: Answer, own_prompt: bool) -> None:
    count = len(answer.retrieved)
    if own_prompt:
        found = "1 passage was" if count == 1 else f"{count} passages were"
        st.info(
            f"{found} retrieved, but the answer cites none: it may not rest on them. **What to do:** ask in "
            "the prompt for [n] behind every sentence, lower the temperature, or choose another model.",
            icon=":material/link_off:",
        )
    else:
        st.info(
            "The answer cites no source: take it as the model's own words. Either nothing was found, or what "
            "was found is not used; the service does not say which. **What to do:** see what is found.",
            icon=":material/link_off:",
        )


def _tools(key: str, reply: RagReply, actions: AnswerActions) -> None:
    run, retrieval = reply.run, reply.retrieval_run
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        if run:
            _details_button("Details", f"rag_details_{key}", run)
        if retrieval:
            _details_button("Retrieval", f"rag_retrieval_{key}", retrieval)
            st.caption(f"{len(reply.answer().retrieved)} passages in {format_ms(retrieval.latency_ms)}")
        if actions.retry and run and not reply.problem:
            st.button(
                "Again",
                key=f"rag_again_{key}",
                icon=":material/replay:",
                type="tertiary",
                help="Ask this question once more, with the settings as they are now",
                on_click=actions.retry,
            )


def _details_button(label: str, key: str, run: Run) -> None:
    st.button(
        label,
        key=key,
        icon=":material/data_object:",
        type="tertiary",
        help="Request, response, events and code",
        on_click=lambda: st.session_state.update(rag_details=run),
    )
