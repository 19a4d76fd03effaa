"""Model invocation logs, as Bedrock delivers them to CloudWatch Logs and S3 once they are configured.

See "Monitor model invocation using CloudWatch Logs and Amazon S3" in the user guide: one
``ModelInvocationLog`` record per call, bodies of up to 100 KB inside it, larger ones as objects of their own
under ``data/``.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localbedrock.context import Inference
from localbedrock.emulator import Call, json_call
from localbedrock.keys import ACCOUNT_ID

KIND = "model-invocation-logging"
"""The store's kind of the configuration; its id is the region, as AWS keeps one configuration per region."""

LOG_STREAM = "aws/bedrock/modelinvocations"
INLINE_LIMIT_BYTES = 100_000

_IDENTITY = {"arn": f"arn:aws:iam::{ACCOUNT_ID}:root"}


@dataclass(frozen=True)
class Logged:
    """One call that is to be logged."""

    inference: Inference
    request_id: str
    region: str
    at: datetime


def calls(config: dict[str, Any], batch: Sequence[Logged]) -> Iterator[Call]:
    """The calls that deliver a batch of one region as its ``loggingConfig`` says."""
    region = batch[0].region
    if cloudwatch := config.get("cloudWatchConfig"):
        large = cloudwatch.get("largeDataDeliveryS3Config") or config.get("s3Config")
        records, objects = _records(config, batch, large)
        yield from objects
        yield from _log_events(cloudwatch["logGroupName"], records, batch, region)
    if s3 := config.get("s3Config"):
        records, objects = _records(config, batch, s3)
        yield from objects
        lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
        name = f"{batch[0].at:%Y%m%dT%H%M%S%fZ}_{batch[0].request_id[:16]}.json.gz"
        yield _put_object(s3, region, batch[0].at, name, lines.encode())


def _log_events(
    group: str, records: list[dict[str, Any]], batch: Sequence[Logged], region: str
) -> Iterator[Call]:
    stream = {"logGroupName": group, "logStreamName": LOG_STREAM}
    yield json_call("logs", region, "Logs_20140328.CreateLogStream", stream)
    events = [
        {"timestamp": int(logged.at.timestamp() * 1000), "message": json.dumps(record, ensure_ascii=False)}
        for logged, record in zip(batch, records, strict=True)
    ]
    yield json_call("logs", region, "Logs_20140328.PutLogEvents", stream | {"logEvents": events})


def _records(
    config: dict[str, Any], batch: Sequence[Logged], large: dict[str, Any] | None
) -> tuple[list[dict[str, Any]], list[Call]]:
    """The records, and the objects in which bodies stand that are too large for them."""
    records: list[dict[str, Any]] = []
    objects: list[Call] = []
    for logged in batch:
        record = _metadata(logged)
        for side, body in (("input", logged.inference.request), ("output", logged.inference.response)):
            if not _wanted(config, side, body):
                continue
            text = _json_text(body, with_bytes=config.get("imageDataDeliveryEnabled", True))
            if len(text.encode()) <= INLINE_LIMIT_BYTES:
                record[side][f"{side}BodyJson"] = json.loads(text)
            elif large:
                name = f"data/{logged.request_id}_{side}.json.gz"
                objects.append(_put_object(large, logged.region, logged.at, name, text.encode()))
                record[side][f"{side}BodyS3Path"] = f"s3:/{objects[-1].path}"
        records.append(record)
    return records, objects


def _metadata(logged: Logged) -> dict[str, Any]:
    inference = logged.inference
    record: dict[str, Any] = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": f"{logged.at:%Y-%m-%dT%H:%M:%SZ}",
        "accountId": ACCOUNT_ID,
        "identity": _IDENTITY,
        "region": logged.region,
        "requestId": logged.request_id,
        "operation": inference.operation,
        "modelId": inference.model_id,
        "input": {"inputContentType": "application/json", "inputTokenCount": inference.input_tokens},
        "output": {"outputContentType": "application/json", "outputTokenCount": inference.output_tokens},
    }
    if inference.error is not None:
        record["errorCode"] = inference.error.code
    if isinstance(inference.request, dict) and inference.request.get("requestMetadata"):
        record["requestMetadata"] = inference.request["requestMetadata"]
    return record


def _wanted(config: dict[str, Any], side: str, body: Any) -> bool:
    if body is None:
        return False
    embeds = (
        side == "output"
        and isinstance(body, dict)
        and not body.keys().isdisjoint({"embedding", "embeddings"})
    )
    return bool(config.get("embeddingDataDeliveryEnabled" if embeds else "textDataDeliveryEnabled", True))


def _json_text(body: Any, *, with_bytes: bool) -> str:
    """A body as JSON; InvokeModel's own body, which is bytes, is JSON already unless it is broken."""
    if isinstance(body, bytes):
        try:
            return json.dumps(json.loads(body), ensure_ascii=False)
        except ValueError:
            return json.dumps(body.decode(errors="replace"), ensure_ascii=False)

    def other(value: Any) -> str:
        if isinstance(value, bytes):
            return base64.b64encode(value).decode() if with_bytes else f"({len(value)} bytes)"
        return str(value)

    return json.dumps(body, ensure_ascii=False, default=other)


def _put_object(s3: dict[str, Any], region: str, at: datetime, name: str, content: bytes) -> Call:
    prefix = s3.get("keyPrefix", "").strip("/")
    folder = f"AWSLogs/{ACCOUNT_ID}/BedrockModelInvocationLogs/{region}/{at:%Y/%m/%d/%H}"
    path = "/".join(part for part in (s3["bucketName"], prefix, folder, name) if part)
    headers = {"content-type": "application/x-gzip"}
    return Call("s3", region, "PUT", f"/{path}", headers, gzip.compress(content))
