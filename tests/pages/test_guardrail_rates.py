"""The rates of a guardrail: drawn as chart and tables, or one sentence where nothing is counted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from services import guardrail_metrics
from services.guardrail_metrics import Rates
from services.problems import Problem

T1, T2 = datetime(2025, 1, 1, 10, tzinfo=UTC), datetime(2025, 1, 1, 11, tzinfo=UTC)
FIGURES = Rates(
    invocations={T1: 40, T2: 8},
    intervened={T1: 6},
    latency_ms={T1: 210.4},
    text_units=14,
    policies={"TopicPolicy": {T1: 4}},
    policy_base={T1: 40, T2: 8},
    sources={"Input": {T1: 6}},
    source_base={"Input": {T1: 40, T2: 8}, "Output": {}},
)


def view() -> None:
    import streamlit as st

    from components.guardrail_rates import _opened, guardrail_rates
    from services.clients import Identity

    identity = Identity("aws", "team", "eu-west-1")
    guardrail_rates(identity, "abc")
    if st.session_state.get("opened"):
        _opened(identity, "abc")


def drawn(monkeypatch: pytest.MonkeyPatch, found: Rates, *, opened: bool = True) -> AppTest:
    asked: list[str] = []

    def rates(identity: object, identifier: str, span: object) -> Rates:
        asked.append(identifier)
        return found

    monkeypatch.setattr(guardrail_metrics, "rates", rates)
    app = AppTest.from_function(view, default_timeout=30)
    app.session_state["opened"] = opened
    app.run()
    assert not app.exception
    assert asked == (["abc"] if opened else []), "CloudWatch is asked once somebody looks"
    return app


def test_figures_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    app = drawn(monkeypatch, FIGURES)
    assert [each.value for each in app.metric] == ["48", "12.5%", "210 ms", "14"]
    by_policy, steps = (each.value for each in app.dataframe)
    assert by_policy["Rate"].tolist() == ["8.3%", "12.5%", ""]
    assert steps["TopicPolicy"].tolist() == [4, 0]


def test_nothing_yet_is_one_sentence_and_a_refusal_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    app = drawn(monkeypatch, Rates())
    assert "counted no check of this guardrail in the last 24 hours" in app.caption[0].value
    problem = Problem(
        "AccessDenied", title="Not allowed", cause="You may not read metrics", fix="Ask", action="none"
    )
    app = drawn(monkeypatch, Rates(problem=problem))
    assert "You may not read metrics" in app.error[0].value


def test_a_closed_section_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(monkeypatch, FIGURES, opened=False)
