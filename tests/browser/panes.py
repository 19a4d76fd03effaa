"""The playground as someone at its screen drives it."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from scripts.served_app import App

LONG = "Write a very long story about a lighthouse keeper and the sea. Describe every day of one month."


def open_playground(page: Page, app: App) -> None:
    page.goto(f"{app.url}/model_playground")
    expect(prompt(page)).to_be_editable(timeout=60_000)


def prompt(page: Page) -> Locator:
    return page.locator(".st-key-playground_prompt textarea")


def ask(page: Page, text: str) -> None:
    prompt(page).fill(text)
    prompt(page).press("Enter")


def pane(page: Page, n: int) -> Locator:
    return page.locator(f".st-key-playground_pane_{n}")


def model_name(page: Page, n: int) -> str:
    """The name of pane n's model, as its picker shows it."""
    picker = page.locator(f".st-key-playground_model_{n} input")
    expect(picker).not_to_have_value("")  # it is drawn before its choice is in it
    return picker.input_value()


def reply_area(page: Page, n: int) -> Locator:
    return page.locator(f".st-key-playground_reply_{n}").last  # a live one stands in a finished one's place


def reply(page: Page, n: int) -> str:
    """The words in pane n so far; "" before the first one."""
    texts = page.locator(f".st-key-playground_reply_{n} [data-testid=stMarkdownContainer]").all_inner_texts()
    return "\n".join(text for text in texts if "Waiting for the first token" not in text)


def metrics(page: Page, n: int) -> Locator:
    return page.locator(f".st-key-playground_metrics_{n}")


def card(page: Page, n: int) -> Locator:
    """The problem card under the last reply of pane n."""
    return page.locator(f".st-key-problem_card_{n}")


def stop_button(page: Page, n: int) -> Locator:
    return page.locator(f".st-key-playground_stop_{n} button").first  # the second one measures the tooltip


def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def grows(page: Page, n: int) -> None:
    before = len(reply(page, n))
    until(lambda: len(reply(page, n)) > before, f"more text in pane {n}")


def complaints(app: App) -> list[str]:
    """The lines of the server's log that somebody would have to look into."""
    words = ("warning", "error", "traceback", "exception", "deprecat")
    return [line for line in app.log().splitlines() if any(word in line.lower() for word in words)]
