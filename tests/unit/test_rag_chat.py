"""What goes out for a question, what comes back, and what Stop, Retry and a link make of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services import models, streaming
from services.capabilities import Bound, Capabilities
from services.clients import Identity
from services.models import Model
from services.rag_chat import Conversation, RagChat, reopened
from services.rag_replies import RagReply, filled, refused
from services.rag_settings import RagSettings
from services.runs import Call, Run
from services.runtime import Opened
from services.streaming import StreamHub
from tests.unit.rag import citation, reference

Events = Iterator[tuple[str, dict[str, Any]]]

IDENTITY = Identity("local", None, "us-east-1", 0)
GENERATE = RagSettings("KB12345678", model_id="a.b")
CONVERSE = RagSettings("KB12345678", mode="converse", model_id="a.b")
RETRIEVE = RagSettings("KB12345678", mode="retrieve")
RESULTS = [reference("Alpha.", "s3://d/a.md"), reference("Beta.", "s3://d/b.md")]


CAPABLE = Capabilities(streaming=True, bounds={"temperature": Bound(0, 1)})


class Wire:
    """Answers by operation; `hold` keeps an operation from answering until it is set."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.aborted: list[str] = []
        self.hold: dict[str, threading.Event] = {}
        self.results: list[dict[str, Any]] = RESULTS
        self.text = "Beta is so [2]. Alpha [1]."
        self.fail: Exception | None = None

    def open(self, call: Call) -> Opened:
        self.calls.append(call)
        if call.operation in self.hold:
            assert self.hold[call.operation].wait(10)
        if self.fail:
            raise self.fail
        headers = {"x-amzn-bedrock-knowledge-base-session-id": f"session-{len(self.calls)}"}
        return Opened(
            {"HTTPHeaders": headers},
            self.events(call),
            time.perf_counter(),
            lambda: None,
            lambda: self.aborted.append(call.operation),
        )

    def events(self, call: Call) -> Events:
        if call.operation == "Retrieve":
            yield "response", {"retrievalResults": self.results}
        elif call.operation == "RetrieveAndGenerateStream":
            yield "output", {"text": "Alpha."}
            yield "citation", citation("Alpha.", 0, 5, RESULTS[0])
        else:
            for piece in (self.text[:5], self.text[5:]):
                yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}
            yield "messageStop", {"stopReason": "end_turn"}


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    model = Model("a.b", "", "A", "A", "foundation", "a.b", capabilities=CAPABLE)
    monkeypatch.setattr(streaming, "open_call", wire.open)
    monkeypatch.setattr(models, "resolve", lambda identity, text: model)
    return wire


def chat(*sides: RagSettings) -> RagChat:
    return RagChat(Conversation(list(sides)), StreamHub(save=lambda run: None), IDENTITY, "ana")


def until(true: Callable[[], object]) -> None:
    waiting, deadline = threading.Event(), time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        waiting.wait(0.002)


def asked(talk: RagChat, question: str = "Why?") -> RagReply:
    talk.send(question)
    until(lambda: not talk.any_live)
    return talk.conversation.turns[-1].replies[0]


class TestFilled:
    def test_passages_are_numbered_and_what_stands_in_them_is_not_filled(self) -> None:
        prompt = filled("$search_results$|$query$", "Q $search_results$", ("a $query$", "b"))
        assert prompt == "[1] a $query$\n\n[2] b|Q $search_results$"


@pytest.mark.parametrize(
    ("settings", "question", "code"),
    [
        (RagSettings(model_id="a.b"), "Why?", "NoKnowledgeBase"),
        (RagSettings("KB12345678"), "Why?", "NoModel"),
        (GENERATE, "x" * 1_001, "QuestionTooLong"),
        (CONVERSE, "x" * 20_001, "QuestionTooLong"),
    ],
)
def test_what_cannot_work_is_not_sent(wire: Wire, settings: RagSettings, question: str, code: str) -> None:
    problem = refused(question, settings)
    assert problem
    assert problem.code == code
    reply = asked(chat(settings), question)
    assert reply.problem == problem
    assert reply.question == question
    assert not wire.calls


@pytest.mark.parametrize(("settings", "question"), [(GENERATE, "x" * 1_000), (CONVERSE, "x" * 1_001)])
def test_what_can_work_is_sent(wire: Wire, settings: RagSettings, question: str) -> None:
    assert asked(chat(settings), question).problem is None


class TestGenerate:
    def test_the_answer_has_its_sources(self, wire: Wire) -> None:
        answer = asked(chat(GENERATE)).answer()
        assert answer.text == "Alpha."
        assert [source.text for source in answer.sources] == ["Alpha."]
        assert wire.calls[0].tags == {"page": "rag_chat"}
        assert wire.calls[0].user == "ana"

    def test_the_session_of_each_side_goes_on(self, wire: Wire) -> None:
        talk = chat(GENERATE, GENERATE)
        for _ in range(2):
            asked(talk)
        first = sorted(f"session-{n}" for n in (1, 2))
        assert sorted(str(call.request.get("sessionId")) for call in wire.calls[2:]) == first

    def test_a_question_in_another_mode_between_does_not_end_it(self, wire: Wire) -> None:
        talk = chat(GENERATE)
        asked(talk)
        talk.change(0, lambda _: RETRIEVE)
        asked(talk)
        talk.change(0, lambda _: GENERATE)
        asked(talk)
        assert wire.calls[-1].request["sessionId"] == "session-1"

    def test_a_new_session_begins_one(self, wire: Wire) -> None:
        talk = chat(GENERATE)
        asked(talk)
        talk.new_session()
        asked(talk)
        assert "sessionId" not in wire.calls[-1].request


class TestConverse:
    def test_the_answer_is_read_by_its_marks(self, wire: Wire) -> None:
        reply = asked(chat(CONVERSE))
        answer = reply.answer()
        assert answer.text == "Beta is so. Alpha."
        assert [source.text for source in answer.sources] == ["Beta.", "Alpha."]
        assert len(answer.retrieved) == 2
        assert reply.retrieval_run
        assert wire.calls[1].parent_id == reply.retrieval_run.id

    def test_own_words_and_parameters_go_out(self, wire: Wire) -> None:
        settings = RagSettings(
            "KB12345678",
            mode="converse",
            model_id="a.b",
            prompt_template="$query$ of $search_results$",
            parameters={"temperature": 0.5},
            stop_sequences=("END",),
        )
        asked(chat(settings))
        request = wire.calls[1].request
        assert request["messages"][0]["content"] == [{"text": "Why? of [1] Alpha.\n\n[2] Beta."}]
        assert request["inferenceConfig"] == {"temperature": 0.5, "stopSequences": ["END"]}

    def test_a_mark_that_is_not_whole_yet_is_not_shown(self, wire: Wire) -> None:
        go_on = threading.Event()
        said = threading.Event()

        def halves(call: Call) -> Events:
            if call.operation == "Retrieve":
                yield "response", {"retrievalResults": RESULTS}
                return
            yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Beta. [2"}}
            said.set()
            assert go_on.wait(10)
            yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "]"}}
            yield "messageStop", {"stopReason": "end_turn"}

        wire.events = halves  # type: ignore[method-assign]
        talk = chat(CONVERSE)
        talk.send("Why?")
        assert said.wait(10)
        (reply,) = talk.conversation.turns[-1].replies
        until(lambda: reply.answer().text)
        assert reply.answer().text == "Beta."
        go_on.set()
        until(lambda: not talk.any_live)
        assert [span.numbers for span in reply.answer().spans] == [(1,)]

    def test_nothing_found_asks_no_model(self, wire: Wire) -> None:
        wire.results = []
        reply = asked(chat(CONVERSE))
        assert [call.operation for call in wire.calls] == ["Retrieve"]
        assert reply.problem is None
        assert reply.run
        assert reply.run.state == "done"

    def test_a_retrieval_that_fails_is_the_problem_of_the_reply(self, wire: Wire) -> None:
        wire.fail = ConnectionResetError("reset")
        reply = asked(chat(CONVERSE))
        assert reply.problem
        assert reply.ended_at
        assert [call.operation for call in wire.calls] == ["Retrieve"]

    def test_a_model_that_is_none_is_a_problem_too(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(identity: Identity, text: str) -> Model:
            raise ValueError("This is no model.")

        monkeypatch.setattr(models, "resolve", unknown)
        reply = asked(chat(CONVERSE))
        assert reply.problem
        assert reply.ended_at

    def test_stopped_while_it_searches_it_asks_no_model(self, wire: Wire) -> None:
        wire.hold["Retrieve"] = threading.Event()
        talk = chat(CONVERSE)
        talk.send("Why?")
        talk.stop()
        assert not talk.any_live
        wire.hold["Retrieve"].set()
        stream = talk.conversation.turns[-1].replies[0].retrieving
        until(lambda: isinstance(stream, streaming.ReplyStream) and stream.finished)
        assert [call.operation for call in wire.calls] == ["Retrieve"]


def test_a_stopped_answer_keeps_what_it_has(wire: Wire) -> None:
    wire.hold["RetrieveAndGenerateStream"] = threading.Event()
    talk = chat(GENERATE)
    talk.send("Why?")
    talk.stop()
    (reply,) = talk.conversation.turns[-1].replies
    assert reply.run
    assert reply.run.state == "stopped"
    wire.hold["RetrieveAndGenerateStream"].set()


def test_a_new_question_stops_the_one_before(wire: Wire) -> None:
    hold = wire.hold["RetrieveAndGenerateStream"] = threading.Event()
    talk = chat(GENERATE)
    talk.send("First?")
    talk.send("Second?")
    hold.set()
    until(lambda: not talk.any_live)
    states = [turn.replies[0].run.state for turn in talk.conversation.turns if turn.replies[0].run]
    assert states == ["stopped", "done"]


def test_retry_asks_one_side_again_with_its_settings_now(wire: Wire) -> None:
    talk = chat(GENERATE, RETRIEVE)
    wire.fail = ConnectionResetError("reset")
    asked(talk)
    wire.fail = None
    kept = talk.conversation.turns[0].replies[1]
    talk.change(0, lambda _: CONVERSE)
    talk.retry(0, talk.conversation.turns[-1].replies[0])
    until(lambda: not talk.any_live)
    (turn,) = talk.conversation.turns
    assert turn.replies[0].settings.mode == "converse"
    assert turn.replies[1] is kept
    assert [call.attempt for call in wire.calls[2:]] == [2, 2]


def test_the_second_of_two_clicks_on_retry_asks_nothing(wire: Wire) -> None:
    talk = chat(GENERATE)
    reply = asked(talk)
    talk.retry(0, reply)
    talk.retry(0, reply)
    until(lambda: not talk.any_live)
    assert len(wire.calls) == 2


def test_a_look_up_is_a_retrieval_with_the_same_settings(wire: Wire) -> None:
    talk = chat(GENERATE, GENERATE)
    reply = asked(talk)
    talk.look_up(reply.question, reply.settings)
    until(lambda: not talk.any_live)
    assert wire.calls[-1].operation == "Retrieve"
    assert len(talk.conversation.turns[-1].replies) == 1
    talk.retry(0, talk.conversation.turns[-1].replies[0])
    until(lambda: not talk.any_live)
    assert wire.calls[-1].operation == "Retrieve"


def test_the_second_side_begins_like_the_first(wire: Wire) -> None:
    talk = chat(GENERATE)
    talk.compare(True)
    assert talk.conversation.sides == [GENERATE, GENERATE]
    talk.compare(False)
    assert talk.conversation.sides == [GENERATE]


class TestReopened:
    @pytest.mark.parametrize("settings", [GENERATE, CONVERSE, RETRIEVE])
    def test_a_run_comes_back_with_question_settings_and_answer(
        self, wire: Wire, settings: RagSettings
    ) -> None:
        reply = asked(chat(settings))
        assert reply.run
        by_id = {run.id: run for run in (reply.run, reply.retrieval_run) if run}
        again = reopened([reply.run], by_id.get)
        assert again
        assert again.sides == [settings]
        (turn,) = again.turns
        assert turn.question == "Why?"
        assert turn.replies[0].answer() == reply.answer()
        assert not turn.replies[0].live

    def test_two_runs_stand_side_by_side(self, wire: Wire) -> None:
        talk = chat(GENERATE, RETRIEVE)
        asked(talk)
        runs = [reply.run for reply in talk.conversation.turns[0].replies if reply.run]
        again = reopened(runs, lambda run_id: None)
        assert again
        assert [side.mode for side in again.sides] == ["generate", "retrieve"]

    def test_a_run_of_another_page_is_none(self) -> None:
        call = Call(operation="Converse", request={"messages": []}, identity=IDENTITY)
        run = Run(id="r", call=call, started_at=datetime.now(UTC), state="done", latency_ms=1.0)
        assert reopened([run], lambda run_id: None) is None
        assert reopened([], lambda run_id: None) is None
