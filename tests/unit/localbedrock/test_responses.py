"""Answers and event streams are what botocore's own parsers read back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import create_parser

from localbedrock.errors import AwsError, model_error, model_stream_error, throttled, validation
from localbedrock.wire.eventstream import EventStreamWriter
from localbedrock.wire.response import ResponseWriter, Writers, error_answer
from localbedrock.wire.routing import load_services
from tests.answers import answer_faults, event_faults

SERVICES = load_services()


def written(service: str, operation: str, output: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    model = SERVICES[service].operation_model(operation)
    answer = ResponseWriter(model, Writers()).answer(output, "request-1")
    raw = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    return answer, create_parser("rest-json").parse(raw, model.output_shape)


def test_an_answer_reads_back_as_it_was_given() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    output = {
        "inferenceProfileName": "n",
        "inferenceProfileArn": "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/abc",
        "models": [{"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/a.b"}],
        "inferenceProfileId": "abc",
        "status": "ACTIVE",
        "type": "APPLICATION",
        "createdAt": now,
    }
    answer, parsed = written("bedrock", "GetInferenceProfile", output)
    assert {name: parsed[name] for name in output} == output
    operation = SERVICES["bedrock"].operation_model("GetInferenceProfile")
    assert not answer_faults(operation, answer.status, answer.headers, answer.body)


def test_members_that_are_none_are_left_out() -> None:
    _, parsed = written("bedrock", "GetModelInvocationLoggingConfiguration", {"loggingConfig": None})
    assert "loggingConfig" not in parsed


def test_the_status_is_the_operations_own() -> None:
    answer, _ = written(
        "bedrock", "CreateInferenceProfile", {"inferenceProfileArn": "arn", "status": "ACTIVE"}
    )
    assert answer.status == 201


def test_a_blob_payload_is_the_body_and_header_members_are_headers() -> None:
    writer = ResponseWriter(SERVICES["bedrock-runtime"].operation_model("InvokeModel"), Writers())
    answer = writer.answer({"body": b"\x00\xff", "contentType": "image/x"}, "request-1")
    assert answer.body == b"\x00\xff"
    assert answer.headers["content-type"] == "image/x"


def test_an_unknown_member_passes_so_that_the_checks_of_the_tests_see_it() -> None:
    answer, _ = written("bedrock", "ListTagsForResource", {"tags": [], "surprise": 1})
    operation = SERVICES["bedrock"].operation_model("ListTagsForResource")
    faults = answer_faults(operation, answer.status, answer.headers, answer.body)
    assert faults == [".surprise is no member of ListTagsForResourceResponse"]


def test_errors_carry_code_message_and_members() -> None:
    answer = error_answer(model_error("It broke.", original_status=503, resource="m"), "request-1")
    raw = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    parsed = create_parser("rest-json").parse(raw, None)
    assert answer.status == 424
    assert parsed["Error"] == {"Code": "ModelErrorException", "Message": "It broke."}
    assert parsed["ResponseMetadata"]["RequestId"] == "request-1"
    members = create_parser("rest-json").parse(
        raw, SERVICES["bedrock-runtime"].shape_for("ModelErrorException")
    )
    assert (members["originalStatusCode"], members["resourceName"]) == (503, "m")


def stream_of(operation: str) -> tuple[Any, EventStreamWriter]:
    shape = SERVICES["bedrock-runtime"].operation_model(operation).get_event_stream_output()
    return shape, EventStreamWriter(shape, Writers())


def read_back(data: bytes) -> Any:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    (message,) = list(buffer)
    return message


def test_events_pass_botocores_checksums_and_parser() -> None:
    shape, writer = stream_of("ConverseStream")
    text = "ä € 🎉 \x00"
    message = read_back(
        writer.event({"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}})
    )
    raw = message.to_response_dict()
    parsed = create_parser("rest-json")._event_stream_parser.parse(raw, shape)
    assert parsed == {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}}
    assert not event_faults(shape, message.headers, raw["body"])


def test_bytes_in_events_are_base64() -> None:
    shape, writer = stream_of("InvokeModelWithResponseStream")
    raw = read_back(writer.event({"chunk": {"bytes": b"\x00\xff"}})).to_response_dict()
    parsed = create_parser("rest-json")._event_stream_parser.parse(raw, shape)
    assert parsed == {"chunk": {"bytes": b"\x00\xff"}}


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (model_stream_error("broke"), "modelStreamErrorException"),
        (throttled("slow down"), "throttlingException"),
        (validation("bad"), "validationException"),
        (AwsError("SomethingElseException", "odd"), "internalServerException"),
    ],
)
def test_errors_in_streams_are_exception_messages(error: AwsError, name: str) -> None:
    _, writer = stream_of("ConverseStream")
    message = read_back(writer.exception(error))
    assert message.headers[":message-type"] == "exception"
    assert message.headers[":exception-type"] == name
    assert error.message.encode() in message.payload


def test_an_event_that_the_stream_does_not_have_is_our_own_fault() -> None:
    _, writer = stream_of("ConverseStream")
    with pytest.raises(KeyError):
        writer.event({"surprise": {}})


def test_every_output_shape_of_every_service_compiles() -> None:
    for service, model in SERVICES.items():
        writers = Writers()
        for name in model.operation_names:
            operation = model.operation_model(name)
            response = ResponseWriter(operation, writers)
            if operation.output_shape is not None:
                assert callable(writers.writer(operation.output_shape)), (service, name)
            assert (response.stream_shape is not None) == operation.has_event_stream_output
