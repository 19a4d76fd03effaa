"""A test set for a knowledge base: questions with their expected sources, asked, measured and compared."""

from __future__ import annotations

import streamlit as st

from components.problem_card import problem_card
from components.safe_markdown import plain
from components.stored_work import choose_results, stop_button, unreadable
from components.test_set_editor import question_editor
from components.test_set_results import comparison, result_view
from services import rag_test_store
from services.clients import Identity
from services.rag_settings import RagSettings
from services.rag_test_runner import RagTestHub, RagTestRunner, label_of
from services.rag_test_set import QuestionSet
from services.rag_test_store import RagTests, ResultSummary
from services.run_tables import STORE_ERRORS
from services.users import User

_POLL_S = 1.0
_OPEN, _BESIDE = "rag_test_open", "rag_test_beside"


@st.cache_resource(scope="session", on_release=RagTestHub.stop_all, show_spinner=False)
def _hub() -> RagTestHub:
    """The runs of this session; closing the tab ends them."""
    return RagTestHub()


def test_set_view(identity: Identity, user: User, settings: RagSettings) -> None:
    """Draw the questions, the run of them with `settings`, its result and the comparison of two results."""
    store = rag_test_store.store()
    try:
        questions = question_editor(store, user)
        _run(store, identity, user, settings, questions)
        _results(store, user)
    except STORE_ERRORS as error:
        unreadable(error, "The test sets cannot be read or stored", "The questions in the editor are kept.")


def _run(
    store: RagTests, identity: Identity, user: User, settings: RagSettings, questions: QuestionSet | None
) -> None:
    runner = _hub().current
    if runner and runner.live:
        st.fragment(_progress, run_every=_POLL_S)(runner)
        return
    count = len(questions.questions) if questions else 0
    why = _why_not(user, settings, questions)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Ask {count:,} questions" if count != 1 else "Ask 1 question",
            key="rag_test_run",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(why),
            help=why or "One Retrieve call each, with the settings of this page",
            on_click=_start,
            args=(store, identity, user, settings, questions),
        )
        chosen = plain(label_of(settings)) if settings.knowledge_base_id else "No knowledge base"
        st.caption(f"{chosen}, as chosen under Chat")
    if runner:
        _outcome(runner)


def _why_not(user: User, settings: RagSettings, questions: QuestionSet | None) -> str:
    """Why the set cannot be asked now; "" where it can."""
    if not user.can("spend"):
        return "Your role can look, but not send questions."
    if not settings.knowledge_base_id:
        return "Choose a knowledge base first."
    return "" if questions else "There are no questions that can be asked yet."


def _start(
    store: RagTests, identity: Identity, user: User, settings: RagSettings, questions: QuestionSet | None
) -> None:
    if questions is None or _why_not(user, settings, questions):
        return
    if runner := _hub().start(store, questions, settings, identity, user.username):
        st.session_state[_OPEN] = runner.result_id
    else:
        st.toast("A test set is being asked already.", icon=":material/info:")


def _progress(runner: RagTestRunner) -> None:
    if not runner.live:
        st.rerun()
    st.progress(runner.done / runner.total, text=f"{runner.done:,} of {runner.total:,} questions")
    stop_button(runner, "rag_test_stop")


def _outcome(runner: RagTestRunner) -> None:
    """What became of the latest run, where it is more than its result."""
    if runner.done < runner.total:
        st.warning(
            f"{runner.done:,} of {runner.total:,} questions were asked; the figures are of those.",
            title="Stopped",
            icon=":material/front_hand:",
        )
    if runner.problem:
        problem_card(runner.problem, key="rag_test")
    if runner.store_problem and runner.result:
        st.error(
            f"{plain(runner.store_problem)}\n\n**What to do:** check `WORKBENCH_DATABASE_URL`. The result "
            "is below; download it before you ask again.",
            title="The result could not be stored",
            icon=":material/database_off:",
        )
        result_view(runner.result, key="unstored")


def _results(store: RagTests, user: User) -> None:
    summaries = {summary.id: summary for summary in store.results(user.username)}
    if not summaries:
        st.caption("No test set has been asked yet.")
        return

    shown, beside = choose_results(
        "rag_test",
        {key: _line(each) for key, each in summaries.items()},
        open_key=_OPEN,
        beside_key=_BESIDE,
        forget=lambda result_id: store.forget(user.username, result_id),
    )
    result = store.result(user.username, shown)
    earlier = store.result(user.username, beside) if beside else None
    if result and earlier:
        comparison(earlier, result)
    if result:
        result_view(result, key="stored")


def _line(summary: ResultSummary) -> str:
    return f"{summary.set_name} · {summary.label} · {summary.created_at:%Y-%m-%d %H:%M} UTC"
