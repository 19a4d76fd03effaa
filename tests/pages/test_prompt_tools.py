"""Templates, saved values and managed prompts in the playground; only the wire and AWS are scripted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from services import backend, clients, models, prompts, streaming, users, value_sets
from services.backend import BackendStatus
from services.capabilities import Bound, Capabilities
from services.models import Catalogue, Model
from services.runs import Call
from services.runtime import Opened

ID = "ABCDEFGHIJ"
ARN = f"arn:aws:bedrock:us-east-1:123456789012:prompt/{ID}"
BOUNDS = {"temperature": Bound(0, 1, step=0.1), "maxTokens": Bound(1, 4096)}


def model(model_id: str) -> Model:
    return Model(
        model_id=model_id,
        arn="",
        name=model_id,
        provider="Test",
        kind="foundation",
        base_model_id=model_id,
        output_modalities=frozenset({"TEXT"}),
        capabilities=Capabilities(streaming=True, input_modalities=frozenset({"TEXT"}), bounds=BOUNDS),
    )


ALPHA, BETA = model("alpha.one-v1:0"), model("beta.two-v1:0")


class Agent:
    """A `bedrock-agent` that remembers one prompt; `fails` are operations that are refused."""

    def __init__(self) -> None:
        self.fails: set[str] = set()
        self.written: list[tuple[str, dict[str, Any]]] = []
        self.prompts: dict[str, dict[str, dict[str, Any]]] = {}

    def put(self, name: str, variant: dict[str, Any], version: str = "DRAFT") -> dict[str, Any]:
        now = datetime(2026, 11, 1, tzinfo=UTC)
        entry = {"id": ID, "arn": ARN, "name": name, "version": version, "createdAt": now, "updatedAt": now}
        if version != "DRAFT":
            entry["arn"] = f"{ARN}:{version}"
        self.prompts.setdefault(ID, {})[version] = {**entry, "variants": [variant]}
        return self.prompts[ID][version]

    def can_paginate(self, name: str) -> bool:
        return name == "list_prompts"

    def get_paginator(self, name: str) -> Agent:
        return self

    def paginate(self, promptIdentifier: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803 (AWS's name)
        self._ask("ListPrompts", {})
        versions = self.prompts.get(promptIdentifier, {}) if promptIdentifier else {}
        drafts = [each["DRAFT"] for each in self.prompts.values()]
        yield {"promptSummaries": list(versions.values()) if promptIdentifier else drafts}

    def get_prompt(self, **arguments: Any) -> dict[str, Any]:
        return self.prompts[arguments["promptIdentifier"][-10:]][arguments.get("promptVersion", "DRAFT")]

    def create_prompt(self, **arguments: Any) -> dict[str, Any]:
        self._ask("CreatePrompt", arguments)
        return self.put(arguments["name"], arguments["variants"][0])

    def update_prompt(self, **arguments: Any) -> dict[str, Any]:
        self._ask("UpdatePrompt", arguments)
        return self.put(arguments["name"], arguments["variants"][0])

    def create_prompt_version(self, **arguments: Any) -> dict[str, Any]:
        self._ask("CreatePromptVersion", arguments)
        draft = self.prompts[ID]["DRAFT"]
        return self.put(draft["name"], draft["variants"][0], str(len(self.prompts[ID])))

    def _ask(self, operation: str, arguments: dict[str, Any]) -> None:
        if operation in self.fails:
            error = {"Code": "UnknownOperationException", "Message": f"{operation} is not offered here."}
            raise ClientError({"Error": error}, operation)
        if arguments:
            self.written.append((operation, arguments))


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    agent, real = Agent(), clients.client
    monkeypatch.setattr(
        clients, "client", lambda name, who: agent if name == "bedrock-agent" else real(name, who)
    )
    prompts.refresh(clients.default_identity())
    return agent


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The calls that were made."""
    made: list[Call] = []
    listed = Catalogue((ALPHA, BETA))
    by_id = {m.model_id: m for m in listed.models}
    resolve = models.resolve

    def opened(call: Call) -> Opened:
        made.append(call)
        events: list[tuple[str, dict[str, Any]]] = [
            ("messageStart", {"role": "assistant"}),
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Yes."}}),
            ("messageStop", {"stopReason": "end_turn"}),
        ]
        return Opened({}, iter(events), time.perf_counter(), lambda: None, lambda: None)

    monkeypatch.setattr(streaming, "open_call", opened)
    monkeypatch.setattr(models, "catalogue", lambda identity: listed)
    monkeypatch.setattr(models, "resolve", lambda who, text: by_id.get(text) or resolve(who, text))
    ready = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
    monkeypatch.setattr(backend, "status", lambda: ready)
    monkeypatch.setattr(backend, "ensure", lambda progress=None: ready)
    return made


def open_page() -> AppTest:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    app.switch_page("pages/model_playground.py")
    return app.run()


@pytest.fixture
def page(calls: list[Call], agent: Agent) -> AppTest:
    app = open_page()
    assert not app.exception
    for saved in value_sets.store().list("local"):
        value_sets.store().delete("local", saved.name)
    return app


def show(page: AppTest, tool: str) -> None:
    page.session_state[tool] = True
    page.run()
    assert not page.exception


def said(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def keys(page: AppTest) -> set[str]:
    return {str(element.key) for element in [*page.text_area, *page.button, *page.text_input]}


def test_closed_tools_ask_nothing(page: AppTest, agent: Agent) -> None:
    agent.fails = {"ListPrompts"}
    page.run()
    assert "playground_template" not in keys(page)
    assert not page.error


def test_a_filled_template_reaches_every_pane(page: AppTest, calls: list[Call]) -> None:
    show(page, "playground_template_form")
    page.text_area(key="playground_template").set_value("Sell {{what}} to {{who}}, {{what}}!").run()
    page.text_area(key="playground_value_what").set_value("$5 {{who}}").run()
    assert page.button(key="playground_template_send").disabled
    assert "No value yet: who" in said(page)
    page.text_area(key="playground_value_who").set_value("Zoë").run()
    text = "Sell $5 {{who}} to Zoë, $5 {{who}}!"
    assert text in [code.value for code in page.code]
    page.button(key="playground_template_send").click().run()
    assert not page.exception
    assert sorted(call.model_id for call in calls) == ["alpha.one-v1:0", "beta.two-v1:0"]
    for call in calls:
        assert call.request["messages"] == [{"role": "user", "content": [{"text": text}]}]


def test_a_system_prompts_variables_are_in_the_form_and_filled_when_sent(
    page: AppTest, calls: list[Call]
) -> None:
    show(page, "playground_settings_1")
    page.text_area(key="playground_parameter_1_system").set_value("You are {{role}}.").run()
    show(page, "playground_template_form")
    page.text_area(key="playground_value_role").set_value("a {{pirate}}").run()
    page.chat_input(key="playground_prompt").set_value("Hi {{role}}").run()
    sent = {call.model_id: call.request for call in calls}
    assert sent["beta.two-v1:0"]["system"] == [{"text": "You are a {{pirate}}."}]
    assert sent["beta.two-v1:0"]["messages"][0]["content"] == [{"text": "Hi {{role}}"}]
    assert "system" not in sent["alpha.one-v1:0"]
    assert page.session_state["playground"][1].settings.system == "You are {{role}}."


def test_values_are_saved_and_there_for_another_session(page: AppTest) -> None:
    show(page, "playground_template_form")
    page.text_area(key="playground_template").set_value("{{a}} {{b}}").run()
    page.text_area(key="playground_value_a").set_value("one").run()
    page.text_input(key="playground_set_name").set_value("  ").run()
    page.button(key="playground_value_set_save").click().run()
    assert "one line" in page.toast[0].value
    page.text_input(key="playground_set_name").set_value("first try").run()
    page.button(key="playground_value_set_save").click().run()
    assert not page.exception

    other = open_page()
    show(other, "playground_template_form")
    other.text_area(key="playground_template").set_value("{{a}}").run()
    other.selectbox(key="playground_value_set").set_value("first try").run()
    assert other.text_area(key="playground_value_a").value == "one"
    other.button(key="playground_value_set_delete").click().run()
    assert not other.exception
    assert value_sets.store().list("local") == ()


def test_the_template_outlives_a_closed_form_and_another_page(page: AppTest) -> None:
    show(page, "playground_template_form")
    page.text_area(key="playground_template").set_value("Keep {{me}}").run()
    page.text_area(key="playground_value_me").set_value("here").run()
    page.switch_page("pages/home.py").run()
    page.switch_page("pages/model_playground.py").run()
    show(page, "playground_template_form")
    assert page.text_area(key="playground_template").value == "Keep {{me}}"
    assert page.text_area(key="playground_value_me").value == "here"


def test_a_pane_is_saved_as_a_prompt_loaded_elsewhere_and_saved_again(page: AppTest, agent: Agent) -> None:
    pane = page.session_state["playground"][0]
    show(page, "playground_settings_0")
    page.text_area(key="playground_parameter_0_system").set_value("You sell {{x}}.").run()
    page.number_input(key="playground_parameter_0_temperature").set_value(0.3).run()
    show(page, "playground_template_form")
    page.text_area(key="playground_template").set_value("Sell to {{y}}").run()
    show(page, "playground_prompts")
    page.segmented_control(key="playground_prompts_view").set_value("Save").run()
    page.text_input(key="playground_prompts_name").set_value("bad name").run()
    assert page.button(key="playground_prompts_create").disabled
    page.text_input(key="playground_prompts_name").set_value("sales").run()
    page.button(key="playground_prompts_create").click().run()
    assert not page.exception
    assert [operation for operation, _ in agent.written] == ["CreatePrompt", "CreatePromptVersion"]
    variant = agent.written[0][1]["variants"][0]
    assert variant["modelId"] == "alpha.one-v1:0"
    assert "version 1" in page.success[0].value
    assert f"{ARN}:1" in [code.value for code in page.code]

    other = open_page()
    show(other, "playground_prompts")
    other.button(key="playground_prompts_load").click().run()
    assert not other.exception
    for loaded in other.session_state["playground"]:
        assert loaded.settings == pane.settings
    show(other, "playground_template_form")
    other.text_area(key="playground_template").set_value("Sell to {{y}} now").run()
    other.segmented_control(key="playground_prompts_view").set_value("Save").run()
    other.button(key="playground_prompts_new_version").click().run()
    assert [operation for operation, _ in agent.written][2:] == ["UpdatePrompt", "CreatePromptVersion"]
    assert "version 2" in other.success[0].value
    chat = agent.prompts[ID]["2"]["variants"][0]["templateConfiguration"]["chat"]
    assert chat["messages"][0]["content"] == [{"text": "Sell to {{y}} now"}]


def test_a_prompt_for_a_model_that_is_not_here_keeps_the_panes_model(page: AppTest, agent: Agent) -> None:
    text = {"text": {"text": "Hi", "inputVariables": []}}
    variant = {"name": "v", "templateType": "TEXT", "templateConfiguration": text, "modelId": "far.away-v1:0"}
    agent.put("far", variant)
    show(page, "playground_prompts")
    page.button(key="playground_prompts_load").click().run()
    assert [pane.settings.model_id for pane in page.session_state["playground"]] == [
        "alpha.one-v1:0",
        "beta.two-v1:0",
    ]
    assert "far\\.away" in said(page)


def test_a_pane_calls_a_managed_prompt_by_its_arn(page: AppTest, agent: Agent, calls: list[Call]) -> None:
    text = {"text": {"text": "Hi {{who}}", "inputVariables": [{"name": "who"}]}}
    agent.put("hi", {"name": "v", "templateType": "TEXT", "templateConfiguration": text})
    show(page, "playground_settings_0")
    page.text_area(key="playground_parameter_0_system").set_value("Not sent").run()
    show(page, "playground_prompts")
    page.button(key="playground_prompts_call").click().run()
    show(page, "playground_template_form")
    assert "Pane 1 calls a managed prompt" in said(page)
    page.text_area(key="playground_value_who").set_value("Zoë").run()
    page.button(key="playground_template_send").click().run()
    assert not page.exception
    assert [call.request for call in calls] == [
        {"modelId": ARN, "promptVariables": {"who": {"text": "Zoë"}}},
    ] * 2


def test_where_there_is_no_prompt_management_one_card_says_so(page: AppTest, agent: Agent) -> None:
    agent.fails = {"ListPrompts"}
    show(page, "playground_prompts")
    assert len(page.error) == 1
    page.segmented_control(key="playground_prompts_view").set_value("Save").run()
    assert not page.exception


def test_a_version_that_fails_leaves_what_was_typed(page: AppTest, agent: Agent) -> None:
    agent.fails = {"CreatePromptVersion"}
    show(page, "playground_template_form")
    page.text_area(key="playground_template").set_value("Hi").run()
    show(page, "playground_prompts")
    page.segmented_control(key="playground_prompts_view").set_value("Save").run()
    page.text_input(key="playground_prompts_name").set_value("sales").run()
    page.button(key="playground_prompts_create").click().run()
    assert not page.exception
    assert len(page.error) == 1
    assert page.text_area(key="playground_template").value == "Hi"
    assert page.text_input(key="playground_prompts_name").value == "sales"


@pytest.mark.parametrize(("rights", "sends"), [({"view"}, False), ({"view", "spend"}, True)])
def test_only_an_admin_saves_prompts_and_only_who_may_spend_sends(
    page: AppTest, monkeypatch: pytest.MonkeyPatch, rights: set[str], sends: bool
) -> None:
    monkeypatch.setattr(users, "PERMISSIONS", {"admin": frozenset(rights)})
    show(page, "playground_template_form")
    page.text_area(key="playground_template").set_value("Hi").run()
    assert page.button(key="playground_template_send").disabled is not sends
    show(page, "playground_prompts")
    page.segmented_control(key="playground_prompts_view").set_value("Save").run()
    page.text_input(key="playground_prompts_name").set_value("sales").run()
    assert page.button(key="playground_prompts_create").disabled
    assert "an admin can save" in said(page)
