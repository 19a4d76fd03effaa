"""The RAG chat in a browser: numbers come while the answer streams, and a click leads to the source."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import AwsApp
from tests.browser.panes import complaints
from tests.eventstream import frame
from tests.scripted_server import Exchange

QUESTION = "How many days of leave?"
FIRST, SECOND = "Everybody has 25 days.", " Ask two weeks ahead."


def citation(text: str, name: str) -> dict[str, Any]:
    reference = {
        "content": {"type": "TEXT", "text": f"The passage of {name}."},
        "location": {"type": "S3", "s3Location": {"uri": f"s3://docs/{name}"}},
    }
    part = {"textResponsePart": {"text": text.strip(), "span": {"start": 0, "end": len(text)}}}
    return {"generatedResponsePart": part, "retrievedReferences": [reference]}


class Answer:
    """An answer of two cited sentences; the second one comes when it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def serve(self, exchange: Exchange) -> None:
        exchange.start_stream({"x-amzn-bedrock-knowledge-base-session-id": "session-1"})
        exchange.send(frame("output", {"text": FIRST}) + frame("citation", citation(FIRST, "leave.md")))
        exchange.send(frame("output", {"text": SECOND}))
        assert self.go_on.wait(60)
        exchange.send(frame("citation", citation(SECOND, "ask.md")))
        exchange.end()


@pytest.fixture
def chat(page: Page, aws: AwsApp) -> Page:
    page.goto(f"{aws.app.url}/rag_chat?kb=KB12345678")
    expect(page.locator(".st-key-rag_prompt textarea:not([disabled])")).to_be_visible(timeout=60_000)
    return page


def ask(page: Page) -> None:
    prompt = page.locator(".st-key-rag_prompt textarea")
    prompt.fill(QUESTION)
    prompt.press("Enter")


def number(page: Page, n: int) -> Locator:
    return page.locator(f".st-key-rag_answer_0 a[href='#rag_citation_0_{n}']")


def source(page: Page, n: int) -> Locator:
    return page.locator(f".st-key-rag_document_0_{n}")


def test_numbers_come_while_the_answer_streams_and_lead_to_their_sources(chat: Page, aws: AwsApp) -> None:
    answer = Answer()
    aws.bedrock.play(answer.serve)
    ask(chat)
    expect(number(chat, 1)).to_be_visible()
    expect(chat.locator(".st-key-rag_stop button")).to_be_enabled()
    expect(number(chat, 2)).to_have_count(0)
    answer.go_on.set()
    expect(number(chat, 2)).to_be_visible()
    expect(chat.locator(".st-key-rag_stop button")).to_be_disabled()
    expect(chat.locator(".st-key-rag_answer_0")).to_contain_text("100% covered")

    number(chat, 2).click()
    expect(source(chat, 2)).to_be_visible()
    expect(chat.locator(".st-key-rag_sources_0")).to_contain_text("The passage of ask.md.")
    number(chat, 1).click()
    expect(source(chat, 1)).to_be_visible()
    expect(source(chat, 2)).to_have_count(0)
    number(chat, 1).click()
    expect(source(chat, 1)).to_be_visible()
    chat.locator(".st-key-rag_citation_0_1 button").click()
    expect(source(chat, 1)).to_have_count(0)
    assert complaints(aws.app) == []


def test_on_a_narrow_window_the_source_comes_into_view(chat: Page, aws: AwsApp) -> None:
    chat.set_viewport_size({"width": 390, "height": 500})
    answer = Answer()
    answer.go_on.set()
    aws.bedrock.play(answer.serve)
    ask(chat)
    expect(chat.locator(".st-key-rag_citation_0_2 button")).to_be_attached()
    number(chat, 1).click()
    expect(chat.locator(".st-key-rag_citation_0_1 button")).to_be_in_viewport()
    expect(chat.locator(".st-key-rag_sources_0")).to_contain_text("The passage of leave.md.")


def test_the_best_passage_is_in_sight_and_not_the_last(chat: Page, aws: AwsApp) -> None:
    """Streamlit scrolls to the end of a page that grows; a list of passages is read from its first one."""
    found = [
        {
            "content": {"type": "TEXT", "text": f"Passage {n}. " + "More words about leave. " * 60},
            "location": {"type": "S3", "s3Location": {"uri": f"s3://docs/{n}.txt"}},
            "score": 0.9 - n / 10,
        }
        for n in range(5)
    ]
    aws.bedrock.play(lambda exchange: exchange.answer(json.dumps({"retrievalResults": found}).encode()))
    chat.locator(".st-key-rag_mode").get_by_text("Retrieve only").click()
    expect(chat.get_by_text("No model is asked")).to_be_visible()
    ask(chat)
    expect(chat.get_by_text("Passage 4.")).to_be_attached()
    expect(chat.locator(".st-key-rag_again_0 button").first).to_be_attached()
    frames = "n => new Promise(end => { const f = () => n-- ? requestAnimationFrame(f) : end(); f(); })"
    chat.evaluate(frames, 60)  # Streamlit has seen the page grow
    expect(chat.locator(".st-key-rag_prompt textarea")).to_have_value("")
    expect(chat.get_by_text(QUESTION)).to_be_in_viewport()
    expect(chat.get_by_text("Passage 0.")).to_be_in_viewport()
    expect(chat.get_by_text("Passage 4.")).not_to_be_in_viewport()


def test_stop_ends_the_answer_and_keeps_it(chat: Page, aws: AwsApp) -> None:
    answer = Answer()
    aws.bedrock.play(answer.serve)
    ask(chat)
    expect(number(chat, 1)).to_be_visible()
    chat.locator(".st-key-rag_stop button").click()
    expect(chat.locator(".st-key-rag_metrics_0")).to_contain_text("stopped")
    expect(number(chat, 1)).to_be_visible()
    answer.go_on.set()


def test_a_question_that_is_typed_outlives_a_change_of_mode(chat: Page) -> None:
    prompt = chat.locator(".st-key-rag_prompt textarea")
    prompt.press_sequentially("Not sent yet")
    chat.locator(".st-key-rag_mode").get_by_text("Own prompt").click()
    expect(chat.get_by_text("with a prompt of your own")).to_be_visible()
    expect(prompt).to_have_value("Not sent yet")


def test_a_question_that_is_too_long_goes_back_into_its_field(chat: Page, aws: AwsApp) -> None:
    prompt = chat.locator(".st-key-rag_prompt textarea")
    question = "Leave? " * 200 + "End."
    prompt.fill(question)
    prompt.press("Enter")
    card = chat.locator(".st-key-problem_card_rag_too_long")
    expect(card).to_contain_text("It has 1,404 characters; at most 1,000")
    expect(prompt).to_have_value(question)
    chat.locator(".st-key-rag_mode").get_by_text("Retrieve only").click()
    expect(card).to_have_count(0)
    expect(prompt).to_have_value(question)
    aws.bedrock.play(lambda exchange: exchange.answer(b'{"retrievalResults": []}'))
    prompt.press("Enter")
    expect(prompt).to_have_value("")
    expect(chat.locator(".st-key-rag_again_0 button").first).to_be_attached()
    [request] = aws.bedrock.requests
    assert json.loads(request.body)["retrievalQuery"]["text"] == question
