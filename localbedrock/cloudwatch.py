"""What every CloudWatch metric of the endpoint shares: how it is put, and what a failed call counts as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from localbedrock.emulator import Call, json_call
from localbedrock.errors import AwsError

_MAX_DATA = 1000
"""PutMetricData takes no more at once."""


def put_calls(region: str, namespace: str, data: Sequence[dict[str, Any]]) -> Iterator[Call]:
    """The PutMetricData calls for these MetricDatum."""
    for start in range(0, len(data), _MAX_DATA):
        document = {"Namespace": namespace, "MetricData": data[start : start + _MAX_DATA]}
        yield json_call("monitoring", region, "GraniteServiceVersion20100801.PutMetricData", document)


def metric_of(error: AwsError) -> str:
    """The name of the metric that counts a call with this error."""
    if error.code == "ThrottlingException":
        return "InvocationThrottles"
    return "InvocationServerErrors" if error.status >= 500 else "InvocationClientErrors"
