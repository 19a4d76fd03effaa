"""A Converse request as a :class:`ChatRequest`, refused as AWS refuses it.

What the service model can say (ranges, lengths, enums) has been checked by ``wire``; here is what it can't.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.errors import AwsError, validation
from localbedrock.runtime import additional_fields, content
from localbedrock.runtime.engines import NOT_A_CHAT_MODEL, for_model, model_refuses
from localbedrock.text.engine import ChatRequest, Message, Tool

_MAX_STOPS = {"nova": 4, "mistral": 10, "command_r": 5, "command": 4, "llama": 0}
_TITAN_STOP = re.compile(r"\|+|User:")


def parse(model: FoundationModel, params: dict[str, Any]) -> ChatRequest:
    """The request of Converse, ConverseStream or CountTokens; AwsError for what the model can't take."""
    if not model.chats:
        raise validation(NOT_A_CHAT_MODEL)
    messages = params.get("messages", [])
    _check_roles(model, messages)
    _check_tool_turns(messages, params)
    config = params.get("inferenceConfig", {})
    stops = tuple(config.get("stopSequences", ()))
    _check_stops(model, stops)
    documents: list[str] = []
    request = ChatRequest(
        messages=tuple(
            Message(message["role"], content.parts(model, message, f"messages.{place}.content", documents))
            for place, message in enumerate(messages)
        ),
        system=_system(model, params.get("system", [])),
        max_tokens=config.get("maxTokens"),
        temperature=config.get("temperature"),
        top_p=config.get("topP"),
        stop=stops,
        json_schema=_json_schema(params.get("outputConfig", {})),
        **_tools(model, params.get("toolConfig")),
    )
    request = additional_fields.apply(model, request, params.get("additionalModelRequestFields"))
    return for_model(request, model)


def _check_roles(model: FoundationModel, messages: list[dict[str, Any]]) -> None:
    for place, message in enumerate(messages, 1):
        if message["role"] == "system":
            raise validation(
                f"1 validation error detected: Value 'system' at 'messages.{place}.member.role' failed to "
                "satisfy constraint: Member must satisfy enum value set: [user, assistant]"
            )
    if not messages or messages[0]["role"] != "user":
        raise validation(
            "A conversation must start with a user message. "
            "Try again with a conversation that starts with a user message."
        )
    if any(first["role"] == second["role"] for first, second in pairwise(messages)):
        raise validation(
            "A conversation must alternate between user and assistant roles. "
            "Make sure the conversation alternates between user and assistant roles and try again."
        )
    if messages[-1]["role"] == "assistant" and "prefill" not in model.features:
        raise validation(
            "The model that you are using requires the last turn in the conversation to be a user message. "
            "Add a user message to the conversation and try again."
        )


def _check_tool_turns(messages: list[dict[str, Any]], params: dict[str, Any]) -> None:
    """Every call is answered in the next turn, and nothing else is."""
    calls: list[str] = []
    seen = False
    for place, message in enumerate(messages):
        results = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        at = f"messages.{place}.content"
        if len(results) > len(calls):
            raise validation(
                f"The number of toolResult blocks at {at} exceeds "
                "the number of toolUse blocks of previous turn."
            )
        if missing := [call for call in calls if call not in results]:
            raise validation(
                f"Expected toolResult blocks at {at} for the following Ids: {', '.join(missing)}"
            )
        calls = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
        seen = seen or bool(calls or results)
    if seen and "toolConfig" not in params:
        raise validation(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        )


def _check_stops(model: FoundationModel, stops: tuple[str, ...]) -> None:
    most = _MAX_STOPS.get(model.family)
    if stops and most == 0:
        raise validation(
            "This model doesn't support the stopSequences field. Remove stopSequences and try again."
        )
    if most is not None and len(stops) > most:
        raise _malformed(f"#/stopSequences: expected maximum item count: {most}, found: {len(stops)}")
    if model.family == "titan":
        for stop in stops:
            if not _TITAN_STOP.fullmatch(stop):
                raise _malformed(rf"string [{stop}] does not match pattern ^(\|+|User:)$")


def _malformed(why: str) -> AwsError:
    return model_refuses(f"Malformed input request: {why}, please reformat your input and try again.")


def _system(model: FoundationModel, blocks: list[dict[str, Any]]) -> str:
    texts = []
    for block in blocks:
        if "cachePoint" in block:
            content.check_cache_point(model)
        elif "guardContent" in block:
            texts.append(block["guardContent"].get("text", {}).get("text", ""))
        else:
            texts.append(block["text"])
    if texts and "system" not in model.features:
        raise validation(
            "This model doesn't support system messages. "
            "Try again without a system message or use a model that supports system messages."
        )
    return "\n\n".join(texts)


def _tools(model: FoundationModel, config: dict[str, Any] | None) -> dict[str, Any]:
    if config is None:
        return {}
    if "tools" not in model.features:
        raise validation("This model doesn't support tool use.")
    tools = []
    for place, entry in enumerate(config["tools"]):
        if "cachePoint" in entry:
            content.check_cache_point(model)
        elif "systemTool" in entry:
            raise validation(f"This model doesn't support the system tool {entry['systemTool']['name']}.")
        else:
            tools.append(_tool(entry["toolSpec"], f"toolConfig.tools.{place}.toolSpec"))
    choice = config.get("toolChoice", {})
    force = "*" if "any" in choice else choice.get("tool", {}).get("name", "")
    return {"tools": tuple(tools), "force_tool": force}


def _tool(spec: dict[str, Any], path: str) -> Tool:
    schema = spec["inputSchema"].get("json")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise validation(f"The value at {path}.inputSchema.json.type must be one of the following: object.")
    return Tool(spec["name"], spec.get("description", ""), schema)


def _json_schema(config: dict[str, Any]) -> dict[str, Any] | None:
    if "textFormat" not in config:
        return None
    try:
        schema = json.loads(config["textFormat"]["structure"]["jsonSchema"]["schema"])
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise validation("The schema at outputConfig.textFormat.structure.jsonSchema is not a JSON Schema.")
    return schema
