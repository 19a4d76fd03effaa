"""Converse and ConverseStream over HTTP, with boto3 and the real local model."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

LOCAL = "local.smollm2-135m-instruct-v1:0"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
STORY = [{"role": "user", "content": [{"text": "Tell me a long story about the sea."}]}]


@pytest.fixture(scope="module")
def runtime(endpoint: Any) -> Any:
    return endpoint.client("bedrock-runtime", read_timeout=120, max_pool_connections=20)


def _ask(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": text}]}]


def _text(answer: dict[str, Any]) -> str:
    return "".join(block.get("text", "") for block in answer["output"]["message"]["content"])


def test_an_answer(runtime: Any) -> None:
    answer = runtime.converse(modelId=LOCAL, messages=_ask("Hello!"), inferenceConfig={"maxTokens": 12})
    assert _text(answer).strip()
    assert answer["output"]["message"]["role"] == "assistant"
    assert answer["stopReason"] in {"end_turn", "max_tokens"}
    usage = answer["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert 0 < usage["outputTokens"] <= 12
    assert answer["metrics"]["latencyMs"] > 0


def test_the_stream_tells_the_same_in_awss_order(runtime: Any) -> None:
    """Greedy decoding: the stream, folded, is the answer that Converse gives."""
    question = {
        "modelId": HAIKU,
        "messages": _ask("Name a colour."),
        "inferenceConfig": {"maxTokens": 8, "temperature": 0},
    }
    events = list(runtime.converse_stream(**question)["stream"])
    names = [next(iter(event)) for event in events]
    assert names[0] == "messageStart"
    assert names[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert set(names[1:-3]) == {"contentBlockDelta"}
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events[1:-3])
    whole = runtime.converse(**question)
    assert text == _text(whole)
    assert events[-2]["messageStop"]["stopReason"] == whole["stopReason"]
    assert events[-1]["metadata"]["usage"] == whole["usage"]


def test_the_first_words_come_while_the_rest_is_still_decoded(runtime: Any) -> None:
    """From the first delta to the last goes a good part of the time that the whole answer takes."""
    started = time.monotonic()
    times = [
        time.monotonic() - started
        for event in runtime.converse_stream(
            modelId=LOCAL, messages=STORY, inferenceConfig={"maxTokens": 80}
        )["stream"]
        if "contentBlockDelta" in event
    ]
    assert len(times) > 5, "pieces of 25 ms"
    assert times[-1] - times[0] > times[-1] / 5, "the words came all at once, at the end"


def test_who_leaves_stops_the_decoding(endpoint: Any, runtime: Any) -> None:
    """Four streams that nobody reads on take all slots; once they are closed, a fifth request goes through.

    The four would decode thousands of tokens: only their end can let the fifth one in at once.
    """
    streams = [runtime.converse_stream(modelId=LOCAL, messages=STORY)["stream"] for _ in range(4)]
    for stream in streams:
        next(event for event in stream if "contentBlockDelta" in event)
    for stream in streams:
        stream.close()
    started = time.monotonic()
    answer = runtime.converse(modelId=LOCAL, messages=_ask("Hi"), inferenceConfig={"maxTokens": 2})
    assert answer["usage"]["outputTokens"] == 2
    assert time.monotonic() - started < 20


def test_four_at_once_advance_together(runtime: Any) -> None:
    """While the first of four streams is not finished, each of the others has got tokens too."""
    order: list[int] = []

    def read(number: int) -> None:
        request = {
            "modelId": LOCAL,
            "messages": _ask(f"Story {number}, please."),
            "inferenceConfig": {"maxTokens": 40},
        }
        order.extend(
            number for event in runtime.converse_stream(**request)["stream"] if "contentBlockDelta" in event
        )

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last_start = max(order.index(number) for number in range(4))
    first_end = min(len(order) - 1 - order[::-1].index(number) for number in range(4))
    assert last_start < first_end, "one had to wait for another to end"


def test_stop_sequences_end_the_text_and_are_not_in_it(runtime: Any) -> None:
    """Greedy decoding: the text is that without the stop sequence, up to it."""
    question = {"modelId": LOCAL, "messages": _ask("Count: 1 2 3")}
    config: dict[str, Any] = {"maxTokens": 60, "temperature": 0}
    free = _text(runtime.converse(**question, inferenceConfig=config))
    stop = free[8:11]
    assert len(stop) == 3
    answer = runtime.converse(**question, inferenceConfig=config | {"stopSequences": [stop]})
    assert answer["stopReason"] == "stop_sequence"
    assert _text(answer) == free.partition(stop)[0]
    assert answer["usage"]["outputTokens"] < 60


def test_max_tokens_end_the_answer(runtime: Any) -> None:
    answer = runtime.converse(modelId=LOCAL, messages=STORY, inferenceConfig={"maxTokens": 5})
    assert answer["stopReason"] == "max_tokens"
    assert answer["usage"]["outputTokens"] == 5


def test_temperature_zero_repeats_itself_and_a_high_one_does_not(runtime: Any) -> None:
    def texts(temperature: float) -> set[str]:
        config = {"maxTokens": 25, "temperature": temperature}
        return {
            _text(runtime.converse(modelId=LOCAL, messages=STORY, inferenceConfig=config)) for _ in range(3)
        }

    assert len(texts(0)) == 1
    assert len(texts(1)) > 1


def test_the_system_prompt_is_heard(runtime: Any) -> None:
    """Greedy: the same question under another system prompt is answered otherwise, and costs its tokens."""
    config = {"maxTokens": 20, "temperature": 0}
    plain = runtime.converse(modelId=LOCAL, messages=_ask("Who are you?"), inferenceConfig=config)
    pirate = runtime.converse(
        modelId=LOCAL,
        messages=_ask("Who are you?"),
        system=[{"text": "You are Captain Redbeard, a pirate. Say your name."}],
        inferenceConfig=config,
    )
    assert _text(plain) != _text(pirate)


def test_several_turns_and_words_put_into_the_models_mouth(runtime: Any) -> None:
    messages = [
        *_ask("My name is Ada."),
        {"role": "assistant", "content": [{"text": "Hello Ada."}]},
        *_ask("What is my name?"),
        {"role": "assistant", "content": [{"text": "Your name is"}]},
    ]
    answer = runtime.converse(
        modelId=HAIKU, messages=messages, inferenceConfig={"maxTokens": 4, "temperature": 0}
    )
    assert "Ada" in _text(answer)


def test_a_prompt_longer_than_the_context_is_refused(runtime: Any) -> None:
    with pytest.raises(ClientError) as caught:
        runtime.converse_stream(modelId=LOCAL, messages=_ask("word " * 5000))
    assert caught.value.response["Error"]["Message"] == "Input is too long for requested model."
    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"inferenceConfig": {"temperature": 1.5}}, "Member must have value less than or equal to 1"),
        (
            {"inferenceConfig": {"maxTokens": 5000}},
            "The maximum tokens you requested exceeds the model limit of",
        ),
        ({"modelId": "does-not-exist"}, "The provided model identifier is invalid."),
        (
            {"modelId": "anthropic.claude-3-5-sonnet-20241022-v2:0"},
            "with on-demand throughput isn’t supported",
        ),
        ({"modelId": "stability.sd3-5-large-v1:0"}, "no stand-in"),
        ({"messages": _ask(" ")}, "is blank. Add text to the text field, and try again."),
    ],
)
@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_refusals_are_http_errors_with_awss_words(
    runtime: Any, operation: str, changed: dict[str, Any], words: str
) -> None:
    request = {"modelId": HAIKU, "messages": _ask("Hi")} | changed
    with pytest.raises(ClientError) as caught:
        getattr(runtime, operation)(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert words in caught.value.response["Error"]["Message"]


def test_tier_and_latency_are_echoed(runtime: Any) -> None:
    answer = runtime.converse(
        modelId=LOCAL,
        messages=_ask("Hi"),
        inferenceConfig={"maxTokens": 1},
        performanceConfig={"latency": "standard"},
        serviceTier={"type": "default"},
        requestMetadata={"team": "sea"},
    )
    assert answer["performanceConfig"] == {"latency": "standard"}
    assert answer["serviceTier"] == {"type": "default"}
