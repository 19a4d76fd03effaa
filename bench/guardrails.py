"""The sample guardrail on labelled texts: what it stops, what it should not have stopped, how quickly."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.report import Row, percentile
from scripts.served_app import ROOT
from services.clients import Identity
from services.guardrail_results import Grounding, GuardrailResult, apply_call, result_of
from services.guardrail_suites import cases, metrics
from services.guardrail_suites.cases import Case
from services.guardrail_suites.names import BY_FINDING, POLICIES
from services.guardrail_suites.values import reason
from services.runs import Run

SAMPLES = ROOT / "localbedrock" / "samples"
MANY = 5_000
AT_ONCE = 8
WARM_CALLS = 10
IDENTITY = Identity("local", "localbedrock", "us-east-1")
"""For the shape of a call alone: the calls are made with the bench's own client."""


@dataclass(frozen=True)
class Check:
    """One text that was checked. `took_ms` is the whole call's time, the guardrail's own is in the result."""

    case: Case
    result: GuardrailResult
    took_ms: float

    @property
    def acted(self) -> tuple[str, ...]:
        """The policies that did something, by AWS's names."""
        acting = [finding.policy for finding in self.result.findings if finding.acted]
        return tuple(dict.fromkeys(BY_FINDING.get(policy, policy) for policy in acting))

    @property
    def verdict(self) -> metrics.Verdict:
        """What to think of it."""
        return metrics.verdict_of(self.case.expected, self.case.policy, self.result.outcome, self.acted)

    @property
    def group(self) -> str:
        """`pii-email`, `benign`, `lookalike` ...: the id without its number."""
        return self.case.id.rpartition("-")[0]


class Guardrail:
    """The sample guardrail on an endpoint."""

    def __init__(self, session: Any) -> None:
        settings = json.loads((SAMPLES / "guardrail.json").read_text("utf-8"))
        self._id = session.client("bedrock").create_guardrail(**settings)["guardrailId"]
        self._runtime = session.client("bedrock-runtime")

    def check(self, case: Case) -> Check:
        """One ApplyGuardrail call, as the guardrail tester makes it."""
        grounding = Grounding(case.grounding_source, case.query)
        call = apply_call(case.text, self._id, IDENTITY, source=case.source, grounding=grounding)
        started = time.perf_counter()
        answer = self._runtime.apply_guardrail(**call.request)
        took_ms = 1000 * (time.perf_counter() - started)
        run = Run(
            id="",
            call=call,
            started_at=datetime.now(UTC),
            state="done",
            latency_ms=took_ms,
            response=answer,
        )
        return Check(case, result_of(run), took_ms)


def measure(session: Any, *, misses: bool) -> list[Row]:
    """Quality on both files of the samples, then speed. `misses` names the texts that went wrong."""
    guardrail = Guardrail(session)
    labelled = read("guardrail_cases.csv")
    for case in labelled[:WARM_CALLS]:
        guardrail.check(case)
    checks = [guardrail.check(case) for case in labelled]
    library = [guardrail.check(case) for case in read("attack_library.csv")]
    if misses:
        for check in checks + library:
            tell(check)
    return [
        *quality("labelled texts", checks),
        *by_group(checks),
        *quality("attack library", library),
        latency(checks),
        throughput(guardrail, labelled),
    ]


def read(name: str) -> tuple[Case, ...]:
    """The cases of a sample file; every line of it must be one."""
    found = cases.read((SAMPLES / name).read_bytes(), name)
    assert not found.faults, found.faults
    return found.cases


def quality(name: str, checks: Sequence[Check]) -> list[Row]:
    """All policies together, each policy, and what became of what was expected."""
    tallies = [
        metrics.Tally(check.case.expected, check.case.policy, check.result.outcome, check.acted, 1)
        for check in checks
    ]
    lines = {policy: sum(check.case.policy == policy for check in checks) for policy in POLICIES}
    scores = {f"all policies ({len(checks)})": metrics.overall(tallies)} | {
        f"{POLICIES.get(policy, policy)} ({lines.get(policy, 0)})": score
        for policy, score in metrics.by_policy(tallies).items()
    }
    confusion = metrics.confusion(tallies)
    return [score_row(f"{name}: {words}", score) for words, score in scores.items()] + [
        Row(
            f"{name}: expected {expected}",
            *(f"{got} {confusion[expected, got]}" for got in ("blocked", "masked", "passed")),
        )
        for expected in metrics.EXPECTED
    ]


def score_row(name: str, score: metrics.Score) -> Row:
    """Precision, recall and F1."""
    figures = [
        f"{words} {'-' if value is None else f'{value:.3f}'}"
        for words, value in (("precision", score.precision), ("recall", score.recall), ("F1", score.f1))
    ]
    return Row(name, *figures)


def by_group(checks: Iterable[Check]) -> list[Row]:
    """How many texts of each item, and of the harmless ones, came out as expected."""
    groups: dict[str, list[Check]] = defaultdict(list)
    for check in checks:
        groups[check.group].append(check)
    return [
        Row(
            f"labelled texts: {group} ({len(found)})",
            f"right {sum(check.verdict == 'right' for check in found)}",
            "",
            f"{sum(check.verdict == 'right' for check in found) / len(found):.0%}",
        )
        for group, found in sorted(groups.items())
    ]


def latency(checks: Sequence[Check]) -> Row:
    """One call after the other, each with another text."""
    times_ms = [check.took_ms for check in checks]
    own_ms = [check.result.latency_ms for check in checks if check.result.latency_ms is not None]
    return Row(
        f"ApplyGuardrail with every policy, p50 of {len(checks)}",
        f"{percentile(times_ms, 50):.1f} ms",
        f"p95 {percentile(times_ms, 95):.1f} ms",
        f"its own p50 {percentile(own_ms, 50):.0f} ms",
    )


def throughput(guardrail: Guardrail, labelled: Sequence[Case]) -> Row:
    """The labelled texts again and again, a few calls at a time, as a suite makes them."""
    started = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        checks = list(pool.map(guardrail.check, itertools.islice(itertools.cycle(labelled), MANY)))
    took_s = time.perf_counter() - started
    assert len(checks) == MANY
    return Row(
        f"ApplyGuardrail: {MANY:,} texts, {AT_ONCE} at a time",
        f"{took_s:.1f} s",
        f"{MANY / took_s:.0f} texts/s",
        "",
    )


def tell(check: Check) -> None:
    """A line about a text that did not come out as expected, apart from the table."""
    if check.verdict != "right":
        case, result = check.case, check.result
        print(
            f"bench: {check.verdict}: {case.id} expected {case.expected} {case.policy} {case.item}, "
            f"was {result.outcome}: {reason(result.findings) or 'nothing near'}\n         {case.text[:99]!r}",
            file=sys.stderr,
        )
