"""One inference from its request to its report: times, tokens, and exactly one `ctx.report`."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from localbedrock.context import Context, Inference
from localbedrock.errors import AwsError, internal
from localbedrock.text.engine import Event, Finish, Generation


class Recorder:
    """Watches the events of one generation go by."""

    def __init__(self, ctx: Context, operation: str, model_id: str, request: dict[str, Any] | bytes) -> None:
        self._ctx = ctx
        self._operation = operation
        self._model_id = model_id.rpartition("/")[2]
        self._request = request
        self._started = time.perf_counter()
        self._first_ms: float | None = None
        self.input_tokens = 0
        self.output_tokens = 0
        self.finished = False
        self.response: Any = None
        """What the invocation log is to show; set by the handler as the answer grows."""

    @property
    def latency_ms(self) -> int:
        """Whole milliseconds since the request arrived."""
        return round(self._elapsed_ms())

    @property
    def first_token_ms(self) -> int:
        """Whole milliseconds from the request to the first event; the latency where there was none."""
        return self.latency_ms if self._first_ms is None else round(self._first_ms)

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Reports once, however the block is left: finished, failed or closed because the caller went
        away.
        """
        error: BaseException | None = None
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException as fault:
            error = fault
            raise
        finally:
            self._report(error)

    def watch(self, generation: Generation) -> Generator[Event, None, None]:
        """The events, while their times and tokens are noted."""
        self.input_tokens = generation.input_tokens or 0
        try:
            for event in generation.events:
                if self._first_ms is None:
                    self._first_ms = self._elapsed_ms()
                if isinstance(event, Finish):
                    self.input_tokens = event.input_tokens
                    self.output_tokens = event.output_tokens
                    self.finished = True
                yield event
        finally:
            self.output_tokens = generation.tally.output_tokens
            generation.events.close()  # ends the decoding

    def _report(self, error: BaseException | None) -> None:
        fault = error if isinstance(error, AwsError) or error is None else internal()
        self._ctx.report(
            Inference(
                model_id=self._model_id,
                operation=self._operation,
                input_tokens=self.input_tokens,
                output_tokens=self.output_tokens,
                latency_ms=self._elapsed_ms(),
                first_token_ms=self._first_ms,
                request=self._request,
                response=self.response,
                error=fault,
            )
        )

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000
