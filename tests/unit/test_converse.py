"""ConverseStream folded into Converse's response, compared with botocore's own model of it."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from services.converse import UNPARSED, block_kind, fold_converse, join, tool_input

Event = tuple[str, dict[str, Any]]


def delta(index: int, **payload: Any) -> Event:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": payload}


def start(index: int, **payload: Any) -> Event:
    return "contentBlockStart", {"contentBlockIndex": index, "start": payload}


def content(*events: Event) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = fold_converse(events)["output"]["message"]["content"]
    return blocks


WHOLE: list[Event] = [
    ("messageStart", {"role": "assistant"}),
    delta(0, reasoningContent={"text": "I "}),
    delta(0, reasoningContent={"text": "think"}),
    delta(0, reasoningContent={"signature": "sig"}),
    delta(0, reasoningContent={"signature": "nature"}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    delta(1, reasoningContent={"redactedContent": b"\x00"}),
    delta(1, reasoningContent={"redactedContent": b"\x01"}),
    delta(2, text="Let me "),
    delta(2, text="look."),
    start(3, toolUse={"toolUseId": "t1", "name": "search", "type": "server_tool_use"}),
    delta(3, toolUse={"input": '{"q": "'}),
    delta(3, toolUse={"input": 'x"}'}),
    start(4, toolUse={"toolUseId": "t2", "name": "now"}),
    start(5, toolResult={"toolUseId": "t1", "type": "nova_result", "status": "success"}),
    delta(5, toolResult=[{"text": "found"}]),
    delta(5, toolResult=[{"json": {"n": 1}}]),
    delta(
        6, citation={"title": "Doc", "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 9}}}
    ),
    delta(6, text="cited "),
    delta(6, citation={"title": "Doc 2"}),
    delta(6, text="words"),
    start(7, image={"format": "png"}),
    delta(7, image={"source": {"bytes": b"\x89P"}}),
    delta(7, image={"source": {"bytes": b"NG"}}),
    ("messageStop", {"stopReason": "tool_use", "additionalModelResponseFields": {"a": [1]}}),
    (
        "metadata",
        {
            "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "cacheReadInputTokens": 4},
            "metrics": {"latencyMs": 5},
            "trace": {"promptRouter": {"invokedModelId": "m"}},
            "performanceConfig": {"latency": "optimized"},
            "serviceTier": {"type": "flex"},
        },
    ),
]


def test_every_kind_of_block_has_converses_shape() -> None:
    assert fold_converse(WHOLE) == {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "I think", "signature": "signature"}}},
                    {"reasoningContent": {"redactedContent": b"\x00\x01"}},
                    {"text": "Let me look."},
                    {
                        "toolUse": {
                            "toolUseId": "t1",
                            "name": "search",
                            "type": "server_tool_use",
                            "input": {"q": "x"},
                        }
                    },
                    {"toolUse": {"toolUseId": "t2", "name": "now", "input": {}}},
                    {
                        "toolResult": {
                            "toolUseId": "t1",
                            "type": "nova_result",
                            "status": "success",
                            "content": [{"text": "found"}, {"json": {"n": 1}}],
                        }
                    },
                    {
                        "citationsContent": {
                            "content": [{"text": "cited words"}],
                            "citations": [
                                {
                                    "title": "Doc",
                                    "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 9}},
                                },
                                {"title": "Doc 2"},
                            ],
                        }
                    },
                    {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
                ],
            }
        },
        "stopReason": "tool_use",
        "additionalModelResponseFields": {"a": [1]},
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "cacheReadInputTokens": 4},
        "metrics": {"latencyMs": 5},
        "trace": {"promptRouter": {"invokedModelId": "m"}},
        "performanceConfig": {"latency": "optimized"},
        "serviceTier": {"type": "flex"},
    }


def test_the_fold_is_valid_as_converses_own_output_and_as_the_next_message() -> None:
    """botocore's model judges: the answer has Converse's shape, and the message can be sent back as it is."""
    model = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse")
    folded = fold_converse(WHOLE)
    assert not ParamValidator().validate(folded, model.output_shape).has_errors()
    request = {"modelId": "m", "messages": [folded["output"]["message"]]}
    report = ParamValidator().validate(request, model.input_shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_stream_cut_off_anywhere_folds(length: int) -> None:
    """Whatever part arrived has the shape of an answer; the text in it is the text that arrived."""
    folded = fold_converse(WHOLE[:length])
    blocks = folded["output"]["message"]["content"]
    sent = "".join(
        data["delta"].get("text", "") for name, data in WHOLE[:length] if name == "contentBlockDelta"
    )
    got = "".join(
        block.get("text", "")
        + "".join(part["text"] for part in block.get("citationsContent", {}).get("content", []))
        for block in blocks
    )
    assert got == sent
    assert ("stopReason" in folded) == (length > WHOLE.index(WHOLE[-2]))


def test_tool_input_that_is_cut_off_is_kept_and_marked() -> None:
    blocks = content(
        start(0, toolUse={"toolUseId": "t", "name": "f"}), delta(0, toolUse={"input": '{"city": "Pa'})
    )
    assert blocks == [{"toolUse": {"toolUseId": "t", "name": "f", "input": {UNPARSED: '{"city": "Pa'}}}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("  ", {}),
        ('{"a": 1}', {"a": 1}),
        ("[1]", [1]),
        ("{'a': 1}", {UNPARSED: "{'a': 1}"}),
        ("[" * 200_000, {UNPARSED: "[" * 200_000}),
    ],
)
def test_tool_inputs(text: str, value: Any) -> None:
    assert tool_input(text) == value


def test_interleaved_blocks_keep_their_order_and_their_pieces() -> None:
    blocks = content(delta(0, text="a"), delta(1, text="x"), delta(0, text="b"), delta(1, text="y"))
    assert blocks == [{"text": "ab"}, {"text": "xy"}]


def test_two_kinds_under_one_index_are_two_blocks() -> None:
    blocks = content(delta(0, reasoningContent={"text": "hm"}), delta(0, text="so"))
    assert blocks == [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "so"}]


def test_a_signature_without_text_is_kept() -> None:
    """Claude sends it where the reasoning is not to be shown; without it the next turn is refused."""
    assert content(delta(0, reasoningContent={"signature": "s"})) == [
        {"reasoningContent": {"reasoningText": {"text": "", "signature": "s"}}}
    ]


def test_what_is_not_known_is_kept() -> None:
    """The service sends members that the installed model lacks."""
    folded = fold_converse(
        [
            ("messageStart", {"role": "assistant", "mood": "fine"}),
            delta(0, hologram={"data": "ab"}),
            delta(0, hologram={"data": "cd"}),
            ("messageStop", {"stopReason": "end_turn", "why": "done"}),
            ("epilogue", {"x": 1}),
        ]
    )
    assert folded == {
        "output": {
            "message": {"role": "assistant", "mood": "fine", "content": [{"hologram": {"data": "abcd"}}]}
        },
        "stopReason": "end_turn",
        "why": "done",
        "epilogue": {"x": 1},
    }


def test_nothing_folds_into_an_empty_message() -> None:
    assert fold_converse([]) == {"output": {"message": {"role": "assistant", "content": []}}}


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"text": ""}, "text"),
        ({"citation": {}}, "text"),
        ({"reasoningContent": {}}, "reasoning"),
        ({"toolUse": {}}, "tool"),
        ({"toolResult": []}, "other"),
        ({}, "other"),
    ],
)
def test_kinds(payload: dict[str, Any], kind: str) -> None:
    assert block_kind(payload) == kind


def test_pieces_that_do_not_match_do_not_break_the_fold() -> None:
    assert join(["a", {"b": 1}]) == {"b": 1}
    assert join([]) is None
