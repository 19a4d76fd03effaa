"""A guardrail's trace on the page: what AWS adds later is shown too, and nothing in it is executed."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest


def view() -> None:
    from datetime import UTC, datetime

    import streamlit as st

    from components.guardrail_trace import guardrail_trace
    from services.clients import Identity
    from services.runs import Call, Run

    call = Call(operation="Converse", request={}, identity=Identity("aws", None, "us-east-1"))
    guardrail_trace(
        Run(
            id="r",
            call=call,
            started_at=datetime(2025, 1, 1, tzinfo=UTC),
            state="done",
            latency_ms=1,
            response=st.session_state["response"],
        )
    )


def drawn(response: dict[str, Any]) -> str:
    app = AppTest.from_function(view, default_timeout=30)
    app.session_state["response"] = response
    app.run()
    assert not app.exception
    return "\n".join(each.value for each in [*app.markdown, *app.caption])


def test_future_policies_and_members_are_drawn_as_text() -> None:
    assessment = {
        "tonePolicy": {
            "tones": [{"name": "<b>sarcasm</b>", "action": "BLOCKED"}],
            "grade": {"level": "x" * 1000},
        }
    }
    text = drawn(
        {"trace": {"guardrail": {"inputAssessment": {"g": assessment}, "weather": "[rain](http://x)"}}}
    )
    assert "Tone policy" in text
    assert r"\<b\>sarcasm\</b\>" in text
    assert "Grade" in text
    assert "Details has all of it" in text.replace("\\", "")
    assert r"weather: " in text
    assert "[rain](http" not in text


def test_an_intervention_without_a_trace_is_said() -> None:
    assert "intervened" in drawn({"guardrailAction": "INTERVENED"})
    assert not drawn({"guardrailAction": "NONE"})
