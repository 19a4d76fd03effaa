"""A pane that calls InvokeModel, sends a guardrail and puts cache points; only the wire is scripted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from services import backend, guardrails, models, pricing, streaming
from services.backend import BackendStatus
from services.capabilities import Capabilities, capabilities_of
from services.guardrails import Guardrails, GuardrailSummary
from services.models import Catalogue, Model
from services.pricing import Price
from services.runs import Call
from services.runtime import Opened

Events = list[tuple[str, dict[str, Any]]]
CLAUDE_ID, OTHER_ID = "anthropic.claude-3-5-haiku-20241022-v1:0", "acme.talker-v1:0"


def model(model_id: str, capabilities: Capabilities) -> Model:
    return Model(
        model_id=model_id,
        arn="",
        name=model_id,
        provider=model_id.split(".")[0],
        kind="foundation",
        base_model_id=model_id,
        output_modalities=frozenset({"TEXT"}),
        capabilities=capabilities,
    )


CLAUDE = model(CLAUDE_ID, capabilities_of(CLAUDE_ID))
OTHER = model(OTHER_ID, Capabilities(streaming=True, prompt_caching=False))
ASSESSMENT = {"topicPolicy": {"topics": [{"name": "Tax *advice*", "type": "DENY", "action": "BLOCKED"}]}}


def answer(call: Call) -> Events:
    if call.operation.startswith("Invoke"):
        return [
            ("chunk", {"type": "message_start", "message": {"role": "assistant", "content": []}}),
            ("chunk", {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}),
            (
                "chunk",
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Salut"}},
            ),
            ("chunk", {"type": "content_block_stop", "index": 0}),
            ("chunk", {"type": "message_stop"}),
        ]
    usage = {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4, "cacheReadInputTokens": 9_000}
    guardrail = {"guardrail": {"inputAssessment": {"g1": ASSESSMENT}}}
    return [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Bonjour"}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "guardrail_intervened"}),
        ("metadata", {"usage": usage, "trace": guardrail if "guardrailConfig" in call.request else {}}),
    ]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    made: list[Call] = []
    listed = {m.model_id: m for m in (CLAUDE, OTHER)}

    def open_call(call: Call) -> Opened:
        made.append(call)
        events: Iterator[tuple[str, dict[str, Any]]] = iter(answer(call))
        return Opened({"RequestId": "r"}, events, time.perf_counter(), lambda: None, lambda: None)

    monkeypatch.setattr(streaming, "open_call", open_call)
    monkeypatch.setattr(models, "catalogue", lambda identity: Catalogue(tuple(listed.values())))
    monkeypatch.setattr(models, "resolve", lambda identity, text: listed[text])
    one = GuardrailSummary(
        "abc123", "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc123", "Safe", "1", "READY"
    )
    monkeypatch.setattr(guardrails, "guardrails", lambda identity: Guardrails((one,)))
    monkeypatch.setattr(guardrails, "versions", lambda identity, identifier: Guardrails((one,)))
    ready = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
    monkeypatch.setattr(backend, "status", lambda: ready)
    monkeypatch.setattr(backend, "ensure", lambda progress=None: ready)
    return made


@pytest.fixture
def page(calls: list[Call]) -> AppTest:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    app.switch_page("pages/model_playground.py")
    app.run()
    app.selectbox(key="playground_model_0").set_value(CLAUDE_ID).run()
    app.selectbox(key="playground_model_1").set_value(OTHER_ID).run()
    return app


def section(page: AppTest, n: int, name: str) -> None:
    page.session_state[f"playground_settings_{n}"] = True
    page.session_state[f"playground_section_{n}"] = name
    page.run()
    assert not page.exception


def invoke(page: AppTest, n: int) -> None:
    section(page, n, "API")
    page.button_group(key=f"playground_operation_{n}").set_value("InvokeModel").run()
    assert not page.exception


def ask(page: AppTest, text: str) -> None:
    page.chat_input(key="playground_prompt").set_value(text).run()
    assert not page.exception


def call_of(calls: list[Call], model_id: str) -> Call:
    return [call for call in calls if call.model_id == model_id][-1]


def shown(page: AppTest) -> str:
    return "\n".join(element.value for element in [*page.markdown, *page.caption])


def test_a_pane_sends_the_generated_body_and_goes_on_from_its_reply(page: AppTest, calls: list[Call]) -> None:
    invoke(page, 0)
    body = json.loads(page.text_area(key="playground_body_0").value or "")
    assert body["messages"][0]["content"][0]["text"] == "{{prompt}}"
    ask(page, "Hi")
    sent = call_of(calls, CLAUDE_ID)
    assert sent.operation == "InvokeModelWithResponseStream"
    assert sent.request["body"]["messages"][0]["content"] == [{"type": "text", "text": "Hi"}]
    assert call_of(calls, OTHER_ID).operation == "ConverseStream"
    assert "Salut" in shown(page)
    ask(page, "And?")
    roles = [m["role"] for m in call_of(calls, CLAUDE_ID).request["body"]["messages"]]
    assert roles == ["user", "assistant", "user"]
    page.button_group(key="playground_operation_0").set_value("Converse").run()
    ask(page, "So?")
    assert call_of(calls, CLAUDE_ID).request["messages"][1]["content"] == [{"text": "Salut"}]


def test_an_edited_body_is_sent_checked_and_reset(page: AppTest, calls: list[Call]) -> None:
    invoke(page, 0)
    message = '{"role": "user", "content": "Q: {{prompt}}"}'
    text = f'{{"anthropic_version": "bedrock-2023-05-31",\n"messages": [{message}],\n"tempo": 1}}'
    page.text_area(key="playground_body_0").set_value(text).run()
    assert "“max\\_tokens” is missing" in shown(page)
    assert "Line 3:] “tempo” is not known" in shown(page)
    ask(page, 'Say "hi"')
    body = call_of(calls, CLAUDE_ID).request["body"]
    assert body["messages"][0]["content"] == 'Q: Say "hi"'
    assert "max_tokens" not in body
    page.text_area(key="playground_body_0").set_value('{"prompt": "fixed"}').run()
    assert "the typed prompt is not in it" in shown(page)
    page.button(key="playground_body_reset_0").click().run()
    assert "max_tokens" in json.loads(page.text_area(key="playground_body_0").value or "")


def test_a_malformed_body_is_refused_and_kept(page: AppTest, calls: list[Call]) -> None:
    invoke(page, 0)
    page.text_area(key="playground_body_0").set_value('{\n"a": }').run()
    assert "line 2, column 6" in shown(page)
    ask(page, "Hi")
    assert [call.model_id for call in calls] == [OTHER_ID]
    assert page.text_area(key="playground_body_0").value == '{\n"a": }'
    assert "Correct the body" in page.error[0].value


def test_a_model_of_no_known_family_takes_a_body_of_ones_own(page: AppTest, calls: list[Call]) -> None:
    invoke(page, 1)
    assert "is not known here" in shown(page)
    page.text_area(key="playground_body_1").set_value('{"q": "{{prompt}}"}').run()
    ask(page, "Hi")
    assert call_of(calls, OTHER_ID).request["body"] == {"q": "Hi"}


def test_settings_for_all_panes_leave_each_its_own_body(page: AppTest, calls: list[Call]) -> None:
    invoke(page, 0)
    page.text_area(key="playground_body_0").set_value('{"x": "{{prompt}}"}').run()
    section(page, 0, "Parameters")
    page.button(key="playground_copy_settings_0").click().run()
    settings = [pane.settings for pane in page.session_state.playground]
    assert [s.operation for s in settings] == ["InvokeModel", "InvokeModel"]
    assert [s.body_json for s in settings] == ['{"x": "{{prompt}}"}', ""]


def test_a_guardrail_goes_with_the_call_and_what_it_did_is_told(page: AppTest, calls: list[Call]) -> None:
    section(page, 0, "Guardrail & cache")
    page.selectbox(key="playground_guardrail_0").set_value("abc123").run()
    page.selectbox(key="playground_guardrail_0_version").set_value("1").run()
    page.selectbox(key="playground_guardrail_0_trace").set_value("enabled_full").run()
    page.selectbox(key="playground_guardrail_0_stream").set_value("async").run()
    assert not page.exception
    ask(page, "Hi")
    assert call_of(calls, CLAUDE_ID).request["guardrailConfig"] == {
        "guardrailIdentifier": "abc123",
        "guardrailVersion": "1",
        "trace": "enabled_full",
        "streamProcessingMode": "async",
    }
    assert "guardrailConfig" not in call_of(calls, OTHER_ID).request
    assert "Denied topic → Tax \\*advice\\* → :red-badge[blocked]" in shown(page)
    assert "guardrail\\_intervened" in shown(page)


def test_cache_points_are_put_and_what_they_saved_is_told(
    page: AppTest, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    price = Price(input_usd_per_mtok=3.0, output_usd_per_mtok=15.0, cache_read_usd_per_mtok=0.3)
    monkeypatch.setattr(pricing, "price_of", lambda identity, model_id: price)
    section(page, 0, "Guardrail & cache")
    page.checkbox(key="playground_cache_messages_0").check().run()
    page.selectbox(key="playground_cache_ttl_0").set_value("1h").run()
    assert "caches nothing" in shown(page)
    section(page, 1, "Guardrail & cache")
    assert page.checkbox(key="playground_cache_messages_1").disabled
    ask(page, "Hi")
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert call_of(calls, CLAUDE_ID).request["messages"][0]["content"] == [{"text": "Hi"}, point]
    assert "cache saved \\$0.0243" in shown(page)
