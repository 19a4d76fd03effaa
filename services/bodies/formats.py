"""The request bodies of InvokeModel, family by family.

Shapes: "Inference request parameters and response fields for foundation models" in the Amazon Bedrock User
Guide; each format names its page.
"""

from __future__ import annotations

from services.bodies import templates
from services.bodies.messages import (
    chat_messages,
    claude_blocks,
    claude_messages,
    nova_messages,
    turns,
    words,
)
from services.bodies.values import Ask, BodyFormat, Json, Member

ANTHROPIC_VERSION = "bedrock-2023-05-31"
_UNKNOWN_OUTPUT = 4096
"""`max_tokens`, which Claude's body must have, for a Claude whose longest output is unknown: all take it."""

_TEXT, _NUMBER, _WHOLE = Member("text"), Member("number"), Member("whole number")
_LIST, _OBJECT, _SWITCH, _ANY = Member("list"), Member("object"), Member("switch"), Member("any")
_MESSAGES, _PROMPT = Member("list", required=True), Member("text", required=True)


def _claude(ask: Ask) -> Json:
    body: Json = {
        "anthropic_version": ANTHROPIC_VERSION,
        "max_tokens": ask.capabilities.max_output_tokens or _UNKNOWN_OUTPUT,
    }
    if system := claude_blocks(ask.system):
        plain = len(system) == 1 and "cache_control" not in system[0]
        body["system"] = system[0]["text"] if plain else system
    return {**body, "messages": claude_messages(ask.messages)}


def _nova(ask: Ask) -> Json:
    system = {"system": list(ask.system)} if ask.system else {}
    return {"schemaVersion": "messages-v1", **system, "messages": nova_messages(ask.messages)}


def _titan(ask: Ask) -> Json:
    return {"inputText": templates.transcript(words(ask.system), turns(ask.messages, TITAN.name), "Bot")}


def _command(ask: Ask) -> Json:
    said = turns(ask.messages, COMMAND.name)
    if len(said) == 1:
        return {"prompt": "\n\n".join(filter(None, (words(ask.system), said[0][1])))}
    return {"prompt": templates.transcript(words(ask.system), said, "Chatbot")}


def _command_r(ask: Ask) -> Json:
    *before, (_, question) = turns(ask.messages, COMMAND_R.name)
    roles = {"user": "USER", "assistant": "CHATBOT"}
    history = [{"role": roles[role], "message": text} for role, text in before]
    preamble = words(ask.system)
    return {
        "message": question,
        **({"preamble": preamble} if preamble else {}),
        **({"chat_history": history} if history else {}),
    }


def _chat(ask: Ask) -> Json:
    return {"messages": chat_messages(words(ask.system), ask.messages, CHAT.name)}


def _mistral(ask: Ask) -> Json:
    return {"prompt": templates.instructions(words(ask.system), turns(ask.messages, MISTRAL.name))}


CLAUDE = BodyFormat(
    name="Anthropic Claude Messages",
    write=_claude,
    members={
        "anthropic_version": Member("text", required=True),
        "anthropic_beta": _LIST,
        "max_tokens": Member("whole number", required=True),
        "system": _ANY,
        "messages": _MESSAGES,
        "metadata": _OBJECT,
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "top_k": _WHOLE,
        "stop_sequences": _LIST,
        "thinking": _OBJECT,
        "output_config": _OBJECT,
        "output_format": _OBJECT,
        "context_management": _OBJECT,
        "tools": _LIST,
        "tool_choice": _OBJECT,
    },
    parameters={
        "maxTokens": "max_tokens",
        "temperature": "temperature",
        "topP": "top_p",
        "stopSequences": "stop_sequences",
    },
    source="model-parameters-anthropic-claude-messages",
)
NOVA = BodyFormat(
    name="Amazon Nova",
    write=_nova,
    members={
        "schemaVersion": _TEXT,
        "messages": _MESSAGES,
        "system": _LIST,
        "inferenceConfig": _OBJECT,
        "inferenceConfig.maxTokens": _WHOLE,
        "inferenceConfig.max_new_tokens": _WHOLE,
        "inferenceConfig.temperature": _NUMBER,
        "inferenceConfig.topP": _NUMBER,
        "inferenceConfig.top_p": _NUMBER,
        "inferenceConfig.topK": _WHOLE,
        "inferenceConfig.top_k": _WHOLE,
        "inferenceConfig.stopSequences": _LIST,
        "inferenceConfig.reasoningConfig": _OBJECT,
        "reasoningConfig": _OBJECT,
        "toolConfig": _OBJECT,
    },
    parameters={
        "maxTokens": "inferenceConfig.maxTokens",
        "temperature": "inferenceConfig.temperature",
        "topP": "inferenceConfig.topP",
        "stopSequences": "inferenceConfig.stopSequences",
    },
    source="https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html",
)
TITAN = BodyFormat(
    name="Amazon Titan Text",
    write=_titan,
    members={
        "inputText": _PROMPT,
        "textGenerationConfig": _OBJECT,
        "textGenerationConfig.maxTokenCount": _WHOLE,
        "textGenerationConfig.temperature": _NUMBER,
        "textGenerationConfig.topP": _NUMBER,
        "textGenerationConfig.stopSequences": _LIST,
    },
    parameters={
        "maxTokens": "textGenerationConfig.maxTokenCount",
        "temperature": "textGenerationConfig.temperature",
        "topP": "textGenerationConfig.topP",
        "stopSequences": "textGenerationConfig.stopSequences",
    },
    source="model-parameters-titan-text",
)
_LLAMA_TEMPLATES = {"2": templates.llama2, "3": templates.llama3, "4": templates.llama4}


def _llama(generation: str) -> BodyFormat:
    name = f"Meta Llama {generation}"
    template = _LLAMA_TEMPLATES[generation]
    return BodyFormat(
        name=name,
        write=lambda ask: {"prompt": template(words(ask.system), turns(ask.messages, name))},
        members={
            "prompt": _PROMPT,
            "images": _LIST,
            "max_gen_len": _WHOLE,
            "temperature": _NUMBER,
            "top_p": _NUMBER,
        },
        parameters={"maxTokens": "max_gen_len", "temperature": "temperature", "topP": "top_p"},
        source="model-parameters-meta",
    )


LLAMA2, LLAMA3, LLAMA4 = _llama("2"), _llama("3"), _llama("4")
MISTRAL = BodyFormat(
    name="Mistral text completion",
    write=_mistral,
    members={
        "prompt": _PROMPT,
        "max_tokens": _WHOLE,
        "stop": _LIST,
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "top_k": _WHOLE,
    },
    parameters={
        "maxTokens": "max_tokens",
        "temperature": "temperature",
        "topP": "top_p",
        "stopSequences": "stop",
    },
    source="model-parameters-mistral-text-completion",
)
_CHAT_MEMBERS = {
    "messages": _MESSAGES,
    "model": _TEXT,
    "max_tokens": _WHOLE,
    "max_completion_tokens": _WHOLE,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "top_k": _WHOLE,
    "stop": _ANY,
    "seed": _WHOLE,
    "n": _WHOLE,
    "tools": _LIST,
    "tool_choice": _ANY,
    "response_format": _OBJECT,
    "reasoning_effort": _TEXT,
    "frequency_penalty": _NUMBER,
    "presence_penalty": _NUMBER,
    "stream": _SWITCH,
    "stream_options": _OBJECT,
}
_CHAT_PARAMETERS = {
    "maxTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "stopSequences": "stop",
}
CHAT = BodyFormat(
    name="Chat completions",
    write=_chat,
    members=_CHAT_MEMBERS,
    parameters=_CHAT_PARAMETERS,
    source="model-parameters-mistral-chat-completion, model-parameters-openai",
)
OPENAI = BodyFormat(
    name="OpenAI chat completions",
    write=_chat,
    members=_CHAT_MEMBERS,
    parameters={**_CHAT_PARAMETERS, "maxTokens": "max_completion_tokens"},
    source="model-parameters-openai",
)
JAMBA = BodyFormat(
    name="AI21 Jamba",
    write=_chat,
    members={
        name: _CHAT_MEMBERS[name]
        for name in (
            "messages",
            "max_tokens",
            "temperature",
            "top_p",
            "stop",
            "n",
            "tools",
            "response_format",
            "frequency_penalty",
            "presence_penalty",
        )
    }
    | {"documents": _LIST},
    parameters=_CHAT_PARAMETERS,
    source="model-parameters-jamba",
)
COMMAND = BodyFormat(
    name="Cohere Command",
    write=_command,
    members={
        "prompt": _PROMPT,
        "max_tokens": _WHOLE,
        "temperature": _NUMBER,
        "p": _NUMBER,
        "k": _WHOLE,
        "stop_sequences": _LIST,
        "return_likelihoods": _TEXT,
        "num_generations": _WHOLE,
        "logit_bias": _OBJECT,
        "stream": _SWITCH,
        "truncate": _TEXT,
    },
    parameters={
        "maxTokens": "max_tokens",
        "temperature": "temperature",
        "topP": "p",
        "stopSequences": "stop_sequences",
    },
    source="model-parameters-cohere-command",
)
COMMAND_R = BodyFormat(
    name="Cohere Command R",
    write=_command_r,
    members={
        "message": _PROMPT,
        "chat_history": _LIST,
        "documents": _LIST,
        "preamble": _TEXT,
        "search_queries_only": _SWITCH,
        "max_tokens": _WHOLE,
        "temperature": _NUMBER,
        "p": _NUMBER,
        "k": _WHOLE,
        "frequency_penalty": _NUMBER,
        "presence_penalty": _NUMBER,
        "prompt_truncation": _TEXT,
        "seed": _WHOLE,
        "return_prompt": _SWITCH,
        "stop_sequences": _LIST,
        "tools": _LIST,
        "tool_results": _LIST,
        "raw_prompting": _SWITCH,
    },
    parameters={
        "maxTokens": "max_tokens",
        "temperature": "temperature",
        "topP": "p",
        "stopSequences": "stop_sequences",
    },
    source="model-parameters-cohere-command-r-plus",
)
