"""The storage of a knowledge base where OpenSearch Serverless cannot be asked, or is not ready."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from localbedrock.asgi import Answer
from localbedrock.context import Context
from localbedrock.emulator import Call
from localbedrock.errors import AwsError
from localbedrock.knowledge import storage
from localbedrock.knowledge.host import Host
from localbedrock.store import Store

ARN = "arn:aws:aoss:us-east-1:000000000000:collection/abcdefgh"
GIVEN = {
    "type": "OPENSEARCH_SERVERLESS",
    "opensearchServerlessConfiguration": {
        "collectionArn": ARN,
        "vectorIndexName": "index",
        "fieldMapping": {"vectorField": "v", "textField": "t", "metadataField": "m"},
    },
}


def check(answer: Answer | Exception) -> None:
    def deliver(_call: Call) -> Answer:
        if isinstance(answer, Exception):
            raise answer
        return answer

    ctx = cast(Context, SimpleNamespace(region="us-east-1", store=Store(":memory:")))
    storage.check(Host(cast(Any, None), deliver, cast(Any, None)), ctx, GIVEN, 256)


def test_without_an_emulator_nothing_is_asked() -> None:
    check(LookupError("There is no emulator."))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(404, b"<html>"), "status code 404"),
        (
            Answer(
                200,
                json.dumps({"collectionDetails": [{"id": "a", "arn": ARN, "status": "CREATING"}]}).encode(),
            ),
            "is CREATING, not ACTIVE",
        ),
    ],
)
def test_a_collection_that_is_not_ready_is_refused(answer: Answer, words: str) -> None:
    with pytest.raises(AwsError, match=words):
        check(answer)
