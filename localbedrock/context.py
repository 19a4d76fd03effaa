"""What every handler is given: who asks, what is stored, which models run, whether the caller is still
there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localbedrock.errors import AwsError
from localbedrock.store import Store

if TYPE_CHECKING:
    from localbedrock.text.host import ModelHost


@dataclass(frozen=True)
class Inference:
    """One inference call that finished, failed or was cancelled: input of the CloudWatch metrics and the log.

    ``model_id`` is the value of CloudWatch's ``ModelId`` dimension, ``operation`` the API's name
    (``Converse``, ``ConverseStream``, ``InvokeModel``, ``InvokeModelWithResponseStream``). ``request`` and
    ``response`` are the bodies as AWS would log them: dicts for the Converse operations (a stream folded into
    one answer), the model's own body for InvokeModel (bytes or parsed JSON; a list of chunks for a stream).
    """

    model_id: str
    operation: str
    input_tokens: int
    output_tokens: int
    latency_ms: float
    first_token_ms: float | None
    request: dict[str, Any] | bytes
    response: Any
    error: AwsError | None = None


@dataclass(frozen=True)
class GuardrailCheck:
    """One invocation of a guardrail on an input or an output: what the CloudWatch metrics of guardrails tell.

    ``source`` is INPUT or OUTPUT, ``usage`` GuardrailUsage, ``assessment`` GuardrailAssessment.
    """

    guardrail_arn: str
    guardrail_version: str
    source: str
    latency_ms: float
    usage: Mapping[str, int]
    assessment: Mapping[str, Any]
    intervened: bool
    error: AwsError | None = None


@dataclass(frozen=True)
class Context:
    """The surroundings of one request. Handlers run in worker threads: all of it may be used from any
    thread.
    """

    request_id: str
    region: str
    account_id: str
    store: Store
    models: ModelHost
    cancelled: threading.Event
    """Set as soon as the client has gone away."""
    report: Callable[[Inference], None]
    """Takes an :class:`Inference` and returns at once; metrics and logs are written behind the reply's back.
    """
    report_check: Callable[[GuardrailCheck], None] = lambda _check: None
    """The same for a :class:`GuardrailCheck`."""


Handler = Callable[[Context, dict[str, Any]], dict[str, Any]]
"""An operation: botocore-shaped parameters in, botocore-shaped output out.

Blobs are bytes, timestamps are aware datetimes, documents are plain JSON. A streaming operation returns its
event stream member as an iterator of ``{"eventName": {...}}``; everything that can be checked is checked
before the handler returns, because an :class:`AwsError` raised by the iterator can only become an exception
frame.
"""
