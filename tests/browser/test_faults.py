"""What someone sees when things break under their hands, and that nothing is sent twice by itself.

In `aws` mode the first pane's model fails while the second pane's goes on, unless a test says otherwise.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, expect

from scripts.served_app import App
from tests.browser.conftest import AppFactory, AwsApp
from tests.browser.panes import (
    LONG,
    ask,
    card,
    complaints,
    metrics,
    model_name,
    open_playground,
    pane,
    reply,
    reply_area,
    stop_button,
    until,
)
from tests.eventstream import frame, frames
from tests.scripted_server import Exchange, Script

HALF: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "The lighthouse stands "}}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "half in the fog"}}},
]
REST: list[dict[str, Any]] = [
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": " and half in the sun."}}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {
        "metadata": {
            "usage": {"inputTokens": 4, "outputTokens": 12, "totalTokens": 16},
            "metrics": {"latencyMs": 12},
        }
    },
]
PARTIAL = "The lighthouse stands half in the fog"
WHOLE = f"{PARTIAL} and half in the sun."
QUESTION = "What does the lighthouse look like?"


def whole(exchange: Exchange) -> None:
    exchange.start_stream()
    exchange.send(frames([*HALF, *REST]))
    exchange.end()


def held(let_go: threading.Event) -> Script:
    """Half a reply, and the rest of it when it is let go."""

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frames(HALF))
        assert let_go.wait(60)
        exchange.send(frames(REST))
        exchange.end()

    return script


def broken(tail: bytes) -> Script:
    """Half a reply, then these bytes and the end of the connection."""

    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frames(HALF) + tail)
        exchange.cut()

    return script


def first_pane(page: Page, aws: AwsApp, fault: Script, others: Script = whole) -> None:
    """The fault for the first pane's model."""
    name = model_name(page, 0)
    aws.bedrock.play(lambda exchange: (fault if name in unquote(exchange.path) else others)(exchange))


def sent(page: Page, aws: AwsApp, n: int) -> list[Exchange]:
    """The requests that pane n's model got."""
    name = model_name(page, n)
    return [exchange for exchange in aws.bedrock.requests if name in unquote(exchange.path)]


def nothing_spilled(page: Page, app: App) -> None:
    """No stack trace on the page, nothing to look into in the server's log."""
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert "Traceback" not in page.content()
    assert complaints(app) == []


bad_checksum = bytearray(frame("contentBlockDelta", HALF[1]["contentBlockDelta"]))
bad_checksum[-1] ^= 0xFF


@pytest.mark.parametrize(
    ("tail", "title"),
    [
        pytest.param(b"no frame, though it is long enough for one", "The stream is damaged", id="garbage"),
        pytest.param(bytes(bad_checksum), "The stream is damaged", id="checksum"),
        pytest.param(frame("messageStop", {"stopReason": "end_turn"})[:-5], "The stream broke off", id="cut"),
        pytest.param(
            frame("modelStreamErrorException", {"message": "The model broke."}, "exception"),
            "The model failed in the middle of its reply",
            id="error-frame",
        ),
    ],
)
def test_a_broken_stream_keeps_its_text_and_asks_before_it_is_paid_for_twice(
    page: Page, aws: AwsApp, tail: bytes, title: str
) -> None:
    open_playground(page, aws.app)
    first_pane(page, aws, broken(tail))
    ask(page, QUESTION)
    expect(card(page, 0)).to_contain_text(title)
    expect(metrics(page, 0)).to_contain_text("broken off")
    expect(metrics(page, 1)).to_contain_text("end_turn")
    assert (reply(page, 0), reply(page, 1)) == (PARTIAL, WHOLE)
    expect(card(page, 1)).to_have_count(0)

    aws.bedrock.play(whole)
    card(page, 0).get_by_role("button", name="Retry").click()
    send_again = page.get_by_role("button", name="Send it again")
    expect(send_again).to_be_visible()
    assert len(sent(page, aws, 0)) == len(sent(page, aws, 1)) == 1, "sent again by itself"
    send_again.click()
    expect(metrics(page, 0)).to_contain_text("end_turn")
    assert reply(page, 0) == WHOLE
    expect(card(page, 0)).to_have_count(0)
    assert (len(sent(page, aws, 0)), len(sent(page, aws, 1))) == (2, 1)
    nothing_spilled(page, aws.app)


def test_a_throttled_pane_counts_down_while_the_other_one_streams(page: Page, aws: AwsApp) -> None:
    refuse, let_go = threading.Event(), threading.Event()

    def throttled(exchange: Exchange) -> None:
        assert refuse.wait(60)
        message = "Too many requests, please wait before trying again."
        exchange.error(429, "ThrottlingException", message, {"retry-after": "4"})

    open_playground(page, aws.app)
    first_pane(page, aws, throttled, held(let_go))
    ask(page, QUESTION)
    expect(reply_area(page, 1)).to_have_text(PARTIAL)
    refuse.set()
    expect(card(page, 0)).to_contain_text("Throttled: too many requests")
    expect(metrics(page, 0)).to_have_count(1)
    waiting = card(page, 0).get_by_role("button", name=re.compile(r"Retry in \d s"))
    expect(waiting).to_be_disabled()
    retry = card(page, 0).get_by_role("button", name="Retry", exact=True)
    expect(retry).to_be_enabled()
    expect(waiting).to_have_count(0)
    expect(stop_button(page, 1)).to_be_enabled()  # still streams
    assert len(sent(page, aws, 0)) == 1, "sent again by itself"

    aws.bedrock.play(whole)
    retry.click()
    expect(reply_area(page, 0)).to_have_text(WHOLE)
    expect(card(page, 0)).to_be_hidden()
    let_go.set()
    expect(metrics(page, 1)).to_contain_text("end_turn")
    assert reply(page, 1) == WHOLE
    assert (len(sent(page, aws, 0)), len(sent(page, aws, 1))) == (2, 1)
    nothing_spilled(page, aws.app)


def expired(exchange: Exchange) -> None:
    message = "The security token included in the request is expired"
    exchange.error(403, "ExpiredTokenException", message)


def key_of(exchange: Exchange) -> str:
    return exchange.headers["Authorization"].partition("Credential=")[2].partition("/")[0]


def test_expired_credentials_are_read_anew_without_a_word(page: Page, aws: AwsApp) -> None:
    """As after `aws sso login` in a terminal, while the server still holds the old key."""
    open_playground(page, aws.app)
    aws.bedrock.play(whole)
    ask(page, QUESTION)
    for n in (0, 1):
        expect(metrics(page, n)).to_contain_text("end_turn")
    old = key_of(aws.bedrock.requests[0])
    new = f"{old}2"
    aws.set_key(new)
    aws.bedrock.requests.clear()
    aws.bedrock.play(lambda exchange: (expired if key_of(exchange) == old else whole)(exchange))
    ask(page, "And from the other side?")
    for n in (0, 1):
        expect(pane(page, n).get_by_test_id("stChatMessage")).to_have_count(2)
        expect(metrics(page, n)).to_contain_text("end_turn")
        expect(card(page, n)).to_have_count(0)
    keys = [[key_of(exchange) for exchange in sent(page, aws, n)] for n in (0, 1)]
    assert [old, new] in keys
    assert all(each in ([old, new], [new]) for each in keys), "the other pane may have renewed them already"
    nothing_spilled(page, aws.app)


def test_credentials_that_stay_expired_are_tried_twice_and_then_told(page: Page, aws: AwsApp) -> None:
    open_playground(page, aws.app)
    first_pane(page, aws, expired)
    ask(page, QUESTION)
    expect(card(page, 0)).to_contain_text("The AWS credentials have expired")
    expect(metrics(page, 1)).to_contain_text("end_turn")
    assert (len(sent(page, aws, 0)), len(sent(page, aws, 1))) == (2, 1)
    aws.bedrock.play(whole)
    card(page, 0).get_by_role("button", name="Read the credentials again").click()
    expect(metrics(page, 0)).to_contain_text("end_turn")
    assert reply(page, 0) == WHOLE
    assert len(sent(page, aws, 0)) == 3
    nothing_spilled(page, aws.app)


# Measured in the page: Playwright's own way to a click takes long on a busy machine.
_CLOCK = """
  for (const n of [0, 1]) {
    const seen = () => {
      if (!document.querySelector(`.st-key-playground_metrics_${n}`)?.innerText.includes("stopped")) return;
      window[`stopped_${n}`] ??= performance.now() - window[`clicked_${n}`];
    };
    new MutationObserver(seen).observe(document.body, { childList: true, subtree: true });
    document.addEventListener("click", ({ target }) => {
      if (target.closest(`.st-key-playground_stop_${n}`)) window[`clicked_${n}`] = performance.now();
    }, { capture: true });
  }
"""


def test_a_stream_that_hangs_can_be_stopped_and_blocks_nothing(page: Page, aws: AwsApp) -> None:
    hung_up: list[str] = []

    def hang(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frames(HALF))
        if exchange.wait_for_hangup(60):
            hung_up.append(exchange.path)

    open_playground(page, aws.app)
    aws.bedrock.play(hang)
    ask(page, QUESTION)
    for n in (0, 1):
        expect(reply_area(page, n)).to_have_text(PARTIAL)
    page.get_by_role("button", name="Add pane").click()
    expect(pane(page, 2)).to_be_visible()
    for n in (0, 1):
        expect(reply_area(page, n)).to_have_text(PARTIAL)
    assert hung_up == []

    page.evaluate(f"() => {{{_CLOCK}}}")
    for n in (0, 1):
        stop_button(page, n).click()
        expect(metrics(page, n)).to_contain_text("stopped")
        expect(stop_button(page, n)).to_be_disabled()
        assert reply(page, n) == PARTIAL
        expect(card(page, n)).to_have_count(0)
    until(lambda: len(hung_up) == 2, "both connections to be closed")
    fastest = min(page.evaluate("[window.stopped_0, window.stopped_1]"))
    assert fastest < 1000, "Stop took more than a second"
    assert len(aws.bedrock.requests) == 2, "sent again by itself"
    nothing_spilled(page, aws.app)


def test_what_is_being_typed_survives_the_end_of_a_reply(page: Page, aws: AwsApp) -> None:
    """The end of a reply draws the page anew; a field that somebody types into keeps its words."""
    let_go = threading.Event()

    open_playground(page, aws.app)
    aws.bedrock.play(held(let_go))
    ask(page, QUESTION)
    expect(reply_area(page, 1)).to_have_text(PARTIAL)
    page.locator(".st-key-playground_settings_0 button").first.click()
    system = page.locator(".st-key-playground_parameter_0_system textarea")
    tokens = page.locator(".st-key-playground_parameter_0_maxTokens input")
    system.fill("Answer as a sailor would")
    let_go.set()
    expect(metrics(page, 0)).to_contain_text("end_turn")
    expect(page.locator(".st-key-playground_retry_0 button").first).to_be_attached()
    expect(system).to_have_value("Answer as a sailor would")
    tokens.fill("30")
    tokens.press("Enter")
    page.keyboard.press("Escape")
    expect(tokens).to_be_hidden()

    aws.bedrock.play(whole)
    ask(page, QUESTION)
    until(lambda: len(sent(page, aws, 0)) == 2, "the second prompt")
    request = json.loads(sent(page, aws, 0)[1].body)
    assert request["system"] == [{"text": "Answer as a sailor would"}]
    assert request["inferenceConfig"]["maxTokens"] == 30
    nothing_spilled(page, aws.app)


def endpoint_pid(app: App) -> str:
    """The process that serves the data folder of the server's local endpoint, or served it last."""
    return (app.data_dir / "local" / "lock").read_text()


def limit_tokens(page: Page, n: int, tokens: int) -> None:
    page.locator(f".st-key-playground_settings_{n} button").first.click()
    field = page.locator(f".st-key-playground_parameter_{n}_maxTokens input")
    field.fill(str(tokens))
    field.press("Enter")
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()


def test_the_endpoint_is_killed_while_two_panes_stream(page: Page, start_app: AppFactory) -> None:
    """It comes back by itself, the replies do not: what arrived stays, and Retry asks again."""
    app = start_app()
    open_playground(page, app)
    ask(page, LONG)
    until(lambda: all(reply(page, n).strip() for n in (0, 1)), "the first words of both replies")
    first_words = [reply(page, n).strip()[:20] for n in (0, 1)]
    killed = endpoint_pid(app)
    os.kill(int(killed), signal.SIGKILL)
    for n in (0, 1):
        expect(card(page, n)).to_contain_text("The stream broke off")
        expect(metrics(page, n)).to_contain_text("broken off")
        assert reply(page, n).startswith(first_words[n])
    until(lambda: endpoint_pid(app) not in ("", killed), "the endpoint to be started again")

    limit_tokens(page, 0, 30)
    card(page, 0).get_by_role("button", name="Retry").click()
    expect(metrics(page, 0)).to_contain_text(re.compile(r"30 out.* max_tokens"), timeout=60_000)
    expect(card(page, 0)).to_have_count(0)
    expect(card(page, 1)).to_be_visible()
    nothing_spilled(page, app)
