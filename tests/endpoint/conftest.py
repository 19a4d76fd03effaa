"""Every answer that a test here gets from the endpoint through boto3 is checked against its service model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.eventstream import EventStream

from localbedrock.wire.routing import SERVICES
from services import settings
from services.clients import Identity
from tests.answers import answer_faults, event_faults
from tests.conftest import Endpoint


@pytest.fixture(scope="module")
def identity(endpoint: Endpoint) -> Iterator[Identity]:
    """One that nothing is cached for yet, whose clients reach the endpoint as the workbench's do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "get", lambda: settings.Settings(local_data=endpoint.data_dir))
        yield Identity("local", "localbedrock", "us-east-1", epoch=uuid4().int)


@pytest.fixture(scope="module", autouse=True)
def checked_answers() -> Iterator[None]:
    """Fails the call whose answer AWS could not have given."""
    make_client, parse_event = boto3.Session.client, EventStream._parse_event

    def client(session: boto3.Session, service: str, *args: Any, **kwargs: Any) -> Any:
        made = make_client(session, service, *args, **kwargs)
        if service in SERVICES:
            made.meta.events.register("before-parse", _check_answer)
        return made

    def parse(stream: EventStream, event: Any) -> Any:
        raw = event.to_response_dict()
        _fail(event_faults(stream._output_shape, event.headers, raw["body"]))
        return parse_event(stream, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3.Session, "client", client)
        patch.setattr(EventStream, "_parse_event", parse)
        yield


def _check_answer(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    if operation_model.has_event_stream_output and response_dict["status_code"] < 300:
        return  # its events are checked one by one
    headers = {name.lower(): value for name, value in response_dict["headers"].items()}
    body = response_dict["body"]
    _fail(
        answer_faults(
            operation_model, response_dict["status_code"], headers, body if isinstance(body, bytes) else b""
        )
    )


def _fail(found: list[str]) -> None:
    assert not found, found
