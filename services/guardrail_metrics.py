"""How often a guardrail intervenes, by policy and side, over time (CloudWatch: `AWS/Bedrock/Guardrails`).

The metrics and dimensions are those of "Monitor Amazon Bedrock Guardrails using CloudWatch metrics" in the
user guide. Which dimensions go together the guide does not say, so CloudWatch is asked (ListMetrics) and the
smallest group that tells a figure is used; with it no call is counted twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from services import clients, guardrail_editor, problems
from services.clients import Identity
from services.guardrail_configuration import ConfigurationError
from services.guardrail_editor import GuardrailError
from services.problems import Problem

NAMESPACE = "AWS/Bedrock/Guardrails"
ARN, POLICY, SOURCE = "GuardrailArn", "GuardrailPolicyType", "GuardrailContentSource"
_TTL_S = 60
_MOST_QUERIES = 500
"""GetMetricData takes no more at once."""

Values = Mapping[datetime, float]
Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Span:
    """How far back to look, and in what steps. ListMetrics knows what had data in the last two weeks."""

    label: str
    back: timedelta
    period_s: int


SPANS = (
    Span("3 hours", timedelta(hours=3), 300),
    Span("24 hours", timedelta(hours=24), 3_600),
    Span("7 days", timedelta(days=7), 6 * 3_600),
    Span("14 days", timedelta(days=14), 24 * 3_600),
)


@dataclass(frozen=True)
class Rates:
    """What was counted in each step, by the step's start (UTC).

    `policies` and `sources` are interventions. A step's rate of a policy is its value over `policy_base`,
    that of a source over `source_base`. `policies_of_account`: CloudWatch has the policies only for all
    guardrails of the account together, and so is their base. Latencies are means in milliseconds.
    """

    invocations: Values = field(default_factory=dict)
    intervened: Values = field(default_factory=dict)
    latency_ms: Values = field(default_factory=dict)
    text_units: float = 0
    policies: Mapping[str, Values] = field(default_factory=dict)
    policy_base: Values = field(default_factory=dict)
    policies_of_account: bool = False
    sources: Mapping[str, Values] = field(default_factory=dict)
    source_base: Mapping[str, Values] = field(default_factory=dict)
    problem: Problem | None = None


def rate(part: Values, base: Values) -> Values:
    """The share of each step in which something was counted at all."""
    return {at: part.get(at, 0) / count for at, count in base.items() if count}


def rates(identity: Identity, identifier: str, span: Span) -> Rates:
    """The figures of a guardrail, all its versions together; kept for a minute. Never raises.

    Source: ListMetrics, GetMetricData.
    """
    try:
        arn = identifier if identifier.startswith("arn:") else guardrail_editor.get(identity, identifier).arn
        return _rates(identity, arn, span)
    except GuardrailError as error:
        return Rates(problem=error.problem)
    except ConfigurationError as error:
        return Rates(problem=problems.from_exception(error, operation="GetGuardrail", identity=identity))
    except Exception as error:  # noqa: BLE001 (whatever it is, the page says it and goes on)
        return Rates(problem=problems.from_exception(error, operation="GetMetricData", identity=identity))


def refresh() -> None:
    """Ask CloudWatch anew the next time."""
    _rates.clear()


@st.cache_resource(show_spinner=False, ttl=_TTL_S, max_entries=256)
def _rates(identity: Identity, arn: str, span: Span) -> Rates:
    """Raises what boto3 raises, and that is not kept."""
    client = clients.client("cloudwatch", identity)
    own = _listed(client, [{"Name": ARN, "Value": arn}])
    if not own:
        return Rates()
    of_policies, of_account = own, False
    if not _group(own, "InvocationsIntervened", POLICY):
        account = [row for row in _listed(client, []) if ARN not in dict(row[1])]
        if _group(account, "InvocationsIntervened", POLICY):
            of_policies, of_account = account, True
    end = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    read = _Reader(client, end - span.back, end, span.period_s)
    policies = {
        name: read.summed("InvocationsIntervened", found)
        for name, found in _split(of_policies, "InvocationsIntervened", POLICY).items()
    }
    invocations = read.summed("Invocations", _group(own, "Invocations"))
    latencies = _group(own, "InvocationLatency")
    latency_counts = read.summed("InvocationLatency", latencies, "SampleCount")
    return Rates(
        invocations=invocations,
        intervened=read.summed("InvocationsIntervened", _group(own, "InvocationsIntervened")),
        latency_ms=rate(read.summed("InvocationLatency", latencies), latency_counts),
        text_units=sum(read.summed("TextUnitCount", _group(own, "TextUnitCount")).values()),
        policies=policies,
        policy_base=read.summed("Invocations", _group(of_policies, "Invocations"))
        if of_account
        else invocations,
        policies_of_account=of_account,
        sources={
            name: read.summed("InvocationsIntervened", found)
            for name, found in _split(own, "InvocationsIntervened", SOURCE).items()
        },
        source_base={
            name: read.summed("Invocations", found)
            for name, found in _split(own, "Invocations", SOURCE).items()
        },
    )


def _listed(client: Any, dimensions: list[dict[str, str]]) -> list[tuple[str, Dimensions]]:
    """(metric, its dimensions) of the namespace."""
    pages = client.get_paginator("list_metrics").paginate(Namespace=NAMESPACE, Dimensions=dimensions)
    return [
        (row["MetricName"], tuple(sorted((each["Name"], each["Value"]) for each in row["Dimensions"])))
        for page in pages
        for row in page["Metrics"]
    ]


def _group(
    listed: Iterable[tuple[str, Dimensions]], metric: str, breakdown: str = ""
) -> tuple[Dimensions, ...]:
    """The series that together count a metric once: those of the smallest group of dimension names.

    With `breakdown` the group has that dimension, without it neither policy nor source.
    """
    by_names: dict[tuple[str, ...], set[Dimensions]] = defaultdict(set)
    for name, dimensions in listed:
        names = tuple(key for key, _ in dimensions)
        fits = breakdown in names if breakdown else not {POLICY, SOURCE} & set(names)
        if name == metric and fits:
            by_names[names].add(dimensions)
    if not by_names:
        return ()
    smallest = min(by_names, key=lambda names: (len(names), names))
    return tuple(sorted(by_names[smallest]))


def _split(
    listed: Iterable[tuple[str, Dimensions]], metric: str, breakdown: str
) -> dict[str, tuple[Dimensions, ...]]:
    """The series of a metric by the values of a dimension."""
    found: dict[str, list[Dimensions]] = defaultdict(list)
    for dimensions in _group(listed, metric, breakdown):
        found[dict(dimensions)[breakdown]].append(dimensions)
    return {name: tuple(series) for name, series in sorted(found.items())}


@dataclass(frozen=True)
class _Reader:
    """Reads series from CloudWatch and adds them up."""

    client: Any
    start: datetime
    end: datetime
    period_s: int

    def summed(self, metric: str, series: tuple[Dimensions, ...], stat: str = "Sum") -> Values:
        """The sum of the series in each step."""
        total: dict[datetime, float] = defaultdict(float)
        for first in range(0, len(series), _MOST_QUERIES):
            for at, value in self._points(metric, series[first : first + _MOST_QUERIES], stat):
                total[at] += value
        return dict(sorted(total.items()))

    def _points(
        self, metric: str, series: tuple[Dimensions, ...], stat: str
    ) -> Iterator[tuple[datetime, float]]:
        queries = [
            {
                "Id": f"q{n}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": NAMESPACE,
                        "MetricName": metric,
                        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
                    },
                    "Period": self.period_s,
                    "Stat": stat,
                },
            }
            for n, dimensions in enumerate(series)
        ]
        pages = self.client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=self.start, EndTime=self.end
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                yield from zip(result["Timestamps"], result["Values"], strict=True)
