"""Pieces that leave together."""

from __future__ import annotations

from localbedrock.text.engine import Event, Finish, TextDelta, ToolDelta, ToolStart, joined


def test_neighbouring_pieces_of_one_kind_become_one() -> None:
    finish = Finish("tool_use", 3, 5)
    events: list[Event] = [
        TextDelta("a"),
        TextDelta("b"),
        ToolStart("f"),
        ToolDelta("{"),
        ToolDelta("}"),
        ToolStart("g"),
        finish,
    ]
    assert joined(events) == [TextDelta("ab"), ToolStart("f"), ToolDelta("{}"), ToolStart("g"), finish]


def test_nothing_stays_nothing() -> None:
    assert joined([]) == []
