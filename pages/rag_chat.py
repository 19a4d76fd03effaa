"""RAG chat: a question to a knowledge base, and an answer in which every claim leads to its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from components.auth import require_user
from components.citation_links import citation_links
from components.draft import keep_draft
from components.ingestion_view import ingestion_view
from components.knowledge_build import knowledge_build
from components.problem_card import problem_card
from components.rag_answer import AnswerActions, open_run_details, rag_answer
from components.rag_link import read_knowledge_base_link, read_run_link
from components.rag_side import EXPLAINED, knowledge_base_picker, rag_side, suffix
from components.reply_hub import rag_hub
from components.retrieval_comparison import compare_answers, compare_retrievals
from components.roles import spending
from components.safe_markdown import plain, safe_markdown
from components.shown import show
from components.sidebar import current_identity
from components.test_set_view import test_set_view
from services import backend, knowledge, models
from services.citations import Source
from services.problems import Action
from services.rag_chat import Conversation, RagChat, RagTurn
from services.rag_replies import RagReply, too_long
from services.rag_settings import RagSettings

user = require_user()
MAY_NOT_ASK = "Your role can look, but not ask"
for_spenders = spending(user, MAY_NOT_ASK)
VIEWS = ("Chat", "Build", "Test set", "Documents")
SHOWN_TURNS = 4
identity = current_identity()
catalogue = models.catalogue(identity)
listed = knowledge.knowledge_bases(identity)

if conversation := read_run_link(user):
    rag_hub().stop_all()
    st.session_state.rag_chat = conversation
    st.session_state.rag_view_kept = "Chat"
chat = RagChat(st.session_state.setdefault("rag_chat", Conversation()), rag_hub(), identity, user.username)
sides, turns = chat.conversation.sides, chat.conversation.turns


def fill_in() -> None:
    """What a link asks for, and first choices, so that a first visit needs nothing but a question."""
    if linked := read_knowledge_base_link():
        chat.change(0, lambda now: replace(now, knowledge_base_id=linked))
    if not sides[0].knowledge_base_id and listed.items:
        ready = next((one for one in listed.items if one.status == "ACTIVE"), listed.items[0])
        chat.change(0, lambda now: replace(now, knowledge_base_id=ready.id))
    if not sides[0].model_id and (first := models.defaults(catalogue, 1)):
        chat.change(0, lambda now: replace(now, model_id=first[0].model_id))


def send() -> None:
    """The question goes to every side; one that is too long goes back into its field."""
    question = (st.session_state.rag_prompt or "").strip()
    if too_long(question, chat.conversation.sides):
        st.session_state.rag_too_long = st.session_state.rag_prompt = question
    elif question:
        st.session_state.pop("rag_too_long", None)
        st.session_state.rag_sends = st.session_state.get("rag_sends", 0) + 1
        chat.send(question)


def new_session() -> None:
    """A new conversation, here and for the service."""
    chat.new_session()
    st.session_state.rag_chosen = {}


def open_view(view: str) -> None:
    """Another view of this page."""
    st.session_state.rag_view_kept = view


def built(knowledge_base_id: str) -> None:
    """A knowledge base that was made or chosen under Build: ask it."""
    knowledge.knowledge_bases.clear(identity)
    chat.change(0, lambda now: replace(now, knowledge_base_id=knowledge_base_id))
    open_view("Chat")
    # Another control: of this one the browser may report the old choice once more, with the first question.
    st.session_state.rag_view_control = st.session_state.get("rag_view_control", 0) + 1


def toolbar() -> str:
    """Draw the title, the views and what concerns the whole chat; says which view is open."""
    first = "Chat" if sides[0].knowledge_base_id or listed.problem else "Build"
    view: str = st.session_state.setdefault("rag_view_kept", first)
    key = f"rag_view_{st.session_state.get('rag_view_control', 0)}"
    show(key, view)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="rag_toolbar"):
        st.markdown("### RAG chat", width="stretch", anchors=False)
        st.segmented_control(
            "View",
            VIEWS,
            key=key,
            label_visibility="collapsed",
            required=True,
            on_change=lambda: open_view(st.session_state[key]),
        )
        if view == "Chat":
            show("rag_compare", len(sides) > 1, False)
            st.toggle(
                "Compare",
                key="rag_compare",
                help="Ask two knowledge bases, or in two ways, side by side",
                on_change=lambda: chat.compare(st.session_state.rag_compare),
            )
        st.button("New session", key="rag_new_session", icon=":material/add_comment:", on_click=new_session)
        st.button(
            "Stop",
            key="rag_stop",
            icon=":material/stop_circle:",
            disabled=not chat.any_live,
            shortcut="Esc",
            on_click=chat.stop,
        )
    return view


def sides_bar() -> None:
    """The pickers of each side."""
    for n, place in enumerate(st.columns(len(sides), gap="medium")):
        with place:
            side_bar(n, narrow=len(sides) > 1)
    if listed.problem:
        with st.expander("The knowledge bases could not be listed", icon=":material/info:", type="compact"):
            problem_card(listed.problem, key="rag_list", actions={"restart_backend": restart_backend})


def side_bar(n: int, *, narrow: bool) -> None:
    """The pickers of side `n`."""
    rag_side(
        n,
        sides[n],
        identity=identity,
        listed=listed,
        catalogue=catalogue,
        change=partial(chat.change, n),
        found=found_last(n),
        narrow=narrow,
    )


def found_last(side: int) -> Sequence[Source]:
    """The passages of the side's last answer."""
    if not turns or side >= len(turns[-1].replies) or turns[-1].replies[side].live:
        return ()
    answer = turns[-1].replies[side].answer()
    return answer.retrieved or answer.sources


def restart_backend() -> None:
    """Start the local endpoint anew."""
    backend.restart()


def choose_source(key: str, number: int) -> None:
    """Open a source of an answer, or close the one that is open."""
    chosen = st.session_state.setdefault("rag_chosen", {})
    chosen[key] = None if chosen.get(key) == number else number


def actions_of(side: int, reply: RagReply, last: bool) -> AnswerActions:
    """What the buttons of one answer do."""
    retry = for_spenders(lambda: chat.retry(side, reply))
    possible: dict[Action, Callable[[], None]] = {
        "retry": retry,
        "renew_credentials": retry,
        "restart_backend": restart_backend,
        "shorten": new_session,
    }
    if (problem := reply.problem) and (profile := problem.suggestion):
        possible["use_inference_profile"] = lambda: chat.change(
            side, lambda now: replace(now, model_id=profile)
        )
    return AnswerActions(
        choose_source=choose_source,
        look_up=for_spenders(lambda one: chat.look_up(one.question, one.settings)),
        retry=retry if last else None,
        problems=possible,
    )


def draw_turn(index: int, turn: RagTurn) -> None:
    """A question with its answer, or with two side by side."""
    with st.chat_message("user", avatar=":material/person:"):
        safe_markdown(turn.question)
    several = len(turn.replies) > 1
    long_lists = all(reply.settings.mode == "retrieve" for reply in turn.replies)
    if several and long_lists:
        draw_comparison(turn)
    places = st.columns(len(turn.replies), gap="medium")
    for side, (place, reply) in enumerate(zip(places, turn.replies, strict=True)):
        key = f"{index}{suffix(side)}"
        with place:
            if several:
                st.caption(f"**{'AB'[side]}** · {in_words(reply.settings)}")
            rag_answer(
                key,
                reply,
                identity=identity,
                wide=not several,
                chosen=st.session_state.get("rag_chosen", {}).get(key),
                actions=actions_of(side, reply, index == len(turns) - 1),
                still_live=lambda: chat.any_live,
            )
    if several and not long_lists:
        draw_comparison(turn)


def draw_comparison(turn: RagTurn) -> None:
    """What two sides found or cited in common, once both have ended."""
    if any(reply.live for reply in turn.replies):
        return
    left, right = (reply.answer() for reply in turn.replies)
    if left.retrieved and right.retrieved:
        compare_retrievals(turn.question, left.retrieved, right.retrieved, ("A", "B"))
    elif left.text and right.text:
        compare_answers(turn.question, left, right, ("A", "B"))


def in_words(settings: RagSettings) -> str:
    """The knowledge base and the search of a side, in a few words."""
    names = {one.id: one.name for one in listed.items}
    retrieval = settings.retrieval
    words = [plain(names.get(settings.knowledge_base_id, settings.knowledge_base_id))]
    words.append((retrieval.search_type or "default search").lower())
    words += [f"{retrieval.number_of_results} results"] if retrieval.number_of_results else []
    words += ["filtered"] if retrieval.filter else []
    words += ["reranked"] if retrieval.reranker else []
    return " · ".join(words)


def draw_chat() -> None:
    """The conversation and the field for the next question."""
    sides_bar()
    if not turns:
        st.caption(f"{EXPLAINED[sides[0].mode]} Every number in an answer leads to its source.")
    hidden = max(0, len(turns) - SHOWN_TURNS)
    if hidden and st.toggle(f"Show {hidden} earlier questions", key="rag_earlier"):
        hidden = 0
    for index in range(hidden, len(turns)):
        draw_turn(index, turns[index])
    citation_links(len(turns))
    if problem := too_long(st.session_state.get("rag_too_long", ""), sides):
        problem_card(problem, key="rag_too_long")
    if not user.can("spend"):
        placeholder = MAY_NOT_ASK
    elif chat.session_id(0):
        placeholder = "Ask on in this session"
    else:
        placeholder = "Ask the knowledge base"
    st.chat_input(placeholder, key="rag_prompt", disabled=not user.can("spend"), on_submit=send)
    keep_draft("rag_prompt", user.username, st.session_state.get("rag_sends", 0))
    open_run_details()


def draw_documents() -> None:
    """What the knowledge base holds."""
    knowledge_base_picker("rag_kb", sides[0], listed, partial(chat.change, 0))
    if sides[0].knowledge_base_id:
        ingestion_view(identity, user, sides[0].knowledge_base_id)
    else:
        st.info("Choose a knowledge base, or make one under Build.")


fill_in()
view = toolbar()
if chat.hub.store_problem:
    problem_card(chat.hub.store_problem, key="rag_store")
if view == "Build":
    if not listed.items and not listed.problem:
        st.markdown("There is no knowledge base yet: make one here, and then ask it.")
    knowledge_build(identity, user, chosen=built)
elif view == "Test set":
    side_bar(0, narrow=False)
    test_set_view(identity, user, sides[0])
elif view == "Documents":
    draw_documents()
else:
    draw_chat()
