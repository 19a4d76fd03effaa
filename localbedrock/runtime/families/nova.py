"""Amazon Nova's `messages-v1`: Converse's shapes, with bytes in base64 and `topK` inside
`inferenceConfig`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.runtime import blocks, converse_request
from localbedrock.runtime.bodies import Field, check
from localbedrock.text.engine import ChatRequest, Event, Finish, Reply

_FIELDS = {
    "schemaVersion": Field(str, choices=("messages-v1",)),
    "messages": Field(list, required=True),
    "system": Field(list),
    "inferenceConfig": Field(dict),
    "toolConfig": Field(dict),
}
_MESSAGE = {
    "role": Field(str, required=True, choices=("user", "assistant")),
    "content": Field(list, required=True),
}
_CONFIG = {
    "maxTokens": Field(int, minimum=1),
    "max_new_tokens": Field(int, minimum=1),
    "temperature": Field(float, minimum=0, maximum=1),
    "topP": Field(float, minimum=0, maximum=1),
    "top_p": Field(float, minimum=0, maximum=1),
    "topK": Field(int, minimum=0, maximum=128),
    "top_k": Field(int, minimum=0, maximum=128),
    "stopSequences": Field(list, most=4),
}


def parse(model: FoundationModel, body: dict[str, Any]) -> ChatRequest:
    """The request of a body."""
    check(body, _FIELDS)
    for place, message in enumerate(body["messages"]):
        check(message, _MESSAGE, f"#/messages/{place}")
    config = body.get("inferenceConfig") or {}
    check(config, _CONFIG, "#/inferenceConfig")
    given = {
        "maxTokens": config.get("maxTokens", config.get("max_new_tokens")),
        "temperature": config.get("temperature"),
        "topP": config.get("topP", config.get("top_p")),
        "stopSequences": config.get("stopSequences"),
    }
    params: dict[str, Any] = {
        "messages": _decoded(body["messages"]),
        "inferenceConfig": {name: value for name, value in given.items() if value is not None},
    }
    params |= {name: body[name] for name in ("system", "toolConfig") if body.get(name)}
    request = converse_request.parse(model, params)
    return replace(request, top_k=config.get("topK", config.get("top_k")))


def _decoded(value: Any) -> Any:
    """The same value with the bytes of pictures and documents, wherever they stand, out of base64."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _source(item) if name == "source" else _decoded(item) for name, item in value.items()}


def _source(source: Any) -> Any:
    if isinstance(source, dict) and isinstance(source.get("bytes"), str):
        return {"bytes": base64.b64decode(source["bytes"])}
    return source


def answer(_model: FoundationModel, _body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """The body of a whole reply."""
    usage = _usage(reply.end)
    return {
        "output": {"message": {"content": blocks.content(reply), "role": "assistant"}},
        "stopReason": blocks.stop_reason(reply.end),
        "usage": usage | {"totalTokens": usage["inputTokens"] + usage["outputTokens"]},
    }


def stream(
    _model: FoundationModel,
    _body: dict[str, Any],
    _input_tokens: int,
    events: Iterator[Event],
) -> Iterator[dict[str, Any]]:
    """The chunks of a reply while it is decoded."""
    reply = Reply()
    yield {"messageStart": {"role": "assistant"}}
    yield from blocks.content_events(events, reply)
    if reply.finish is not None:
        yield {"messageStop": {"stopReason": blocks.stop_reason(reply.finish)}}
        yield {"metadata": {"usage": _usage(reply.finish), "metrics": {}, "trace": {}}}


def _usage(finish: Finish) -> dict[str, int]:
    return {
        "inputTokens": finish.input_tokens,
        "outputTokens": finish.output_tokens,
        "cacheReadInputTokenCount": 0,
        "cacheWriteInputTokenCount": 0,
    }
