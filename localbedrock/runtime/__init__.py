"""Handlers of `bedrock-runtime`: inference in Converse's form and in each model family's own."""

from __future__ import annotations

from localbedrock.context import Handler
from localbedrock.runtime.converse import converse, converse_stream
from localbedrock.runtime.count_tokens import count_tokens
from localbedrock.runtime.invoke import invoke_model, invoke_model_with_response_stream

_OPERATIONS: dict[str, Handler] = {
    "Converse": converse,
    "ConverseStream": converse_stream,
    "CountTokens": count_tokens,
    "InvokeModel": invoke_model,
    "InvokeModelWithResponseStream": invoke_model_with_response_stream,
}
HANDLERS: dict[tuple[str, str], Handler] = {
    ("bedrock-runtime", name): handler for name, handler in _OPERATIONS.items()
}
