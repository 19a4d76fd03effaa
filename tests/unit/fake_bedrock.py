"""A `bedrock` client of boto3 whose requests are answered here, before they leave."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config

Answer = dict[str, Any] | Callable[[dict[str, str]], Any]


class FakeBedrock:
    """Answers each operation with a body, or what a function makes of the query; others with an empty body.

    `fail(operation, code)` makes an operation answer with an AWS error.
    """

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = answers
        self.calls: Counter[str] = Counter()
        self.client = boto3.client(
            "bedrock",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
        )
        self.client.meta.events.register("before-send.bedrock", self._send)

    def fail(self, operation: str, code: str, status: int = 403) -> None:
        self.answers[operation] = {"status": status, "code": code, "message": "no"}

    def _send(self, request: AWSRequest, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self.calls[operation] += 1
        answer = self.answers.get(operation, {})
        if callable(answer):
            query = parse_qs(urlsplit(request.url).query)
            answer = answer({name: values[0] for name, values in query.items()} | {"url": request.url})
        if "code" in answer:
            body, headers = {"message": answer["message"]}, {"x-amzn-ErrorType": answer["code"]}
            return AWSResponse(request.url, answer["status"], headers, _Raw(body))
        return AWSResponse(request.url, 200, {}, _Raw(answer))


class _Raw:
    """The body as urllib3 would give it."""

    def __init__(self, body: Any) -> None:
        self._body = json.dumps(body).encode()

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body
