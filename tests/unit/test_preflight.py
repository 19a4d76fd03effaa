"""What a send will take is told from CountTokens, or as an estimate that says that it is one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services import preflight
from services.capabilities import Bound, Capabilities, Conflict
from services.clients import Identity
from services.conversations import Pane, Settings, Turn
from services.models import Model
from services.preflight import TokenCounter, of_pane
from services.pricing import Price
from services.runs import Call, Run, TokenUsage

IDENTITY = Identity("aws", None, "us-east-1")
MODEL = Model(
    "us.x.y-v1:0",
    "",
    "Model Y",
    "X",
    "inference_profile",
    "x.y-v1:0",
    capabilities=Capabilities(
        bounds={name: Bound(0, 9999) for name in ("maxTokens", "temperature", "topP")},
        conflicts=(Conflict(("temperature", "topP"), "It takes one."),),
        context_tokens=1000,
        max_output_tokens=100,
    ),
    price=Price(input_usd_per_mtok=1.0, output_usd_per_mtok=10.0),
)
PROMPT = [{"text": "12345678"}]


class Service:
    """Counts, or fails; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.tokens = 400
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def count_tokens(self, **request: Any) -> dict[str, int]:
        assert self.gate.wait(10)
        self.asked.append(request)
        if self.error:
            raise self.error
        return {"inputTokens": self.tokens}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service, counter = Service(), TokenCounter()
    monkeypatch.setattr(preflight, "client", lambda name, identity: service)
    monkeypatch.setattr(preflight, "counter", lambda: counter)
    yield service
    counter.close()


def turn(run_id: str = "r1", usage: TokenUsage | None = None) -> Turn:
    run = Run(
        id=run_id,
        call=Call(operation="ConverseStream", request={}, identity=IDENTITY, model_id="m"),
        started_at=datetime.now(UTC),
        state="done",
        latency_ms=1,
        usage=usage,
        response={"output": {"message": {"role": "assistant", "content": [{"text": "A" * 40}]}}},
    )
    return Turn(prompt=({"text": "Q" * 40},), run=run)


def counted(pane: Pane, prompt: list[dict[str, Any]] | None = None, model: Model = MODEL) -> Any:
    first = of_pane(pane, model, IDENTITY, prompt or (), "draft")
    preflight.counter().wait(10)
    return first, of_pane(pane, model, IDENTITY, prompt or (), "draft")


def test_nothing_is_counted_without_a_chat_or_a_prompt(service: Service) -> None:
    assert of_pane(Pane(Settings("m")), MODEL, IDENTITY).count is None
    assert of_pane(Pane(Settings("")), None, IDENTITY).count is None
    assert service.asked == []


def test_a_turn_that_was_refused_is_no_chat(service: Service) -> None:
    refused = Turn(prompt=({"text": "Hi"},))
    assert of_pane(Pane(Settings("m"), [refused]), MODEL, IDENTITY).count is None


def test_a_stand_in_has_the_context_of_the_local_model(service: Service) -> None:
    local = Identity("local", None, "us-east-1")
    stand_in = replace(MODEL, capabilities=replace(MODEL.capabilities, context_tokens=300_000))
    assert preflight._context_tokens(stand_in, local) == 4096
    assert preflight._context_tokens(stand_in, IDENTITY) == 300_000


def test_the_numbers_of_a_prompt(service: Service) -> None:
    _, then = counted(Pane(Settings("m", parameters={"maxTokens": 50})), PROMPT)
    assert (then.count.tokens, then.count.exact) == (400, True)
    assert then.input_usd == pytest.approx(400 / 1e6)
    assert then.most_output_tokens == 50
    assert then.most_output_usd == pytest.approx(500 / 1e6)
    assert then.room_tokens == 1000 - 400 - 50
    assert then.warnings == ()
    assert service.asked == [
        {
            "modelId": "x.y-v1:0",
            "input": {"converse": {"messages": [{"role": "user", "content": PROMPT}]}},
        }
    ]


def test_nobody_waits_for_the_count(service: Service) -> None:
    service.gate.clear()
    first = of_pane(Pane(Settings("m")), MODEL, IDENTITY, PROMPT, "draft")
    assert first.count
    assert (first.count.tokens, first.count.exact, first.count.pending) == (2, False, True)
    service.gate.set()
    _, then = counted(Pane(Settings("m")), PROMPT)
    assert then.count.exact


def test_a_chat_is_counted_once_whatever_the_numbers_beside_it(service: Service) -> None:
    pane = Pane(Settings("m", system="Be brief."), [turn()])
    counted(pane)
    pane.settings = replace(pane.settings, parameters={"temperature": 0.5})
    counted(pane)
    assert len(service.asked) == 1
    assert service.asked[0]["input"]["converse"]["system"] == [{"text": "Be brief."}]
    pane.turns.append(turn("r2"))
    counted(pane)
    pane.settings = replace(pane.settings, system="Be long.")
    counted(pane)
    assert len(service.asked) == 3


def test_a_model_that_cannot_be_counted_is_estimated_and_not_asked_again(service: Service) -> None:
    error = {"Code": "ValidationException", "Message": "The provided model doesn't support counting tokens."}
    service.error = ClientError({"Error": error}, "CountTokens")
    pane = Pane(Settings("m"), [turn(usage=TokenUsage(100, 20))])
    _, then = counted(pane, PROMPT)
    assert (then.count.tokens, then.count.exact, then.count.pending) == (122, False, False)
    assert then.count.why == "CountTokens does not serve this model."
    pane.turns.append(turn("r2"))
    counted(pane)
    assert len(service.asked) == 1


def test_a_failure_is_estimated_and_tried_again_later(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.error = ConnectionError("no network")
    pane = Pane(Settings("m"))
    _, then = counted(pane, [{"text": "12345678"}, {"image": {"format": "png", "source": {"bytes": b"x"}}}])
    assert then.count.tokens == 2
    assert then.count.uncounted_files == 1
    assert "ConnectionError" in then.count.why
    service.error = None
    monkeypatch.setattr(preflight, "_RETRY_AFTER_S", -1.0)
    _, later = counted(pane, PROMPT)
    assert later.count.exact


def test_what_does_not_fit_is_told_with_what_to_do(service: Service) -> None:
    service.tokens = 990
    _, then = counted(Pane(Settings("m", parameters={"maxTokens": 50})), PROMPT)
    assert then.room_tokens == -40
    assert "lower maxTokens to 10" in then.warnings[0]
    service.tokens = 2000
    _, then = counted(Pane(Settings("m", system="x")), PROMPT)
    assert "start a new chat" in then.warnings[0]


def test_what_would_be_refused_is_told_before(service: Service) -> None:
    settings = Settings("m", parameters={"temperature": 0.5, "topP": 0.5})
    found = of_pane(Pane(settings), MODEL, IDENTITY)
    assert found.problem
    assert found.problem.action == "edit_parameters"
    old = replace(MODEL, lifecycle="LEGACY", end_of_life=date(2027, 3, 1), access="not_available")
    warnings = of_pane(Pane(Settings("m")), old, IDENTITY).warnings
    assert any("01 Mar 2027" in warning for warning in warnings)
    assert any("No access" in warning for warning in warnings)


def test_an_unpriced_model_stays_unpriced(service: Service) -> None:
    _, then = counted(Pane(Settings("m")), PROMPT, replace(MODEL, price=None))
    assert then.input_usd is None
    assert then.most_output_usd is None


def test_a_prompt_with_half_a_sign_and_nulls_is_counted(service: Service) -> None:
    _, then = counted(Pane(Settings("m")), [{"text": "\0\ud83d"}])
    assert then.count.tokens == 400
