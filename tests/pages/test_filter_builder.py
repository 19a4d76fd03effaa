"""The filter builder: what is typed is kept, and form and JSON say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest


def view() -> None:
    import streamlit as st

    from components.filter_builder import filter_builder

    def change(given: dict[str, object]) -> None:
        st.session_state["filter"] = given

    if st.session_state.get("leave"):
        st.markdown("another page")
    else:
        filter_builder(
            st.session_state.setdefault("filter", {}),
            key="f",
            suggestions={"team": "text", "tags": "texts", "year": "number"},
            change=change,
        )


@pytest.fixture
def app() -> AppTest:
    return run(AppTest.from_function(view, default_timeout=30))


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def sent(app: AppTest) -> Any:
    return app.session_state["filter"]


def click(app: AppTest, key: str) -> None:
    app.button(key=key).click()
    run(app)


def choose(app: AppTest, key: str, value: Any) -> None:
    app.selectbox(key=key).set_value(value)
    run(app)


def type_in(app: AppTest, key: str, text: str) -> None:
    app.text_input(key=key).set_value(text)
    run(app)


def test_a_condition_is_sent_once_it_is_complete(app: AppTest) -> None:
    click(app, "f_add")
    assert "name the attribute" in app.warning[0].value
    choose(app, "f_0_key", "team")
    assert "give it a value" in app.warning[0].value
    assert sent(app) == {}
    type_in(app, "f_0_value", "sales")
    assert sent(app) == {"equals": {"key": "team", "value": "sales"}}
    assert not app.warning
    assert json.loads(app.text_area(key="f_json").value or "") == sent(app)


def test_a_suggested_attribute_brings_its_type(app: AppTest) -> None:
    click(app, "f_add")
    choose(app, "f_0_key", "year")
    choose(app, "f_0_operator", "greaterThanOrEquals")
    type_in(app, "f_0_value", "2O24")
    assert "is no number" in app.warning[0].value
    assert app.text_input(key="f_0_value").value == "2O24", "what was typed stays"
    type_in(app, "f_0_value", "2024")
    assert sent(app) == {"greaterThanOrEquals": {"key": "year", "value": 2024}}
    click(app, "f_add")
    choose(app, "f_1_key", "tags")
    assert app.selectbox(key="f_1_operator").value == "listContains"


def test_groups_nest_once_and_everything_can_be_removed(app: AppTest) -> None:
    app.session_state["filter"] = {"equals": {"key": "team", "value": "sales"}}
    run(app)
    click(app, "f_add_group")
    assert not [button for button in app.button if button.key == "f_1_add_group"]
    choose(app, "f_1_0_key", "year")
    choose(app, "f_1_0_operator", "lessThan")
    type_in(app, "f_1_0_value", "2000")
    click(app, "f_1_add")
    choose(app, "f_1_1_key", "tags")
    type_in(app, "f_1_1_value", "old")
    assert sent(app) == {
        "andAll": [
            {"equals": {"key": "team", "value": "sales"}},
            {
                "orAll": [
                    {"lessThan": {"key": "year", "value": 2000}},
                    {"listContains": {"key": "tags", "value": "old"}},
                ]
            },
        ]
    }
    choose(app, "f_joined", "orAll")
    assert list(sent(app)) == ["orAll"]
    click(app, "f_1_0_remove")
    assert app.text_input(key="f_1_0_value").value == "old", "the one behind moves up with its value"
    click(app, "f_1_remove")
    click(app, "f_0_remove")
    assert sent(app) == {}


def test_an_operator_on_a_list_takes_what_was_typed_with_it(app: AppTest) -> None:
    app.session_state["filter"] = {"equals": {"key": "team", "value": "sales, legal"}}
    run(app)
    choose(app, "f_0_operator", "in")
    assert sent(app) == {"in": {"key": "team", "value": ["sales", "legal"]}}
    assert app.multiselect(key="f_0_values").value == ["sales", "legal"]
    choose(app, "f_0_operator", "equals")
    choose(app, "f_0_kind", "yes_no")
    choose(app, "f_0_yes_no", "true")
    assert sent(app) == {"equals": {"key": "team", "value": True}}


def test_json_is_edited_beside_the_form(app: AppTest) -> None:
    given = {"andAll": [{"future": {"x": 1}}, {"equals": {"key": "team", "value": "a"}}]}
    app.text_area(key="f_json").set_value(json.dumps(given))
    run(app)
    assert sent(app) == given
    assert "future" in app.code[0].value
    type_in(app, "f_1_value", "b")
    assert sent(app)["andAll"][0] == {"future": {"x": 1}}
    app.text_area(key="f_json").set_value('{"andAll": [')
    run(app)
    assert "not JSON" in app.error[0].value
    assert app.text_area(key="f_json").value == '{"andAll": [', "what was typed stays"
    type_in(app, "f_1_value", "c")
    assert app.text_area(key="f_json").value == '{"andAll": ['
    click(app, "f_json_back")
    assert json.loads(app.text_area(key="f_json").value or "") == sent(app)
    app.text_area(key="f_json").set_value("")
    run(app)
    assert sent(app) == {}


def test_what_is_half_typed_survives_another_page_and_a_change_from_outside_wins(app: AppTest) -> None:
    click(app, "f_add")
    choose(app, "f_0_key", "team")
    app.session_state["leave"] = True
    run(app)
    app.session_state["leave"] = False
    run(app)
    assert app.selectbox(key="f_0_key").value == "team"
    app.session_state["filter"] = {"equals": {"key": "year", "value": 1}}
    run(app)
    assert app.selectbox(key="f_0_key").value == "year"
