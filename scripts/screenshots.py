"""`make screenshots`: one picture of every page, taken of a server of its own with a fresh workspace.

By default light, 1280 wide, into docs/images. For a review of the looks:
`make screenshots ARGS="--out /some/folder --theme dark --width 390"`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from scripts.served_app import ROOT, App, launch_chromium, start_app, workspace

IMAGES = ROOT / "docs" / "images"
PROMPT = "Why is the sky blue? Answer in three sentences."
QUESTION = "How many cups does the kettle boil at once?"
GUARDED = "My card is 4111 1111 1111 1111, write to jo@example.com. Which shares should I buy?"
HEIGHT = 860
WAIT_MS = 120_000


def main() -> None:
    """Takes the pictures."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder to write to")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--width", type=int, default=1280)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder, sync_playwright() as playwright:
        app = start_app(Path(folder))
        try:
            app.wait()
            browser = launch_chromium(playwright)
            context = browser.new_context(
                viewport={"width": options.width, "height": HEIGHT}, color_scheme=options.theme
            )
            page = context.new_page()
            page.set_default_timeout(WAIT_MS)
            show_playground(page, app.url)
            save(page, options.out / "model_playground.png")
            show_rag_chat(page, app)
            save(page, options.out / "rag_chat.png")
            show_guardrail(page, app.url)
            save(page, options.out / "guardrail_tester.png")
            show_history(page, app.url)
            save(page, options.out / "run_history.png")
            show_home(page, app.url)
            save(page, options.out / "home.png")
            browser.close()
        finally:
            app.stop()


def show_playground(page: Page, url: str) -> None:
    """Two panes with their replies to one prompt."""
    page.goto(f"{url}/model_playground")
    prompt = page.locator(".st-key-playground_prompt textarea:not([disabled])")
    prompt.fill(PROMPT)
    prompt.press("Enter")
    for pane in (0, 1):
        page.wait_for_selector(f".st-key-playground_metrics_{pane}")


def show_rag_chat(page: Page, app: App) -> None:
    """An answer from the sample documents, with one of its sources open."""
    env = {**os.environ, **workspace(app.data_dir)}
    subprocess.run([sys.executable, "-m", "scripts.samples"], cwd=ROOT, env=env, check=True)
    page.goto(f"{app.url}/rag_chat")
    prompt = page.locator(".st-key-rag_prompt textarea:not([disabled])")
    prompt.fill(QUESTION)
    prompt.press("Enter")
    page.wait_for_selector(".st-key-rag_metrics_0")
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    number = page.locator(".st-key-rag_answer_0 a[href^='#rag_citation_0_']")
    if number.count():  # how many claims rest on a source is up to the model
        number.first.click()
        page.wait_for_selector(".st-key-rag_document_0_1")
        page.wait_for_timeout(3000)  # so long the page keeps the source that was opened in sight


def show_guardrail(page: Page, url: str) -> None:
    """The verdict of the sample guardrail, which `show_rag_chat` has made with the other samples."""
    page.goto(f"{url}/guardrail_tester")
    page.locator(".st-key-guardrail_text textarea").fill(GUARDED)
    page.locator(".st-key-guardrail_run").get_by_role("button", name="Check").click()
    page.wait_for_selector(".st-key-guardrail_verdict")
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.locator(".st-key-guardrail_text").evaluate("text => text.scrollIntoView()")


def show_history(page: Page, url: str) -> None:
    """The runs that the pages have left."""
    page.goto(f"{url}/run_history")
    page.wait_for_selector("[data-testid=stDataFrame] canvas")


def show_home(page: Page, url: str) -> None:
    """Home, with the runs that the pages have left."""
    page.goto(url)
    page.wait_for_selector("[data-testid=stSidebarNavLink]")


def save(page: Page, path: Path) -> None:
    """Waits until nothing is drawn any more, then writes the picture."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector("[data-testid=stSkeleton], [data-testid=stSpinner]", state="detached")
    page.mouse.move(0, 0)
    page.screenshot(path=path, animations="disabled")
    print(path)


if __name__ == "__main__":
    main()
