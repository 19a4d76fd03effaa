"""The guardrail tester from a text to its verdict; only the wire below it is scripted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from streamlit.testing.v1 import AppTest

from components import auth
from services import backend, clients, guardrail_editor, guardrails, models, run_store, runtime
from services.backend import BackendStatus
from services.guardrails import GuardrailChoice, Guardrails, GuardrailSummary
from services.models import Catalogue
from services.runs import Call
from services.runtime import Opened
from services.users import User
from tests.pages.conftest import Workspace
from tests.pages.test_model_playground import model

Json = dict[str, Any]
Answer = Callable[[Call], Json]

ALPHA = model("alpha.one-v1:0")
EVIL = "<img src=x onerror=alert(1)> \u202e:red[**x**] $a$"


def summary(id: str, name: str, version: str = "DRAFT") -> GuardrailSummary:
    return GuardrailSummary(
        id, f"arn:aws:bedrock:us-east-1:123456789012:guardrail/{id}", name, version, "READY"
    )


def assessed(action: str, assessment: Json, *outputs: str) -> Json:
    metrics = {"guardrailProcessingLatency": 12}
    return {
        "action": "GUARDRAIL_INTERVENED" if action != "NONE" else "NONE",
        "actionReason": f"Guardrail {action.lower()}.",
        "outputs": [{"text": output} for output in outputs],
        "assessments": [{**assessment, "invocationMetrics": metrics}],
        "usage": {"contentPolicyUnits": 2, "topicPolicyUnits": 0},
        "guardrailCoverage": {"textCharacters": {"guarded": 9, "total": 10}},
    }


def email(action: str) -> Json:
    found = {"match": "a@b.com", "type": "EMAIL", "action": action, "detected": True}
    return {"sensitiveInformationPolicy": {"piiEntities": [found]}}


def filters(confidence: str, action: str) -> Json:
    found = {
        "type": "HATE",
        "confidence": confidence,
        "filterStrength": "LOW",
        "action": action,
        "detected": True,
    }
    return {"contentPolicy": {"filters": [found]}}


class Wire:
    """Answers calls by operation, and remembers them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, Answer] = {
            "ApplyGuardrail": lambda call: assessed("NONE", filters("NONE", "NONE")),
            "Converse": converse,
        }

    def open(self, call: Call) -> Opened:
        self.calls.append(call)
        answer = self.answers[call.operation](call)
        return Opened({}, iter([("response", answer)]), time.perf_counter(), lambda: None, lambda: None)

    def get_guardrail(self, **arguments: Any) -> Json:
        return {
            "name": "Shop",
            "guardrailId": arguments["guardrailIdentifier"],
            "version": arguments["guardrailVersion"],
            "status": "READY",
            "contentPolicy": {
                "filters": [{"type": "HATE", "inputStrength": "HIGH", "outputStrength": "NONE"}]
            },
            "blockedInputMessaging": "No.",
            "quantumPolicy": {"spin": "up"},
        }


def converse(call: Call) -> Json:
    text = "Masked {EMAIL}" if "guardrailConfig" in call.request else "Open a@b.com"
    trace = {"guardrail": {"inputAssessment": {"gr1": email("ANONYMIZED")}}}
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 5, "outputTokens": 3, "totalTokens": 8},
        "metrics": {"latencyMs": 4},
        **({"trace": trace} if "guardrailConfig" in call.request else {}),
    }


def refused(call: Call) -> Json:
    error = {"Code": "ValidationException", "Message": "The guardrail is not ready."}
    raise ClientError({"Error": error, "ResponseMetadata": {}}, call.operation)


@pytest.fixture
def wire(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire()
    ready = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
    monkeypatch.setattr(runtime, "open_call", wire.open)
    monkeypatch.setattr(clients, "client", lambda service, identity: wire)
    monkeypatch.setattr(models, "catalogue", lambda identity: Catalogue((ALPHA,)))
    monkeypatch.setattr(backend, "ensure", lambda progress=None: ready)
    listed = Guardrails((summary("gr1", "Shop"), summary("gr2", "Strict")))
    monkeypatch.setattr(guardrails, "guardrails", lambda identity: listed)
    numbered = Guardrails((summary("gr1", "Shop", "2"), summary("gr1", "Shop")))
    monkeypatch.setattr(guardrails, "versions", lambda identity, identifier: numbered)
    guardrail_editor.refresh()
    yield wire
    guardrail_editor.refresh()


def opened(**query: str) -> AppTest:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page("pages/guardrail_tester.py")
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def page(wire: Wire) -> AppTest:
    return opened()


def click(page: AppTest, key: str) -> None:
    page.button(key=key).click().run()
    assert not page.exception


def check(page: AppTest, text: str) -> None:
    page.text_area(key="guardrail_text").set_value(text)
    click(page, "guardrail_run")


def choose(page: AppTest, key: str, value: str) -> None:
    page.segmented_control(key=key).set_value(value).run()
    assert not page.exception


def shown(page: AppTest) -> str:
    elements = (*page.markdown, *page.caption, *page.code, *page.error, *page.warning, *page.success)
    return "\n".join(element.value for element in elements).replace("\\", "")


def drawn(page: AppTest, key: str) -> list[Json]:
    """The pieces that the browser is given for the text with this key."""
    for element in page.get("bidi_component"):
        if key in element.proto.id:
            return list(json.loads(element.proto.json)["pieces"])
    raise AssertionError(f"{key} is not drawn")


def test_a_text_is_checked_as_it_was_typed(page: AppTest, wire: Wire) -> None:
    check(page, EVIL)
    assert wire.calls[0].request == {
        "guardrailIdentifier": "gr1",
        "guardrailVersion": "DRAFT",
        "source": "INPUT",
        "content": [{"text": {"text": EVIL}}],
        "outputScope": "FULL",
    }
    assert "**Passed.** The prompt would reach the model as it is." in shown(page)
    assert "".join(piece["text"] for piece in drawn(page, "guardrail_verdict_text")) == EVIL.replace(
        "\u202e", "U+202E"
    )


def test_a_blocked_text_says_why_and_where(page: AppTest, wire: Wire) -> None:
    assessment = {**filters("HIGH", "BLOCKED"), **email("BLOCKED")}
    wire.answers["ApplyGuardrail"] = lambda call: assessed("BLOCKED", assessment, "Sorry <b>no</b>.")
    check(page, "You! a@b.com")
    words = shown(page)
    assert "**Blocked.** The prompt would not reach the model. Guardrail blocked." in words
    assert (
        "Content filter → Hate → confidence high, filter strength low (acts from confidence high on) → "
        ":red-badge[blocked]"
    ) in words
    assert "Sensitive information → Email “a@b.com” → :red-badge[blocked]" in words
    assert {"text": "a@b.com", "tag": "mark", "color": "blue", "label": "Email: blocked"} in drawn(
        page, "guardrail_verdict_text"
    )
    assert drawn(page, "guardrail_verdict_output") == [{"text": "Sorry <b>no</b>."}]
    assert "guardrail 12 ms of" in words
    assert "content filters 2 · 9 of 10 characters checked · free" in words


def test_what_was_masked_is_shown_as_a_diff(page: AppTest, wire: Wire) -> None:
    choose(page, "guardrail_source", "OUTPUT")
    wire.answers["ApplyGuardrail"] = lambda call: assessed("MASKED", email("ANONYMIZED"), "Ask {EMAIL}")
    check(page, "Ask a@b.com")
    assert "**Masked.** The reply would be shown with parts of it masked." in shown(page)
    assert drawn(page, "guardrail_verdict_diff") == [
        {"text": "Ask "},
        {"text": "a@b.com", "tag": "del"},
        {"text": "{EMAIL}", "tag": "ins"},
    ]


def test_near_misses_are_told_apart_from_what_was_not_found(page: AppTest, wire: Wire) -> None:
    wire.answers["ApplyGuardrail"] = lambda call: assessed("NONE", filters("MEDIUM", "NONE"))
    check(page, "Hm")
    assert "Nearly: 1 found, nothing done" in [one.label for one in page.expander]


def test_the_configuration_is_told_in_words_with_what_is_not_known(page: AppTest) -> None:
    words = shown(page)
    assert "- HATE → prompt: strength high (blocks from low) · reply: off" in words
    assert '"spin": "up"' in words
    assert "of a blocked prompt: “No.”" in words


def test_a_refusal_is_a_problem_card_and_loses_nothing(page: AppTest, wire: Wire) -> None:
    wire.answers["ApplyGuardrail"] = refused
    check(page, EVIL)
    assert "The guardrail is not ready." in shown(page)
    assert page.text_area(key="guardrail_text").value == EVIL


def test_text_and_choices_survive_other_views_and_pages(page: AppTest) -> None:
    choose(page, "guardrail_source", "OUTPUT")
    page.toggle(key="guardrail_grounding").set_value(True).run()
    page.text_area(key="guardrail_grounding_source").set_value("The kettle boils four cups.")
    page.text_input(key="guardrail_query").set_value("How many cups?").run()
    check(page, "Four cups.")
    choose(page, "guardrail_view", "Inline checks")
    page.switch_page("pages/home.py").run()
    page.switch_page("pages/guardrail_tester.py").run()
    assert not page.exception
    assert page.text_area(key="guardrail_text").value == "Four cups."
    choose(page, "guardrail_view", "Test")
    assert page.segmented_control(key="guardrail_source").value == "OUTPUT"
    assert page.text_area(key="guardrail_grounding_source").value == "The kettle boils four cups."
    assert page.text_input(key="guardrail_query").value == "How many cups?"
    assert "**Passed.**" in shown(page)


def test_grounding_is_sent_with_its_qualifiers_and_gauged(page: AppTest, wire: Wire) -> None:
    scores = [{"type": "GROUNDING", "threshold": 0.75, "score": 0.2, "action": "BLOCKED"}]
    answer = assessed("BLOCKED", {"contextualGroundingPolicy": {"filters": scores}}, "No.")
    wire.answers["ApplyGuardrail"] = lambda call: answer
    choose(page, "guardrail_source", "OUTPUT")
    page.toggle(key="guardrail_grounding").set_value(True).run()
    assert page.button(key="guardrail_run").disabled
    page.text_area(key="guardrail_grounding_source").set_value("Four.")
    page.text_input(key="guardrail_query").set_value("How many?").run()
    check(page, "Nine.")
    qualifiers = [part["text"]["qualifiers"] for part in wire.calls[0].request["content"]]
    assert qualifiers == [["grounding_source"], ["query"], ["guard_content"]]
    gauges = [element.proto.text.replace("\\", "") for element in page.get("progress")]
    assert gauges == ["Grounding: score 0.20 is below the threshold 0.75 → blocked"]


def test_versions_are_compared_on_one_text(page: AppTest, wire: Wire) -> None:
    def answer(call: Call) -> Json:
        return assessed("BLOCKED" if call.request["guardrailVersion"] == "2" else "NONE", by_version(call))

    def by_version(call: Call) -> Json:
        return email("BLOCKED" if call.request["guardrailVersion"] == "2" else "NONE")

    wire.answers["ApplyGuardrail"] = answer
    click(page, "guardrail_compare")
    page.selectbox(key="guardrail_picker_1_version").set_value("2").run()
    check(page, "a@b.com")
    assert {call.request["guardrailVersion"] for call in wire.calls} == {"DRAFT", "2"}
    assert "**Different verdicts**" in shown(page)
    table = page.dataframe[-1].value
    assert list(table.iloc[0]) == ["Sensitive information → Email", "let through", "blocked"]
    click(page, "guardrail_remove_1")
    assert not [box for box in page.selectbox if box.key == "guardrail_picker_1"]


def test_a_pasted_identifier_is_used_and_a_wrong_one_is_told(page: AppTest, wire: Wire) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/other9"
    page.session_state["guardrail_targets"] = [GuardrailChoice(arn)]  # AppTest cannot type into a picker
    page.run()
    assert page.selectbox(key="guardrail_picker").value == arn
    check(page, "Hi")
    assert wire.calls[0].request["guardrailIdentifier"] == arn
    page.session_state["guardrail_targets"] = [GuardrailChoice("No Id")]
    page.run()
    assert not page.exception
    assert page.button(key="guardrail_run").disabled


def test_a_model_is_asked_with_and_without_the_guardrail(page: AppTest, wire: Wire) -> None:
    page.text_area(key="guardrail_text").set_value("Mail a@b.com").run()
    choose(page, "guardrail_view", "With a model")
    click(page, "guardrail_model_run")
    guarded = [call for call in wire.calls if "guardrailConfig" in call.request]
    assert len(wire.calls) == 2
    assert [call.request["guardrailConfig"]["guardrailIdentifier"] for call in guarded] == ["gr1"]
    words = shown(page)
    assert "Masked {EMAIL}" in words
    assert "Open a@b.com" in words
    assert "+0 input tokens · +0 output tokens" in words


def test_thresholds_decide_without_another_call(page: AppTest, wire: Wire) -> None:
    wire.answers["InvokeGuardrailChecks"] = lambda call: {
        "results": {
            "contentFilter": {"results": [{"category": "HATE", "severityScore": 0.4}]},
            "sensitiveInformation": {
                "results": [{"type": "EMAIL", "confidenceScore": 0.9, "beginOffset": 5, "endOffset": 12}]
            },
        },
        "usage": {"contentFilter": {"textUnits": 1}},
    }
    choose(page, "guardrail_view", "Inline checks")
    page.text_area(key="guardrail_text").set_value("Mail a@b.com")
    click(page, "guardrail_checks_run")
    assert "Would be masked" in shown(page)
    marked = [piece for piece in drawn(page, "guardrail_checks_text") if piece.get("tag") == "mark"]
    assert [piece["text"] for piece in marked] == ["a@b.com"]
    page.slider(key="guardrail_threshold_HATE").set_value(0.3).run()
    assert "**Would be blocked** with these thresholds: Hate (0.40)" in shown(page)
    page.slider(key="guardrail_threshold_EMAIL").set_value(0.95).run()
    assert not [piece for piece in drawn(page, "guardrail_checks_text") if "tag" in piece]
    assert len(wire.calls) == 1


def test_inline_checks_that_are_not_offered_are_a_problem_card(page: AppTest, wire: Wire) -> None:
    wire.answers["InvokeGuardrailChecks"] = refused
    choose(page, "guardrail_view", "Inline checks")
    page.text_area(key="guardrail_text").set_value("Hi")
    click(page, "guardrail_checks_run")
    assert "The guardrail is not ready." in shown(page)


def test_a_viewer_looks_and_cannot_check(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = User("vera", "Vera", "viewer")
    monkeypatch.setattr(auth, "current_user", lambda: viewer)
    page = opened()
    assert "HATE" in shown(page)
    for view, key in (
        ("Test", "guardrail_run"),
        ("With a model", "guardrail_model_run"),
        ("Inline checks", "guardrail_checks_run"),
    ):
        choose(page, "guardrail_view", view)
        assert page.button(key=key).disabled
    assert "Your role can look at guardrails, but not run checks" in shown(page)


def test_a_run_is_opened_again_by_its_link(page: AppTest, wire: Wire) -> None:
    choose(page, "guardrail_source", "OUTPUT")
    check(page, "Again, please")
    (kept,) = run_store.store().list("local", limit=5)
    again = opened(run=kept.id)
    assert kept.prompt == "Again, please"
    assert again.text_area(key="guardrail_text").value == "Again, please"
    assert again.segmented_control(key="guardrail_source").value == "OUTPUT"
    assert "**Passed.** The reply" in shown(again)
    assert len(wire.calls) == 1


def test_a_reply_can_be_taken_from_its_run_and_a_check_cannot(page: AppTest, wire: Wire) -> None:
    check(page, "Mail")
    click(page, "guardrail_verdict_details")
    assert not [button for button in page.button if button.key == "run_details_guardrail"]
    choose(page, "guardrail_view", "With a model")
    click(page, "guardrail_model_run")
    click(page, "guardrail_off_details")
    assert [button for button in page.button if button.key == "run_details_guardrail"]
