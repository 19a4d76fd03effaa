"""Each family's request body is written as its page says, and an edited one is checked line by line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from services import bodies
from services.bodies import Ask, BodyError, build, check_body, edited, format_of, template_of
from services.capabilities import capabilities_of, put_additional
from services.models import Model

TALK = [
    {"role": "user", "content": [{"text": "Hi"}]},
    {"role": "assistant", "content": [{"text": "Hello!"}]},
    {"role": "user", "content": [{"text": "And?"}]},
]
PARAMETERS: dict[str, float | str] = {"maxTokens": 64, "temperature": 0.5, "topP": 0.9}
SYSTEM = [{"text": "Be brief."}]

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
TITAN = "amazon.titan-text-express-v1"
NOVA = "amazon.nova-lite-v1:0"
LLAMA2 = "meta.llama2-13b-chat-v1"
LLAMA3 = "meta.llama3-8b-instruct-v1:0"
LLAMA4 = "meta.llama4-scout-17b-instruct-v1:0"
MISTRAL = "mistral.mistral-7b-instruct-v0:2"
MISTRAL_CHAT = "mistral.mistral-large-2402-v1:0"
COMMAND = "cohere.command-text-v14"
COMMAND_R = "cohere.command-r-plus-v1:0"
JAMBA = "ai21.jamba-1-5-mini-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
LOCAL = "local.smollm2-135m-instruct-v1:0"
ALL = (
    CLAUDE,
    TITAN,
    NOVA,
    LLAMA2,
    LLAMA3,
    LLAMA4,
    MISTRAL,
    MISTRAL_CHAT,
    COMMAND,
    COMMAND_R,
    JAMBA,
    GPT_OSS,
    LOCAL,
)


def model(base: str) -> Model:
    return Model(
        model_id=base,
        arn="",
        name=base,
        provider="",
        kind="foundation",
        base_model_id=base,
        capabilities=capabilities_of(base),
    )


def ask(base: str, **changes: Any) -> Ask:
    values: dict[str, Any] = {
        "messages": TALK,
        "system": SYSTEM,
        "parameters": PARAMETERS,
        "stop_sequences": ("END",),
        "capabilities": capabilities_of(base),
    }
    return Ask(**(values | changes))


def body_of(base: str, **changes: Any) -> dict[str, Any]:
    fmt = format_of(model(base))
    assert fmt
    return build(fmt, ask(base, **changes))


CHAT_MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "And?"},
]
SAMPLING = {"max_tokens": 64, "temperature": 0.5, "top_p": 0.9}
COHERE_SAMPLING = {"max_tokens": 64, "temperature": 0.5, "p": 0.9, "stop_sequences": ["END"]}


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (
            CLAUDE,
            {
                "anthropic_version": "bedrock-2023-05-31",
                **SAMPLING,
                "stop_sequences": ["END"],
                "system": "Be brief.",
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                    {"role": "assistant", "content": [{"type": "text", "text": "Hello!"}]},
                    {"role": "user", "content": [{"type": "text", "text": "And?"}]},
                ],
            },
        ),
        (
            TITAN,
            {
                "inputText": "Be brief.\n\nUser: Hi\nBot: Hello!\nUser: And?\nBot:",
                "textGenerationConfig": {
                    "maxTokenCount": 64,
                    "temperature": 0.5,
                    "topP": 0.9,
                    "stopSequences": ["END"],
                },
            },
        ),
        (
            NOVA,
            {
                "schemaVersion": "messages-v1",
                "system": SYSTEM,
                "messages": TALK,
                "inferenceConfig": {**PARAMETERS, "stopSequences": ["END"]},
            },
        ),
        (
            LLAMA2,
            {
                "prompt": "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello!</s>"
                "[INST] And? [/INST]",
                "max_gen_len": 64,
                "temperature": 0.5,
                "top_p": 0.9,
            },
        ),
        (
            LLAMA3,
            {
                "prompt": "<|begin_of_text|>"
                "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
                "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>"
                "<|start_header_id|>user<|end_header_id|>\n\nAnd?<|eot_id|>"
                "<|start_header_id|>assistant<|end_header_id|>\n\n",
                "max_gen_len": 64,
                "temperature": 0.5,
                "top_p": 0.9,
            },
        ),
        (
            MISTRAL,
            {
                "prompt": "<s>[INST] Be brief.\n\nHi [/INST] Hello!</s>[INST] And? [/INST]",
                **SAMPLING,
                "stop": ["END"],
            },
        ),
        (MISTRAL_CHAT, {"messages": CHAT_MESSAGES, **SAMPLING, "stop": ["END"]}),
        (
            COMMAND,
            {"prompt": "Be brief.\n\nUser: Hi\nChatbot: Hello!\nUser: And?\nChatbot:", **COHERE_SAMPLING},
        ),
        (
            COMMAND_R,
            {
                "message": "And?",
                "preamble": "Be brief.",
                "chat_history": [
                    {"role": "USER", "message": "Hi"},
                    {"role": "CHATBOT", "message": "Hello!"},
                ],
                **COHERE_SAMPLING,
            },
        ),
        (JAMBA, {"messages": CHAT_MESSAGES, **SAMPLING, "stop": ["END"]}),
        (
            GPT_OSS,
            {
                "messages": CHAT_MESSAGES,
                "max_completion_tokens": 64,
                "temperature": 0.5,
                "top_p": 0.9,
                "stop": ["END"],
            },
        ),
        (LOCAL, {"messages": CHAT_MESSAGES, **SAMPLING, "stop": ["END"]}),
    ],
)
def test_the_body_of_each_family(base: str, expected: dict[str, Any]) -> None:
    assert body_of(base) == expected


@pytest.mark.parametrize("base", ALL)
def test_what_is_not_given_is_not_in_the_body(base: str) -> None:
    body = body_of(base, parameters={}, system=(), stop_sequences=())
    assert not {"temperature", "top_p", "p", "stop", "system", "inferenceConfig"} & body.keys()
    assert "textGenerationConfig" not in body


@pytest.mark.parametrize("base", ALL)
def test_a_generated_body_has_no_faults(base: str) -> None:
    fmt = format_of(model(base))
    text = bodies.body_text(body_of(base))
    capabilities = capabilities_of(base)
    assert check_body(text, fmt, capabilities) == []


@pytest.mark.parametrize("base", ALL)
def test_a_sent_body_comes_back_as_a_template_and_the_typed_prompt(base: str) -> None:
    prompt = 'Say "hi" {twice}\n\tand 🦊'
    messages = [*TALK[:2], {"role": "user", "content": [{"text": prompt}]}]
    sent = body_of(base, messages=messages)
    text, found = template_of(sent)
    assert found == prompt
    assert bodies.has_placeholder(text)
    assert edited(text, prompt) == sent


def test_an_inference_profile_has_the_format_of_its_model() -> None:
    profile = replace(model(CLAUDE), model_id="us.anthropic.claude-3-haiku-20240307-v1:0")
    fmt = format_of(profile)
    assert fmt
    assert fmt.name == "Anthropic Claude Messages"


@pytest.mark.parametrize("base", ["", "acme.talker-v1", "amazon.titan-embed-text-v2:0", "cohere.embed-v4:0"])
def test_a_model_of_no_known_family_has_no_format(base: str) -> None:
    assert format_of(model(base)) is None


def test_a_parameter_of_the_family_goes_where_the_family_has_it() -> None:
    for base, found in ((CLAUDE, "top_k"), (MISTRAL, "top_k"), (COMMAND_R, "k")):
        fields: dict[str, Any] = {}
        assert put_additional(fields, capabilities_of(base), "topK", 20)
        assert body_of(base, additional=fields)[found] == 20
    fields = {}
    put_additional(fields, capabilities_of(NOVA), "topK", 20)
    assert body_of(NOVA, additional=fields)["inferenceConfig"]["topK"] == 20


def test_claude_must_say_how_long_the_answer_may_be() -> None:
    assert body_of(CLAUDE, parameters={})["max_tokens"] == capabilities_of(CLAUDE).max_output_tokens


def test_images_go_as_the_family_takes_them() -> None:
    content = [{"text": "What is it?"}, {"image": {"format": "png", "source": {"bytes": b"\x89P"}}}]
    messages = [{"role": "user", "content": content}]
    claude = body_of(CLAUDE, messages=messages)["messages"][0]["content"][1]
    assert claude["source"] == {"type": "base64", "media_type": "image/png", "data": "iVA="}
    nova = body_of(NOVA, messages=messages)["messages"][0]["content"][1]
    assert nova["image"]["source"] == {"bytes": "iVA="}
    chat = body_of(LOCAL, messages=messages, system=())["messages"][0]["content"][1]
    assert chat == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVA="}}
    with pytest.raises(BodyError, match="image block"):
        body_of(TITAN, messages=messages)


def test_reasoning_and_tools_go_back_to_claude_as_its_own_blocks() -> None:
    said = [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
    ]
    result = [{"toolResult": {"toolUseId": "t", "content": [{"json": {"b": 2}}], "status": "error"}}]
    messages = [TALK[0], {"role": "assistant", "content": said}, {"role": "user", "content": result}]
    _, assistant, user = body_of(CLAUDE, messages=messages)["messages"]
    assert assistant["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "s"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ]
    assert user["content"] == [
        {"type": "tool_result", "tool_use_id": "t", "content": '{"b": 2}', "is_error": True}
    ]


def test_a_cache_point_marks_claudes_block_and_stands_in_novas() -> None:
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    marked = [{"role": "user", "content": [{"text": "Hi"}, point]}]
    body = body_of(CLAUDE, system=[*SYSTEM, point], messages=marked)
    control = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert body["system"] == [{"type": "text", "text": "Be brief.", **control}]
    assert body["messages"][0]["content"] == [{"type": "text", "text": "Hi", **control}]
    assert body_of(NOVA, messages=marked)["messages"] == marked
    assert body_of(LOCAL, messages=marked, system=())["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    "prompt", ['say "no"', "back\\slash", "two\nlines\x00", "{{prompt}}", "\ud83d", "é 🦊"]
)
def test_the_typed_prompt_is_escaped_where_its_placeholder_stands(prompt: str) -> None:
    assert edited('{"prompt": "Q: {{prompt}}!"}', prompt) == {"prompt": f"Q: {prompt}!"}


def test_a_body_without_a_placeholder_goes_out_as_it_stands() -> None:
    assert edited('{"prompt": "Fixed", "x": 1.50}', "typed") == {"prompt": "Fixed", "x": 1.5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  "prompt": x\n}', "line 2, column 13"),
        ("", "line 1, column 1"),
        ("[1]", "not an object"),
        ('{"a": NaN}', "NaN"),
        ('{"prompt": {{prompt}}}', "line 1, column 13"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_what_is_no_json_object_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(BodyError, match=words):
        edited(text, 'a "b"')
    (problem,) = check_body(text, format_of(model(LLAMA3)), capabilities_of(LLAMA3))
    assert not problem.warning


def test_faults_are_told_by_line() -> None:
    text = """{
  "anthropic_version": "bedrock-2023-05-31",
  "temperature": 3,
  "tools": [{"temperature": 9}],
  "top_p": "high",
  "temprature": 1,
  "messages": [
    {"role": "user", "content": "x"},
    {"content": []}
  ],
  "stop_sequences": "END",
  "top_p": 1
}"""
    found = check_body(text, format_of(model(CLAUDE)), capabilities_of(CLAUDE))
    assert [(problem.line, problem.warning) for problem in found] == [
        (1, False),  # max_tokens is missing
        (3, False),  # temperature is 3
        (6, True),  # temprature is not known
        (9, False),  # no role
        (9, False),  # no content
        (11, False),  # stop_sequences is no list
        (12, True),  # top_p stands again
    ]
    sentences = [problem.sentence for problem in found]
    assert "“max_tokens” is missing" in sentences[0]
    assert "this model takes 0 to 1" in sentences[1]
    assert "“temprature” is not known" in sentences[2]


def test_members_inside_a_config_are_checked_too() -> None:
    text = '{"inputText": "x",\n "textGenerationConfig": {"topP": 2,\n "top_p": 1, "maxTokenCount": 1.5}}'
    found = check_body(text, format_of(model(TITAN)), capabilities_of(TITAN))
    assert [(problem.line, problem.warning) for problem in found] == [(2, False), (3, True), (3, False)]
    found = check_body(
        '{"inputText": "x", "textGenerationConfig": 1}', format_of(model(TITAN)), capabilities_of(TITAN)
    )
    assert ["takes an object" in problem.sentence for problem in found] == [True]


def test_without_a_format_only_the_json_is_checked() -> None:
    assert check_body('{"anything": 1}', None, capabilities_of("")) == []


@pytest.mark.parametrize(
    "body", [None, b"x", {}, {"messages": []}, {"messages": [3]}, {"messages": [{"content": [{}]}]}]
)
def test_a_body_without_a_prompt_stays_as_it_is(body: Any) -> None:
    text, prompt = template_of(body)
    assert prompt == ""
    assert not isinstance(body, dict) or json.loads(text) == body
