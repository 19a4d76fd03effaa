"""Checks AWS signatures: Signature Version 4 in headers or in a URL, and S3's old presigned URLs.

The arithmetic is botocore's; here is only what a server adds to it: taking the request apart, the clock, and
a comparison that takes the same time whatever differs.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import unquote_plus, urlsplit

from botocore.auth import HmacV1Auth, S3SigV4Auth, SigV4Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW = timedelta(minutes=5)
_STAMP = "%Y%m%dT%H%M%SZ"

Reason = Literal[
    "missing",
    "incomplete",
    "unsupported",
    "unknown_key",
    "mismatch",
    "body",
    "expired",
    "url_expired",
    "not_yet",
]


class SignatureError(Exception):
    """Why a signature is not good; ``detail`` is AWS's sentence where the reason alone does not say it."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Claim:
    """What a request says about its own signature, before anything of it is checked."""

    key_id: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str
    """When it was signed; for S3's old URLs, when they expire."""
    expires_s: int | None = None
    """The lifetime of a presigned URL; None for a header."""
    old: bool = False
    """One of S3's old presigned URLs, which name neither region nor service."""


@dataclass(frozen=True)
class SignedRequest:
    """The parts of a request that a signature covers. Header names are lower case, path and query as sent."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def query_parameters(query: str) -> dict[str, str]:
    """The query string as a dict, decoded; of a repeated name the last one."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}


def read_claim(request: SignedRequest) -> Claim:
    """The signature that a request carries.

    Raises ``SignatureError``: there is none, it is incomplete, or of a kind that is not supported.
    """
    authorization = request.headers.get("authorization", "")
    if authorization:
        return _header_claim(authorization, request.headers)
    query = query_parameters(request.query)
    if "X-Amz-Signature" in query:
        return _query_claim(query)
    if "AWSAccessKeyId" in query and "Signature" in query:
        expires = query.get("Expires", "")
        return Claim(query["AWSAccessKeyId"], "us-east-1", "s3", (), query["Signature"], expires, 0, old=True)
    raise SignatureError("missing")


def _header_claim(authorization: str, headers: Mapping[str, str]) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise SignatureError("unsupported")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not fields.get(name):
            raise SignatureError("incomplete", f"Authorization header requires '{name}' parameter.")
    stamp = headers.get("x-amz-date") or _stamp_of_date(headers.get("date", ""))
    return _claim(fields["Credential"], fields["SignedHeaders"], fields["Signature"], stamp, None)


def _query_claim(query: Mapping[str, str]) -> Claim:
    for name in ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"):
        if not query.get(name):
            raise SignatureError("incomplete", f"AWS query-string parameters must include '{name}'.")
    if query.get("X-Amz-Algorithm") != ALGORITHM or not query["X-Amz-Expires"].isdigit():
        raise SignatureError("unsupported")
    return _claim(
        query["X-Amz-Credential"],
        query["X-Amz-SignedHeaders"],
        query["X-Amz-Signature"],
        query["X-Amz-Date"],
        int(query["X-Amz-Expires"]),
    )


def _claim(credential: str, signed: str, signature: str, stamp: str, expires_s: int | None) -> Claim:
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise SignatureError("incomplete", "Credential must have exactly 5 slash-delimited elements.")
    if not stamp.startswith(parts[1]):
        raise SignatureError("mismatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601.")
    key_id, _, region, service, _ = parts
    return Claim(key_id, region, service, tuple(signed.lower().split(";")), signature, stamp, expires_s)


def _stamp_of_date(value: str) -> str:
    try:
        return parsedate_to_datetime(value).astimezone(UTC).strftime(_STAMP)
    except ValueError:
        raise SignatureError(
            "incomplete",
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ) from None


def verify(
    claim: Claim, request: SignedRequest, body_sha256: str, secrets: Mapping[str, str], now: datetime
) -> None:
    """Raises ``SignatureError`` unless the claim is true: known key, fresh clock, signature and body."""
    _check_clock(claim, now)
    if claim.key_id not in secrets:
        raise SignatureError("unknown_key")
    credentials = Credentials(claim.key_id, secrets[claim.key_id])
    if claim.old:
        expected = _old_signature(claim, request, credentials)
    else:
        expected = _signature(claim, request, _payload(claim, request, body_sha256), credentials)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise SignatureError("mismatch")


def _payload(claim: Claim, request: SignedRequest, body_sha256: str) -> str:
    """What was signed of the body: its digest, or, for S3 alone, the statement that it was not."""
    if "host" not in claim.signed_headers:
        raise SignatureError("incomplete", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    is_s3_url = claim.expires_s is not None and claim.service == "s3"
    declared = request.headers.get("x-amz-content-sha256") or (
        "UNSIGNED-PAYLOAD" if is_s3_url else body_sha256
    )
    opted_out = claim.service == "s3" and declared.startswith(("UNSIGNED-PAYLOAD", "STREAMING-"))
    if declared != body_sha256 and not opted_out:
        raise SignatureError("body")
    return declared


def _check_clock(claim: Claim, now: datetime) -> None:
    if claim.old:
        if not claim.stamp.isdigit() or now.timestamp() > int(claim.stamp):
            raise SignatureError("url_expired")
        return
    try:
        signed_at = datetime.strptime(claim.stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        detail = f"Date must be in ISO-8601 'basic format'. Got '{claim.stamp}'."
        raise SignatureError("incomplete", detail) from None
    said = now.strftime(_STAMP)
    if claim.expires_s is not None:
        if signed_at + timedelta(seconds=claim.expires_s) < now:
            raise SignatureError("url_expired")
    elif signed_at + CLOCK_SKEW < now:
        oldest = (now - CLOCK_SKEW).strftime(_STAMP)
        detail = f"Signature expired: {claim.stamp} is now earlier than {oldest} ({said} - 5 min.)"
        raise SignatureError("expired", detail)
    if signed_at - CLOCK_SKEW > now:
        newest = (now + CLOCK_SKEW).strftime(_STAMP)
        detail = f"Signature not yet current: {claim.stamp} is still later than {newest} ({said} + 5 min.)"
        raise SignatureError("not_yet", detail)


class _ExpectedOld(HmacV1Auth):  # type: ignore[misc]
    """Has the time at which the URL expires where other requests have their date."""

    def __init__(self, credentials: Any, expires: str) -> None:
        super().__init__(credentials)
        self._expires = expires

    def _get_date(self) -> str:
        return self._expires


class _Expected:
    """Mixed into botocore's signers: signs what the client says it signed, with the payload hash given."""

    def __init__(self, claim: Claim, payload: str, credentials: Any) -> None:
        super().__init__(credentials, claim.service, claim.region)  # type: ignore[call-arg]
        self._signed = claim.signed_headers
        self._payload = payload

    def headers_to_sign(self, request: Any) -> Any:
        return _http_headers({name: request.headers.get(name, "") for name in self._signed})

    def payload(self, _request: Any) -> str:
        return self._payload


class _ExpectedS3(_Expected, S3SigV4Auth):  # type: ignore[misc]
    """S3 signs the path as it is."""


class _ExpectedOther(_Expected, SigV4Auth):  # type: ignore[misc]
    """Everyone else normalises and encodes the path once more."""


def _old_signature(claim: Claim, request: SignedRequest, credentials: Any) -> str:
    url = urlsplit(f"http://{request.headers.get('host', '')}{request.path}?{request.query}")
    signer: Any = _ExpectedOld(credentials, claim.stamp)
    signature: str = signer.get_signature(request.method, url, _http_headers(request.headers))
    return signature


def _signature(claim: Claim, request: SignedRequest, payload: str, credentials: Any) -> str:
    query = request.query
    if claim.expires_s is not None:
        query = "&".join(pair for pair in query.split("&") if not pair.startswith("X-Amz-Signature="))
    parts = SimpleNamespace(
        method=request.method,
        url=f"http://{request.headers.get('host', '')}{request.path}?{query}",
        params=None,
        headers=_http_headers(request.headers),
        context={"timestamp": claim.stamp},
    )
    signer: Any = (_ExpectedS3 if claim.service == "s3" else _ExpectedOther)(claim, payload, credentials)
    signature: str = signer.signature(signer.string_to_sign(parts, signer.canonical_request(parts)), parts)
    return signature


def _http_headers(headers: Mapping[str, str]) -> Any:
    result = HTTPHeaders()
    for name, value in headers.items():
        result[name] = value
    return result
