"""A Converse call as Python code for LangChain's `ChatBedrockConverse`, a Retrieve call for its retriever."""

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
    without,
)
from services.runs import Call, Run

_ARGUMENTS = {
    "additionalModelRequestFields": "additional_model_request_fields",
    "additionalModelResponseFieldPaths": "additional_model_response_field_paths",
    "guardrailConfig": "guardrail_config",
    "performanceConfig": "performance_config",
    "requestMetadata": "request_metadata",
    "outputConfig": "output_config",
    "system": "system",
}
_INFERENCE = {
    "maxTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "stopSequences": "stop_sequences",
}


def langchain_code(what: Call | Run) -> str:
    """A Python script that makes this Converse or Retrieve call with LangChain; it holds no keys.

    Binary parts are read from files, see `binary_files`. ValueError, a sentence, where the request that
    LangChain would send is another one: what is lost is named.
    """
    call = call_of(what)
    if call.operation == "Retrieve":
        return _retriever(call)
    refuse_other_operations(call, "LangChain")
    files = file_names(call)
    streams = call.operation == "ConverseStream"
    model = bracketed("ChatBedrockConverse(", _model(call, files, streams), ")", 0)
    items = [part for message in call.request.get("messages") or [] for part in _message(message, files)]
    messages = bracketed("[", items, "]", 0)
    tools = call.request.get("toolConfig")
    given = f", toolConfig={literal(tools, files)}" if tools else ""
    body = f"llm = {model}\nmessages = {messages}\n"
    if streams:
        body += f'for chunk in llm.stream(messages{given}):\n    print(chunk.text, end="", flush=True)\n'
    else:
        body += f"reply = llm.invoke(messages{given})\nprint(reply.text)\nprint(reply.usage_metadata)\n"
    classes = [name for name in ("AIMessage", "HumanMessage", "ToolMessage") if f"{name}(" in messages]
    imports = ["from langchain_aws import ChatBedrockConverse"]
    if classes:
        imports.append(f"from langchain_core.messages import {', '.join(classes)}")
    return script(notes(call, files), imports, body)


def _model(call: Call, files: Mapping[bytes, str], streams: bool) -> list[str]:
    request = call.request
    known = (*_ARGUMENTS, "inferenceConfig", "modelId", "messages", "toolConfig", "serviceTier")
    given_members(request, known, "LangChain's ChatBedrockConverse")
    inference = request.get("inferenceConfig") or {}
    given_members(inference, _INFERENCE, "LangChain's ChatBedrockConverse")
    arguments: dict[str, Any] = {"model": request.get("modelId", "")}
    if str(arguments["model"]).startswith("arn:"):
        arguments["provider"] = _provider(call)
    arguments |= _identity(call)
    arguments |= {_INFERENCE[name]: value for name, value in inference.items()}
    for name, argument in _ARGUMENTS.items():
        if request.get(name):
            arguments[argument] = request[name]
    if tier := request.get("serviceTier"):
        arguments["service_tier"] = tier["type"]
    if streams:  # LangChain streams by itself only with models that it knows
        arguments["disable_streaming"] = False
    if _has_none(arguments):
        raise ValueError("LangChain leaves out members that are null, so it cannot send this request.")
    return [f"{name}={literal(value, files, 4)}" for name, value in arguments.items()]


def _retriever(call: Call) -> str:
    """A Retrieve call with LangChain's retriever for knowledge bases."""
    request = call.request
    known = ("knowledgeBaseId", "retrievalQuery", "retrievalConfiguration", "guardrailConfiguration")
    given_members(request, known, "LangChain's AmazonKnowledgeBasesRetriever")
    given_members(request["retrievalQuery"], ("text",), "LangChain's AmazonKnowledgeBasesRetriever")
    question = request["retrievalQuery"]["text"]
    if question != question.strip():
        raise ValueError("LangChain takes the white space around a question away, so it would send another.")
    arguments: dict[str, Any] = {"knowledge_base_id": request["knowledgeBaseId"], **_identity(call)}
    if configuration := request.get("retrievalConfiguration"):
        if "numberOfResults" not in configuration.get("vectorSearchConfiguration", {}):
            raise ValueError(
                "LangChain asks for 4 results where their number is not set: set it, or use boto3."
            )
        arguments["retrieval_config"] = configuration
    if guardrail := request.get("guardrailConfiguration"):
        arguments["guardrail_config"] = guardrail
    if _has_none(arguments):
        raise ValueError("LangChain leaves out members that are null, so it cannot send this request.")
    given = [f"{name}={literal(value, {}, 4)}" for name, value in arguments.items()]
    body = f"retriever = {bracketed('AmazonKnowledgeBasesRetriever(', given, ')', 0)}\n"
    body += f"for document in retriever.invoke({literal(question, {})}):\n"
    body += '    print(document.metadata.get("score"), document.metadata.get("location"))\n'
    body += "    print(document.page_content)\n"
    return script(notes(call, {}), ["from langchain_aws import AmazonKnowledgeBasesRetriever"], body)


def _identity(call: Call) -> dict[str, str]:
    """The region and profile of a call to AWS; a local call finds its endpoint by the environment."""
    if call.identity.backend == "local":
        return {}
    profile = {"credentials_profile_name": call.identity.profile} if call.identity.profile else {}
    return {"region_name": call.identity.region, **profile}


def _provider(call: Call) -> str:
    """LangChain asks whose model stands behind an ARN."""
    base = model_ids.split_scope(str(call.request["modelId"]).rsplit("/", 1)[-1])[1]
    if "." not in base:
        raise ValueError(
            "LangChain must be told whose model stands behind an ARN, and this one does not say: "
            "use boto3, or the model's ID."
        )
    return base.split(".")[0]


def _message(message: Mapping[str, Any], files: Mapping[bytes, str]) -> Iterable[str]:
    """The LangChain messages that become one message of Converse again."""
    blocks = list(message.get("content") or [])
    if message.get("role") == "assistant":
        yield _assistant(blocks, files)
        return
    pending: list[Any] = []
    for block in blocks:
        if "toolResult" not in block:
            pending.append(block)
            continue
        if pending:
            yield _content("HumanMessage", pending, files)
            pending = []
        yield _tool_result(block["toolResult"], files)
    if pending:
        yield _content("HumanMessage", pending, files)


def _assistant(blocks: list[Any], files: Mapping[bytes, str]) -> str:
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    rest = [block for block in blocks if "toolUse" not in block]
    if any("toolUse" in block for block in blocks[: len(rest)]):
        raise ValueError("LangChain puts tool calls last in a message; here other blocks follow them.")
    if not calls:
        return _content("AIMessage", rest, files)
    for call in calls:
        given_members(call, ("toolUseId", "name", "input"), "a tool call of LangChain's")
    tool_calls = [
        {"name": call["name"], "args": call.get("input", {}), "id": call["toolUseId"]} for call in calls
    ]
    return _content("AIMessage", rest, files, tool_calls=literal(tool_calls, files, 8))


def _tool_result(result: Mapping[str, Any], files: Mapping[bytes, str]) -> str:
    given_members(result, ("toolUseId", "content", "status"), "a tool result of LangChain's")
    options = {"tool_call_id": literal(result["toolUseId"], files, 8)}
    if status := result.get("status"):
        options["status"] = literal(status, files, 8)
    return _content("ToolMessage", list(result.get("content") or []), files, **options)


def _content(name: str, blocks: list[Any], files: Mapping[bytes, str], **options: str) -> str:
    """A message: one text as it is, anything else as Converse's own blocks, which LangChain passes on."""
    for block in blocks:
        if _renamed(without(block, "text")):
            raise ValueError(
                "LangChain renames JSON members with underscores inside messages, "
                "so it cannot send this request as it is."
            )
    text = only_text(blocks)
    content: Any = blocks if text is None else text
    if not blocks:
        content = ""
    arguments = [literal(content, files, 8), *(f"{key}={value}" for key, value in options.items())]
    return bracketed(f"{name}(", arguments, ")", 4)


def _renamed(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any("_" in str(name) or _renamed(member) for name, member in value.items())
    return isinstance(value, list | tuple) and any(_renamed(member) for member in value)


def _has_none(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_none(member) for member in value.values())
    return value is None
