"""Tools in the playground: a call gets its result by hand or from a saved answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from services import backend, models, streaming
from services.backend import BackendStatus
from services.capabilities import Capabilities
from services.clients import Identity
from services.conversations import Pane, Settings, Turn
from services.models import Catalogue, Model
from services.playground import Playground
from services.runs import Call
from services.runtime import Opened
from services.streaming import StreamHub
from services.tools import EXAMPLE, EXAMPLE_MOCKS, MOST_STEPS, ToolResult

Events = Iterator[tuple[str, dict[str, Any]]]

ALPHA = Model(
    model_id="alpha.one-v1:0",
    arn="",
    name="Alpha",
    provider="Alpha",
    kind="foundation",
    base_model_id="alpha.one-v1:0",
    output_modalities=frozenset({"TEXT"}),
    capabilities=Capabilities(streaming=True, input_modalities=frozenset({"TEXT"})),
)


def said(text: str) -> Events:
    yield "messageStart", {"role": "assistant"}
    yield "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}
    yield "contentBlockStop", {"contentBlockIndex": 0}
    yield "messageStop", {"stopReason": "end_turn"}


def called(*inputs: str) -> Events:
    """A reply that calls get_weather, once for each input."""
    yield "messageStart", {"role": "assistant"}
    for index, text in enumerate(inputs):
        start = {"toolUse": {"toolUseId": f"call-{index}", "name": "get_weather"}}
        yield "contentBlockStart", {"contentBlockIndex": index, "start": start}
        yield "contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": text}}}
        yield "contentBlockStop", {"contentBlockIndex": index}
    yield "messageStop", {"stopReason": "tool_use"}


class Wire:
    """Gives the next scripted reply to each call, the last one again and again."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.replies: list[tuple[str, ...] | str] = ["Hello"]

    def open(self, call: Call) -> Opened:
        reply = self.replies[min(len(self.calls), len(self.replies) - 1)]
        self.calls.append(call)
        events = said(reply) if isinstance(reply, str) else called(*reply)
        return Opened({"RequestId": "r"}, events, time.perf_counter(), lambda: None, lambda: None)

    def messages(self, n: int = -1) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.calls[n].request["messages"]
        return messages


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr(streaming, "open_call", wire.open)
    monkeypatch.setattr(models, "catalogue", lambda identity: Catalogue((ALPHA,)))
    monkeypatch.setattr(models, "resolve", lambda identity, text: ALPHA)
    ready = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
    monkeypatch.setattr(backend, "status", lambda: ready)
    monkeypatch.setattr(backend, "ensure", lambda progress=None: ready)
    return wire


@pytest.fixture
def page(wire: Wire) -> AppTest:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    app.switch_page("pages/model_playground.py")
    app.run()
    open_settings(app, 1)
    app.button(key="playground_remove_1").click().run()
    assert not app.exception
    return app


def open_settings(page: AppTest, n: int) -> None:
    page.session_state[f"playground_settings_{n}"] = True
    page.run()


def pane(page: AppTest) -> Pane:
    first: Pane = page.session_state.playground[0]
    return first


def give(page: AppTest, **settings: Any) -> None:
    pane(page).settings = replace(pane(page).settings, **({"tools_json": EXAMPLE} | settings))


def ask(page: AppTest, text: str) -> None:
    page.chat_input(key="playground_prompt").set_value(text).run()
    assert not page.exception


def roles(messages: list[dict[str, Any]]) -> list[str]:
    return [message["role"] for message in messages]


def labels(page: AppTest) -> list[str]:
    return [expander.label for expander in page.expander]


def test_a_call_gets_its_result_by_hand(page: AppTest, wire: Wire) -> None:
    wire.replies = [('{"city": "Paris"}', '{"city": "Rome"}'), "Sunny"]
    give(page)
    ask(page, "Weather?")
    page.text_area(key="playground_result_0_0").set_value('{"sky": "clear"}').run()
    page.text_area(key="playground_result_0_1").set_value("no such city")
    page.toggle(key="playground_result_error_0_1").set_value(True)
    page.button(key="playground_send_results_0").click().run()
    assert not page.exception
    assert roles(wire.messages()) == ["user", "assistant", "user"]
    assert [block["toolResult"] for block in wire.messages()[-1]["content"]] == [
        {"toolUseId": "call-0", "content": [{"json": {"sky": "clear"}}], "status": "success"},
        {"toolUseId": "call-1", "content": [{"text": "no such city"}], "status": "error"},
    ]
    assert "toolConfig" in wire.calls[-1].request
    first, second = (turn.run for turn in pane(page).turns)
    assert first
    assert second
    assert second.call.parent_id == first.id
    assert any(label.startswith("Result of get\\_weather") for label in labels(page))
    assert any(label.startswith("Error of get\\_weather") for label in labels(page))
    assert any("Sunny" in markdown.value for markdown in page.markdown)
    assert not [area for area in page.text_area if area.key == "playground_result_0_0"]


def test_several_steps_alternate_the_roles(page: AppTest, wire: Wire) -> None:
    wire.replies = [('{"city": "Paris"}',), ('{"city": "Rome"}',), "Done", "Bye"]
    give(page, tool_mocks={"get_weather": "21 degrees"})
    ask(page, "Weather?")
    for _ in range(2):
        page.button(key="playground_send_results_0").click().run()
    ask(page, "Thanks")
    assert not page.exception
    assert roles(wire.messages()) == ["user", "assistant"] * 3 + ["user"]
    assert wire.messages()[2]["content"][0]["toolResult"]["content"] == [{"text": "21 degrees"}]


def test_saved_answers_are_sent_by_themselves(page: AppTest, wire: Wire) -> None:
    wire.replies = [('{"city": "Paris"}',), ('{"city": "Rome"}',), "Done"]
    give(page, tool_mocks={"get_weather": "21"}, answer_from_mocks=True)
    ask(page, "Weather?")
    settle(page, wire, calls=3)
    assert any("Done" in markdown.value for markdown in page.markdown)
    assert len(pane(page).turns) == 3, "each step is seen"


def test_a_loop_of_saved_answers_ends(page: AppTest, wire: Wire) -> None:
    wire.replies = [('{"city": "Paris"}',)]
    give(page, tool_mocks={"get_weather": "21"}, answer_from_mocks=True)
    ask(page, "Weather?")
    settle(page, wire, calls=1 + MOST_STEPS)
    page.run()
    assert len(wire.calls) == 1 + MOST_STEPS
    assert any("in a row" in caption.value for caption in page.caption)
    assert not page.button(key="playground_send_results_0").disabled


def test_a_stop_that_comes_between_two_steps_ends_the_loop(wire: Wire) -> None:
    wire.replies = [('{"city": "Paris"}',)]
    settings = Settings(ALPHA.model_id, tools_json=EXAMPLE, tool_mocks=EXAMPLE_MOCKS, answer_from_mocks=True)
    alone = Pane(settings)
    hub = StreamHub(save=lambda run: None)
    playground = Playground([alone], hub, Identity("local", None, "us-east-1"), "ana")

    def step() -> None:
        assert hub.streams[alone.key].wait(20)
        playground.settle()
        playground.answer_from_mocks()

    playground.send([{"text": "Weather?"}])
    step()
    assert len(wire.calls) == 2
    assert hub.streams[alone.key].wait(20)
    playground.stop_all()
    step()
    assert len(wire.calls) == 2
    playground.answer(alone, [ToolResult("call-0", "21")])
    step()
    assert len(wire.calls) == 4, "it goes on once somebody has sent a result"


def test_the_second_of_two_clicks_sends_nothing(wire: Wire) -> None:
    """Each request may be billed, and the second click can come before the page shows what the first did."""
    wire.replies = [('{"city": "Paris"}',), ('{"city": "Rome"}',), "Sunny"]
    alone = Pane(Settings(ALPHA.model_id, tools_json=EXAMPLE))
    hub = StreamHub(save=lambda run: None)
    playground = Playground([alone], hub, Identity("local", None, "us-east-1"), "ana")

    def ended() -> Turn:
        assert hub.streams[alone.key].wait(20)
        playground.settle()
        return alone.turns[-1]

    playground.send([{"text": "Weather?"}])
    first = ended()
    playground.retry(alone, first)
    playground.retry(alone, first)
    second = ended()
    playground.retry(alone, first)
    assert len(wire.calls) == 2
    assert alone.turns == [second]
    playground.send([{"text": "And tomorrow?"}])
    refused = alone.turns[-1]
    assert refused.problem
    for _ in range(2):
        playground.answer(alone, [ToolResult("call-0", "21")])
    ended()
    for _ in range(2):
        playground.send_again(alone, refused)
    ended()
    assert len(wire.calls) == 4
    assert [turn.prompt_text for turn in alone.turns] == ["Weather?", "", "And tomorrow?"]


def test_a_prompt_while_results_are_due_is_kept_and_can_then_be_sent(page: AppTest, wire: Wire) -> None:
    wire.replies = [('{"city": "Paris"}',), "Sunny", "Later"]
    give(page)
    ask(page, "Weather?")
    ask(page, "And tomorrow?")
    assert len(wire.calls) == 1
    assert "The model waits for a tool result" in [error.proto.title for error in page.error]
    page.text_area(key="playground_result_0_0").set_value("21").run()
    page.button(key="playground_send_results_0").click().run()
    page.button(key="problem_action_0_1").click().run()
    assert not page.exception
    assert wire.messages()[-1]["content"] == [{"text": "And tomorrow?"}]
    assert roles(wire.messages()) == ["user", "assistant"] * 2 + ["user"]


def test_an_input_that_is_cut_off_is_told(page: AppTest, wire: Wire) -> None:
    wire.replies = [('{"city": "Par',), "Sorry"]
    give(page, tool_mocks={"get_weather": "21"}, answer_from_mocks=True)
    ask(page, "Weather?")
    assert any("not JSON" in warning.value for warning in page.warning)
    assert len(wire.calls) == 1, "no saved answer to a call that cannot be read"
    page.button(key="playground_send_results_0").click().run()
    assert wire.messages()[-1]["content"][0]["toolResult"]["status"] == "error"


def test_a_typed_result_survives_and_can_be_saved(page: AppTest, wire: Wire) -> None:
    wire.replies = [('{"city": "Paris"}',)]
    give(page)
    ask(page, "Weather?")
    page.text_area(key="playground_result_0_0").set_value("typed").run()
    page.switch_page("pages/home.py").run()
    page.switch_page("pages/model_playground.py").run()
    assert page.text_area(key="playground_result_0_0").value == "typed"
    page.button(key="playground_save_mock_0").click().run()
    assert pane(page).settings.tool_mocks == {"get_weather": "typed"}


def test_the_form_tells_faults_and_inserts_an_example(page: AppTest, wire: Wire) -> None:
    page.session_state["playground_section_0"] = "Tools"
    open_settings(page, 0)
    page.text_area(key="playground_tools_0").set_value('[\n{"name": "a b"}]').run()
    assert any("Line 2" in error.value.replace("\\", "") for error in page.error)
    ask(page, "Hi")
    assert not wire.calls, "faulty tools are refused before the call"
    assert pane(page).turns[-1].prompt_text == "Hi"
    page.text_area(key="playground_tools_0").set_value("").run()
    page.button(key="playground_tools_example_0").click().run()
    page.selectbox(key="playground_tool_choice_0").set_value("tool:get_weather").run()
    page.button(key="problem_action_0").click().run()
    assert not page.exception
    assert wire.calls[-1].request["toolConfig"]["toolChoice"] == {"tool": {"name": "get_weather"}}


def test_a_reply_is_checked_against_the_output_schema(page: AppTest, wire: Wire) -> None:
    wire.replies = ['```json\n{"a": 1}\n```', '{"a": "one"}']
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    give(page, tools_json="", output_schema=json.dumps(schema))
    ask(page, "JSON, please")
    text = wire.calls[-1].request["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]
    assert json.loads(text) == schema
    assert any("Follows the schema" in m.value and "code fence" in m.value for m in page.markdown)
    give(page, tools_json="", output_schema=json.dumps(schema), send_output_schema=False)
    ask(page, "Again")
    assert "outputConfig" not in wire.calls[-1].request
    assert any("does not follow the schema" in warning.value for warning in page.warning)


def test_a_link_brings_the_tools_back_and_sends_nothing(page: AppTest, wire: Wire) -> None:
    wire.replies = [('{"city": "Paris"}',)]
    give(page, tool_choice="any")
    ask(page, "Weather?")
    run = pane(page).turns[-1].run
    assert run
    other = AppTest.from_file("../../Home.py", default_timeout=30)
    other.query_params["run"] = run.id
    other.switch_page("pages/model_playground.py")
    other.run()
    assert not other.exception
    assert pane(other).settings.tool_choice == "any"
    assert "get_weather" in pane(other).settings.tools_json
    assert not other.button(key="playground_send_results_0").disabled
    assert len(wire.calls) == 1


def settle(page: AppTest, wire: Wire, calls: int) -> None:
    """Run the page until so many calls were made and the last reply is in its turn."""
    for _ in range(3 * calls):
        last = pane(page).turns[-1]
        if len(wire.calls) == calls and last.run:
            break
        page.run()
    assert not page.exception
    assert len(wire.calls) == calls
