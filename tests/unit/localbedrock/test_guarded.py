"""A guardrail around one call of a model, with an engine that blocks and masks by simple words."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from typing import Any, cast

import pytest

from localbedrock.context import Context, GuardrailCheck
from localbedrock.errors import validation
from localbedrock.guardrails import engine
from localbedrock.guardrails.guarded import Guard
from localbedrock.guardrails.streams import Mode
from localbedrock.guardrails.values import Content, Source, Verdict
from localbedrock.text.engine import (
    Event,
    Finish,
    Generation,
    ReasoningDelta,
    Tally,
    TextDelta,
    ToolDelta,
    ToolStart,
    fold,
)

GUARDRAIL: dict[str, Any] = {
    "guardrailId": "abc",
    "guardrailArn": "arn:abc",
    "version": "DRAFT",
    "blockedInputMessaging": "No question.",
    "blockedOutputsMessaging": "No answer.",
}
GROUNDED = GUARDRAIL | {"contextualGroundingPolicy": {"filters": [{}]}}
SOURCE = Content("The lamp has a button.", frozenset({"grounding_source"}))
LONG = "It rains in the harbour today. " * 20


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[Content], Source]]:
    """What the engine is asked."""
    asked: list[tuple[Sequence[Content], Source]] = []

    def evaluate(_guardrail: Any, content: Sequence[Content], source: Source, _embedder: Any) -> Verdict:
        asked.append((content, source))
        if any("slow" in each.text for each in content):
            raise validation("too slow")
        blocked = any("secret" in each.text for each in content)
        masked = tuple(each.text.replace("Ada", "{NAME}") for each in content)
        acted = blocked or masked != tuple(each.text for each in content)
        action: Any = "GUARDRAIL_INTERVENED" if acted else "NONE"
        reason = "Guardrail blocked." if blocked else "Guardrail masked." if acted else "No action."
        return Verdict(action, reason, (), {}, {"full": {}}, {}, {}, 1, blocked, masked)

    monkeypatch.setattr(engine, "evaluate", evaluate)
    return asked


class Call:
    """A guard, a model that says some events, and what was told of it."""

    def __init__(self, events: Sequence[Event], guardrail: Mapping[str, Any] = GUARDRAIL) -> None:
        self.told: list[GuardrailCheck] = []
        self.closed = False
        self.asked = 0
        self._events = events
        models = type("Models", (), {"embedder": None})()
        ctx = Context(
            "r", "us-east-1", "0", cast(Any, None), models, threading.Event(), print, self.told.append
        )
        self.guard = Guard(ctx, guardrail, "enabled")

    def generate(self) -> Generation:
        self.asked += 1
        return Generation(7, self._said(), Tally(3))

    def _said(self) -> Generator[Event, None, None]:
        try:
            yield from self._events
            yield Finish("max_tokens", 7, 9)
        finally:
            self.closed = True

    def events(self, mode: Mode = "sync") -> list[Event]:
        return list(self.guard.generate(self.generate, mode).events)


def test_a_blocked_input_asks_no_model(seen: list[Any]) -> None:
    call = Call([TextDelta("Hi")])
    call.guard.check_input([Content("The secret?")])
    assert call.events() == [TextDelta("No question."), Finish("end_turn", 0, 0)]
    assert call.asked == 0
    assert call.guard.intervened
    assert call.guard.assessments() == ({}, None)
    assert [(check.source, check.intervened) for check in call.told] == [("INPUT", True)]


def test_blocked_text_ends_the_decoding_with_the_message(seen: list[Any]) -> None:
    call = Call([TextDelta(LONG), TextDelta("The secret. "), *[TextDelta(LONG)] * 9])
    events = call.events()
    assert events[-2:] == [TextDelta("No answer."), Finish("end_turn", 7, 3)]
    assert "secret" not in fold(events).text
    assert call.closed
    assert len(call.guard.raw.text) < 4 * len(LONG)
    assert [check.source for check in call.told] == ["OUTPUT"]


@pytest.mark.parametrize("mode", ["sync", "whole"])
def test_text_goes_before_what_follows_it_and_only_text_is_judged(mode: Mode, seen: list[Any]) -> None:
    said: list[Event] = [
        ReasoningDelta("secret"),
        TextDelta("I am Ada."),
        ToolStart("look"),
        ToolDelta('{"a": "secret"}'),
    ]
    call = Call(said)
    masked = [said[0], TextDelta("I am {NAME}."), *said[2:], Finish("max_tokens", 7, 9)]
    assert call.events(mode) == masked
    assert call.guard.reason == "Guardrail masked."
    assert call.guard.raw.text == "I am Ada."


def test_no_tool_is_called_after_blocked_text(seen: list[Any]) -> None:
    call = Call([TextDelta("A secret."), ToolStart("look"), ToolDelta("{}")])
    assert call.events() == [TextDelta("No answer."), Finish("end_turn", 7, 3)]


def test_an_answer_that_is_to_be_grounded_is_judged_as_a_whole_with_its_sources(seen: list[Any]) -> None:
    call = Call([TextDelta(LONG), TextDelta(LONG)], GROUNDED)
    call.guard.ground([SOURCE, Content("Why?", frozenset({"query", "guard_content"}))])
    assert fold(call.events()).text == LONG * 2
    [(contents, source)] = seen
    assert source == "OUTPUT"
    assert contents == [
        Content(LONG * 2, frozenset({"guard_content"})),
        SOURCE,
        Content("Why?", frozenset({"query"})),
    ]


def test_async_says_it_behind_and_masks_nothing(seen: list[Any]) -> None:
    call = Call([TextDelta("I am Ada. "), TextDelta(LONG), TextDelta("A secret."), TextDelta("Bye.")])
    text = fold(call.events("async")).text
    assert text.startswith("I am Ada. ")
    assert text.endswith("No answer.")
    assert call.guard.intervened


def test_a_check_that_fails_is_counted_as_an_error(seen: list[Any]) -> None:
    call = Call([TextDelta("slow")])
    with pytest.raises(Exception, match="too slow"):
        call.events()
    assert [check.error.code for check in call.told if check.error] == ["ValidationException"]
    assert call.closed


def test_an_answer_without_text_has_no_output_to_judge(seen: list[Any]) -> None:
    call = Call([ToolStart("look"), ToolDelta("{}")])
    call.events()
    assert call.guard.assessments() == (None, None)
    assert not seen
