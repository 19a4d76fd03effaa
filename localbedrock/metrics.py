"""The CloudWatch metrics that Bedrock puts after each call of a model (namespace ``AWS/Bedrock``).

See "Amazon Bedrock runtime metrics" in the user guide. Every value stands once with the dimension
``ModelId`` and once without, which is CloudWatch's "across all models".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from localbedrock.cloudwatch import metric_of, put_calls
from localbedrock.context import Inference
from localbedrock.emulator import Call

NAMESPACE = "AWS/Bedrock"


def calls(region: str, inferences: Iterable[tuple[Inference, datetime]]) -> Iterator[Call]:
    """The PutMetricData calls for inferences and the times at which they ended."""
    data = [datum for inference, at in inferences for datum in _data(inference, at)]
    return put_calls(region, NAMESPACE, data)


def _data(inference: Inference, at: datetime) -> Iterator[dict[str, Any]]:
    for name, value, unit in _values(inference):
        datum = {"MetricName": name, "Value": value, "Unit": unit, "Timestamp": at.timestamp()}
        yield datum | {"Dimensions": [{"Name": "ModelId", "Value": inference.model_id}]}
        yield datum


def _values(inference: Inference) -> Iterator[tuple[str, float, str]]:
    if inference.error is not None:
        yield metric_of(inference.error), 1, "Count"
        return
    yield "Invocations", 1, "Count"
    yield "InvocationLatency", inference.latency_ms, "Milliseconds"
    yield "InputTokenCount", inference.input_tokens, "Count"
    yield "OutputTokenCount", inference.output_tokens, "Count"
    if inference.first_token_ms is not None:
        yield "TimeToFirstToken", inference.first_token_ms, "Milliseconds"
