"""The RAG chat from a question to an answer with its sources; only the wire below it is scripted."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from components import auth
from services import backend, knowledge, models, run_store, streaming
from services.backend import BackendStatus
from services.knowledge import KnowledgeBase, Listing
from services.models import Catalogue, Model
from services.problems import Problem
from services.run_store import RunSummary
from services.runs import Call
from services.runtime import Opened
from services.users import User
from tests.pages.conftest import Workspace
from tests.pages.test_model_playground import model, reply_events
from tests.recorded import decoder_of

Json = dict[str, Any]
Events = Iterator[tuple[str, Json]]

HANDBOOK = KnowledgeBase("KBHANDBOOK", "Handbook", "ACTIVE")
ARCHIVE = KnowledgeBase("KBARCHIVE1", "Archive", "CREATING")
ALPHA, BETA = model("alpha.one-v1:0"), model("beta.two-v1:0")


def result(text: str, name: str = "leave.md", **more: Any) -> Json:
    return {
        "content": {"text": text, "type": "TEXT"},
        "location": {"type": "S3", "s3Location": {"uri": f"s3://docs/{name}"}},
        "metadata": {"team": "people"},
        **more,
    }


def citation(text: str, *references: Json) -> tuple[str, Json]:
    part = {"textResponsePart": {"text": text, "span": {"start": 0, "end": len(text)}}}
    return "citation", {"generatedResponsePart": part, "retrievedReferences": list(references)}


def answer(call: Call) -> Events:
    yield "output", {"text": "You have 25 days. "}
    yield citation("You have 25 days.", result("Everybody has 25 days."))
    yield "output", {"text": "Enjoy them."}


def found(*results: Json) -> Callable[[Call], Events]:
    return lambda call: iter([("response", {"retrievalResults": list(results)})])


class Wire:
    """Answers calls by operation, and remembers them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, Callable[[Call], Events]] = {
            "RetrieveAndGenerateStream": answer,
            "Retrieve": found(result("Everybody has 25 days.", score=0.71), result("Ask early.", "ask.md")),
            "ConverseStream": lambda call: iter(reply_events("You have 25 ", "days [1]. Enjoy [7].")),
        }

    def open(self, call: Call) -> Opened:
        self.calls.append(call)
        headers = {"x-amzn-bedrock-knowledge-base-session-id": "session-1"}
        events = self.answers[call.operation](call)
        return Opened({"HTTPHeaders": headers}, events, time.perf_counter(), lambda: None, lambda: None)

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]


@pytest.fixture
def wire(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    by_id = {one.model_id: one for one in (ALPHA, BETA)}

    def resolve(identity: object, text: str) -> Model:
        if text not in by_id:
            raise ValueError(f"{text} is no model ID.")
        return by_id[text]

    ready = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
    monkeypatch.setattr(streaming, "open_call", wire.open)
    monkeypatch.setattr(models, "catalogue", lambda identity: Catalogue((ALPHA, BETA)))
    monkeypatch.setattr(models, "resolve", resolve)
    monkeypatch.setattr(backend, "ensure", lambda progress=None: ready)
    list_them(monkeypatch, HANDBOOK, ARCHIVE)
    return wire


def list_them(patch: pytest.MonkeyPatch, *items: KnowledgeBase, problem: Problem | None = None) -> None:
    def listed(identity: object) -> Listing[KnowledgeBase]:
        return Listing(items, problem)

    patch.setattr(knowledge, "knowledge_bases", listed)


def opened(**query: str) -> AppTest:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page("pages/rag_chat.py")
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def page(wire: Wire) -> AppTest:
    return opened()


def ask(page: AppTest, text: str = "How many days?") -> None:
    page.chat_input(key="rag_prompt").set_value(text).run()
    assert not page.exception


def click(page: AppTest, key: str) -> None:
    page.button(key=key).click().run()
    assert not page.exception


def choose(page: AppTest, key: str, mode: str) -> None:
    page.segmented_control(key=key).set_value(mode).run()
    assert not page.exception


def shown(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption, *page.code))


def keys(page: AppTest) -> set[str]:
    return {str(button.key) for button in page.button}


def stored(operation: str) -> RunSummary:
    """The run of the operation; its thread stores it, and the page does not wait for that."""
    waiting, deadline = threading.Event(), time.monotonic() + 10
    while True:
        for run in run_store.store().list("local"):
            if run.operation == operation:
                return run
        assert time.monotonic() < deadline
        waiting.wait(0.01)


MARK = "\u202f[:blue-badge[1]](#rag_citation_{}_1)"


class TestAnswer:
    def test_a_question_needs_nothing_but_its_words(self, page: AppTest, wire: Wire) -> None:
        ask(page)
        (call,) = wire.calls
        configuration = call.request["retrieveAndGenerateConfiguration"]["knowledgeBaseConfiguration"]
        assert call.request["input"] == {"text": "How many days?"}
        assert configuration["knowledgeBaseId"] == "KBHANDBOOK"
        assert configuration["modelArn"] == "alpha.one-v1:0"

    def test_claims_have_the_numbers_of_their_sources_and_the_rest_is_shaded(self, page: AppTest) -> None:
        ask(page)
        assert f"You have 25 days.{MARK.format(0)} :gray-background[Enjoy them.]" in shown(page)
        assert "58% covered" in shown(page)
        assert page.button(key="rag_citation_0_1").label == "1 · leave\\.md"
        assert page.button(key="rag_stop").disabled

    def test_a_click_opens_the_source_and_another_closes_it(self, page: AppTest) -> None:
        ask(page)
        assert "Everybody has 25 days." not in shown(page)
        click(page, "rag_citation_0_1")
        for words in ("Everybody has 25 days.", "s3://docs/leave.md", '"team": "people"'):
            assert words in shown(page)
        assert "rag_document_0_1" in keys(page)
        click(page, "rag_citation_0_1")
        assert "Everybody has 25 days." not in shown(page)

    def test_the_session_goes_on_until_a_new_one(self, page: AppTest, wire: Wire) -> None:
        for _ in range(2):
            ask(page)
        assert [call.request.get("sessionId") for call in wire.calls] == [None, "session-1"]
        assert f"{MARK.format(1)}" in shown(page)
        click(page, "rag_new_session")
        assert "You have 25 days." not in shown(page)
        ask(page)
        assert "sessionId" not in wire.calls[-1].request

    def test_another_knowledge_base_has_a_session_of_its_own(self, page: AppTest, wire: Wire) -> None:
        ask(page)
        page.selectbox(key="rag_kb").set_value("KBARCHIVE1").run()
        ask(page)
        assert "sessionId" not in wire.calls[-1].request

    def test_an_answer_without_sources_says_so_and_shows_what_is_found(
        self, page: AppTest, wire: Wire
    ) -> None:
        wire.answers["RetrieveAndGenerateStream"] = lambda call: iter([("output", {"text": "Maybe."})])
        ask(page)
        assert "cites no source" in page.info[0].value
        click(page, "rag_look_up_0")
        assert wire.operations == ["RetrieveAndGenerateStream", "Retrieve"]
        assert wire.calls[-1].request["retrievalQuery"] == {"text": "How many days?"}

    def test_a_refusal_is_explained_and_not_shaded(self, page: AppTest, wire: Wire) -> None:
        text = "Sorry, I am unable to assist you with this request."
        wire.answers["RetrieveAndGenerateStream"] = lambda call: iter([("output", {"text": text})])
        ask(page)
        assert "cannot answer" in page.info[0].value
        assert text in shown(page)
        assert ":gray-background[Sorry" not in shown(page)

    def test_a_guardrail_that_intervened_is_said(self, page: AppTest, wire: Wire) -> None:
        wire.answers["RetrieveAndGenerateStream"] = lambda call: iter(
            [("output", {"text": "No."}), ("guardrail", {"action": "INTERVENED"})]
        )
        ask(page)
        assert "guardrail intervened" in page.warning[0].value

    def test_what_a_model_or_a_document_writes_is_harmless(self, page: AppTest, wire: Wire) -> None:
        def hostile(call: Call) -> Events:
            yield "output", {"text": "$5 <b>x</b> ![i](http://e/p)"}
            yield citation("$5", result("<script>alert(1)</script>", "*x*:red[y].md"))

        wire.answers["RetrieveAndGenerateStream"] = hostile
        ask(page)
        assert r"\<b>x\</b> \![i](http://e/p)" in shown(page)
        assert page.button(key="rag_citation_0_1").label == r"1 · \*x\*\:red\[y\]\.md"


class TestOwnPrompt:
    @pytest.fixture
    def page(self, page: AppTest) -> AppTest:
        choose(page, "rag_mode", "converse")
        return page

    def test_the_passages_are_numbered_in_the_prompt_and_the_answer_is_cited(
        self, page: AppTest, wire: Wire
    ) -> None:
        ask(page)
        assert wire.operations == ["Retrieve", "ConverseStream"]
        prompt = wire.calls[1].request["messages"][0]["content"][0]["text"]
        assert "[1] Everybody has 25 days.\n\n[2] Ask early." in prompt
        assert "Question: How many days?" in prompt
        assert f"You have 25 days{MARK.format(0)}" in shown(page)
        assert "Enjoy [7]" in shown(page), "no passage has this number"
        assert "3 in" in shown(page), "Converse tells usage"

    def test_the_run_of_the_answer_names_that_of_the_retrieval(self, page: AppTest, wire: Wire) -> None:
        ask(page)
        assert stored("ConverseStream").parent_id == stored("Retrieve").id

    def test_where_nothing_is_found_no_model_is_asked(self, page: AppTest, wire: Wire) -> None:
        wire.answers["Retrieve"] = found()
        ask(page)
        assert wire.operations == ["Retrieve"]
        assert "Nothing was retrieved. So no model was asked." in page.info[0].value

    def test_an_answer_that_cites_nothing_is_told_with_what_was_retrieved(
        self, page: AppTest, wire: Wire
    ) -> None:
        wire.answers["ConverseStream"] = lambda call: iter(reply_events("Perhaps."))
        ask(page)
        assert "2 passages were retrieved, but the answer cites none" in page.info[0].value
        page.session_state["rag_uncited_0"] = True
        page.run()
        assert "Ask early." in shown(page)

    def test_a_retrieval_that_fails_is_a_problem_of_the_answer(self, page: AppTest, wire: Wire) -> None:
        wire.answers["Retrieve"] = denied
        ask(page)
        assert wire.operations == ["Retrieve"]
        assert len(page.error) == 1
        assert "How many days?" in shown(page)

    def test_a_link_opens_question_answer_and_sources(self, page: AppTest, wire: Wire) -> None:
        ask(page)
        calls = len(wire.calls)
        other = opened(run=stored("ConverseStream").id)
        assert f"You have 25 days{MARK.format(0)}" in shown(other)
        assert other.segmented_control(key="rag_mode").value == "converse"
        assert "How many days?" in shown(other)
        assert len(wire.calls) == calls


def denied(call: Call) -> Events:
    raise ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform: bedrock:X"}},
        call.operation,
    )


def test_an_error_keeps_the_question_and_retry_asks_it_again(page: AppTest, wire: Wire) -> None:
    def breaks(call: Call) -> Events:
        yield from list(answer(call))[:2]
        raise ConnectionResetError("reset")

    wire.answers["RetrieveAndGenerateStream"] = breaks
    ask(page)
    assert len(page.error) == 1
    assert f"You have 25 days.{MARK.format(0)}" in shown(page)
    assert "How many days?" in shown(page)
    wire.answers["RetrieveAndGenerateStream"] = answer
    retry = next(key for key in keys(page) if key.startswith("problem_action_rag_0"))
    click(page, retry)
    assert not page.error
    assert [call.attempt for call in wire.calls] == [1, 2]


def test_retrieve_only_asks_no_model(page: AppTest, wire: Wire) -> None:
    choose(page, "rag_mode", "retrieve")
    ask(page)
    assert wire.operations == ["Retrieve"]
    assert "rag_model" not in {str(box.key) for box in page.selectbox}


def test_a_question_that_is_too_long_for_its_mode_is_not_sent_and_not_lost(page: AppTest, wire: Wire) -> None:
    page.chat_input(key="rag_prompt").set_value("q" * 1_001).run()
    assert "1,001 characters; at most 1,000" in page.error[0].value
    assert wire.calls == []
    assert page.session_state["rag_too_long"] == "q" * 1_001
    choose(page, "rag_mode", "retrieve")
    assert not page.error
    page.chat_input(key="rag_prompt").set_value("q" * 20_001).run()
    assert "Ask it in fewer words" in page.error[0].value
    assert wire.calls == []
    ask(page)
    assert not page.error
    assert wire.operations == ["Retrieve"]


def test_each_mode_keeps_its_prompt_template(page: AppTest) -> None:
    sides = page.session_state["rag_chat"].sides
    sides[0] = replace(sides[0], prompt_template="Answer $query$ from $search_results$")
    page.run()
    choose(page, "rag_mode", "converse")
    assert sides[0].prompt_template == ""
    choose(page, "rag_mode", "generate")
    assert sides[0].prompt_template == "Answer $query$ from $search_results$"


def test_two_configurations_get_the_same_question(page: AppTest, wire: Wire) -> None:
    page.toggle(key="rag_compare").set_value(True).run()
    page.selectbox(key="rag_kb_b").set_value("KBARCHIVE1").run()
    choose(page, "rag_mode_b", "converse")
    ask(page)
    assert sorted(wire.operations) == ["ConverseStream", "Retrieve", "RetrieveAndGenerateStream"]
    retrieval = next(call for call in wire.calls if call.operation == "Retrieve")
    assert retrieval.request["knowledgeBaseId"] == "KBARCHIVE1"
    assert {"rag_citation_0_1", "rag_citation_0_b_1"} <= keys(page)
    page.toggle(key="rag_compare").set_value(False).run()
    assert "rag_citation_0_b_1" in keys(page), "what was asked stays"


def test_everything_survives_another_page(page: AppTest) -> None:
    choose(page, "rag_mode", "converse")
    page.selectbox(key="rag_model").set_value("beta.two-v1:0").run()
    ask(page)
    click(page, "rag_citation_0_1")
    page.switch_page("pages/run_history.py").run()
    page.switch_page("pages/rag_chat.py").run()
    assert not page.exception
    assert page.segmented_control(key="rag_mode").value == "converse"
    assert page.selectbox(key="rag_model").value == "beta.two-v1:0"
    assert f"You have 25 days{MARK.format(0)}" in shown(page)
    assert "s3://docs/leave.md" in shown(page)


def test_a_link_names_the_knowledge_base(wire: Wire) -> None:
    assert opened(kb="KBARCHIVE1").selectbox(key="rag_kb").value == "KBARCHIVE1"
    assert opened(kb="KBPASTED01").selectbox(key="rag_kb").value == "KBPASTED01"


def test_a_link_to_a_run_that_is_not_there_is_told(wire: Wire) -> None:
    assert "does not exist" in opened(run="0" * 32).toast[0].value


def test_without_a_knowledge_base_one_is_built_first(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    list_them(monkeypatch)
    page = opened()
    assert page.segmented_control(key="rag_view_0").value == "Build"
    assert "no knowledge base yet" in shown(page)
    choose(page, "rag_view_0", "Chat")
    ask(page)
    assert not wire.calls
    assert "No knowledge base is chosen" in page.error[0].value


def test_a_list_that_fails_leaves_the_chat_usable(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem(code="X", title="Not listed", cause="It is down.", fix="Wait.")
    list_them(monkeypatch, problem=problem)
    page = opened(kb="KBPASTED01")
    ask(page)
    assert "You have 25 days." in shown(page)


def test_who_may_only_look_cannot_ask(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "require_user", lambda: User("vera", "Vera", "viewer"))
    page = opened()
    assert page.chat_input(key="rag_prompt").disabled


def test_the_details_of_an_answer_open(page: AppTest) -> None:
    ask(page)
    click(page, "rag_details_0")
    assert '"knowledgeBaseId": "KBHANDBOOK"' in shown(page)


LOCATIONS = {
    "S3": ("s3Location", "uri", "s3://docs/a.pdf", "a.pdf"),
    "WEB": ("webLocation", "url", "https://example.com/help", "help"),
    "CONFLUENCE": ("confluenceLocation", "url", "https://c.example.com/page", "page"),
    "SALESFORCE": ("salesforceLocation", "url", "https://s.example.com/case", "case"),
    "SHAREPOINT": ("sharePointLocation", "url", "https://p.example.com/file", "file"),
    "CUSTOM": ("customDocumentLocation", "id", "ticket 7", "ticket 7"),
    "KENDRA": ("kendraDocumentLocation", "uri", "https://k.example.com/doc", "doc"),
    "SQL": ("sqlLocation", "query", "SELECT 1", "SELECT 1"),
    "ONEDRIVE": ("oneDriveLocation", "url", "https://o.example.com/sheet", "sheet"),
    "GOOGLEDRIVE": ("googleDriveLocation", "url", "https://g.example.com/slides", "slides"),
}


def test_all_ten_kinds_of_location_are_named(page: AppTest, wire: Wire) -> None:
    references = [
        {"content": {"text": kind}, "location": {"type": kind, member: {name: address}}}
        for kind, (member, name, address, _) in LOCATIONS.items()
    ]
    wire.answers["RetrieveAndGenerateStream"] = lambda call: iter(
        [("output", {"text": "So it is."}), citation("So it is.", *references)]
    )
    ask(page)
    for number, (*_, title) in enumerate(LOCATIONS.values(), 1):
        label = page.button(key=f"rag_citation_0_{number}").label.replace("\\", "")
        assert label == f"{number} · {title}"
    click(page, "rag_citation_0_8")
    assert "SELECT 1" in [code.value for code in page.code]


@pytest.mark.recordings
def test_a_recorded_stream_is_drawn_with_its_numbers(page: AppTest, wire: Wire, recordings: Path) -> None:
    decode = decoder_of(recordings)
    name = "test_retrieve_and_generate_stream.yaml"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader leaves files to the garbage collector
        recorded = next(iter(decode.interactions(str(recordings / "openinference" / name))))
    events = [pair for event in decode.decode(recorded).events for pair in event.items()]
    wire.answers["RetrieveAndGenerateStream"] = lambda call: iter(events)
    ask(page)
    cited = [data for name, data in events if name == "citation" and data.get("retrievedReferences")]
    assert cited
    assert shown(page).count("](#rag_citation_0_") >= len(cited)
    assert "rag_citation_0_1" in keys(page)
