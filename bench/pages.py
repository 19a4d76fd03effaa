"""How long a visitor waits: from starting the process to the first page, and from page to page."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from bench import playground
from bench.report import Row
from scripts.served_app import App, start_app

ROUNDS = 6
PLAYGROUND = "Model playground"
HOME = "Home"
# Clicks the link of a page and waits, frame by frame, until the page is there and nothing runs any more.
SWITCH = """([link, selector, gone]) => new Promise(resolve => {
  const started = performance.now();
  const app = () => document.querySelector('[data-testid=stApp]').dataset.testScriptState;
  const look = () => {
    const there = document.querySelector(selector) && !document.querySelector(gone);
    there && app() === 'notRunning' ? resolve(performance.now() - started) : requestAnimationFrame(look);
  };
  const links = [...document.querySelectorAll('[data-testid=stSidebarNavLink]')];
  links.find(a => a.innerText.includes(link)).click();
  requestAnimationFrame(look);
})"""


def cold_start(browser: Browser, data_dir: Path) -> tuple[App, Row]:
    """Starts the app in an empty workspace; returns it running, and the row."""
    started = time.perf_counter()
    app = start_app(data_dir)
    app.wait()
    answers_s = time.perf_counter() - started
    playground.open_playground(browser, app.url).context.close()
    ready_s = time.perf_counter() - started
    return app, Row(
        "process start -> playground ready for a prompt",
        f"{ready_s:.1f} s",
        f"server answers {answers_s:.1f} s",
        f"x{ready_s / answers_s:.1f}",
    )


def switching(browser: Browser, app_url: str) -> Row:
    """Between Home and the playground, by the sidebar."""
    loads_ms, switches_ms = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        page = playground.open_playground(browser, app_url)
        loads_ms.append(1000 * (time.perf_counter() - started))
        switches_ms += [switch(page, HOME), switch(page, PLAYGROUND)]
        page.context.close()
    ours, load = statistics.median(switches_ms), statistics.median(loads_ms)
    return Row(
        "page switch, median", f"{ours:.0f} ms", f"opening the page {load:.0f} ms", f"x{ours / load:.2f}"
    )


def switch(page: Page, to: str) -> float:
    """Milliseconds from the click to the other page being there, at rest."""
    there, gone = "[data-testid=stMarkdown]", playground.PROMPT
    if to == PLAYGROUND:
        there, gone = f"{playground.PROMPT}:not([disabled])", ".no-such-element"
    taken: float = page.evaluate(SWITCH, [to, there, gone])
    return taken
