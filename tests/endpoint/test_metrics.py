"""After each call of a model: Bedrock's metrics in CloudWatch, and invocation logs where they are
configured.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Endpoint

MODEL = "mistral.mistral-7b-instruct-v0:2"
MESSAGES = [{"role": "user", "content": [{"text": "Say hello."}]}]


def eventually(look: Callable[[], Any], seconds: float = 20) -> Any:
    """What ``look`` finds, as soon as it finds anything."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not appear in time"
        threading.Event().wait(0.1)
    return found


def total(cloudwatch: Any, metric: str, model: str | None, region_start: datetime) -> float:
    dimensions = [{"Name": "ModelId", "Value": model}] if model else []
    points = cloudwatch.get_metric_statistics(
        Namespace="AWS/Bedrock",
        MetricName=metric,
        Dimensions=dimensions,
        StartTime=region_start - timedelta(minutes=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=2),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def test_calls_are_counted_by_model_with_their_tokens(endpoint: Endpoint) -> None:
    cloudwatch, runtime = endpoint.client("cloudwatch"), endpoint.client("bedrock-runtime")
    start = datetime.now(UTC)
    before = {
        metric: total(cloudwatch, metric, MODEL, start)
        for metric in (
            "Invocations",
            "InputTokenCount",
            "OutputTokenCount",
            "InvocationLatency",
            "TimeToFirstToken",
        )
    }
    usage = runtime.converse(modelId=MODEL, messages=MESSAGES, inferenceConfig={"maxTokens": 3})["usage"]
    stream = runtime.converse_stream(modelId=MODEL, messages=MESSAGES, inferenceConfig={"maxTokens": 3})[
        "stream"
    ]
    [streamed] = [event["metadata"]["usage"] for event in stream if "metadata" in event]
    eventually(lambda: total(cloudwatch, "Invocations", MODEL, start) == before["Invocations"] + 2)
    after = {metric: total(cloudwatch, metric, MODEL, start) for metric in before}
    assert (
        after["InputTokenCount"] - before["InputTokenCount"] == usage["inputTokens"] + streamed["inputTokens"]
    )
    assert (
        after["OutputTokenCount"] - before["OutputTokenCount"]
        == usage["outputTokens"] + streamed["outputTokens"]
    )
    assert after["InvocationLatency"] > before["InvocationLatency"]
    assert after["TimeToFirstToken"] > before["TimeToFirstToken"]
    assert total(cloudwatch, "Invocations", None, start) >= after["Invocations"]


def test_refused_calls_are_counted_as_the_clients_errors(endpoint: Endpoint) -> None:
    cloudwatch, runtime = endpoint.client("cloudwatch"), endpoint.client("bedrock-runtime")
    start = datetime.now(UTC)
    before = total(cloudwatch, "InvocationClientErrors", MODEL, start)
    with pytest.raises(ClientError):
        runtime.converse(modelId=MODEL, messages=MESSAGES, inferenceConfig={"maxTokens": 10_000_000})
    eventually(lambda: total(cloudwatch, "InvocationClientErrors", MODEL, start) == before + 1)


def test_invocations_are_logged_where_that_is_configured(endpoint: Endpoint) -> None:
    bedrock, runtime = endpoint.client("bedrock"), endpoint.client("bedrock-runtime")
    logs, s3 = endpoint.client("logs"), endpoint.client("s3")
    logs.create_log_group(logGroupName="/bedrock/invocations")
    s3.create_bucket(Bucket="invocation-logs")
    bedrock.put_model_invocation_logging_configuration(
        loggingConfig={
            "cloudWatchConfig": {
                "logGroupName": "/bedrock/invocations",
                "roleArn": "arn:aws:iam::000000000000:role/logs",
            },
            "s3Config": {"bucketName": "invocation-logs", "keyPrefix": "here"},
            "textDataDeliveryEnabled": True,
        }
    )
    try:
        answer = runtime.converse(
            modelId=MODEL,
            messages=MESSAGES,
            inferenceConfig={"maxTokens": 3},
            requestMetadata={"team": "x"},
        )
        request_id = answer["ResponseMetadata"]["RequestId"]
        events = eventually(
            lambda: logs.filter_log_events(logGroupName="/bedrock/invocations", filterPattern=request_id)[
                "events"
            ]
        )
        objects = eventually(lambda: s3.list_objects_v2(Bucket="invocation-logs").get("Contents"))
    finally:
        bedrock.delete_model_invocation_logging_configuration()
    record = json.loads(events[0]["message"])
    assert record["schemaType"] == "ModelInvocationLog"
    assert record["operation"] == "Converse"
    assert record["requestId"] == request_id
    assert record["requestMetadata"] == {"team": "x"}
    assert record["input"]["inputBodyJson"]["messages"] == MESSAGES
    assert record["input"]["inputTokenCount"] == answer["usage"]["inputTokens"]
    assert record["output"]["outputBodyJson"]["output"] == answer["output"]
    prefix = "here/AWSLogs/000000000000/BedrockModelInvocationLogs/us-east-1/"
    assert objects[0]["Key"].startswith(prefix)
    stored = s3.get_object(Bucket="invocation-logs", Key=objects[0]["Key"])["Body"].read()
    assert json.loads(gzip.decompress(stored).decode().splitlines()[0])["requestId"] == request_id
