"""CloudWatch metrics and invocation logs: what is put where, and that trouble there stays there."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from localbedrock import invocation_logs, metrics
from localbedrock.asgi import Answer
from localbedrock.context import Inference
from localbedrock.emulator import Call
from localbedrock.errors import AwsError, internal, throttled, validation
from localbedrock.invocation_logs import Logged
from localbedrock.reporter import Reporter
from localbedrock.store import Store

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def inference(**more: Any) -> Inference:
    values: dict[str, Any] = {
        "model_id": "a.b",
        "operation": "ConverseStream",
        "input_tokens": 3,
        "output_tokens": 5,
        "latency_ms": 70.5,
        "first_token_ms": 12.5,
        "request": {"messages": []},
        "response": {"output": {}},
    }
    return Inference(**(values | more))


def data(*inferences: Inference) -> list[dict[str, Any]]:
    calls = list(metrics.calls("us-east-1", [(one, AT) for one in inferences]))
    return [datum for call in calls for datum in json.loads(call.body)["MetricData"]]


def test_a_success_is_counted_timed_and_measured_by_model_and_over_all() -> None:
    given = data(inference())
    by_model = [d for d in given if d.get("Dimensions") == [{"Name": "ModelId", "Value": "a.b"}]]
    assert {d["MetricName"]: (d["Value"], d["Unit"]) for d in by_model} == {
        "Invocations": (1, "Count"),
        "InvocationLatency": (70.5, "Milliseconds"),
        "InputTokenCount": (3, "Count"),
        "OutputTokenCount": (5, "Count"),
        "TimeToFirstToken": (12.5, "Milliseconds"),
    }
    assert sorted(d["MetricName"] for d in given if "Dimensions" not in d) == sorted(
        d["MetricName"] for d in by_model
    )
    assert {d["Timestamp"] for d in given} == {AT.timestamp()}


def test_what_did_not_stream_has_no_time_to_first_token() -> None:
    assert "TimeToFirstToken" not in {d["MetricName"] for d in data(inference(first_token_ms=None))}


@pytest.mark.parametrize(
    ("error", "metric"),
    [
        (validation("x"), "InvocationClientErrors"),
        (internal(), "InvocationServerErrors"),
        (throttled("x"), "InvocationThrottles"),
    ],
)
def test_a_failure_is_counted_by_whose_fault_it_was(error: AwsError, metric: str) -> None:
    assert {d["MetricName"] for d in data(inference(error=error))} == {metric}


def test_many_inferences_are_put_in_calls_of_a_thousand() -> None:
    calls = list(metrics.calls("us-east-1", [(inference(), AT)] * 250))
    assert [len(json.loads(call.body)["MetricData"]) for call in calls] == [1000, 1000, 500]


# Invocation logs


def logged(one: Inference) -> Logged:
    return Logged(one, "request-1", "us-east-1", AT)


def records_in_cloudwatch(config: dict[str, Any], *inferences: Inference) -> list[dict[str, Any]]:
    calls = list(invocation_logs.calls(config, [logged(one) for one in inferences]))
    (put,) = [call for call in calls if call.headers.get("x-amz-target", "").endswith("PutLogEvents")]
    body = json.loads(put.body)
    assert body["logStreamName"] == "aws/bedrock/modelinvocations"
    assert body["logEvents"][0]["timestamp"] == int(AT.timestamp() * 1000)
    return [json.loads(event["message"]) for event in body["logEvents"]]


CLOUDWATCH = {"cloudWatchConfig": {"logGroupName": "/g", "roleArn": "arn"}}
S3 = {"s3Config": {"bucketName": "logs", "keyPrefix": "p/q"}}


def test_a_record_is_as_bedrock_documents_it() -> None:
    request = {"messages": [{"role": "user"}], "requestMetadata": {"team": "x"}}
    (record,) = records_in_cloudwatch(CLOUDWATCH, inference(request=request))
    assert record == {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-01-02T03:04:05Z",
        "accountId": "000000000000",
        "identity": {"arn": "arn:aws:iam::000000000000:root"},
        "region": "us-east-1",
        "requestId": "request-1",
        "operation": "ConverseStream",
        "modelId": "a.b",
        "input": {"inputContentType": "application/json", "inputTokenCount": 3, "inputBodyJson": request},
        "output": {
            "outputContentType": "application/json",
            "outputTokenCount": 5,
            "outputBodyJson": {"output": {}},
        },
        "requestMetadata": {"team": "x"},
    }


def test_bodies_of_invoke_model_are_logged_as_json() -> None:
    (record,) = records_in_cloudwatch(
        CLOUDWATCH, inference(request=b'{"prompt": "x"}', response=b"not json \xff")
    )
    assert record["input"]["inputBodyJson"] == {"prompt": "x"}
    assert record["output"]["outputBodyJson"].startswith("not json")


def test_a_failed_call_names_its_error() -> None:
    (record,) = records_in_cloudwatch(CLOUDWATCH, inference(error=validation("x"), response=None))
    assert record["errorCode"] == "ValidationException"
    assert "outputBodyJson" not in record["output"]


def test_what_is_switched_off_is_not_logged() -> None:
    off = CLOUDWATCH | {"textDataDeliveryEnabled": False, "embeddingDataDeliveryEnabled": True}
    (record,) = records_in_cloudwatch(off, inference(response={"embedding": [1]}))
    assert "inputBodyJson" not in record["input"]
    assert record["output"]["outputBodyJson"] == {"embedding": [1]}
    off = CLOUDWATCH | {"embeddingDataDeliveryEnabled": False}
    (record,) = records_in_cloudwatch(off, inference(response={"embedding": [1]}))
    assert "outputBodyJson" not in record["output"]


def test_pictures_are_logged_only_where_that_is_wanted() -> None:
    request = {"image": b"\x00\xff"}
    (record,) = records_in_cloudwatch(CLOUDWATCH, inference(request=request))
    assert record["input"]["inputBodyJson"] == {"image": "AP8="}
    (record,) = records_in_cloudwatch(
        CLOUDWATCH | {"imageDataDeliveryEnabled": False}, inference(request=request)
    )
    assert record["input"]["inputBodyJson"] == {"image": "(2 bytes)"}


def test_records_in_s3_are_gzipped_lines_under_bedrocks_prefix() -> None:
    (call,) = invocation_logs.calls(S3, [logged(inference()), logged(inference(model_id="c.d"))])
    folder = "/logs/p/q/AWSLogs/000000000000/BedrockModelInvocationLogs/us-east-1/2026/01/02/03/"
    assert call.path.startswith(folder)
    assert call.path.endswith(".json.gz")
    lines = gzip.decompress(call.body).decode().splitlines()
    assert [json.loads(line)["modelId"] for line in lines] == ["a.b", "c.d"]


def test_large_bodies_stand_in_objects_of_their_own() -> None:
    large = inference(request={"text": "ä" * 60_000})
    delivery = {"largeDataDeliveryS3Config": {"bucketName": "large"}}
    config = {"cloudWatchConfig": CLOUDWATCH["cloudWatchConfig"] | delivery}
    calls = list(invocation_logs.calls(config, [logged(large)]))
    (stored,) = [call for call in calls if call.service == "s3"]
    assert stored.path.endswith("/data/request-1_input.json.gz")
    assert json.loads(gzip.decompress(stored.body)) == large.request
    (record,) = records_in_cloudwatch(config, large)
    assert record["input"]["inputBodyS3Path"] == f"s3:/{stored.path}"
    assert "inputBodyJson" not in record["input"]


# The thread that delivers


class Deliveries:
    """Collects calls; answers, or fails, as it is told."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: Answer | Exception = Answer(200)
        self.arrived = threading.Event()

    def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        self.arrived.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store(":memory:")
    yield opened
    opened.close()


def test_what_was_reported_is_delivered_at_the_latest_at_the_stop(store: Store) -> None:
    deliveries = Deliveries()
    reporter = Reporter(store, deliveries)
    for region in ("us-east-1", "eu-west-1", "us-east-1"):
        reporter.report(inference(), "request-1", region)
    reporter.stop(5)
    assert sorted((call.service, call.region) for call in deliveries.calls) == [
        ("monitoring", "eu-west-1"),
        ("monitoring", "us-east-1"),
    ]


def test_it_is_delivered_without_a_stop_too(store: Store) -> None:
    deliveries = Deliveries()
    reporter = Reporter(store, deliveries)
    reporter.report(inference(), "request-1", "us-east-1")
    assert deliveries.arrived.wait(5)
    reporter.stop(5)


def test_logs_are_written_only_where_they_are_configured(store: Store) -> None:
    store.put(invocation_logs.KIND, "eu-west-1", CLOUDWATCH)
    deliveries = Deliveries()
    reporter = Reporter(store, deliveries)
    reporter.report(inference(), "request-1", "us-east-1")
    reporter.report(inference(), "request-2", "eu-west-1")
    reporter.stop(5)
    assert {call.region for call in deliveries.calls if call.service == "logs"} == {"eu-west-1"}


@pytest.mark.parametrize(
    "trouble",
    [TimeoutError("x"), Answer(400, b'{"__type": "x#ResourceNotFoundException"}'), Answer(500, b"nonsense")],
)
def test_trouble_is_logged_once_in_one_line(
    store: Store, caplog: pytest.LogCaptureFixture, trouble: Answer | Exception
) -> None:
    deliveries = Deliveries()
    deliveries.answer = trouble
    reporter = Reporter(store, deliveries)
    with caplog.at_level(logging.WARNING):
        for region in ("us-east-1", "eu-west-1"):
            reporter.report(inference(), "request-1", region)
        reporter.stop(5)
    assert len(deliveries.calls) == 2
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert "metrics" in record.getMessage()


def test_a_log_stream_that_exists_is_no_trouble(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    deliveries = Deliveries()
    deliveries.answer = Answer(400, b'{"__type": "ResourceAlreadyExistsException"}')
    reporter = Reporter(store, deliveries)
    reporter.report(inference(), "request-1", "us-east-1")
    reporter.stop(5)
    assert not caplog.records
