"""Which of several replies to one prompt was the fastest, the cheapest and the longest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.runs import Run


@dataclass(frozen=True)
class Winner:
    """What is compared, the place of the best reply in the list, and its value.

    `value` is in milliseconds for `first_token` and `total`, in USD for `cost`, in tokens for `length`.
    """

    measure: str
    index: int
    value: float


def winners(runs: Sequence[Run | None]) -> list[Winner]:
    """The best of the finished runs by each measure in which they differ.

    A reply that was stopped or failed is not compared. None stands for a pane without a reply.
    """
    found = []
    for measure, of, best in _MEASURES:
        values = [
            (value, index)
            for index, run in enumerate(runs)
            if run is not None and run.state == "done" and (value := of(run)) is not None
        ]
        if len({value for value, _ in values}) > 1:
            value, index = best(values, key=lambda pair: pair[0])
            found.append(Winner(measure, index, value))
    return found


def _length(run: Run) -> float | None:
    return run.usage.output_tokens if run.usage else None


_MEASURES: tuple[tuple[str, Callable[[Run], float | None], Callable[..., tuple[float, int]]], ...] = (
    ("first_token", lambda run: run.ttft_ms, min),
    ("total", lambda run: run.latency_ms, min),
    ("cost", lambda run: run.cost_usd, min),
    ("length", _length, max),
)
