"""Converse and ConverseStream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from localbedrock.catalogue import FoundationModel, resolve
from localbedrock.context import Context
from localbedrock.guardrails import converse_calls
from localbedrock.guardrails.guarded import Guard
from localbedrock.guardrails.streams import Mode
from localbedrock.runtime import blocks, managed_prompts
from localbedrock.runtime.converse_request import parse
from localbedrock.runtime.engines import cut_off, engine_of
from localbedrock.runtime.families import chat_family
from localbedrock.runtime.recorder import Recorder
from localbedrock.text.engine import Generation, Reply


@dataclass(frozen=True)
class _Call:
    """One call that has been accepted; ``params`` are the caller's."""

    params: dict[str, Any]
    model: FoundationModel
    recorder: Recorder
    generation: Generation
    guard: Guard | None

    def answer(self, reply: Reply, said: str) -> dict[str, Any]:
        """The whole answer; ``said`` is what the trace shows as the model's own words."""
        answer = answer_of(reply, self.recorder, self.params)
        if self.guard is None:
            return answer
        if self.guard.intervened:
            answer["stopReason"] = "guardrail_intervened"
        return answer | converse_calls.trace(self.guard, said)


def converse(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The whole answer at once."""
    call = _begin(ctx, "Converse", params, "whole")
    recorder, reply = call.recorder, Reply()
    with recorder.reporting():
        for event in recorder.watch(call.generation):
            reply.add(event)
        answer = recorder.response = call.answer(reply, _native(call))
    if reply.finish is None:
        raise cut_off()
    return answer


def converse_stream(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The answer as it is decoded, in AWS's order of events."""
    call = _begin(ctx, "ConverseStream", params, converse_calls.mode(params))
    return {"stream": _stream(call)}


def _begin(ctx: Context, operation: str, params: dict[str, Any], mode: Mode) -> _Call:
    managed_prompts.insert(ctx, params)
    body = {name: value for name, value in params.items() if name != "modelId"}
    recorder = Recorder(ctx, operation, params["modelId"], body)
    model = resolve(ctx, params["modelId"])
    request = parse(model, params)
    guard, guarded = converse_calls.begin(ctx, params)

    def generate() -> Generation:
        seen = request if guard is None else parse(model, guarded)
        return engine_of(ctx, model).generate(seen, ctx.cancelled)

    generation = guard.generate(generate, mode) if guard else generate()
    return _Call(params, model, recorder, generation, guard)


def _native(call: _Call) -> str:
    """What the model said, as its family's body: so AWS has it in the trace of a whole answer."""
    family = chat_family(call.model)
    if call.guard is None or call.guard.raw.finish is None or family is None:
        return ""
    return json.dumps(family.answer(call.model, {"prompt": "", "message": ""}, call.guard.raw))


def _stream(call: _Call) -> Iterator[dict[str, Any]]:
    recorder, reply = call.recorder, Reply()
    with recorder.reporting():
        try:
            with closing(recorder.watch(call.generation)) as events:
                yield {"messageStart": {"role": "assistant"}}
                yield from blocks.content_events(events, reply)
        finally:
            answer = recorder.response = call.answer(reply, call.guard.raw.text if call.guard else "")
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
