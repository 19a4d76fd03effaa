"""How well a knowledge base finds the sources that a test set expects: ranks, hit rate, MRR, recall.

All figures are about ranks of results (passages), from 1. Questions whose call failed are counted apart: they
say nothing about retrieval.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from services.citations import Source
from services.rag_settings import RagSettings, RetrievalSettings
from services.rag_test_set import SEPARATOR, Question, matches
from services.run_store import storable

DEPTHS = (1, 3, 5, 10)
DEFAULT_RESULTS = 5
"""What Retrieve returns where numberOfResults is not sent."""
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Found:
    """One result of a question: where it comes from and how it begins."""

    title: str
    address: str
    page: int | None
    score: float | None
    text: str


@dataclass(frozen=True)
class Outcome:
    """What came for one question. `ranks` has the rank of each expected source, None where it did not come.

    `problem` is the title of what went wrong with the call, "" for nothing.
    """

    question: Question
    ranks: tuple[int | None, ...]
    found: tuple[Found, ...] = ()
    latency_ms: float | None = None
    run_id: str = ""
    problem: str = ""

    @property
    def rank(self) -> int | None:
        """The best rank of an expected source."""
        return min((rank for rank in self.ranks if rank is not None), default=None)


@dataclass(frozen=True)
class Result:
    """A test set asked with one setting. `asked` may be fewer than `total`: it was stopped."""

    id: str
    set_name: str
    label: str
    created_at: datetime
    settings: RagSettings
    outcomes: tuple[Outcome, ...]
    total: int

    @property
    def answered(self) -> tuple[Outcome, ...]:
        """The outcomes of calls that did not fail."""
        return tuple(outcome for outcome in self.outcomes if not outcome.problem)

    @property
    def depth(self) -> int:
        """How many results were asked for."""
        return depth_of(self.settings.retrieval)


@dataclass(frozen=True)
class Metrics:
    """Means over questions, each from 0 to 1; hit rate and recall by k.

    hit rate@k: the part of the questions with an expected source among the first k results. MRR: the mean of
    1/rank of the first expected source, 0 where none came. recall@k: the mean part of a question's expected
    sources that is among the first k.
    """

    questions: int
    hit_rate: Mapping[int, float]
    mrr: float
    recall: Mapping[int, float]


@dataclass(frozen=True)
class Flip:
    """One question in two results: the rank of its source in each, None where it did not come."""

    question: Question
    before: int | None
    after: int | None
    change: Literal["lost", "won", "lower", "higher", "same"]


def outcome_of(
    question: Question, sources: Sequence[Source], *, latency_ms: float | None = None, run_id: str = ""
) -> Outcome:
    """The outcome of a question whose results are `sources`, the best first."""
    return Outcome(
        question,
        tuple(_rank(expected, sources) for expected in question.expected),
        tuple(_found(source) for source in sources),
        latency_ms,
        run_id,
    )


def measure(outcomes: Sequence[Outcome], depths: Sequence[int]) -> Metrics:
    """The figures of outcomes (failed calls left out), for each k in `depths`."""
    asked = [outcome for outcome in outcomes if not outcome.problem]
    return Metrics(
        len(asked),
        {k: _mean([float(_within(outcome.rank, k)) for outcome in asked]) for k in depths},
        _mean([1 / outcome.rank if outcome.rank else 0.0 for outcome in asked]),
        {k: _mean([_recall(outcome, k) for outcome in asked]) for k in depths},
    )


def by_kind(outcomes: Sequence[Outcome], depths: Sequence[int]) -> dict[str, Metrics]:
    """The figures of each kind of question, by name; questions without a kind have no row."""
    kinds = sorted({outcome.question.kind for outcome in outcomes} - {""})
    return {
        kind: measure([outcome for outcome in outcomes if outcome.question.kind == kind], depths)
        for kind in kinds
    }


def depth_of(settings: RetrievalSettings) -> int:
    """How many results the settings give at most."""
    number = settings.number_of_results or DEFAULT_RESULTS
    return min(number, settings.reranked_results or number) if settings.reranker else number


def depths(depth: int) -> tuple[int, ...]:
    """The k that mean something with so many results: 1, 3, 5, 10 as far as they go, and the depth itself."""
    return tuple(sorted({k for k in DEPTHS if k < depth} | {depth}))


def misses_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Failed calls, then questions whose source did not come, then by rank, the lowest place first."""
    return sorted(outcomes, key=lambda each: (not each.problem, each.rank is not None, -(each.rank or 0)))


def compare(before: Result, after: Result, k: int) -> list[Flip]:
    """The questions that both results answered: those lost within the first k first, then those won."""
    earlier = {outcome.question.question: outcome for outcome in before.answered}
    flips = [
        Flip(outcome.question, old.rank, outcome.rank, _change(old.rank, outcome.rank, k))
        for outcome in after.answered
        if (old := earlier.get(outcome.question.question))
        and old.question.expected == outcome.question.expected
    ]
    order = ("lost", "won", "lower", "higher", "same")
    return sorted(flips, key=lambda flip: order.index(flip.change))


def csv_text(result: Result) -> str:
    """One row for each question: what was expected, its rank, and what came in its place."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["question", "expected_source", "kind", "answer", "rank", "found", "latency_ms", "run_id", "problem"]
    )
    for outcome in result.outcomes:
        question = outcome.question
        writer.writerow(
            [
                question.question,
                SEPARATOR.join(question.expected),
                question.kind,
                question.answer,
                outcome.rank or "",
                SEPARATOR.join(found.title for found in outcome.found),
                "" if outcome.latency_ms is None else round(outcome.latency_ms, 1),
                outcome.run_id,
                outcome.problem,
            ]
        )
    return text.getvalue()


def json_text(result: Result) -> str:
    """Settings, figures and every outcome, for other programs."""
    measured = measure(result.outcomes, depths(result.depth))
    kinds = by_kind(result.outcomes, depths(result.depth))
    document = {
        "metrics": asdict(measured),
        "by_kind": {kind: asdict(each) for kind, each in kinds.items()},
        "result": json.loads(to_json(result)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def to_json(result: Result) -> str:
    """The result as JSON that `from_json` reads back without loss."""
    return _adapter().dump_json(result).decode()


def from_json(text: str) -> Result:
    """The result that `to_json` wrote."""
    return _adapter().validate_json(text)


@cache
def _adapter() -> TypeAdapter[Result]:
    return TypeAdapter(Result)


def _rank(expected: str, sources: Sequence[Source]) -> int | None:
    return next((n for n, source in enumerate(sources, 1) if matches(expected, source.location)), None)


def _found(source: Source) -> Found:
    text = storable(" ".join(source.text.split()))
    shown = text[:_SHOWN_CHARACTERS] + ("…" if len(text) > _SHOWN_CHARACTERS else "")
    where = source.location
    return Found(storable(where.title), storable(where.address), where.page, source.score, shown)


def _within(rank: int | None, k: int) -> bool:
    return rank is not None and rank <= k


def _recall(outcome: Outcome, k: int) -> float:
    return sum(_within(rank, k) for rank in outcome.ranks) / max(len(outcome.ranks), 1)


def _change(
    before: int | None, after: int | None, k: int
) -> Literal["lost", "won", "lower", "higher", "same"]:
    was, is_ = _within(before, k), _within(after, k)
    if was != is_:
        return "won" if is_ else "lost"
    if before == after:
        return "same"
    return "higher" if after is not None and (before is None or after < before) else "lower"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
