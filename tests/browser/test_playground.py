"""What only a browser shows of the playground: text that grows, Stop, leaving the page, closing the tab."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.served_app import App
from services.run_store import RunFilter, RunStore
from tests.browser.conftest import AppFactory
from tests.browser.panes import (
    LONG,
    ask,
    complaints,
    grows,
    model_name,
    open_playground,
    prompt,
    reply,
    stop_button,
    until,
)


def test_the_first_visit_is_ready_for_a_prompt(page: Page, start_app: AppFactory) -> None:
    """Nothing to set up: the root of a fresh workspace leads to two panes with their models chosen."""
    page.goto(start_app().url)
    expect(prompt(page)).to_be_editable(timeout=60_000)
    for n in (0, 1):
        expect(page.locator(f".st-key-playground_model_{n} input")).not_to_have_value("")


def test_two_panes_stream_side_by_side_and_one_can_be_stopped(page: Page, app: App) -> None:
    open_playground(page, app)
    ask(page, LONG)
    for n in (0, 1):
        grows(page, n)
        grows(page, n)
    stop_button(page, 0).click()
    expect(stop_button(page, 0)).to_be_disabled()
    stopped = reply(page, 0)
    assert stopped.strip()
    grows(page, 1)
    assert reply(page, 0) == stopped
    expect(page.locator(".st-key-playground_metrics_0")).to_contain_text("stopped")
    page.locator(".st-key-playground_stop_all button").first.click()
    expect(page.locator(".st-key-playground_metrics_1")).to_contain_text("stopped")


def test_leaving_the_page_loses_nothing(page: Page, app: App) -> None:
    open_playground(page, app)
    ask(page, LONG)
    grows(page, 0)
    page.get_by_role("link", name="Home").click()
    expect(page.locator(".st-key-playground_prompt")).to_have_count(0)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Model playground").click()
    until(lambda: bool(reply(page, 0)), "the reply to be there again")
    grows(page, 0)
    page.locator(".st-key-playground_stop_all button").first.click()
    expect(page.locator(".st-key-playground_metrics_1")).to_contain_text("stopped")


def test_closing_the_tab_ends_the_replies(browser: Browser, app: App) -> None:
    """A reply that nobody reads must not go on billing."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(30_000)
    open_playground(page, app)
    words = f"{LONG} {time.time_ns()}"
    ask(page, words)
    grows(page, 0)
    context.close()
    store = RunStore(f"sqlite:///{app.data_dir / 'workbench.db'}")
    until(
        lambda: len(store.list("local", RunFilter(text=words[-19:]))) == 2,
        "both runs to be stored",
        seconds=30,
    )
    assert {run.state for run in store.list("local", RunFilter(text=words[-19:]))} == {"stopped"}


def test_a_second_prompt_continues_the_conversation(page: Page, app: App) -> None:
    open_playground(page, app)
    for index, text in enumerate(("Say one word.", "Say another word.")):
        ask(page, text)
        expect(page.locator(".st-key-playground_metrics_0")).to_contain_text("Total", timeout=60_000)
        expect(page.locator(".st-key-playground_pane_0").get_by_text(text)).to_be_visible()
        expect(page.locator(".st-key-playground_pane_0 [data-testid=stChatMessage]")).to_have_count(index + 1)


def test_any_model_id_can_be_pasted_and_nonsense_is_told(page: Page, app: App) -> None:
    """New models come faster than any list: what AWS would take, the picker takes."""
    open_playground(page, app)
    picker = page.locator(".st-key-playground_model_0 input")
    before = model_name(page, 0)
    picker.fill("no model id!")
    picker.press("Enter")
    expect(page.get_by_test_id("stToast")).to_contain_text("no model id!")
    expect(picker).to_have_value(before)
    picker.fill("us.anthropic.claude-fable-9-20991231-v1:0")
    picker.press("Enter")
    expect(page.locator(".st-key-playground_pane_0 code")).to_have_text(
        "us.anthropic.claude-fable-9-20991231-v1:0"
    )


def test_a_draft_survives_the_page_and_is_gone_once_sent(page: Page, app: App) -> None:
    """The field tells the server nothing before it is sent, so only the browser can keep it."""
    open_playground(page, app)
    prompt(page).press_sequentially("half a thought")
    page.get_by_role("link", name="Home").click()
    expect(prompt(page)).to_have_count(0)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Model playground").click()
    expect(prompt(page)).to_have_value("half a thought")
    prompt(page).press("Enter")
    expect(page.locator(".st-key-playground_pane_0").get_by_text("half a thought")).to_be_visible()
    page.locator(".st-key-playground_stop_all button").first.click()
    page.reload()
    expect(prompt(page)).to_be_editable()
    expect(prompt(page)).to_have_value("")


def test_model_text_is_shown_and_not_obeyed(page: Page, app: App) -> None:
    """The prompt is drawn by the same code as replies: no element and no request may come of it."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    open_playground(page, app)
    ask(
        page,
        '<b id="planted">x</b> ![i](https://images.example/p.png) <script>planted=1</script> $a$',
    )
    pane = page.locator(".st-key-playground_pane_0")
    expect(pane.locator("[data-testid=stChatMessage]")).to_contain_text("$a$")
    expect(pane.locator("#planted, img[src*=example], .katex")).to_have_count(0)
    assert page.evaluate("window.planted") is None
    assert not [url for url in requests if "images.example" in url]
    page.locator(".st-key-playground_stop_all button").first.click(force=True)


@pytest.mark.parametrize("width", [1280, 390])
def test_panes_stay_inside_the_window(page: Page, app: App, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    open_playground(page, app)
    scroll = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert scroll[0] <= scroll[1]


def test_the_log_of_a_normal_run_is_clean(app: App) -> None:
    """Runs after the tests above on the same server."""
    assert complaints(app) == []
