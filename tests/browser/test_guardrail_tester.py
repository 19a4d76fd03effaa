"""A hostile text in a real browser: drawn as it stands, marked at its places, and never executed."""

from __future__ import annotations

from playwright.sync_api import Dialog, Page, expect

from scripts.served_app import App

EVIL = (
    "<img src=x onerror=alert(1)> <b>bold</b> :red[x] $a$ -> [y](javascript:alert(2)) "
    "\u202e\u200bשלום 👩\u200d👩\u200d👧 jo@example.com and "
)
LONG = (EVIL * (100_000 // len(EVIL) + 1))[:100_000]


def test_a_hostile_text_of_100000_characters_is_marked_at_its_places(page: Page, app: App) -> None:
    dialogs: list[str] = []

    def opened(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", opened)
    page.goto(f"{app.url}/guardrail_tester")
    page.get_by_role("button", name="Start from the sample").click()
    page.get_by_role("button", name="Create guardrail").click()
    expect(page.get_by_text("Save DRAFT")).to_be_visible()
    page.get_by_role("radio", name="Test", exact=True).click()
    page.locator(".st-key-guardrail_text textarea").fill(LONG)
    page.locator(".st-key-guardrail_run").get_by_role("button", name="Check").click()
    text = page.locator(".st-key-guardrail_verdict_text .text")
    expect(text).to_contain_text("U+202E")
    marked = text.locator("mark").all_inner_texts()
    assert marked.count("jo@example.com") == LONG.count("jo@example.com")
    drawn = text.evaluate(
        "box => [...box.childNodes].filter(node => !['label', 'unseen'].includes(node.className))"
        ".map(node => node.textContent).join('')"
    )
    assert drawn == LONG.replace("\u202e", "").replace("\u200b", "")
    assert text.locator("img, b, a").count() == 0
    assert not dialogs
