"""Converse with the ARN of a managed prompt: the prompt's content takes its place in the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localbedrock import templates
from localbedrock.context import Context
from localbedrock.control import prompts
from localbedrock.errors import validation

_OWN = ("additionalModelRequestFields", "inferenceConfig", "system", "toolConfig")
"""What only the prompt may define."""


def insert(ctx: Context, params: dict[str, Any]) -> None:
    """Puts the prompt that ``modelId`` names into the request; a request without one stays as it is.

    The parameters are changed in place: from here on the request is one of the prompt's model, in metrics and
    logs too, also if it fails. The request's own messages follow those of the prompt.
    """
    arn: str = params["modelId"]
    if not arn.startswith("arn:") or ":prompt/" not in arn:
        return
    variant = _variant(prompts.of_arn(ctx, arn))
    params["modelId"] = variant["modelId"]
    if given := [name for name in _OWN if name in params]:
        raise validation(
            f"You can't override {', '.join(given)} in a request that uses a prompt from Prompt management. "
            "Define it in the prompt and try again."
        )
    template = variant["templateConfiguration"]
    values = _values(template, params.pop("promptVariables", {}))
    request = _request(template, values)
    request["messages"] += params.get("messages", [])
    if config := variant.get("inferenceConfiguration", {}).get("text"):
        request["inferenceConfig"] = config
    if fields := variant.get("additionalModelRequestFields"):
        request["additionalModelRequestFields"] = fields
    params.update(request)


def _variant(prompt: Mapping[str, Any]) -> dict[str, Any]:
    variants: list[dict[str, Any]] = prompt.get("variants", [])
    wanted = prompt.get("defaultVariant")
    found = next((variant for variant in variants if wanted in (None, variant["name"])), None)
    if found is None:
        raise validation(f"The prompt {prompt['name']} has no variant. Add one and try again.")
    if "genAiResource" in found:
        raise validation("A prompt for an agent can't be used with Converse.")
    if "modelId" not in found:
        raise validation(f"The prompt {prompt['name']} names no model. Choose one for it and try again.")
    return found


def _values(template: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
    values = {name: value["text"] for name, value in variables.items()}
    if missing := [name for name in templates.declared(template) if name not in values]:
        raise validation(f"Missing values for the prompt variables: {', '.join(missing)}.")
    return values


def _request(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    if "text" in template:
        text = template["text"]
        content = [_filled({"text": text["text"]}, values)]
        if "cachePoint" in text:
            content.append({"cachePoint": text["cachePoint"]})
        return {"messages": [{"role": "user", "content": content}]}
    chat = template["chat"]
    request: dict[str, Any] = {
        "messages": [
            message | {"content": [_filled(block, values) for block in message["content"]]}
            for message in chat["messages"]
        ]
    }
    if system := chat.get("system"):
        request["system"] = [_filled(block, values) for block in system]
    if tools := chat.get("toolConfiguration"):
        request["toolConfig"] = tools
    return request


def _filled(block: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    return {name: templates.fill(value, values) if name == "text" else value for name, value in block.items()}
