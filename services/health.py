"""Do the AWS services answer? One cheap call that changes nothing for each, all at once, with a deadline.

Also looks up who is calling without making a page wait for STS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from botocore import xform_name

from services import clients
from services.clients import Caller, Identity
from services.problems import Problem, from_exception

T = TypeVar("T")

ANSWER_WITHIN_S = 5.0
KEEP_S = 30


@dataclass(frozen=True)
class Probe:
    """The call that stands for a service: one that AWS does not bill, or hardly."""

    service: str
    purpose: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ServiceHealth:
    """How a service answered its probe. `problem` says why it did not; a refusal has a latency, too."""

    name: str
    purpose: str
    operation: str
    ok: bool
    latency_ms: float
    problem: Problem | None = None


_SHARED = (
    Probe("sts", "Who is calling", "GetCallerIdentity"),
    Probe("s3", "Files", "ListBuckets", {"MaxBuckets": 1}),
    Probe("cloudwatch", "Metrics", "ListMetrics", {"Namespace": "AWS/Bedrock"}),
    Probe("logs", "Invocation logs", "DescribeLogGroups", {"limit": 1}),
)
_MODELS = Probe("bedrock", "Models", "ListFoundationModels")
_AWS_INFERENCE = Probe("bedrock-runtime", "Inference", "ListAsyncInvokes", {"maxResults": 1})
_LOCAL_INFERENCE = Probe(
    "bedrock-runtime",
    "Inference",
    "CountTokens",
    {
        "modelId": "local.smollm2-135m-instruct-v1:0",
        "input": {"converse": {"messages": [{"role": "user", "content": [{"text": "ping"}]}]}},
    },
)


def probes(identity: Identity) -> tuple[Probe, ...]:
    """The calls that are made for this identity's backend."""
    return (_MODELS, _LOCAL_INFERENCE if identity.backend == "local" else _AWS_INFERENCE, *_SHARED)


@st.cache_resource(ttl=KEEP_S, max_entries=64, show_spinner=False)
def health(identity: Identity) -> tuple[ServiceHealth, ...]:
    """Ask every service; takes `ANSWER_WITHIN_S` at most, and is kept for `KEEP_S`. Never raises.

    `health.clear(identity)` makes the next call ask again.
    """
    deadline = time.monotonic() + ANSWER_WITHIN_S
    asked = [(probe, in_background(partial(_ask, probe, identity))) for probe in probes(identity)]
    return tuple(_answer(probe, future, deadline) for probe, future in asked)


def _ask(probe: Probe, identity: Identity) -> ServiceHealth:
    started = time.perf_counter()
    problem = None
    try:
        client = clients.client(probe.service, identity)
        started = time.perf_counter()  # making the client is ours, not the service's
        getattr(client, xform_name(probe.operation))(**probe.parameters)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what this page is there to show)
        problem = from_exception(error, operation=probe.operation, identity=identity)
    latency_ms = (time.perf_counter() - started) * 1000
    return ServiceHealth(probe.service, probe.purpose, probe.operation, problem is None, latency_ms, problem)


def _answer(probe: Probe, future: Future[ServiceHealth], deadline: float) -> ServiceHealth:
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        late = Problem(
            code="NoAnswer",
            title="No answer",
            cause=f"{probe.operation} had not answered after {ANSWER_WITHIN_S:.0f} s.",
            fix="Check the network, the proxy and the VPC endpoint of this service, then ask again.",
            action="retry",
        )
        return ServiceHealth(
            probe.service, probe.purpose, probe.operation, False, ANSWER_WITHIN_S * 1000, late
        )


@dataclass(frozen=True)
class _Lookup:
    caller: Future[Caller]
    begun_at: float


def _still_good(lookup: _Lookup) -> bool:
    failed = lookup.caller.done() and lookup.caller.exception() is not None
    return not failed or time.monotonic() - lookup.begun_at < KEEP_S


@st.cache_resource(ttl=900, max_entries=64, show_spinner=False, validate=_still_good)
def _lookup(identity: Identity) -> _Lookup:
    return _Lookup(in_background(lambda: clients.caller(identity)), time.monotonic())


def caller_lookup(identity: Identity) -> Future[Caller]:
    """`services.clients.caller` on its way: ask with a timeout. A failure is kept for `KEEP_S`."""
    return _lookup(identity).caller


def in_background(work: Callable[[], T]) -> Future[T]:
    """Run `work` in a daemon thread: one that hangs keeps neither a page nor the process from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 (it is raised again where the result is asked for)
            future.set_exception(error)

    threading.Thread(target=run, name="services-health", daemon=True).start()
    return future
