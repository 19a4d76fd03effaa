"""Recorded replies that call tools, and the results sent for them, are drawn without an exception."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from services.clients import Identity
from services.conversations import reply_content
from services.runs import Call
from services.streaming import ReplyStream
from services.tools import ToolResult, calls_in, result_blocks
from tests.recordings.conftest import Find
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.recordings


def _page() -> None:
    import streamlit as st

    from components.reply import draw_reply

    for content, names in st.session_state["drawn"]:
        draw_reply(content, names)


@pytest.mark.parametrize("operation", ["Converse", "ConverseStream"])
def test_calls_and_results_are_drawn(
    find: Find, server: ScriptedServer, identity: Identity, operation: str
) -> None:
    drawn: list[tuple[list[dict[str, Any]], dict[str, str]]] = []
    seen = 0
    for recording in find(operation):
        if recording.status >= 300 or b"toolUse" not in recording.body:
            continue
        server.play(recording.serve)
        request = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
        stream = ReplyStream(Call(operation=operation, request=request, identity=identity, model_id="m"))
        assert stream.wait(20)
        content = reply_content(stream.run())
        calls = calls_in(content)
        results = result_blocks([ToolResult(call["toolUseId"], '{"ok": true}') for call in calls])
        names = {call["toolUseId"]: call["name"] for call in calls}
        drawn += [(content, {}), (results, names)]
        seen += len(calls)
    assert seen > 5
    app = AppTest.from_function(_page, default_timeout=30)
    app.session_state["drawn"] = drawn
    app.run()
    assert not app.exception
    labels = [expander.label for expander in app.expander]
    assert sum(label.startswith("Tool call: ") for label in labels) >= seen
    assert sum(label.startswith("Result of ") for label in labels) >= seen
