"""InvokeModel's bodies: each family's chunks fold into its own body, and both say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.families import METRICS, ChunkReader, fold_chunks, to_converse

Json = dict[str, Any]
COUNTS = {"inputTokenCount": 5, "outputTokenCount": 3, "invocationLatency": 9, "firstByteLatency": 4}

CLAUDE: list[Json] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "cache_read_input_tokens": 2, "output_tokens": 1},
        },
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "I "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "think"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "redacted_thinking", "data": "xyz"},
    },
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "Let me "}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "look."}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": {"n": 1}}},
    {"type": "content_block_stop", "index": 2},
    {
        "type": "content_block_start",
        "index": 3,
        "content_block": {"type": "tool_use", "id": "t1", "name": "search", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 3,
        "delta": {"type": "input_json_delta", "partial_json": '{"q":'},
    },
    {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
    {"type": "content_block_stop", "index": 3},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 30},
    },
    {"type": "message_stop", METRICS: COUNTS},
]
CLAUDE_BODY: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [
        {"type": "thinking", "thinking": "I think", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "Let me look.", "citations": [{"n": 1}]},
        {"type": "tool_use", "id": "t1", "name": "search", "input": {"q": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "cache_read_input_tokens": 2, "output_tokens": 30},
}

NOVA: list[Json] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "Let "}, "contentBlockIndex": 0}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {
        "contentBlockDelta": {"delta": {"text": "me see"}, "contentBlockIndex": 1},
        "amazon-bedrock-guardrailAction": "NONE",
    },
    {"contentBlockStop": {"contentBlockIndex": 1}},
    {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t", "name": "f"}}, "contentBlockIndex": 2}},
    {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"a":1}'}}, "contentBlockIndex": 2}},
    {"contentBlockStop": {"contentBlockIndex": 2}},
    {"contentBlockDelta": {"delta": {"text": "bye"}, "contentBlockIndex": 3}},
    {"contentBlockStop": {"contentBlockIndex": 3}},
    {"messageStop": {"stopReason": "end_turn"}},
    {
        "metadata": {
            "usage": {"inputTokens": 5, "outputTokens": 3, "cacheReadInputTokenCount": 1},
            "metrics": {},
            "trace": {},
        },
        METRICS: COUNTS,
    },
]
NOVA_BODY: Json = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"text": "Let me see"},
                {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
                {"text": "bye"},
            ],
        }
    },
    "stopReason": "end_turn",
    "usage": {"inputTokens": 5, "outputTokens": 3, "totalTokens": 8, "cacheReadInputTokenCount": 1},
    "amazon-bedrock-guardrailAction": "NONE",
}

TITAN: list[Json] = [
    {
        "outputText": "Hel",
        "index": 0,
        "inputTextTokenCount": 5,
        "totalOutputTextTokenCount": None,
        "completionReason": None,
    },
    {
        "outputText": "lo",
        "index": 0,
        "inputTextTokenCount": None,
        "totalOutputTextTokenCount": 3,
        "completionReason": "FINISH",
        METRICS: COUNTS,
    },
]
TITAN_BODY: Json = {
    "inputTextTokenCount": 5,
    "results": [{"tokenCount": 3, "outputText": "Hello", "completionReason": "FINISH"}],
}

LLAMA: list[Json] = [
    {"generation": "Hel", "prompt_token_count": 5, "generation_token_count": 1, "stop_reason": None},
    {"generation": "lo", "prompt_token_count": None, "generation_token_count": 3, "stop_reason": None},
    {
        "generation": "",
        "prompt_token_count": None,
        "generation_token_count": 3,
        "stop_reason": "stop",
        METRICS: COUNTS,
    },
]
LLAMA_BODY: Json = {
    "generation": "Hello",
    "prompt_token_count": 5,
    "generation_token_count": 3,
    "stop_reason": "stop",
}

MISTRAL: list[Json] = [
    {"outputs": [{"text": "Hel", "stop_reason": None}]},
    {"outputs": [{"text": "lo", "stop_reason": "stop"}], METRICS: COUNTS},
]
MISTRAL_BODY: Json = {"outputs": [{"text": "Hello", "stop_reason": "stop"}]}

COMPLETION: list[Json] = [
    {"type": "completion", "completion": " Hel", "stop_reason": None, "stop": None},
    {
        "type": "completion",
        "completion": "lo",
        "stop_reason": "stop_sequence",
        "stop": "\n\nHuman:",
        METRICS: COUNTS,
    },
]
COMPLETION_BODY: Json = {
    "type": "completion",
    "completion": " Hello",
    "stop_reason": "stop_sequence",
    "stop": "\n\nHuman:",
}

CHAT: list[Json] = [
    {
        "id": "c1",
        "object": "chat.completion.chunk",
        "model": "jamba",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}],
    },
    {"id": "c1", "choices": [{"index": 0, "delta": {"reasoning_content": "h"}, "finish_reason": None}]},
    {"id": "c1", "choices": [{"index": 0, "delta": {"reasoning_content": "m"}, "finish_reason": None}]},
    {"id": "c1", "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]},
    {"id": "c1", "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": None}]},
    {
        "id": "c1",
        "choices": [
            {
                "index": 0,
                "delta": {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": "t1",
                            "type": "function",
                            "function": {"name": "f", "arguments": ""},
                        }
                    ]
                },
            }
        ],
    },
    {
        "id": "c1",
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}}],
    },
    {
        "id": "c1",
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}}],
    },
    {
        "id": "c1",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 3,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
        METRICS: COUNTS,
    },
]
CHAT_BODY: Json = {
    "id": "c1",
    "object": "chat.completion",
    "model": "jamba",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello",
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 3,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}

COMMAND_BODY: Json = {
    "id": "1",
    "generations": [{"id": "2", "text": "Hello", "finish_reason": "COMPLETE"}],
    "prompt": "Hi",
}
COMMAND: list[Json] = [
    {"text": "Hel", "is_finished": False},
    {"text": "lo", "is_finished": False},
    {"is_finished": True, "finish_reason": "COMPLETE", "response": COMMAND_BODY, METRICS: COUNTS},
]

COMMAND_R_BODY: Json = {
    "response_id": "r",
    "generation_id": "g",
    "text": "Hello",
    "chat_history": [],
    "finish_reason": "COMPLETE",
    "tool_calls": [{"name": "f", "parameters": {"a": 1}}],
}
COMMAND_R: list[Json] = [
    {"event_type": "stream-start", "generation_id": "g", "is_finished": False},
    {"event_type": "text-generation", "text": "Hel", "is_finished": False},
    {"event_type": "text-generation", "text": "lo", "is_finished": False},
    {"event_type": "tool-calls-generation", "tool_calls": COMMAND_R_BODY["tool_calls"], "is_finished": False},
    {
        "event_type": "stream-end",
        "is_finished": True,
        "finish_reason": "COMPLETE",
        "response": {k: v for k, v in COMMAND_R_BODY.items() if k != "finish_reason"},
        METRICS: COUNTS,
    },
]

FAMILIES: dict[str, tuple[list[Json], Json, str, str]] = {
    "claude": (CLAUDE, CLAUDE_BODY, "Let me look.", "tool_use"),
    "claude 2": (COMPLETION, COMPLETION_BODY, " Hello", "stop_sequence"),
    "nova": (NOVA, NOVA_BODY, "Let me seebye", "end_turn"),
    "titan": (TITAN, TITAN_BODY, "Hello", "FINISH"),
    "llama": (LLAMA, LLAMA_BODY, "Hello", "stop"),
    "mistral": (MISTRAL, MISTRAL_BODY, "Hello", "stop"),
    "chat": (CHAT, CHAT_BODY, "Hello", "tool_calls"),
    "command": (COMMAND, COMMAND_BODY, "Hello", "COMPLETE"),
    "command r": (COMMAND_R, COMMAND_R_BODY, "Hello", "COMPLETE"),
}
each_family = pytest.mark.parametrize("family", FAMILIES)


def said(body: Json) -> str:
    blocks = to_converse(body)["output"]["message"]["content"]
    parts = [part for block in blocks for part in block.get("citationsContent", {}).get("content", [block])]
    return "".join(part.get("text", "") for part in parts)


def streamed(chunks: list[Json]) -> list[tuple[int, str, str]]:
    """(index, kind, text) of the blocks that a watcher of the stream sees."""
    reader, blocks = ChunkReader(), dict[tuple[int, str], str]()
    for chunk in chunks:
        for name, data in reader.events(chunk):
            if name == "contentBlockStop":
                continue
            ((kind, value),) = (data.get("start") or data["delta"]).items()
            text = value if isinstance(value, str) else value.get("text") or value.get("input") or ""
            key = (data["contentBlockIndex"], kind)
            blocks[key] = blocks.get(key, "") + (text if name == "contentBlockDelta" else "")
    return [(index, kind, text) for (index, kind), text in blocks.items()]


@each_family
def test_the_chunks_fold_into_the_body_that_the_family_answers(family: str) -> None:
    chunks, body, _, _ = FAMILIES[family]
    assert fold_chunks(chunks) == body


@each_family
def test_the_body_and_the_chunks_say_the_same_text(family: str) -> None:
    chunks, body, text, stop_reason = FAMILIES[family]
    assert said(body) == text
    assert "".join(words for _, kind, words in streamed(chunks) if kind == "text") == text
    assert to_converse(body)["stopReason"] == stop_reason


@each_family
def test_a_stream_cut_off_anywhere_says_what_it_had_said(family: str) -> None:
    """Stop and a broken connection keep the partial text, in the family's own body."""
    chunks, _, _, _ = FAMILIES[family]
    for length in range(1, len(chunks)):
        seen = "".join(words for _, kind, words in streamed(chunks[:length]) if kind == "text")
        assert said(fold_chunks(chunks[:length])) == seen, length


@each_family
def test_the_fold_is_plain_json_and_leaves_the_chunks_alone(family: str) -> None:
    chunks, _, _, _ = FAMILIES[family]
    before = json.dumps(chunks)
    json.dumps(fold_chunks(chunks))
    assert json.dumps(chunks) == before


def test_a_watcher_of_claude_sees_reasoning_text_and_tool() -> None:
    assert streamed(CLAUDE) == [
        (0, "reasoningContent", "I think"),
        (1, "reasoningContent", ""),
        (2, "text", "Let me look."),
        (2, "citation", ""),
        (3, "toolUse", '{"q":1}'),
    ]


def test_nova_streams_each_word_as_a_block_and_is_read_as_one() -> None:
    assert streamed(NOVA) == [(0, "text", "Let me see"), (2, "toolUse", '{"a":1}'), (3, "text", "bye")]


def test_claude_as_converse_keeps_what_must_go_back() -> None:
    content = to_converse(CLAUDE_BODY)["output"]["message"]["content"]
    assert content == [
        {"reasoningContent": {"reasoningText": {"text": "I think", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": b"xyz"}},
        {"citationsContent": {"content": [{"text": "Let me look."}], "citations": [{"n": 1}]}},
        {"toolUse": {"toolUseId": "t1", "name": "search", "input": {"q": 1}}},
    ]


def test_a_tool_input_of_claude_that_is_cut_off_is_kept_and_marked() -> None:
    assert fold_chunks(CLAUDE[:16])["content"][3]["input"] == {"$unparsed": '{"q":'}


def test_the_cached_tokens_of_chat_completions_are_not_counted_twice() -> None:
    """OpenAI counts them among the prompt's tokens, Converse beside them."""
    usage = to_converse(CHAT_BODY)["usage"]
    assert (usage["inputTokens"], usage["cacheReadInputTokens"]) == (5, 4)


def test_jurassic_answers_without_streaming() -> None:
    body = {"completions": [{"data": {"text": "Hola"}, "finishReason": {"reason": "endoftext"}}]}
    assert (said(body), to_converse(body)["stopReason"]) == ("Hola", "endoftext")


def test_several_answers_in_one_body_are_several_blocks() -> None:
    body = {"generations": [{"text": "a", "finish_reason": "COMPLETE"}, {"text": "b"}]}
    assert to_converse(body)["output"]["message"]["content"] == [{"text": "a"}, {"text": "b"}]


def test_chunks_of_an_unknown_family_are_kept_as_a_list() -> None:
    chunks: list[Json] = [{"frame": 1}, {"frame": 2, METRICS: COUNTS}]
    assert fold_chunks(chunks) == {"chunks": [{"frame": 1}, {"frame": 2}]}
    assert streamed(chunks) == []


def test_no_chunks_fold_into_an_empty_list() -> None:
    assert fold_chunks([]) == {"chunks": []}


@pytest.mark.parametrize(
    "body", [{"embedding": [0.1]}, {"images": ["aGk="]}, {"results": [{"relevance_score": 1}]}, {}]
)
def test_bodies_without_text_say_nothing(body: Json) -> None:
    assert said(body) == ""


@pytest.mark.parametrize(
    "chunk", [{"choices": "none"}, {"type": "content_block_delta"}, {"outputs": [1]}, {"generations": [None]}]
)
def test_a_chunk_that_only_looks_like_a_familys_is_kept_as_it_is(chunk: Json) -> None:
    assert fold_chunks([chunk]) in ({"chunks": [chunk]}, {"content": []})
