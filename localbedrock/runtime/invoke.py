"""InvokeModel and InvokeModelWithResponseStream: bodies in and out in each model family's own format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from localbedrock.catalogue import FoundationModel, resolve
from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.runtime.bodies import read_json
from localbedrock.runtime.engines import NO_GUARDRAIL, cut_off, engine_of
from localbedrock.runtime.families import ChatFamily, chat_family, embedding_family
from localbedrock.runtime.recorder import Recorder
from localbedrock.text.engine import Generation, Reply

_JSON = "application/json"


def invoke_model(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One body for another: a chat model's answer, or embeddings."""
    recorder, model, body = _begin(ctx, "InvokeModel", params)
    with recorder.reporting():
        family = chat_family(model)
        if family is None:
            recorder.response, recorder.input_tokens = embedding_family(model)(ctx, model, body)
        else:
            reply = Reply()
            generation = engine_of(ctx, model).generate(family.read(model, body), ctx.cancelled)
            for event in recorder.watch(generation):
                reply.add(event)
            recorder.response = family.answer(model, body, reply)
    if family is not None and not recorder.finished:
        raise cut_off()
    return _output(params, _bytes(recorder.response))


def invoke_model_with_response_stream(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The answer in the chunks of the model's family; the last one carries the invocation metrics."""
    recorder, model, body = _begin(ctx, "InvokeModelWithResponseStream", params)
    family = chat_family(model)
    if family is None:
        raise validation("The model is unsupported for streaming")
    generation = engine_of(ctx, model).generate(family.read(model, body), ctx.cancelled)
    return _output(params, _stream(recorder, family, model, body, generation))


def _begin(
    ctx: Context, operation: str, params: dict[str, Any]
) -> tuple[Recorder, FoundationModel, dict[str, Any]]:
    raw = params.get("body", b"")
    recorder = Recorder(ctx, operation, params["modelId"], raw)
    model = resolve(ctx, params["modelId"])
    if params.get("guardrailIdentifier"):
        raise validation(NO_GUARDRAIL)
    for name in ("contentType", "accept"):
        if params.get(name, _JSON).partition(";")[0].strip() not in {_JSON, "*/*", "application/*", ""}:
            raise validation(f"The model takes and gives {_JSON} only: {name} can't be {params[name]}.")
    return recorder, model, read_json(raw)


def _stream(
    recorder: Recorder,
    family: ChatFamily,
    model: FoundationModel,
    body: dict[str, Any],
    generation: Generation,
) -> Iterator[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    recorder.response = chunks
    with recorder.reporting(), closing(recorder.watch(generation)) as events:
        native = family.stream(model, body, generation.input_tokens or 0, events)
        for chunk in _with_metrics(native, recorder):
            chunks.append(chunk)
            yield {"chunk": {"bytes": _bytes(chunk)}}


def _with_metrics(chunks: Iterator[dict[str, Any]], recorder: Recorder) -> Iterator[dict[str, Any]]:
    """Adds the metrics to the last chunk. Only what follows the last token is held back to find it."""
    last: dict[str, Any] | None = None
    for chunk in chunks:
        if last is not None:
            yield last
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
        yield last | {"amazon-bedrock-invocationMetrics": metrics}


def _output(params: dict[str, Any], body: Any) -> dict[str, Any]:
    echoed = {name: params[name] for name in ("performanceConfigLatency", "serviceTier") if name in params}
    return {"body": body, "contentType": _JSON} | echoed


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
