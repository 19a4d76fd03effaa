"""Errors that are given before any service has seen the request, in the shape its protocol expects.

An SDK reads the error of each AWS protocol in one way only, and each family of services has its own names
for the same fault: ``UnrecognizedClientException`` (JSON), ``InvalidClientTokenId`` (query),
``InvalidAccessKeyId`` (S3).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

from localbedrock.asgi import Answer

Protocol = Literal["rest-json", "json", "cbor", "query", "s3"]


@dataclass(frozen=True)
class Refusal:
    """A fault with its code in JSON services, query services and S3, and the words for it."""

    json_code: str
    query_code: str
    s3_code: str
    message: str
    status: int = 403
    s3_status: int = 403


_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - AWS's sentence, not a secret

SIGNATURE_REFUSALS: Mapping[str, Refusal] = {
    "missing": Refusal(
        "MissingAuthenticationTokenException",
        "MissingAuthenticationToken",
        "AccessDenied",
        "Missing Authentication Token",
    ),
    "incomplete": Refusal(
        "IncompleteSignatureException",
        "IncompleteSignature",
        "AuthorizationHeaderMalformed",
        "The request signature does not conform to AWS standards.",
        s3_status=400,
    ),
    "unknown_key": Refusal(
        "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", _TOKEN
    ),
    "mismatch": Refusal(
        "InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch", _MISMATCH
    ),
    "body": Refusal(
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        s3_status=400,
    ),
    "expired": Refusal(
        "InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "Signature expired."
    ),
    "url_expired": Refusal(
        "InvalidSignatureException", "SignatureDoesNotMatch", "AccessDenied", "Request has expired"
    ),
    "not_yet": Refusal(
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "Signature not yet current.",
    ),
    "unsupported": Refusal(
        "AccessDeniedException",
        "AccessDenied",
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        s3_status=400,
    ),
}
"""By ``sigv4.Reason``: AWS's own code, status and words."""


def denied(message: str) -> Refusal:
    """Access denied, with a sentence of ours."""
    return Refusal("AccessDeniedException", "AccessDenied", "AccessDenied", message)


def too_large(limit_bytes: int) -> Refusal:
    """The body is over the limit."""
    message = f"The request body is larger than the {limit_bytes} bytes that are allowed."
    return Refusal(
        "RequestEntityTooLargeException", "RequestEntityTooLarge", "EntityTooLarge", message, 413, 400
    )


def unknown_operation(message: str) -> Refusal:
    """Nothing here answers this request."""
    return Refusal("UnknownOperationException", "InvalidAction", "NotImplemented", message, 404, 501)


def protocol_of(headers: Mapping[str, str], service: str | None) -> Protocol:
    """The protocol that a request speaks; ``service`` is the one it is signed for, if it is signed."""
    if "smithy-protocol" in headers:
        return "cbor"
    if "x-amz-target" in headers:
        return "json"
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return "query"
    if service is None:
        return "rest-json" if "json" in headers.get("content-type", "") else "s3"
    return "s3" if service == "s3" else "rest-json"


def answer(refusal: Refusal, protocol: Protocol, request_id: str, message: str = "") -> Answer:
    """The HTTP answer; ``message`` replaces the refusal's own words."""
    text = message or refusal.message
    if protocol == "s3":
        body = (
            f"<Error><Code>{refusal.s3_code}</Code><Message>{escape(text)}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        return _xml(refusal.s3_status, body, {"x-amz-request-id": request_id})
    if protocol == "query":
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{refusal.query_code}</Code>"
            f"<Message>{escape(text)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return _xml(refusal.status, body, {"x-amzn-RequestId": request_id})
    named = {"__type": refusal.json_code, "message": text}
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": refusal.json_code}
    if protocol == "cbor":
        headers |= {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
        return Answer(refusal.status, _cbor(named), headers)
    if protocol == "rest-json":
        named.pop("__type")
    media_type = "application/json" if protocol == "rest-json" else "application/x-amz-json-1.1"
    return Answer(refusal.status, json.dumps(named).encode(), headers | {"content-type": media_type})


def _xml(status: int, body: str, headers: dict[str, str]) -> Answer:
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return Answer(status, document.encode(), headers | {"content-type": "application/xml"})


def _cbor(texts: Mapping[str, str]) -> bytes:
    """A CBOR map of short text strings (RFC 8949, section 3.1): all that an error needs."""
    parts = [bytes([0xA0 | len(texts)])]
    for text in (part for pair in texts.items() for part in pair):
        data = text.encode()
        parts.append(b"\x79" + len(data).to_bytes(2, "big") + data)
    return b"".join(parts)
