"""The services around Bedrock through the same port and the same keys."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
import zipfile
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.conftest import Endpoint

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
FUNCTION = """
import os, boto3
def handler(event, context):
    models = boto3.client("bedrock").list_foundation_models()["modelSummaries"]
    return {
        "event": event,
        "environment": sorted(os.environ),
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "models": len(models),
    }
"""


def test_sts_knows_the_account(endpoint: Endpoint) -> None:
    identity = endpoint.client("sts").get_caller_identity()
    assert identity["Account"] == "000000000000"


def test_s3_keeps_objects_with_any_name_and_signs_urls(endpoint: Endpoint) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket="smoke-bucket")
    body = bytes(range(256)) * 8000
    for key in ("plain.txt", "ä b+c/x y%20z.txt", "a//b"):
        s3.put_object(Bucket="smoke-bucket", Key=key, Body=body)
        assert s3.get_object(Bucket="smoke-bucket", Key=key)["Body"].read() == body
    assert len(s3.list_objects_v2(Bucket="smoke-bucket")["Contents"]) == 3
    for version in ("s3", "s3v4"):
        signing = endpoint.client("s3", signature_version=version)
        url = signing.generate_presigned_url(
            "get_object", Params={"Bucket": "smoke-bucket", "Key": "ä b+c/x y%20z.txt"}
        )
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.read() == body
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url.replace("smoke-bucket", "other"), timeout=10)
        with caught.value as refused:
            assert refused.code == 403
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="smoke-bucket", Key="nothing")


def test_an_old_presigned_url_opens_nothing_but_s3(endpoint: Endpoint) -> None:
    """Whoever is given such a URL can add to its query string, which its signature does not cover."""
    url = endpoint.client("s3", signature_version="s3").generate_presigned_url("list_buckets")
    with urllib.request.urlopen(url + "&Action=ListUsers&Version=2010-05-08", timeout=10) as answer:
        assert b"ListAllMyBucketsResult" in answer.read()


def test_answers_carry_no_permission_for_web_pages(endpoint: Endpoint) -> None:
    headers = endpoint.client("s3").list_buckets()["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in headers if name.startswith("access-control-")]


def test_iam_logs_and_cloudwatch_answer(endpoint: Endpoint) -> None:
    iam = endpoint.client("iam")
    iam.create_role(RoleName="smoke", AssumeRolePolicyDocument=TRUST)
    assert iam.get_role(RoleName="smoke")["Role"]["Arn"] == "arn:aws:iam::000000000000:role/smoke"
    logs = endpoint.client("logs")
    logs.create_log_group(logGroupName="/smoke")
    assert [g["logGroupName"] for g in logs.describe_log_groups(logGroupNamePrefix="/smoke")["logGroups"]]
    cloudwatch = endpoint.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="smoke", MetricData=[{"MetricName": "m", "Value": 1}])
    assert cloudwatch.list_metrics(Namespace="smoke")["Metrics"]


def test_a_lambda_function_reaches_the_endpoint_and_sees_no_secret_of_its_host(endpoint: Endpoint) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("code.py", FUNCTION)
    functions = endpoint.client("lambda")
    functions.create_function(
        FunctionName="smoke",
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/smoke",
        Handler="code.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="smoke", WaiterConfig={"Delay": 1})
    answer = functions.invoke(FunctionName="smoke", Payload=json.dumps({"n": 1}).encode())
    result = json.loads(answer["Payload"].read())
    assert result["event"] == {"n": 1}
    assert result["account"] == "000000000000"
    assert result["models"] > 0
    foreign = {"PYTEST_CURRENT_TEST", "USER", "AWS_CONFIG_FILE", "AWS_PROFILE", "WORKBENCH_LOCAL_DATA"}
    assert not foreign & set(result["environment"])


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        (
            "ce",
            "get_cost_and_usage",
            {
                "TimePeriod": {"Start": "2026-01-01", "End": "2026-01-02"},
                "Granularity": "DAILY",
                "Metrics": ["UnblendedCost"],
            },
        ),
        ("pricing", "describe_services", {}),
        ("service-quotas", "list_services", {}),
        ("s3vectors", "list_vector_buckets", {}),
        ("rds", "describe_db_instances", {}),
    ],
)
def test_a_service_that_is_missing_says_so(
    endpoint: Endpoint, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    client = endpoint.client(service)
    with pytest.raises(ClientError, match="does not offer the service"):
        getattr(client, operation)(**arguments)


def test_uploads_while_a_reply_streams_do_not_hold_it_up(endpoint: Endpoint) -> None:
    """The emulator shares our event loop: a stream goes on while it works."""
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket="busy-bucket")
    runtime = endpoint.client("bedrock-runtime")
    answer = runtime.converse_stream(
        modelId="anthropic.claude-3-haiku-20240307-v1:0",
        messages=[{"role": "user", "content": [{"text": "Write a long story about the sea."}]}],
        inferenceConfig={"maxTokens": 30},
    )
    deltas = 0
    started = time.monotonic()
    for event in answer["stream"]:
        if "contentBlockDelta" in event:
            deltas += 1
            s3.put_object(Bucket="busy-bucket", Key=f"{deltas}", Body=b"x" * 200_000)
    assert deltas > 3
    assert time.monotonic() - started < 60


def test_the_config_files_alone_make_an_sdk_use_the_endpoint(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in endpoint.env.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    client = session.client("sts", config=Config(retries={"total_max_attempts": 1}))
    assert client.meta.endpoint_url == endpoint.url
    assert client.get_caller_identity()["Account"] == "000000000000"
    client.close()
