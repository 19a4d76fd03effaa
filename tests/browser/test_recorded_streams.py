"""Recorded replies of Amazon Bedrock in the playground, served byte for byte to the app in `aws` mode."""

from __future__ import annotations

import base64
import json
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import AwsApp
from tests.browser.panes import ask, card, complaints, metrics, open_playground, pane, reply_area, stop_button
from tests.eventstream import CONTENT_TYPE, frame
from tests.recorded import Recording, read
from tests.scripted_server import Exchange

pytestmark = pytest.mark.recordings

TEXT = "opentelemetry/test_converse_stream_with_content.yaml"
LONG_TEXT = "openllmetry/test_meta_converse_stream.yaml"
TOOL_USE = "openllmetry/test_anthropic_converse_stream_with_tool_use.yaml"
REASONING = "langchain-aws/test_thinking[v0].yaml.gz"
REASONING_CHUNKS = "vercel-ai/amazon-bedrock-reasoning.chunks.txt"
REDACTED = "pydantic-ai/test_bedrock_model_thinking_part_redacted_stream.yaml"
GUARDRAIL = "openllmetry/test_titan_converse_stream_guardrail.yaml"
UNKNOWN_MODEL = "opentelemetry/test_converse_stream_with_invalid_model.yaml"
NO_ERROR_TYPE = "pydantic-ai/test_bedrock_streaming_error.yaml"


@pytest.fixture
def playground(recordings: Path, page: Page, aws: AwsApp) -> Page:
    """The playground of the app in `aws` mode, in a new tab. Without recordings the test is skipped first."""
    open_playground(page, aws.app)
    return page


def stream_of(recordings: Path, name: str) -> Recording:
    """The file's recording of ConverseStream."""
    return next(each for each in read(recordings, name) if each.operation == "ConverseStream")


def said(recording: Recording, *path: str) -> str:
    """What the recorded deltas spell along this path, such as ("reasoningContent", "text")."""
    pieces = []
    for event in recording.decoded.events:
        value: Any = event.get("contentBlockDelta", {}).get("delta", {})
        for name in path:
            value = value.get(name, {})
        pieces.append(value or "")
    return "".join(pieces)


def words(text: str) -> list[str]:
    """The words and numbers, without Markdown's own characters and list numbers."""
    text = re.sub(r"^\s*\d+\.\s", "", text.replace("*", ""), flags=re.MULTILINE)
    return re.findall(r"[^\W_]+", text)


def shown(place: Locator) -> list[str]:
    return words("\n".join(place.get_by_test_id("stMarkdownContainer").all_inner_texts()))


def paragraphs(page: Page, n: int = 0) -> list[str]:
    """The words of pane n's last reply that stand outside its boxes."""
    boxes = ":not([data-testid=stExpander] *)"
    texts = reply_area(page, n).locator(f"[data-testid=stMarkdownContainer]{boxes}").all_inner_texts()
    return words("\n".join(texts))


def box(page: Page, label: str) -> Locator:
    return reply_area(page, 0).get_by_test_id("stExpander").filter(has_text=label)


def whole(page: Page, turns: int = 1) -> None:
    """Both replies of this turn are there, and drawn as finished ones."""
    for n in (0, 1):
        expect(pane(page, n).get_by_test_id("stChatMessage")).to_have_count(turns)
        expect(metrics(page, n)).to_contain_text("Total")
        expect(stop_button(page, n)).to_be_disabled()


def nothing_spilled(page: Page, aws: AwsApp, requests: int) -> None:
    """No stack trace, nothing in the server's log, and no request but those of the prompts."""
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert "Traceback" not in page.content()
    assert complaints(aws.app) == []
    assert len(aws.bedrock.requests) == requests


def sent_reply(aws: AwsApp) -> list[dict[str, Any]]:
    """The first reply, as the last request sent it back."""
    messages = json.loads(aws.bedrock.requests[-1].body)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    content: list[dict[str, Any]] = messages[1]["content"]
    return content


@pytest.mark.parametrize("name", [TEXT, LONG_TEXT])
def test_text(playground: Page, aws: AwsApp, recordings: Path, name: str) -> None:
    recording = stream_of(recordings, name)
    aws.bedrock.play(recording.serve)
    ask(playground, "Hello")
    whole(playground)
    for n in (0, 1):
        assert paragraphs(playground, n) == words(said(recording, "text"))
        expect(card(playground, n)).to_have_count(0)
    usage = recording.decoded.events[-1]["metadata"]["usage"]
    expect(metrics(playground, 0)).to_contain_text(f"{usage['inputTokens']} in {usage['outputTokens']} out")
    nothing_spilled(playground, aws, requests=2)


def test_tool_use_is_shown_by_name_while_its_input_arrives(
    playground: Page, aws: AwsApp, recordings: Path
) -> None:
    recording = stream_of(recordings, TOOL_USE)
    until_the_input = recording.body.index(b'on\\": \\"Bar')
    go_on = threading.Event()

    def serve(exchange: Exchange) -> None:
        exchange.start_stream({"content-type": CONTENT_TYPE})
        exchange.send(recording.body[:until_the_input])
        assert go_on.wait(60)
        exchange.send(recording.body[until_the_input:])
        exchange.end()

    aws.bedrock.play(serve)
    ask(playground, "What is the weather in Barcelona?")
    call = box(playground, "Tool call: get_weather")
    expect(call).to_be_visible()
    expect(call.get_by_test_id("stCode")).to_contain_text('{"locati')
    expect(stop_button(playground, 0)).to_be_enabled()
    go_on.set()
    whole(playground)
    expect(metrics(playground, 0)).to_contain_text("tool_use")
    assert paragraphs(playground) == words(said(recording, "text"))
    shown_input = json.loads(call.get_by_test_id("stCode").inner_text())
    assert shown_input == json.loads(said(recording, "toolUse", "input"))

    ask(playground, "And in Rome?")
    for n in (0, 1):
        expect(card(playground, n)).to_contain_text("The model waits for a tool result")
    nothing_spilled(playground, aws, requests=2)


@pytest.mark.parametrize("name", [REASONING, REASONING_CHUNKS])
def test_reasoning_stays_apart_and_goes_back_as_it_came(
    playground: Page, aws: AwsApp, recordings: Path, name: str
) -> None:
    recording = stream_of(recordings, name)
    reasoning, text = said(recording, "reasoningContent", "text"), said(recording, "text")
    aws.bedrock.play(recording.serve)
    ask(playground, "Think about it.")
    whole(playground)
    assert paragraphs(playground) == words(text)
    thoughts = box(playground, "Reasoning")
    body = thoughts.get_by_test_id("stExpanderDetails")
    expect(body).to_be_hidden()
    thoughts.locator("summary").click()
    expect(body).to_be_visible()
    assert shown(body) == words(reasoning)

    ask(playground, "Are you sure?")
    whole(playground, turns=2)
    signature = said(recording, "reasoningContent", "signature")
    assert signature
    assert sent_reply(aws) == [
        {"reasoningContent": {"reasoningText": {"text": reasoning, "signature": signature}}},
        {"text": text},
    ]
    nothing_spilled(playground, aws, requests=4)


def test_redacted_reasoning_is_named_and_goes_back_as_it_came(
    playground: Page, aws: AwsApp, recordings: Path
) -> None:
    recording = stream_of(recordings, REDACTED)
    aws.bedrock.play(recording.serve)
    ask(playground, "ANTHROPIC_MAGIC")
    whole(playground)
    assert paragraphs(playground) == words(said(recording, "text"))
    secrets = [
        delta["reasoningContent"]["redactedContent"]
        for event in recording.decoded.events
        if "reasoningContent" in (delta := event.get("contentBlockDelta", {}).get("delta", {}))
    ]
    expect(box(playground, "Reasoning")).to_have_count(len(secrets))
    box(playground, "Reasoning").first.locator("summary").click()
    expect(box(playground, "Reasoning").first).to_contain_text("encrypted")

    ask(playground, "Go on.")
    whole(playground, turns=2)
    assert sent_reply(aws) == [
        *({"reasoningContent": {"redactedContent": base64.b64encode(each).decode()}} for each in secrets),
        {"text": said(recording, "text")},
    ]
    nothing_spilled(playground, aws, requests=4)


def test_a_guardrail_s_masks_are_shown_and_what_they_hide_is_not(
    playground: Page, aws: AwsApp, recordings: Path
) -> None:
    recording = stream_of(recordings, GUARDRAIL)
    aws.bedrock.play(recording.serve)
    ask(playground, "What is the capital of Japan?")
    whole(playground)
    expect(metrics(playground, 0)).to_contain_text("guardrail_intervened")
    expect(reply_area(playground, 0)).to_have_text(said(recording, "text"))
    assert "{ADDRESS}" in said(recording, "text")
    expect(reply_area(playground, 0)).not_to_contain_text("Tokyo")
    nothing_spilled(playground, aws, requests=2)


def test_an_error_in_the_middle_of_a_recorded_stream(playground: Page, aws: AwsApp, recordings: Path) -> None:
    """The first half of a recorded reply, then an error that others were sent within a stream."""
    errors = json.loads((recordings / "errors.json").read_text())
    error = next(each for each in errors if each["code"] == "throttlingException")
    recording = stream_of(recordings, LONG_TEXT)
    half = len(recording.decoded.events) // 2
    body = recording.body[: recording.frame_ends[half - 1]]
    broken = replace(recording, body=body + frame(error["code"], {"message": error["message"]}, "exception"))
    del recording.decoded.events[half:]
    aws.bedrock.play(broken.serve)
    ask(playground, "Hello")
    whole(playground)
    expect(card(playground, 0)).to_contain_text("Throttled")
    expect(metrics(playground, 0)).to_contain_text("broken off")
    assert paragraphs(playground) == words(said(recording, "text"))
    card(playground, 0).locator("summary").click()
    expect(card(playground, 0)).to_contain_text(error["message"].strip())
    nothing_spilled(playground, aws, requests=2)


@pytest.mark.parametrize("name", [UNKNOWN_MODEL, NO_ERROR_TYPE])
def test_an_error_in_place_of_an_answer(playground: Page, aws: AwsApp, recordings: Path, name: str) -> None:
    recording = stream_of(recordings, name)
    aws.bedrock.play(recording.serve)
    ask(playground, "Hello")
    for n in (0, 1):
        expect(card(playground, n)).to_contain_text("This model ID is not known here")
        expect(metrics(playground, n)).to_contain_text("failed")
    card(playground, 0).locator("summary").click()
    expect(card(playground, 0)).to_contain_text(recording.decoded.parsed["Error"]["Message"])
    expect(reply_area(playground, 0)).to_have_count(0)
    nothing_spilled(playground, aws, requests=2)
