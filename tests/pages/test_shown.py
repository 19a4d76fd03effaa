"""A field shows settings of our own, and a run that changes nothing leaves to the browser what it holds."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from components import shown
from tests.pages.looks import checked, set_anew


def script() -> None:
    import streamlit as st

    from components.shown import show

    settings = st.session_state.setdefault("settings", {"words": "", "number": None, "kind": "a"})

    def change(name: str) -> None:
        settings[name] = st.session_state[name]

    show("words", settings["words"], "")
    st.text_area("Words", key="words", on_change=change, args=("words",))
    show("number", settings["number"])
    st.number_input("Number", value=None, key="number", on_change=change, args=("number",))
    show("kind", settings["kind"])
    st.segmented_control("Kind", ["a", "b"], key="kind", on_change=change, args=("kind",))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment in which a value is told again is over at once."""
    monkeypatch.setattr(shown, "REPEATED_S", 1e-6)


@pytest.fixture
def app() -> AppTest:
    return checked(AppTest.from_function(script))


@pytest.mark.usefixtures("soon")
def test_what_a_field_shows_by_itself_is_not_set(app: AppTest) -> None:
    assert set_anew(app) == ["kind"]
    assert (app.text_area(key="words").value, app.number_input(key="number").value) == ("", None)
    assert set_anew(checked(app)) == []


def test_what_is_told_is_told_again_for_a_moment(app: AppTest) -> None:
    """The second run may replace what the first one drew before the browser has seen it."""
    assert set_anew(app) == set_anew(checked(app)) == ["kind"]


def test_an_edit_is_not_sent_back_to_the_browser(app: AppTest) -> None:
    app.number_input(key="number").set_value(3)
    app.text_area(key="words").set_value("Hello")
    assert not {"number", "words"} & set(set_anew(checked(app)))
    assert app.session_state["settings"] == {"words": "Hello", "number": 3, "kind": "a"}


@pytest.mark.usefixtures("soon")
def test_a_setting_that_changes_elsewhere_is_set(app: AppTest) -> None:
    checked(app)
    app.session_state["settings"]["number"] = 7
    assert set_anew(checked(app)) == ["number"]
    assert app.number_input(key="number").value == 7
    assert set_anew(checked(app)) == []


PLAYGROUND, RAG, GUARDRAILS = "model_playground.py", "rag_chat.py", "guardrail_tester.py"


@pytest.mark.usefixtures("workspace", "soon")
@pytest.mark.parametrize(
    ("page", "state"),
    [
        *(
            (PLAYGROUND, {"playground_settings_0": True, "playground_section_0": section})
            for section in ("Parameters", "Tools", "API", "Guardrail & cache")
        ),
        (PLAYGROUND, {"playground_mode_kept": "Batch"}),
        *(
            (RAG, {"rag_view_kept": "Chat", "rag_settings": True, "rag_form_section": section})
            for section in ("Search", "Filter", "Answer", "Guardrail")
        ),
        (RAG, {"rag_view_kept": "Build"}),
        (GUARDRAILS, {"guardrail_view_kept": "Test", "guardrail_source_kept": "OUTPUT"}),
        *((GUARDRAILS, {"guardrail_view_kept": view}) for view in ("Edit", "Inline checks", "Suite")),
    ],
)
def test_no_page_sets_a_field_in_every_run(page: str, state: dict[str, Any]) -> None:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    app.switch_page(f"pages/{page}")
    for key, value in state.items():
        app.session_state[key] = value
    checked(app)
    assert set_anew(checked(app)) == []
