"""Converse and ConverseStream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from localbedrock.catalogue import resolve
from localbedrock.context import Context
from localbedrock.runtime import blocks, managed_prompts
from localbedrock.runtime.converse_request import parse
from localbedrock.runtime.engines import cut_off, engine_of
from localbedrock.runtime.recorder import Recorder
from localbedrock.text.engine import Generation, Reply


def converse(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The whole answer at once."""
    recorder, generation = _begin(ctx, "Converse", params)
    reply = Reply()
    with recorder.reporting():
        for event in recorder.watch(generation):
            reply.add(event)
        answer = recorder.response = answer_of(reply, recorder, params)
    if reply.finish is None:
        raise cut_off()
    return answer


def converse_stream(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The answer as it is decoded, in AWS's order of events."""
    recorder, generation = _begin(ctx, "ConverseStream", params)
    return {"stream": _stream(recorder, generation, params)}


def _begin(ctx: Context, operation: str, params: dict[str, Any]) -> tuple[Recorder, Generation]:
    managed_prompts.insert(ctx, params)
    body = {name: value for name, value in params.items() if name != "modelId"}
    recorder = Recorder(ctx, operation, params["modelId"], body)
    model = resolve(ctx, params["modelId"])
    request = parse(model, params)
    return recorder, engine_of(ctx, model).generate(request, ctx.cancelled)


def _stream(recorder: Recorder, generation: Generation, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    reply = Reply()
    with recorder.reporting():
        try:
            with closing(recorder.watch(generation)) as events:
                yield {"messageStart": {"role": "assistant"}}
                yield from blocks.content_events(events, reply)
        finally:
            answer = recorder.response = answer_of(reply, recorder, params)
        if reply.finish is not None:
            yield {"messageStop": {"stopReason": answer["stopReason"]}}
            yield {
                "metadata": {name: answer[name] for name in answer if name not in {"output", "stopReason"}}
            }


def answer_of(reply: Reply, recorder: Recorder, params: dict[str, Any]) -> dict[str, Any]:
    """Converse's answer, of a reply that may still be growing; also what an invocation log shows."""
    used = {"inputTokens": recorder.input_tokens, "outputTokens": recorder.output_tokens}
    answer: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": blocks.content(reply)}},
        "stopReason": blocks.stop_reason(reply.end),
        "usage": used | {"totalTokens": sum(used.values())},
        "metrics": {"latencyMs": recorder.latency_ms},
    }
    echoed = {name: params[name] for name in ("performanceConfig", "serviceTier") if name in params}
    return answer | echoed
