"""Turns the events of one call, as they come, into its Run."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services import replies
from services.models import price_of
from services.pricing import cost_usd
from services.problems import Problem
from services.runs import Call, Run, RunEvent, RunState, TokenUsage, new_id

log = logging.getLogger(__name__)

BlockEvent = tuple[str, dict[str, Any]]


class Recorder:
    """Keeps the events of one call with their arrival times.

    One thread at a time may write; `run` may be called by any, at any time.
    """

    def __init__(self, call: Call) -> None:
        self.id = new_id()
        self.call = call
        self._started_at = datetime.now(UTC)
        self._sent_at = time.perf_counter()
        self._ended_ms: float | None = None
        self._ttft_ms: float | None = None
        self._metadata: dict[str, Any] = {}
        self._events: list[RunEvent] = []
        self._block_events = replies.BlockEvents(call.operation)

    def answered(self, metadata: Mapping[str, Any], sent_at: float) -> None:
        """The call was accepted. `sent_at`: `time.perf_counter()` at the sending; times count from there."""
        self._metadata = dict(metadata)
        self._sent_at = sent_at

    def add(self, name: str, data: dict[str, Any]) -> list[BlockEvent]:
        """Record one event. Returns what it says, as ConverseStream's contentBlock events."""
        at_ms = self._elapsed_ms()
        self._events.append(RunEvent(at_ms, name, data))
        said = self._block_events.of(name, data)
        if self._ttft_ms is None and name != "response" and any(map(_is_token, said)):
            self._ttft_ms = at_ms
        return said

    def end(self) -> None:
        """Stop the clock; later calls change nothing."""
        if self._ended_ms is None:
            self._ended_ms = self._elapsed_ms()

    def run(self, state: RunState, problem: Problem | None = None) -> Run:
        """The call as it stands, folded and priced."""
        latency_ms = self._elapsed_ms() if self._ended_ms is None else self._ended_ms
        events = tuple(self._events)
        headers = self._metadata.get("HTTPHeaders") or {}
        response = replies.fold(self.call.operation, events) if events else None
        reply = replies.read(self.call.operation, response or {}, events=events, headers=headers)
        return Run(
            id=self.id,
            call=self.call,
            started_at=self._started_at,
            state=state,
            latency_ms=latency_ms,
            events=events,
            response=response,
            metadata=self._metadata,
            usage=reply.usage,
            stop_reason=reply.stop_reason,
            ttft_ms=self._ttft_ms,
            service_latency_ms=reply.service_latency_ms,
            cost_usd=_cost_usd(self.call, reply.usage),
            problem=problem,
            request_id=self._metadata.get("RequestId") or (problem.request_id if problem else None),
        )

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._sent_at) * 1000


def _is_token(event: BlockEvent) -> bool:
    """True for the first sign of a reply: a piece of text or reasoning, or the name of a tool."""
    name, data = event
    if name == "contentBlockStart":
        return "toolUse" in (data.get("start") or {})
    delta = data.get("delta") or {}
    reasoning = delta.get("reasoningContent") or {}
    return bool(delta.get("text") or reasoning.get("text") or reasoning.get("redactedContent"))


def _cost_usd(call: Call, usage: TokenUsage | None) -> float | None:
    if usage is None:
        return None
    try:
        return cost_usd(usage, price_of(call.identity, call.model_id))
    except Exception:  # a price that cannot be found must not cost the reply
        log.warning("No price could be worked out for %s", call.model_id, exc_info=True)
        return None
