"""The errors a handler may raise: AWS's code, AWS's status, AWS's words.

``wire`` turns an :class:`AwsError` into an HTTP error, or, once a stream has begun, into an exception frame.
"""

from __future__ import annotations

from typing import Any

STATUS = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "InternalServerException": 500,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelStreamErrorException": 424,
    "ModelTimeoutException": 408,
    "ResourceInUseException": 400,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "TooManyTagsException": 400,
    "UnknownOperationException": 404,
    "ValidationException": 400,
}
"""HTTP status by error code, from the service models of the four Bedrock planes."""


class AwsError(Exception):
    """One error as AWS shapes it.

    ``code`` is the error shape's name, ``members`` are that shape's members beyond ``message``
    (``originalStatusCode`` of ``ModelErrorException``, for example).
    """

    def __init__(
        self, code: str, message: str, status: int | None = None, members: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = STATUS.get(code, 400) if status is None else status
        self.members = members or {}


def validation(message: str) -> AwsError:
    """The request is malformed, or the model cannot do what it asks (400)."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """The resource that the request names does not exist (404)."""
    return AwsError("ResourceNotFoundException", message)


def access_denied(message: str) -> AwsError:
    """The caller may not do this (403)."""
    return AwsError("AccessDeniedException", message)


def conflict(message: str) -> AwsError:
    """The resource exists already, or is in a state that forbids the change (409)."""
    return AwsError("ConflictException", message)


def throttled(message: str) -> AwsError:
    """Too many requests at once (429)."""
    return AwsError("ThrottlingException", message)


def model_not_ready(message: str) -> AwsError:
    """The model is still being loaded (429; SDKs retry it)."""
    return AwsError("ModelNotReadyException", message)


def model_error(message: str, *, original_status: int = 500, resource: str = "") -> AwsError:
    """The model failed while it answered (424)."""
    members: dict[str, Any] = {"originalStatusCode": original_status}
    if resource:
        members["resourceName"] = resource
    return AwsError("ModelErrorException", message, members=members)


def model_stream_error(message: str, *, original_status: int = 500) -> AwsError:
    """The model failed in the middle of a stream (exception frame ``modelStreamErrorException``)."""
    members = {"originalStatusCode": original_status, "originalMessage": message}
    return AwsError("ModelStreamErrorException", message, members=members)


def model_timeout(message: str) -> AwsError:
    """The model took too long (408)."""
    return AwsError("ModelTimeoutException", message)


def unavailable(message: str) -> AwsError:
    """The service cannot answer now (503)."""
    return AwsError("ServiceUnavailableException", message)


def internal(message: str = "The service failed to process the request. Try your request again.") -> AwsError:
    """Our own fault (500). Never carries a stack or a prompt."""
    return AwsError("InternalServerException", message)


def unknown_operation(message: str) -> AwsError:
    """Nothing here implements this operation (404)."""
    return AwsError("UnknownOperationException", message)
