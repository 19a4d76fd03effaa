"""The playground in a real browser, with the time at which every word appears."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

from playwright.sync_api import Browser, Page

WATCH = """() => {
  window.seen = {};
  const look = () => {
    const now = Date.now();
    for (const reply of document.querySelectorAll('[class*="st-key-playground_reply_"]')) {
      for (const [word] of reply.textContent.matchAll(/q\\d+w\\d+e/g)) window.seen[word] ??= now;
    }
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""
PROMPT = ".st-key-playground_prompt textarea"
READY_MS = 120_000


def open_playground(browser: Browser, url: str) -> Page:
    """A tab of a new session, ready for a prompt."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}/model_playground")
    wait_ready(page)
    return page


def wait_ready(page: Page) -> None:
    """Until the playground takes a prompt and the script has stopped running."""
    wait_at_rest(page, PROMPT)


def wait_at_rest(page: Page, prompt: str) -> None:
    """Until the prompt field of a page can be typed into and the script has stopped running."""
    page.wait_for_selector(f"{prompt}:not([disabled])", timeout=READY_MS)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=READY_MS)


def set_panes(page: Page, count: int) -> None:
    """Adds panes until there are `count`."""
    while (panes := page.locator("[class*='st-key-playground_pane_']").count()) < count:
        page.click(".st-key-playground_add_pane button")
        page.wait_for_selector(f".st-key-playground_pane_{panes}")
        wait_ready(page)


def new_chat(page: Page) -> None:
    """Empties all panes."""
    page.click(".st-key-playground_new_chat button")
    page.wait_for_selector("[class*='st-key-playground_reply_']", state="detached")
    wait_ready(page)


def ask(page: Page, prompt: str) -> float:
    """Sends a prompt; returns the time of the key press (seconds since the epoch)."""
    page.locator(PROMPT).fill(prompt)
    now = time.time()
    page.locator(PROMPT).press("Enter")
    return now


def watch(page: Page) -> None:
    """From now on the page notes when each word is first seen."""
    page.evaluate(WATCH)


def seen(page: Page) -> dict[tuple[int, int], float]:
    """(request, word) -> seconds since the epoch at which it was first on the page."""
    words = page.evaluate("() => window.seen")
    return {
        (int(word[1:-1].split("w")[0]), int(word[1:-1].split("w")[1])): at / 1000
        for word, at in words.items()
    }


def wait_for_words(page: Page, count: int) -> None:
    """Until so many different words have been seen, and the page is at rest."""
    page.wait_for_function("count => Object.keys(window.seen).length >= count", arg=count, timeout=READY_MS)
    wait_ready(page)


def streams(server_url: str) -> list[dict[str, Any]]:
    """What the bench's Bedrock has sent: [{"number", "received", "sent": [seconds since the epoch]}]."""
    with urllib.request.urlopen(f"{server_url}/bench/streams", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found
