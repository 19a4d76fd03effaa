"""The form of a RAG chat's settings: nothing is sent that is not set, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from services import guardrails
from services.clients import Identity
from services.guardrails import GuardrailChoice, Guardrails, GuardrailSummary
from services.model_values import Model
from services.rag_settings import RagSettings, RetrievalSettings

LOCAL = Identity("local", "localbedrock", "us-east-1")
RERANKER = Model("amazon.rerank-v1:0", "", "Rerank", "Amazon", "foundation", "amazon.rerank-v1:0")
BARE = RagSettings("KB12345678", "generate", "some.model")


def view() -> None:
    import streamlit as st

    from components.edits import Edit
    from components.retrieval_settings import retrieval_settings
    from services.rag_settings import RagSettings as Settings

    def change(edit: Edit[Settings]) -> None:
        st.session_state["settings"] = edit(st.session_state["settings"])

    if st.session_state.get("leave"):
        st.markdown("another page")
    else:
        retrieval_settings(
            st.session_state["settings"],
            key="s",
            rerankers=st.session_state["rerankers"],
            change=change,
        )


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    one = GuardrailSummary("abc123", "arn:aws:bedrock:us-east-1:1:guardrail/abc123", "Safe", "1", "READY")
    monkeypatch.setattr(guardrails, "guardrails", lambda identity: Guardrails((one,)))
    monkeypatch.setattr(guardrails, "versions", lambda identity, identifier: Guardrails((one,)))
    app = AppTest.from_function(view, default_timeout=30)
    app.session_state["identity"] = LOCAL
    app.session_state["settings"] = BARE
    app.session_state["rerankers"] = [RERANKER]
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def settings(app: AppTest) -> RagSettings:
    found: RagSettings = app.session_state["settings"]
    return found


def start(app: AppTest, changed: RagSettings, section: str = "Search") -> None:
    app.session_state["settings"] = changed
    app.session_state["s_section"] = section
    run(app)


def texts(app: AppTest) -> str:
    return "\n".join(str(each.value) for each in [*app.caption, *app.error, *app.info, *app.warning])


def test_an_untouched_form_sets_nothing(app: AppTest) -> None:
    for section in ("Search", "Filter", "Answer", "Guardrail"):
        start(app, BARE, section)
        assert settings(app) == BARE
        assert app.button(key="s_reset").disabled


def test_search_is_set_and_taken_back(app: AppTest) -> None:
    app.number_input(key="s_results").set_value(20)
    run(app)
    app.selectbox(key="s_search_type").set_value("HYBRID")
    run(app)
    app.selectbox(key="s_reranker").set_value(RERANKER.model_id)
    run(app)
    app.number_input(key="s_reranked").set_value(30)
    run(app)
    app.toggle(key="s_decompose").set_value(True)
    run(app)
    found = settings(app)
    assert found.retrieval == RetrievalSettings(20, "HYBRID", {}, "amazon.rerank-v1:0", 30)
    assert found.decompose
    assert "costs nothing" in texts(app)
    assert "no more than 20 can be kept" in texts(app)
    app.number_input(key="s_results").set_value(None)
    run(app)
    assert settings(app).retrieval.number_of_results is None
    app.button(key="s_reset").click()
    run(app)
    assert settings(app) == BARE


def test_two_fields_that_change_in_one_run_are_both_kept(app: AppTest) -> None:
    app.number_input(key="s_results").set_value(20)
    app.selectbox(key="s_search_type").set_value("HYBRID")
    app.toggle(key="s_decompose").set_value(True)
    run(app)
    assert settings(app).retrieval == RetrievalSettings(20, "HYBRID")
    assert settings(app).decompose


def test_a_reranker_on_aws_is_said_to_cost(app: AppTest) -> None:
    app.session_state["identity"] = Identity("aws", None, "us-east-1")
    start(app, replace(BARE, retrieval=RetrievalSettings(reranker="cohere.rerank-v3-5:0")))
    assert "AWS bills each question to the reranker" in texts(app)
    assert app.selectbox(key="s_reranker").value == "cohere.rerank-v3-5:0", "one that is not listed stays"
    app.session_state["rerankers"] = []
    start(app, BARE)
    assert "No reranking model is listed" in texts(app)


def test_decomposition_belongs_to_the_service_alone(app: AppTest) -> None:
    start(app, replace(BARE, mode="converse"))
    assert not app.toggle
    start(app, replace(BARE, mode="retrieve"), "Answer")
    assert not app.text_area, "where nothing is written, there is no template"
    assert app.number_input(key="s_results").value is None


def test_zero_is_not_the_same_as_not_sent(app: AppTest) -> None:
    start(app, BARE, "Answer")
    app.number_input(key="s_temperature").set_value(0.0)
    run(app)
    app.number_input(key="s_maxTokens").set_value(100)
    run(app)
    app.multiselect(key="s_stop_sequences").set_value([])
    run(app)
    assert settings(app).parameters == {"temperature": 0.0, "maxTokens": 100}
    app.number_input(key="s_temperature").set_value(None)
    run(app)
    assert settings(app).parameters == {"maxTokens": 100}


def test_a_template_is_checked_as_the_mode_needs_it(app: AppTest) -> None:
    start(app, BARE, "Answer")
    app.button(key="s_template_example").click()
    run(app)
    assert "$search_results$" in settings(app).prompt_template
    assert not app.error
    app.text_area(key="s_template").set_value("Say $hi$")
    run(app)
    said = texts(app).replace("\\", "")
    assert "$search_results$ is missing" in said
    assert "$hi$ is no placeholder" in said
    assert "have no citations" in said
    assert settings(app).prompt_template == "Say $hi$"
    app.text_area(key="s_template").set_value("$search_results$" + "x" * 4000)
    run(app)
    assert "4,016 characters; AWS takes 4,000" in texts(app).replace("\\", "")
    start(app, replace(BARE, mode="converse", prompt_template="$search_results$"), "Answer")
    assert "$query$ is missing" in texts(app).replace("\\", "")


def test_the_filter_is_built_and_reset(app: AppTest) -> None:
    start(app, BARE, "Filter")
    app.button(key="s_filter_add").click()
    run(app)
    app.button(key="s_reset").click()
    run(app)
    assert not app.warning, "what was half typed is gone too"
    app.text_area(key="s_filter_json").set_value('{"equals": {"key": "team", "value": "sales"}}')
    run(app)
    assert settings(app).retrieval.filter == {"equals": {"key": "team", "value": "sales"}}


def test_a_guardrail_is_chosen_as_in_the_playground(app: AppTest) -> None:
    start(app, BARE, "Guardrail")
    app.selectbox(key="s_guardrail").set_value("abc123")
    run(app)
    app.selectbox(key="s_guardrail_version").set_value("1")
    run(app)
    assert settings(app).guardrail == GuardrailChoice("abc123", "1")
    widgets = [box.key for box in app.selectbox]
    assert "s_guardrail_trace" not in widgets, "knowledge bases take none"
    start(app, replace(settings(app), mode="converse"), "Guardrail")
    assert app.selectbox(key="s_guardrail_trace").value == "enabled"


@pytest.mark.parametrize("section", ["Search", "Answer"])
def test_what_is_out_of_range_is_put_right_and_said(app: AppTest, section: str) -> None:
    """A link or an imported run may hold anything."""
    strange: Any = RetrievalSettings(500, "FUZZY", {}, "", -3)  # type: ignore[arg-type]
    wild = replace(BARE, retrieval=strange, parameters={"temperature": 7, "maxTokens": 0, "topP": 0.5})
    start(app, replace(wild, stop_sequences=("a", "b", "c", "d", "e")), section)
    found = settings(app)
    assert found.retrieval == RetrievalSettings(100, "", {}, "", 1)
    assert found.parameters == {"temperature": 1.0, "maxTokens": 1, "topP": 0.5}
    assert found.stop_sequences == ("a", "b", "c", "d")
    said = app.info[0].value.replace("\\", "")
    for words in ("number of results 500", "now 100", "FUZZY", "temperature 7", "4 stop sequences"):
        assert words in said
    run(app)
    assert app.info, "it is said until something is changed"
    if section == "Search":
        app.number_input(key="s_results").set_value(10)
    else:
        app.number_input(key="s_maxTokens").set_value(10)
    run(app)
    assert not app.info


def test_nothing_is_lost_when_the_page_is_left(app: AppTest) -> None:
    start(app, BARE, "Answer")
    app.text_area(key="s_template").set_value("$search_results$ mine")
    run(app)
    app.session_state["leave"] = True
    run(app)
    app.session_state["leave"] = False
    run(app)
    assert app.text_area(key="s_template").value == "$search_results$ mine", "the section is kept as well"
