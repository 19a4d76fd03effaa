"""The RAG chat in a real browser: how much later than at the app itself an answer's first token is seen."""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from bench import playground
from bench.report import Row
from bench.retrieval import Base, sample_files
from services.run_store import RunStore
from services.runs import Run
from services.users import LOCAL_USER

PROMPT = ".st-key-rag_prompt textarea"
QUESTIONS = (
    "How large is the water tank of the Marlow 2?",
    "How long does the kettle keep the water warm?",
    "How do I descale the Marlow 3?",
    "What does the code H-117 mean?",
)
# Notes when an answer first has words of its own: a placeholder shimmers until then.
WATCH = """answer => {
  window.watching?.disconnect();
  window.first = null;
  const waiting = /^(Searching the knowledge base, then answering)?$/;
  const look = () => {
    const text = document.querySelector(answer)?.textContent ?? '';
    if (!waiting.test(text)) window.first ??= Date.now();
  };
  window.watching = new MutationObserver(look);
  window.watching.observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def measure(browser: Browser, app_url: str, data_dir: Path, session: Any) -> list[Row]:
    """The row on the first token; `session` is boto3's for the endpoint of the app at `app_url`."""
    base = Base(session, "page")
    base.upload(sample_files())
    base.sync()
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{app_url}/rag_chat?kb={base.id}")
    with closing(RunStore(f"sqlite:///{data_dir / 'workbench.db'}")) as runs:
        delays_ms, firsts_ms = [], []
        for turn, question in enumerate(QUESTIONS):
            seen_ms = first_words_ms(page, turn, question)
            first_ms = first_output_ms(latest(runs, question))
            delays_ms.append(seen_ms - first_ms)
            firsts_ms.append(first_ms)
    page.context.close()
    seen = statistics.median(delays_ms[1:])  # what only a first answer loads is not what is measured here
    return [
        Row(
            "RAG chat: Enter -> first token on the page, beyond the endpoint's own",
            f"{seen:.0f} ms",
            f"the endpoint's own {statistics.median(firsts_ms[1:]):.0f} ms",
            f"+{seen:.0f} ms",
            "+300 ms",
        )
    ]


def first_words_ms(page: Page, turn: int, question: str) -> float:
    """Asks and waits for the whole answer; from Enter to its first words."""
    playground.wait_at_rest(page, PROMPT)
    page.evaluate(WATCH, f".st-key-rag_answer_{turn}")
    page.locator(PROMPT).fill(question)
    pressed = time.time()
    page.locator(PROMPT).press("Enter")
    page.wait_for_function("() => window.first", timeout=playground.READY_MS)
    page.wait_for_selector(f".st-key-rag_metrics_{turn}", timeout=playground.READY_MS)
    first: float = page.evaluate("() => window.first")
    return first - 1000 * pressed


def latest(runs: RunStore, question: str) -> Run:
    """The stored run of a question."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for summary in runs.list(LOCAL_USER.username):
            run = runs.get(summary.id, LOCAL_USER.username)
            if run and (run.call.request.get("input") or {}).get("text") == question:
                return run
        time.sleep(0.1)
    raise AssertionError(f"no run of {question!r} was stored")


def first_output_ms(run: Run) -> float:
    """From sending the call to the first text, as the app received it."""
    return next(event.at_ms for event in run.events if event.name == "output" and event.data.get("text"))
