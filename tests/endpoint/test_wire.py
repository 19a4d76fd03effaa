"""The Bedrock services over HTTP as an SDK sees them: ids, errors, streams, and a client that goes away."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.conftest import Endpoint

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "Say hello."}]}]
SHORT = {"maxTokens": 4}


@pytest.fixture(scope="module")
def runtime(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-runtime", parameter_validation=False)


def raw(endpoint: Endpoint, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """A signed POST with the path exactly as given."""
    request = AWSRequest("POST", endpoint.url + path, data=body)
    SigV4Auth(Credentials(*endpoint.keys), "bedrock", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
    try:
        connection.request("POST", path, body, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        MODEL.replace(":", "%3A"),
        f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}",
        f"arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2F{MODEL}",
        f"us.{MODEL}",
        f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.{MODEL}",
    ],
)
def test_a_model_is_found_however_its_id_is_written(endpoint: Endpoint, model: str) -> None:
    body = json.dumps({"messages": MESSAGES, "inferenceConfig": SHORT}).encode()
    status, headers, answer = raw(endpoint, f"/model/{model}/converse", body)
    assert status == 200, answer
    assert json.loads(answer)["usage"]["outputTokens"] >= 1
    assert headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (
            {"messages": [{"role": "robot", "content": [{"text": "x"}]}]},
            "ValidationException",
            "enum value set",
        ),
        ({"messages": MESSAGES, "inferenceConfig": {"maxTokens": -1}}, "ValidationException", "greater than"),
        (
            {"messages": MESSAGES, "inferenceConfig": {"maxTokens": "9"}},
            "SerializationException",
            "STRING_VALUE",
        ),
    ],
)
def test_a_malformed_request_is_refused_as_aws_refuses_it(
    runtime: Any, request_: dict[str, Any], code: str, words: str
) -> None:
    for call in (runtime.converse, runtime.converse_stream):
        with pytest.raises(ClientError) as caught:
            call(modelId=MODEL, **request_)
        response: Any = caught.value.response
        assert response["Error"]["Code"] == code
        assert words in response["Error"]["Message"]
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_body_that_is_no_json_is_refused(endpoint: Endpoint) -> None:
    status, headers, _ = raw(endpoint, f"/model/{MODEL}/converse", b"{nonsense")
    assert (status, headers["x-amzn-errortype"]) == (400, "SerializationException")


def test_a_huge_body_is_refused(endpoint: Endpoint) -> None:
    status, headers, _ = raw(endpoint, f"/model/{MODEL}/converse", b"x" * 40_000_000)
    assert (status, headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("bedrock", "list_evaluation_jobs", {}),
        ("bedrock-agent", "list_agents", {}),
        ("bedrock-agent-runtime", "list_sessions", {}),
        ("bedrock-runtime", "list_async_invokes", {}),
    ],
)
def test_what_is_not_offered_says_so_in_one_sentence(
    endpoint: Endpoint, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    client = endpoint.client(service)
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**arguments)
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "UnknownOperationException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_stream_arrives_while_it_is_made(runtime: Any) -> None:
    """The first text is there well before the last: nothing on the way collects the events."""
    answer = runtime.converse_stream(modelId=MODEL, messages=MESSAGES, inferenceConfig={"maxTokens": 30})
    times = [time.monotonic() for event in answer["stream"] if "contentBlockDelta" in event]
    assert len(times) > 5
    assert times[-1] - times[0] > 0.05, "all events arrived together"


def test_a_client_that_goes_away_frees_the_model(endpoint: Endpoint, runtime: Any) -> None:
    """Long streams that nobody reads would hold the decoder's slots; a short request after them does not
    wait.
    """
    for _ in range(4):
        answer = runtime.converse_stream(
            modelId=MODEL,
            messages=[{"role": "user", "content": [{"text": "Tell a very long story."}]}],
            inferenceConfig={"maxTokens": 1000},
        )
        next(iter(answer["stream"]))
        answer["stream"].close()
    started = time.monotonic()
    runtime.converse(modelId=MODEL, messages=MESSAGES, inferenceConfig=SHORT)
    assert time.monotonic() - started < 20


def test_four_streams_share_the_model(endpoint: Endpoint) -> None:
    """Each gets its first text before any of them has ended."""
    client = endpoint.client("bedrock-runtime", max_pool_connections=4)
    spans: list[tuple[float, float]] = []

    def read() -> None:
        answer = client.converse_stream(modelId=MODEL, messages=MESSAGES, inferenceConfig={"maxTokens": 30})
        times = [time.monotonic() for event in answer["stream"] if "contentBlockDelta" in event]
        spans.append((times[0], times[-1]))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(spans) == 4
    assert max(first for first, _ in spans) < min(last for _, last in spans)
