"""Which engine answers for a model, and what every request must hold."""

from __future__ import annotations

import re
from dataclasses import replace

from localbedrock.catalogue import FoundationModel
from localbedrock.context import Context
from localbedrock.errors import AwsError, unavailable, validation
from localbedrock.text.engine import ChatRequest, Engine, Tool
from localbedrock.text.openai_compatible import OpenAICompatible
from localbedrock.text.tools import check_schema

NOT_A_CHAT_MODEL = (
    "This action doesn't support the model that you provided. Try again with a supported text or chat model."
)
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def engine_of(ctx: Context, model: FoundationModel) -> Engine:
    """The engine of a text model."""
    if model.backend == "openai":
        return openai_of(ctx)
    return ctx.models.llama


def openai_of(ctx: Context) -> OpenAICompatible:
    """The OpenAI-compatible server."""
    if ctx.models.openai is None:
        raise unavailable("No OpenAI-compatible server is set (LOCALBEDROCK_OPENAI_URL).")
    return ctx.models.openai


def for_model(request: ChatRequest, model: FoundationModel) -> ChatRequest:
    """The request, checked against what holds for every family, with the name of the model that answers."""
    limit = model.accepts_max_tokens
    if request.max_tokens is not None and request.max_tokens > limit:
        raise validation(
            f"The maximum tokens you requested exceeds the model limit of {limit}. "
            f"Try again with a maximum tokens value that is lower than {limit}."
        )
    if "one_sampler" in model.features and request.temperature is not None and request.top_p is not None:
        raise model_refuses(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        )
    for tool in request.tools:
        _check_tool(tool)
    names = {tool.name for tool in request.tools}
    if request.force_tool and not (request.force_tool in names or (request.force_tool == "*" and names)):
        raise model_refuses(f"Tool '{request.force_tool}' not found in provided tools")
    if request.json_schema is not None and (why := check_schema(request.json_schema)):
        raise model_refuses(f"The JSON schema of the output is invalid: {why}")
    return replace(request, model=model.remote_name)


def model_refuses(why: str) -> AwsError:
    """An error that AWS passes on from the model."""
    return validation(f"The model returned the following errors: {why}")


def cut_off() -> AwsError:
    """The answer ended before the model had finished: the caller has gone, or the endpoint is stopping."""
    return unavailable("The request was cancelled before the reply was complete.")


def _check_tool(tool: Tool) -> None:
    if not _TOOL_NAME.fullmatch(tool.name):
        raise model_refuses(f"tools: the name {tool.name!r} should match the pattern {_TOOL_NAME.pattern}")
    if tool.schema.get("type") != "object":
        raise model_refuses(f"tools.{tool.name}.input_schema.type: Input should be 'object'")
    if why := check_schema(tool.schema):
        raise model_refuses(f"tools.{tool.name}.input_schema: JSON schema is invalid: {why}")
