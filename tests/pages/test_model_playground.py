"""The playground from a prompt to replies, details and problems; only the wire below it is scripted."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from services import backend, models, run_store, streaming
from services.backend import BackendStatus
from services.capabilities import Bound, Capabilities
from services.models import Catalogue, Model
from services.playground import Playground
from services.runs import Call
from services.runtime import Opened
from services.users import User

Events = list[tuple[str, dict[str, Any]]]


def model(model_id: str, **changes: Any) -> Model:
    values: dict[str, Any] = {
        "arn": "",
        "name": model_id,
        "provider": model_id.split(".")[0].title(),
        "kind": "foundation",
        "base_model_id": model_id,
        "output_modalities": frozenset({"TEXT"}),
        "capabilities": Capabilities(
            streaming=True,
            input_modalities=frozenset({"TEXT"}),
            bounds={"temperature": Bound(0, 1, step=0.1), "maxTokens": Bound(1, 4096)},
        ),
    }
    return Model(model_id=model_id, **(values | changes))


ALPHA, BETA = model("alpha.one-v1:0"), model("beta.two-v1:0")
NARROW = model(
    "gamma.three-v1:0",
    capabilities=Capabilities(
        streaming=True, input_modalities=frozenset({"TEXT"}), bounds={"temperature": Bound(0, 0.5)}
    ),
)


def reply_events(*texts: str, stop_reason: str = "end_turn") -> Events:
    deltas = [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in texts]
    usage = {"inputTokens": 3, "outputTokens": len(texts), "totalTokens": 3 + len(texts)}
    return [
        ("messageStart", {"role": "assistant"}),
        *deltas,
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": stop_reason}),
        ("metadata", {"usage": usage, "metrics": {"latencyMs": 7}}),
    ]


class Wire:
    """Answers calls by model id, and remembers them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, Callable[[Call], Iterator[tuple[str, dict[str, Any]]]]] = {}

    def open(self, call: Call) -> Opened:
        self.calls.append(call)
        answer = self.answers.get(call.model_id)
        events = answer(call) if answer else iter(reply_events("Hello from ", f"**{call.model_id}**"))
        return Opened({"RequestId": "req-1"}, events, time.perf_counter(), lambda: None, lambda: None)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    listed = Catalogue((ALPHA, BETA, NARROW))
    by_id = {m.model_id: m for m in listed.models}

    def resolve(identity: object, text: str) -> Model:
        if text not in by_id:
            raise ValueError(f"{text} is no model ID.")
        return by_id[text]

    monkeypatch.setattr(streaming, "open_call", wire.open)
    monkeypatch.setattr(models, "catalogue", lambda identity: listed)
    monkeypatch.setattr(models, "resolve", resolve)
    ready = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
    monkeypatch.setattr(backend, "status", lambda: ready)
    monkeypatch.setattr(backend, "ensure", lambda progress=None: ready)
    return wire


@pytest.fixture
def page(wire: Wire) -> AppTest:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    app.switch_page("pages/model_playground.py")
    app.run()
    assert not app.exception
    return app


def ask(page: AppTest, text: str) -> None:
    page.chat_input(key="playground_prompt").set_value(text).run()
    assert not page.exception


def open_settings(page: AppTest, n: int) -> None:
    page.session_state[f"playground_settings_{n}"] = True
    page.run()


def shown(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def test_one_prompt_reaches_every_pane_and_each_answers(page: AppTest, wire: Wire) -> None:
    ask(page, "Hi")
    assert sorted(call.model_id for call in wire.calls) == ["alpha.one-v1:0", "beta.two-v1:0"]
    for call in wire.calls:
        assert call.request["messages"] == [{"role": "user", "content": [{"text": "Hi"}]}]
        assert f"Hello from **{call.model_id}**" in shown(page)
    assert "end\\_turn" in shown(page)
    assert "3 in" in shown(page)
    assert page.button(key="playground_stop_0").disabled


def test_a_second_prompt_carries_the_conversation(page: AppTest, wire: Wire) -> None:
    ask(page, "Hi")
    ask(page, "And?")
    roles = [message["role"] for message in wire.calls[-1].request["messages"]]
    assert roles == ["user", "assistant", "user"]


def test_parameters_are_sent_only_when_set(page: AppTest, wire: Wire) -> None:
    open_settings(page, 0)
    open_settings(page, 1)
    page.number_input(key="playground_parameter_0_temperature").set_value(0.0).run()
    page.text_area(key="playground_parameter_1_system").set_value("Be brief.").run()
    ask(page, "Hi")
    sent = {call.model_id: call.request for call in wire.calls}
    assert sent["alpha.one-v1:0"]["inferenceConfig"] == {"temperature": 0.0}
    assert "inferenceConfig" not in sent["beta.two-v1:0"]
    assert sent["beta.two-v1:0"]["system"] == [{"text": "Be brief."}]


def test_two_fields_that_change_in_one_run_are_both_kept(page: AppTest) -> None:
    """As when the second is changed before the server has got to the first."""
    open_settings(page, 0)
    page.text_area(key="playground_parameter_0_system").set_value("Be brief.")
    page.number_input(key="playground_parameter_0_maxTokens").set_value(30)
    page.number_input(key="playground_parameter_0_temperature").set_value(0.5)
    page.run()
    settings = page.session_state["playground"][0].settings
    assert settings.system == "Be brief."
    assert settings.parameters == {"maxTokens": 30, "temperature": 0.5}


def test_another_model_keeps_the_parameters_within_its_bounds(page: AppTest, wire: Wire) -> None:
    open_settings(page, 0)
    open_settings(page, 1)
    page.number_input(key="playground_parameter_0_temperature").set_value(0.9).run()
    page.selectbox(key="playground_model_0").set_value("gamma.three-v1:0").run()
    assert not page.exception
    assert page.number_input(key="playground_parameter_0_temperature").value == 0.5
    assert "0.9" in page.toast[0].value


def test_panes_come_and_go_with_their_own_settings(page: AppTest, wire: Wire) -> None:
    open_settings(page, 0)
    open_settings(page, 1)
    page.number_input(key="playground_parameter_1_maxTokens").set_value(9).run()
    page.button(key="playground_add_pane").click().run()
    assert page.selectbox(key="playground_model_2").value == "beta.two-v1:0"
    open_settings(page, 2)
    page.number_input(key="playground_parameter_2_maxTokens").set_value(5).run()
    ask(page, "Hi")
    limits = [call.request.get("inferenceConfig") for call in wire.calls]
    assert sorted(map(str, limits)) == ["None", "{'maxTokens': 5}", "{'maxTokens': 9}"]


def test_a_refused_call_shows_the_problem_and_the_other_pane_its_reply(page: AppTest, wire: Wire) -> None:
    def denied(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform: bedrock:X"}},
            call.operation,
        )

    wire.answers["alpha.one-v1:0"] = denied
    ask(page, "Hi")
    assert len(page.error) == 1
    assert "Hello from **beta.two-v1:0**" in shown(page)
    assert "Hi" in shown(page)


def test_a_stream_that_breaks_keeps_what_had_arrived_and_can_be_sent_again(page: AppTest, wire: Wire) -> None:
    def breaks(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from reply_events("Half a ", "reply")[:3]
        raise ConnectionResetError("reset")

    wire.answers["alpha.one-v1:0"] = breaks
    ask(page, "Hi")
    assert "Half a reply" in shown(page)
    assert "broken off" in shown(page)
    assert len(page.error) == 1
    calls = len(wire.calls)
    assert calls == 2, "nothing may be sent twice by itself: it could bill twice"
    del wire.answers["alpha.one-v1:0"]
    page.button(key="playground_retry_0").click().run()
    assert len(wire.calls) == calls + 1
    assert not page.error
    assert "Hello from **alpha.one-v1:0**" in shown(page)


def test_a_reply_that_ends_while_the_page_is_being_drawn_is_shown(
    page: AppTest, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither live nor settled then, and no later run would come by itself."""
    settle, let_go = Playground.settle, threading.Event()

    def slow(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
        assert let_go.wait(10)
        yield from reply_events(f"Hello from **{call.model_id}**")

    def just_before_the_end(playground: Playground) -> None:
        settle(playground)
        for stream in playground.hub.streams.values():
            let_go.set()
            assert stream.wait(10)

    wire.answers = dict.fromkeys(("alpha.one-v1:0", "beta.two-v1:0"), slow)
    monkeypatch.setattr(Playground, "settle", just_before_the_end)
    ask(page, "Hi")
    assert "Hello from **alpha.one-v1:0**" in shown(page)
    assert "Hello from **beta.two-v1:0**" in shown(page)
    assert "playground_details_1" in {button.key for button in page.button}


def test_each_throttle_in_a_row_advises_a_longer_wait(page: AppTest, wire: Wire) -> None:
    def throttled(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
        error = {"Code": "ThrottlingException", "Message": "Too many requests, please wait."}
        raise ClientError({"Error": error}, call.operation)

    wire.answers["alpha.one-v1:0"] = throttled
    ask(page, "Hi")
    waits = []
    for _ in range(3):
        turn = page.session_state["playground"][0].turns[-1]
        waits.append(turn.run.problem.retry_after_s)
        page.button(key="playground_retry_0").click().run()
    assert waits == [waits[0], 2 * waits[0], 4 * waits[0]]
    del wire.answers["alpha.one-v1:0"]
    page.button(key="playground_retry_0").click().run()
    page.button(key="playground_retry_0").click().run()
    assert wire.calls[-1].attempt == 1


def test_reasoning_stands_apart_and_goes_back_verbatim(page: AppTest, wire: Wire) -> None:
    def reasons(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "messageStart", {"role": "assistant"}
        for delta in ({"text": "Thinking"}, {"signature": "c2ln"}):
            yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": delta}}
        yield "contentBlockStop", {"contentBlockIndex": 0}
        yield "contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "So: 4"}}
        yield "contentBlockStop", {"contentBlockIndex": 1}
        yield "messageStop", {"stopReason": "end_turn"}

    wire.answers["alpha.one-v1:0"] = reasons
    ask(page, "2+2?")
    reasoning = [expander for expander in page.expander if expander.label == "Reasoning"]
    assert [m.value for m in reasoning[0].markdown] == ["Thinking"]
    ask(page, "Sure?")
    again = next(call for call in wire.calls[2:] if call.model_id == "alpha.one-v1:0")
    block = again.request["messages"][1]["content"][0]
    assert block == {"reasoningContent": {"reasoningText": {"text": "Thinking", "signature": "c2ln"}}}


def test_what_a_model_writes_is_escaped(page: AppTest, wire: Wire) -> None:
    wire.answers["alpha.one-v1:0"] = lambda call: iter(reply_events("$5 ", "![x](http://e/p)"))
    ask(page, "Hi")
    assert r"\$5 \![x](http://e/p)" in shown(page)


def test_the_details_hold_the_request_the_events_and_the_code(page: AppTest) -> None:
    ask(page, "Hi")
    page.button(key="playground_details_0").click().run()
    assert not page.exception
    code = "\n".join(element.value for element in page.code)
    assert '"modelId": "alpha.one-v1:0"' in code
    assert "converse_stream" in code
    assert len(page.dataframe) == 1


def test_a_link_opens_the_run_with_its_model_and_words(page: AppTest, wire: Wire) -> None:
    open_settings(page, 0)
    open_settings(page, 1)
    page.number_input(key="playground_parameter_0_temperature").set_value(0.3).run()
    ask(page, "A question to find again")
    stored = run_store.store().list("local", run_store.RunFilter(text="A question to find again"))
    run_id = next(run.id for run in stored if run.model_id == "alpha.one-v1:0")

    other = AppTest.from_file("../../Home.py", default_timeout=30)
    other.query_params["run"] = run_id
    other.switch_page("pages/model_playground.py")
    other.run()
    assert not other.exception
    assert "Hello from **alpha.one-v1:0**" in shown(other)
    open_settings(other, 0)
    assert other.number_input(key="playground_parameter_0_temperature").value == 0.3


def test_a_link_to_a_run_that_is_not_there_is_told(page: AppTest) -> None:
    other = AppTest.from_file("../../Home.py", default_timeout=30)
    other.query_params["run"] = "0" * 32
    other.switch_page("pages/model_playground.py")
    other.run()
    assert not other.exception
    assert "does not exist" in other.toast[0].value


def click(page: AppTest, key: str) -> None:
    page.button(key=key).click().run()
    assert not page.exception


def words_sent(wire: Wire) -> list[tuple[str, list[str]]]:
    """Each call so far: its model, and what the user said in it."""
    return [
        (call.model_id, [m["content"][0]["text"] for m in call.request["messages"] if m["role"] == "user"])
        for call in wire.calls
    ]


def test_an_unlinked_pane_is_asked_by_itself(page: AppTest, wire: Wire) -> None:
    open_settings(page, 1)
    click(page, "playground_link_1")
    ask(page, "For the linked one")
    assert words_sent(wire) == [("alpha.one-v1:0", ["For the linked one"])]
    page.chat_input(key="playground_prompt_1").set_value("For you alone").run()
    assert words_sent(wire)[1:] == [("beta.two-v1:0", ["For you alone"])]
    click(page, "playground_link_1")
    ask(page, "All")
    assert sorted(words_sent(wire)[2:]) == [
        ("alpha.one-v1:0", ["For the linked one", "All"]),
        ("beta.two-v1:0", ["For you alone", "All"]),
    ]


def test_the_last_pane_is_linked_again_when_the_others_are_closed(page: AppTest, wire: Wire) -> None:
    """Otherwise nothing could be asked any more."""
    open_settings(page, 1)
    click(page, "playground_link_1")
    open_settings(page, 0)
    click(page, "playground_remove_0")
    ask(page, "Hi")
    assert words_sent(wire) == [("beta.two-v1:0", ["Hi"])]


def test_an_edited_prompt_is_asked_from_where_it_stood(page: AppTest, wire: Wire) -> None:
    for text in ("First", "Second"):
        ask(page, text)
    calls = len(wire.calls)
    click(page, "playground_edit_turn_0_0")
    assert page.text_area(key="playground_edit_0").value == "First"
    page.text_area(key="playground_edit_0").set_value("Better").run()
    click(page, "playground_edit_send_0")
    assert words_sent(wire)[calls:] == [("alpha.one-v1:0", ["Better"])]
    assert len(page.session_state["playground"][0].turns) == 1
    assert len(page.session_state["playground"][1].turns) == 2, "the other pane keeps its conversation"


def test_a_fork_leaves_the_conversation_and_goes_on_in_a_new_pane(page: AppTest, wire: Wire) -> None:
    for text in ("First", "Second"):
        ask(page, text)
    calls = len(wire.calls)
    click(page, "playground_edit_turn_0")
    page.text_area(key="playground_edit_0").set_value("Another second").run()
    click(page, "playground_edit_fork_0")
    assert words_sent(wire)[calls:] == [("alpha.one-v1:0", ["First", "Another second"])]
    turns = [[turn.prompt_text for turn in pane.turns] for pane in page.session_state["playground"]]
    assert turns == [["First", "Second"], ["First", "Another second"], ["First", "Second"]]


def test_a_cancelled_edit_changes_nothing(page: AppTest, wire: Wire) -> None:
    ask(page, "First")
    click(page, "playground_edit_turn_0")
    page.text_area(key="playground_edit_0").set_value("  ").run()
    assert page.button(key="playground_edit_send_0").disabled
    click(page, "playground_edit_cancel_0")
    assert len(wire.calls) == 2
    assert "First" in shown(page)


def test_the_row_under_the_panes_names_the_winners(page: AppTest, wire: Wire) -> None:
    wire.answers["beta.two-v1:0"] = lambda call: iter(reply_events("A ", "much ", "longer ", "reply"))
    ask(page, "Hi")
    row = next(element.value for element in page.markdown if "Longest" in element.value)
    assert "2 · beta\\.two" in row
    assert "4 tokens" in row
    click(page, "playground_timings")
    table = page.dataframe[0].value
    assert list(table["tokens_out"]) == [2, 4]


def test_a_link_opens_all_the_panes_with_their_conversations(page: AppTest, wire: Wire) -> None:
    ask(page, "A set to find again")
    page.session_state["playground_link"] = True
    page.run()
    address = next(element.value for element in page.code if "run=" in element.value)
    run_ids = re.findall(r"run=([0-9a-f]+)", address)
    other = AppTest.from_file("../../Home.py", default_timeout=30)
    other.query_params["run"] = run_ids
    other.switch_page("pages/model_playground.py")
    other.run()
    assert not other.exception
    assert [pane.settings.model_id for pane in other.session_state["playground"]] == [
        "alpha.one-v1:0",
        "beta.two-v1:0",
    ]
    assert "Hello from **beta.two-v1:0**" in shown(other)


def test_a_link_brings_models_and_the_words_of_a_prompt(page: AppTest, wire: Wire) -> None:
    other = AppTest.from_file("../../Home.py", default_timeout=30)
    other.query_params["model"] = ["gamma.three-v1:0"]
    other.query_params["prompt"] = "Prepared words"
    other.switch_page("pages/model_playground.py")
    other.run()
    assert not other.exception
    assert [pane.settings.model_id for pane in other.session_state["playground"]] == ["gamma.three-v1:0"]
    assert wire.calls == [], "a link must not spend"


def test_a_run_is_shared_from_the_link(page: AppTest, wire: Wire) -> None:
    ask(page, "To be shared")
    page.session_state["playground_link"] = True
    page.run()
    page.toggle(key="playground_link_shared").set_value(True).run()
    found = run_store.store().list("someone else", run_store.RunFilter(text="To be shared"))
    assert len(found) == 2


def test_the_switch_shows_the_batches_and_the_chat_is_still_there(page: AppTest, wire: Wire) -> None:
    ask(page, "Hi")
    page.segmented_control(key="playground_mode").set_value("Batch").run()
    assert not page.exception
    assert "playground_add_pane" not in {button.key for button in page.button}
    page.segmented_control(key="playground_mode").set_value("Chat").run()
    assert not page.exception
    assert "Hello from **alpha.one-v1:0**" in shown(page)


def test_a_link_to_a_batch_opens_the_batches(page: AppTest, wire: Wire) -> None:
    other = AppTest.from_file("../../Home.py", default_timeout=30)
    other.query_params["batch"] = "0" * 32
    other.switch_page("pages/model_playground.py")
    other.run()
    assert not other.exception
    assert other.segmented_control(key="playground_mode").value == "Batch"


def test_who_may_only_look_cannot_spend_by_way_of_an_old_reply(
    page: AppTest, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(page, "Hi")
    calls = len(wire.calls)
    monkeypatch.setattr(User, "can", lambda user, right: right != "spend")
    page.run()
    assert page.chat_input(key="playground_prompt").disabled
    click(page, "playground_retry_0")
    assert "look" in page.toast[0].value
    click(page, "playground_edit_turn_0")
    click(page, "playground_edit_send_0")
    assert len(wire.calls) == calls
