"""A Converse call as Python code for LlamaIndex's `BedrockConverse`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services import model_ids
from services.code_export.shared import (
    bracketed,
    call_of,
    file_names,
    given_members,
    literal,
    notes,
    only_text,
    refuse_other_operations,
    script,
    string,
)
from services.runs import Call, Run

_GUARDRAIL = {
    "guardrailIdentifier": "guardrail_identifier",
    "guardrailVersion": "guardrail_version",
    "trace": "trace",
    "streamProcessingMode": "guardrail_stream_processing_mode",
}
_AS_THEY_ARE = (
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "outputConfig",
    "serviceTier",
)
_PUT_IN_WORDS = ("modelId", "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig")
_IMAGES = ("png", "jpeg", "gif", "webp")
_DOCUMENTS = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}
_CLASSES = ("ChatMessage", "DocumentBlock", "ImageBlock", "TextBlock", "ThinkingBlock", "ToolCallBlock")
_ALWAYS_LIMITED = "# LlamaIndex always sends maxTokens: 512 unless it is told. The call itself sent none.\n"


def llamaindex_code(what: Call | Run) -> str:
    """A Python script that makes this Converse call with LlamaIndex; it holds no keys.

    Binary parts are read from files, see `binary_files`. ValueError, a sentence, where the request that
    LlamaIndex would send is another one: what is lost is named. One difference is only commented on:
    LlamaIndex sends a `maxTokens` of its own where the call has none.
    """
    call = call_of(what)
    refuse_other_operations(call, "LlamaIndex")
    files = file_names(call)
    system, extra_system = _system(call.request.get("system") or [], files)
    model = bracketed("BedrockConverse(", _model(call, files, extra_system), ")", 0)
    items = [part for message in call.request.get("messages") or [] for part in _message(message, files)]
    messages = bracketed("[", [*system, *items], "]", 0)
    tools = call.request.get("toolConfig")
    given = f", tools={literal(tools, files)}" if tools else ""
    body = f"llm = {model}\nmessages = {messages}\n"
    if call.operation == "ConverseStream":
        body += f"for part in llm.stream_chat(messages{given}):\n"
        body += '    print(part.delta or "", end="", flush=True)\n'
    else:
        body += f"reply = llm.chat(messages{given})\nprint(reply.message.content)\n"
        body += 'print(reply.raw["usage"])\n'
    classes = [name for name in _CLASSES if f"{name}(" in messages]
    imports = ["from llama_index.llms.bedrock_converse import BedrockConverse"]
    if classes:
        imports.insert(0, f"from llama_index.core.base.llms.types import {', '.join(classes)}")
    limited = "maxTokens" in (call.request.get("inferenceConfig") or {})
    return script(notes(call, files) + ("" if limited else _ALWAYS_LIMITED), imports, body)


def _model(call: Call, files: Mapping[bytes, str], system: list[Any]) -> list[str]:
    request = call.request
    given_members(request, (*_AS_THEY_ARE, *_PUT_IN_WORDS), "LlamaIndex's BedrockConverse")
    arguments = _model_id(str(request.get("modelId", "")))
    if call.identity.backend != "local":
        arguments["region_name"] = call.identity.region
        if call.identity.profile:
            arguments["profile_name"] = call.identity.profile
    inference = dict(request.get("inferenceConfig") or {})
    extra: dict[str, Any] = {}
    if "maxTokens" in inference:
        arguments["max_tokens"] = inference.pop("maxTokens")
    if "temperature" in inference:
        arguments["temperature"] = inference.pop("temperature")
    else:
        extra["temperature"] = None  # else it sends one of its own
    if inference:
        extra["inferenceConfig"] = inference
    if system:
        extra["system"] = system
    extra |= {name: request[name] for name in _AS_THEY_ARE if request.get(name)}
    guardrail = request.get("guardrailConfig") or {}
    given_members(guardrail, _GUARDRAIL, "LlamaIndex's BedrockConverse")
    arguments |= {_GUARDRAIL[name]: value for name, value in guardrail.items()}
    if extra:
        arguments["additional_kwargs"] = extra
    return [f"{name}={literal(value, files, 4)}" for name, value in arguments.items()]


def _model_id(model_id: str) -> dict[str, Any]:
    """LlamaIndex refuses inference profiles of models that it does not know, unless given in this way."""
    if model_id.startswith("local."):
        raise ValueError(
            "LlamaIndex takes only models on its own list, and local ones are not: use boto3, or a stand-in."
        )
    scope, base = model_ids.split_scope(model_id.rsplit("/", 1)[-1])
    if scope or model_id.startswith("arn:"):
        return {"model": base, "application_inference_profile_arn": model_id}
    return {"model": model_id}


def _system(blocks: list[Any], files: Mapping[bytes, str]) -> tuple[list[str], list[Any]]:
    """(the system message, blocks that go beside it because LlamaIndex would join or strip them)."""
    if text := only_text(blocks):
        return [_chat_message("system", [literal(text, files, 8)])], []
    return [], blocks


def _message(message: Mapping[str, Any], files: Mapping[bytes, str]) -> Iterable[str]:
    """The LlamaIndex messages that become one message of Converse again."""
    role, pending = str(message.get("role")), list[str]()
    for block in message.get("content") or []:
        if "toolResult" not in block:
            pending.append(_block(block, role, files))
            continue
        if pending:
            yield _blocks(role, pending)
            pending = []
        yield _tool_result(block["toolResult"], files)
    if pending:
        yield _blocks(role, pending)


def _tool_result(result: Mapping[str, Any], files: Mapping[bytes, str]) -> str:
    given_members(result, ("toolUseId", "content", "status"), "a tool result of LlamaIndex's")
    more = {"tool_call_id": result["toolUseId"]} | ({"status": s} if (s := result.get("status")) else {})
    blocks = [_block(block, "user", files) for block in result.get("content") or []]
    return _blocks("tool", blocks, f"additional_kwargs={literal(more, files, 8)}")


def _blocks(role: str, blocks: list[str], *more: str) -> str:
    return _chat_message(role, [f"blocks={bracketed('[', blocks, ']', 8)}", *more])


def _chat_message(role: str, arguments: list[str]) -> str:
    first, *rest = arguments
    content = first if first.startswith("blocks=") else f"content={first}"
    return bracketed("ChatMessage(", [f"role={string(role)}", content, *rest], ")", 4)


def _block(block: Mapping[str, Any], role: str, files: Mapping[bytes, str]) -> str:
    """One content block. ValueError where LlamaIndex has no word for it."""
    match block:
        case {"text": str(text), **rest} if not rest and text:
            return f"TextBlock(text={literal(text, files, 12)})"
        case {"image": {"format": image_format, "source": {"bytes": bytes(data)}}} if (
            image_format in _IMAGES and role == "user"
        ):
            mime = string(f"image/{image_format}")
            return f"ImageBlock(image={literal(data, files)}, image_mimetype={mime})"
        case {"document": {"format": given, "name": str(name), "source": {"bytes": bytes(data)}, **rest}} if (
            not rest and given in _DOCUMENTS
        ):
            arguments = f"data={literal(data, files)}, title={string(name)}"
            return f"DocumentBlock({arguments}, document_mimetype={string(_DOCUMENTS[given])})"
        case {"reasoningContent": {"reasoningText": {"text": str(text), **signature}}} if text:
            more = f", additional_information={literal(signature, files, 12)}" if signature else ""
            return f"ThinkingBlock(content={literal(text, files, 12)}{more})"
        case {"toolUse": {"toolUseId": str(id), "name": str(name), "input": arguments, **rest}} if not rest:
            given = literal(arguments, files, 12)
            return f"ToolCallBlock(tool_call_id={string(id)}, tool_name={string(name)}, tool_kwargs={given})"
    raise ValueError(f"LlamaIndex has no name for this {_kind(block)} block, so the request would lose it.")


def _kind(block: Mapping[str, Any]) -> str:
    name, value = next(iter(block.items()), ("empty", None))
    detail = next(iter(value), "") if name == "reasoningContent" and isinstance(value, Mapping) else ""
    return f"{name} ({detail})" if detail else str(name)
