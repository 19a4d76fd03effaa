"""The CloudWatch metrics of guardrails (namespace ``AWS/Bedrock/Guardrails``).

See "Monitor Amazon Bedrock Guardrails using CloudWatch metrics" in the user guide. Every value stands once
for each of the documented dimensions, and those of single policies for the guardrail as well.
``FindingCounts`` and ``TotalFindings`` are of Automated Reasoning, which there is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from localbedrock.cloudwatch import metric_of, put_calls
from localbedrock.context import GuardrailCheck
from localbedrock.emulator import Call

NAMESPACE = "AWS/Bedrock/Guardrails"
_POLICIES = {
    "topicPolicy": "TopicPolicy",
    "contentPolicy": "ContentPolicy",
    "wordPolicy": "WordPolicy",
    "sensitiveInformationPolicy": "SensitiveInformationPolicy",
    "contextualGroundingPolicy": "ContextualGroundingPolicy",
}

Values = list[tuple[str, float, str]]


def calls(region: str, checks: Iterable[tuple[GuardrailCheck, datetime]]) -> Iterator[Call]:
    """The PutMetricData calls for checks and the times at which they ended."""
    data = [datum for check, at in checks for datum in _data(check, at)]
    return put_calls(region, NAMESPACE, data)


def _data(check: GuardrailCheck, at: datetime) -> Iterator[dict[str, Any]]:
    guardrail = {"GuardrailArn": check.guardrail_arn, "GuardrailVersion": check.guardrail_version}
    source = {"GuardrailContentSource": check.source.capitalize()}
    groups: list[tuple[dict[str, str], Values]] = [
        (dimensions, _values(check))
        for dimensions in ({"Operation": "ApplyGuardrail"}, source, guardrail, guardrail | source)
    ]
    for policy, values in _by_policy(check):
        kind = {"GuardrailPolicyType": policy}
        groups += [(kind, values), (guardrail | kind, values)]
    for dimensions, values in groups:
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        for metric, value, unit in values:
            yield {
                "MetricName": metric,
                "Value": value,
                "Unit": unit,
                "Timestamp": at.timestamp(),
                "Dimensions": named,
            }


def _values(check: GuardrailCheck) -> Values:
    if check.error is not None:
        return [(metric_of(check.error), 1, "Count")]
    return [
        ("Invocations", 1, "Count"),
        ("InvocationLatency", check.latency_ms, "Milliseconds"),
        ("TextUnitCount", sum(_units(check, policy) for policy in _POLICIES), "Count"),
        *([("InvocationsIntervened", 1.0, "Count")] if check.intervened else []),
    ]


def _by_policy(check: GuardrailCheck) -> Iterator[tuple[str, Values]]:
    for policy, name in _POLICIES.items():
        values: Values = []
        if units := _units(check, policy):
            values.append(("TextUnitCount", units, "Count"))
        if check.intervened and _acted(check.assessment.get(policy, {})):
            values.append(("InvocationsIntervened", 1, "Count"))
        if values:
            yield name, values


def _units(check: GuardrailCheck, policy: str) -> int:
    return check.usage.get(f"{policy}Units", 0)


def _acted(policy: dict[str, list[dict[str, Any]]]) -> bool:
    return any(item.get("action", "NONE") != "NONE" for items in policy.values() for item in items)
