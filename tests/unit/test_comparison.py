"""Which of several replies won, by which measure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from services.clients import Identity
from services.comparison import Winner, winners
from services.runs import Call, Run, TokenUsage

CALL = Call(operation="Converse", request={}, identity=Identity("local", None, "us-east-1"))


def run(first: float | None, total: float, tokens: int | None = None, cost: float | None = None) -> Run:
    usage = None if tokens is None else TokenUsage(input_tokens=1, output_tokens=tokens)
    return Run(
        id=f"{total}",
        call=CALL,
        started_at=datetime.now(UTC),
        state="done",
        latency_ms=total,
        ttft_ms=first,
        usage=usage,
        cost_usd=cost,
    )


def test_each_measure_has_its_own_winner() -> None:
    replies = [run(50, 900, 10, 0.2), None, run(80, 300, 40, 0.1)]
    assert winners(replies) == [
        Winner("first_token", 0, 50),
        Winner("total", 2, 300),
        Winner("cost", 2, 0.1),
        Winner("length", 2, 40),
    ]


def test_nobody_wins_where_all_are_equal_or_alone() -> None:
    """Two free replies are not a cheapest one."""
    assert [w.measure for w in winners([run(5, 10, 3, 0.0), run(6, 10, 3, 0.0)])] == ["first_token"]
    assert winners([run(5, 10), None]) == []
    assert winners([]) == []


def test_what_was_stopped_or_failed_is_not_compared() -> None:
    """A reply that was cut short would always be the fastest."""
    stopped = replace(run(1, 2, 1, 0.0), state="stopped")
    assert winners([stopped, run(50, 900, 10, 0.2)]) == []
