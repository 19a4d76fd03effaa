"""InvokeModel and InvokeModelWithResponseStream: bodies in and out in each model family's own format."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from localbedrock.catalogue import FoundationModel, resolve
from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.guardrails import body_calls
from localbedrock.guardrails.guarded import Guard
from localbedrock.guardrails.streams import Mode
from localbedrock.runtime.bodies import read_json
from localbedrock.runtime.engines import cut_off, engine_of
from localbedrock.runtime.families import chat_family, embedding_family
from localbedrock.runtime.recorder import Recorder
from localbedrock.text.engine import ChatRequest, Event, Generation, Reply

_JSON = "application/json"


def invoke_model(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One body for another: a chat model's answer, or embeddings."""
    recorder, model, body, config = _begin(ctx, "InvokeModel", params)
    with recorder.reporting():
        family = chat_family(model)
        if family is None:
            recorder.response, recorder.input_tokens = embedding_family(model)(ctx, model, body)
        else:
            reply = Reply()
            guard, request = body_calls.begin(ctx, params, config, family.read(model, body))
            for event in recorder.watch(_generation(ctx, model, guard, request, "whole")):
                reply.add(event)
            recorder.response = family.answer(model, body, reply)
            if guard is not None:
                said = json.dumps(family.answer(model, body, guard.raw)) if guard.raw.finish else ""
                recorder.response |= body_calls.action(guard) | body_calls.trace(guard, said)
    if family is not None and not recorder.finished:
        raise cut_off()
    return _output(params, _bytes(recorder.response))


def invoke_model_with_response_stream(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The answer in the chunks of the model's family; the last one carries the invocation metrics."""
    recorder, model, body, config = _begin(ctx, "InvokeModelWithResponseStream", params)
    family = chat_family(model)
    if family is None:
        raise validation("The model is unsupported for streaming")
    guard, request = body_calls.begin(ctx, params, config, family.read(model, body))
    generation = _generation(ctx, model, guard, request, body_calls.mode(config))
    events = recorder.watch(generation)
    native = family.stream(model, body, generation.input_tokens or 0, events)
    return _output(params, _stream(recorder, events, native, guard))


def _generation(
    ctx: Context, model: FoundationModel, guard: Guard | None, request: ChatRequest, mode: Mode
) -> Generation:
    def generate() -> Generation:
        return engine_of(ctx, model).generate(request, ctx.cancelled)

    return guard.generate(generate, mode) if guard else generate()


def _begin(
    ctx: Context, operation: str, params: dict[str, Any]
) -> tuple[Recorder, FoundationModel, dict[str, Any], dict[str, Any]]:
    """The last one is how the body wants its guardrail to work."""
    raw = params.get("body", b"")
    recorder = Recorder(ctx, operation, params["modelId"], raw)
    model = resolve(ctx, params["modelId"])
    for name in ("contentType", "accept"):
        if params.get(name, _JSON).partition(";")[0].strip() not in {_JSON, "*/*", "application/*", ""}:
            raise validation(f"The model takes and gives {_JSON} only: {name} can't be {params[name]}.")
    body = read_json(raw)
    return recorder, model, body, body_calls.take_config(params, body)


def _stream(
    recorder: Recorder,
    events: Generator[Event, None, None],
    native: Iterator[dict[str, Any]],
    guard: Guard | None,
) -> Iterator[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    recorder.response = chunks
    with recorder.reporting(), closing(events):
        for chunk in _with_metrics(native, recorder, guard):
            chunks.append(chunk)
            yield {"chunk": {"bytes": _bytes(chunk)}}


def _with_metrics(
    chunks: Iterator[dict[str, Any]], recorder: Recorder, guard: Guard | None
) -> Iterator[dict[str, Any]]:
    """Adds the metrics to the last chunk. Only what follows the last token is held back to find it.

    A guardrail says in every chunk whether it has intervened, and in the last one what it has found.
    """
    last: dict[str, Any] | None = None
    for chunk in chunks:
        if last is not None:
            yield last
        if guard is not None:
            chunk |= body_calls.action(guard)
        last = chunk if recorder.finished else None
        if last is None:
            yield chunk
    if last is not None:
        metrics = {
            "inputTokenCount": recorder.input_tokens,
            "outputTokenCount": recorder.output_tokens,
            "invocationLatency": recorder.latency_ms,
            "firstByteLatency": recorder.first_token_ms,
        }
        found = body_calls.trace(guard, guard.raw.text) if guard is not None else {}
        yield last | found | {"amazon-bedrock-invocationMetrics": metrics}


def _output(params: dict[str, Any], body: Any) -> dict[str, Any]:
    echoed = {name: params[name] for name in ("performanceConfigLatency", "serviceTier") if name in params}
    return {"body": body, "contentType": _JSON} | echoed


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
