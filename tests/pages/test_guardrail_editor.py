"""The editor of guardrails: what is typed stays, what is shown is saved, and who may only look looks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from services import clients, guardrail_editor
from services.guardrail_configuration import Configuration, PiiEntity, Topic, Word, from_guardrail

NOW = datetime(2025, 1, 2, 3, 4, tzinfo=UTC)
FULL = Configuration(
    name="support",
    description="what it is for",
    blocked_input_messaging="No.",
    blocked_outputs_messaging="No.",
    words=(Word(text="secret"), Word(text="hidden", input_action="NONE", output_enabled=False)),
    topics=(Topic(name="stocks", definition="advice", examples=("buy?", "sell?")),),
    pii=(PiiEntity(type="EMAIL", action="ANONYMIZE", output_action="BLOCK"),),
)


def view() -> None:
    """The editor alone, as the page calls it."""
    import streamlit as st

    from components.guardrail_editor import guardrail_editor
    from services.clients import Identity
    from services.users import LOCAL_USER, User

    if st.session_state.get("leave"):
        st.markdown("another page")
        return

    def changed(identifier: str) -> None:
        st.session_state.identifier = identifier

    user = User("eve", "Eve", "tester") if st.session_state.get("tester") else LOCAL_USER
    guardrail_editor(
        Identity("aws", "team", "eu-west-1"),
        user,
        identifier=st.session_state.setdefault("identifier", ""),
        changed=changed,
    )


class Bedrock:
    """Guardrails in memory, with the client's methods."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuse = ""
        self.slow = False

    def put(self, identifier: str, version: str, request: dict[str, Any]) -> None:
        about = {"guardrailId": identifier, "version": version, "status": "READY", "createdAt": NOW}
        answer = {name.removesuffix("Config"): value for name, value in request.items()}
        self.held[identifier, version] = answer | about

    def _note(self, operation: str, arguments: dict[str, Any]) -> None:
        self.calls.append((operation, arguments))
        if self.refuse:
            error: Any = {"Error": {"Code": "ValidationException", "Message": self.refuse}}
            raise ClientError(error, operation)

    def get_guardrail(self, guardrailIdentifier: str, guardrailVersion: str) -> dict[str, Any]:  # noqa: N803
        return self.held[guardrailIdentifier, guardrailVersion]

    def create_guardrail(self, **arguments: Any) -> dict[str, Any]:
        self._note("create", arguments)
        self.put("new1", "DRAFT", arguments)
        return {"guardrailId": "new1"}

    def update_guardrail(self, **arguments: Any) -> dict[str, Any]:
        self._note("update", dict(arguments))
        if self.slow:
            self.held[arguments["guardrailIdentifier"], "DRAFT"]["status"] = "UPDATING"
            return {}
        self.put(arguments.pop("guardrailIdentifier"), "DRAFT", arguments)
        return {}

    def create_guardrail_version(self, **arguments: Any) -> dict[str, Any]:
        self._note("version", arguments)
        identifier = arguments["guardrailIdentifier"]
        self.held[identifier, "1"] = self.held[identifier, "DRAFT"] | {"version": "1"}
        return {"version": "1"}

    def delete_guardrail(self, **arguments: Any) -> dict[str, Any]:
        self._note("delete", arguments)
        gone = arguments.get("guardrailVersion")
        for key in list(self.held):
            if key[0] == arguments["guardrailIdentifier"] and gone in (None, key[1]):
                del self.held[key]
        return {}

    def get_paginator(self, name: str) -> Any:
        return self

    def paginate(self, guardrailIdentifier: str = "") -> list[dict[str, Any]]:  # noqa: N803
        rows = [
            {"id": key[0], "version": key[1], "name": held["name"], "createdAt": NOW, "status": "READY"}
            for key, held in self.held.items()
            if not guardrailIdentifier or key[0] == guardrailIdentifier
        ]
        return [{"guardrails": rows}]


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Bedrock:
    fake = Bedrock()
    monkeypatch.setattr(clients, "client", lambda service, identity: fake)
    guardrail_editor.refresh()
    fake.put("abc", "DRAFT", FULL.to_request())
    return fake


@pytest.fixture
def app(bedrock: Bedrock) -> AppTest:
    return run(AppTest.from_function(view, default_timeout=30))


@pytest.fixture
def existing(bedrock: Bedrock) -> AppTest:
    made = AppTest.from_function(view, default_timeout=30)
    made.session_state["identifier"] = "abc"
    return run(made)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, app.exception[0].value
    return app


def click(app: AppTest, key: str) -> None:
    app.button(key=key).click()
    run(app)


def open_section(app: AppTest, name: str) -> None:
    app.session_state["guardrail_editor_section_kept"] = name
    run(app)


def test_a_guardrail_is_made_from_a_text_and_then_the_one_that_is_edited(
    app: AppTest, bedrock: Bedrock
) -> None:
    assert "needs at least one policy" in app.warning[0].value
    assert app.button(key="guardrail_editor_save").disabled
    open_section(app, "JSON")
    app.text_area(key="guardrail_editor_json_").set_value(FULL.to_json())
    run(app)
    click(app, "guardrail_editor_save")
    ((operation, sent),) = bedrock.calls
    assert operation == "create"
    assert sent.pop("clientRequestToken")
    assert sent == FULL.to_request()
    assert app.session_state["identifier"] == "new1"
    assert from_guardrail(bedrock.held["new1", "DRAFT"]) == FULL
    assert json.loads(app.text_area(key="guardrail_editor_json_new1").value or "") == FULL.to_request()


def test_looking_at_every_part_changes_nothing(existing: AppTest) -> None:
    for name in ("Content filters", "Denied topics", "Words", "Sensitive information", "Grounding", "Basics"):
        open_section(existing, name)
        draft = existing.session_state["guardrail_editor_drafts"]
        assert [each.now for each in draft.values()] == [FULL], name
    assert existing.button(key="guardrail_editor_save").disabled


def test_what_is_typed_survives_a_refusal_and_another_page(existing: AppTest, bedrock: Bedrock) -> None:
    existing.text_input(key="guardrail_editor_description").set_value("now better")
    run(existing)
    assert any("not saved" in each.value for each in existing.markdown)
    assert any("“now better”" in each.value.replace("\\", "") for each in existing.markdown)
    bedrock.refuse = "You have too many."
    click(existing, "guardrail_editor_save")
    assert existing.error
    existing.session_state["leave"] = True
    run(existing)
    existing.session_state["leave"] = False
    run(existing)
    assert existing.text_input(key="guardrail_editor_description").value == "now better"
    bedrock.refuse = ""
    click(existing, "guardrail_editor_save")
    assert bedrock.held["abc", "DRAFT"]["description"] == "now better"
    assert "The DRAFT is saved" in existing.success[0].value.replace("\\", "")
    assert not existing.error


def test_a_text_that_cannot_be_read_stays_and_changes_nothing(existing: AppTest) -> None:
    open_section(existing, "JSON")
    area = existing.text_area(key="guardrail_editor_json_abc")
    area.set_value("{ not json")
    run(existing)
    assert "not JSON" in existing.error[0].value
    assert existing.text_area(key="guardrail_editor_json_abc").value == "{ not json"
    click(existing, "guardrail_editor_json_abc_back")
    assert json.loads(existing.text_area(key="guardrail_editor_json_abc").value or "") == FULL.to_request()


def test_what_is_saved_stays_while_aws_still_answers_the_old(existing: AppTest, bedrock: Bedrock) -> None:
    existing.text_input(key="guardrail_editor_description").set_value("new")
    run(existing)
    bedrock.slow = True
    click(existing, "guardrail_editor_save")
    assert existing.text_input(key="guardrail_editor_description").value == "new"
    bedrock.slow = False
    bedrock.put("abc", "DRAFT", FULL.to_request() | {"description": "new"})
    run(existing)
    assert existing.text_input(key="guardrail_editor_description").value == "new"
    assert existing.button(key="guardrail_editor_save").disabled


def test_every_kind_is_added_at_once(existing: AppTest) -> None:
    open_section(existing, "Content filters")
    click(existing, "guardrail_editor_every_filters")
    (draft,) = existing.session_state["guardrail_editor_drafts"].values()
    assert len(draft.now.filters) == 6
    assert not [each for each in existing.warning if "refuse" in each.value]


def test_versions_are_made_compared_and_deleted_by_name(existing: AppTest, bedrock: Bedrock) -> None:
    click(existing, "guardrail_editor_version")
    assert "Version 1 is made" in existing.success[0].value.replace("\\", "")
    existing.selectbox(key="guardrail_editor_compare").set_value("1")
    run(existing)
    assert any("nothing has changed since" in each.value for each in existing.caption)
    existing.selectbox(key="guardrail_editor_delete_what").set_value("1")
    run(existing)
    click(existing, "guardrail_editor_delete")
    assert "version 1 of support" in existing.warning[0].value.replace("\\", "")
    assert ("abc", "1") in bedrock.held
    click(existing, "guardrail_editor_delete_yes")
    assert ("abc", "1") not in bedrock.held
    assert ("abc", "DRAFT") in bedrock.held


def test_deleting_everything_leads_to_a_new_one(existing: AppTest, bedrock: Bedrock) -> None:
    existing.selectbox(key="guardrail_editor_delete_what").set_value("")
    run(existing)
    click(existing, "guardrail_editor_delete")
    click(existing, "guardrail_editor_delete_yes")
    assert not bedrock.held
    assert existing.session_state["identifier"] == ""


def test_a_duplicate_begins_as_the_one_it_is_of(existing: AppTest) -> None:
    click(existing, "guardrail_editor_duplicate")
    assert existing.session_state["identifier"] == ""
    assert existing.text_input(key="guardrail_editor_name").value == "support-copy"
    assert existing.button(key="guardrail_editor_save").label == "Create guardrail"


def test_the_change_of_somebody_else_is_said_and_taken_on_request(
    existing: AppTest, bedrock: Bedrock
) -> None:
    existing.text_input(key="guardrail_editor_description").set_value("mine")
    run(existing)
    bedrock.put("abc", "DRAFT", FULL.to_request() | {"description": "theirs"})
    guardrail_editor.refresh()
    run(existing)
    assert "Somebody has changed" in existing.warning[0].value
    assert existing.text_input(key="guardrail_editor_description").value == "mine"
    click(existing, "guardrail_editor_theirs")
    assert existing.text_input(key="guardrail_editor_description").value == "theirs"


def test_who_may_only_look_can_change_nothing(bedrock: Bedrock) -> None:
    app = AppTest.from_function(view, default_timeout=30)
    app.session_state["identifier"] = "abc"
    app.session_state["tester"] = True
    run(app)
    assert "an admin can save" in app.info[0].value
    assert app.text_input(key="guardrail_editor_name").disabled
    for key in ("save", "version", "delete"):
        assert app.button(key=f"guardrail_editor_{key}").disabled
    for name in ("Content filters", "Words", "Sensitive information", "JSON"):
        open_section(app, name)
