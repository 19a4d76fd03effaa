"""Sign-in as a browser meets it: the first request after a boot, the cookie, deep links, signing out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Cookie, Page, expect

from components.auth import COOKIE
from scripts.served_app import ROOT, App
from services import users
from tests.browser.conftest import AppFactory

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
PART_OF_PAGE = {
    "home": ".st-key-recent_runs",
    "model_playground": ".st-key-playground_prompt",
    "rag_chat": ".st-key-rag_new_session",
    "guardrail_tester": ".st-key-guardrail_refresh",
    "run_history": ".st-key-history_details",
}
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def guarded(start_app: AppFactory, tmp_path_factory: pytest.TempPathFactory) -> App:
    """A server with two users."""
    data_dir = tmp_path_factory.mktemp("guarded")
    for name in ("ana", "bob"):
        users.add(data_dir / "users.yaml", name, PASSWORD, "admin")
    return start_app(data_dir=data_dir)


def form(page: Page):
    return page.get_by_label("User name")


def settled(page: Page) -> None:
    """The script has run to its end."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    expect(form(page)).to_be_visible()
    settled(page)
    form(page).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def cookie_of(context: BrowserContext) -> Cookie | None:
    return next((cookie for cookie in context.cookies() if cookie.get("name") == COOKIE), None)


def has_cookie(page: Page, wanted: bool) -> None:
    """Wait until the browser has, or has no, sign-in cookie."""
    page.wait_for_function(f"wanted => document.cookie.includes('{COOKIE}=') === wanted", arg=wanted)


def nothing_but_the_form(page: Page) -> None:
    expect(form(page)).to_be_visible()
    settled(page)
    for part in PART_OF_PAGE.values():
        expect(page.locator(part)).to_have_count(0)
    expect(page.get_by_test_id("stSidebar")).to_have_count(0)


def test_these_tests_know_every_page():
    assert set(PART_OF_PAGE) == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_the_first_request_after_a_boot_shows_no_page_to_nobody(
    name: str, start_app: AppFactory, page: Page, tmp_path: Path
):
    """Streamlit runs pages/x.py past Home.py until somebody has opened Home.py: nobody has, here."""
    users.add(tmp_path / "users.yaml", "ana", PASSWORD)
    app = start_app(data_dir=tmp_path)
    page.goto(f"{app.url}/{name}")
    nothing_but_the_form(page)
    assert "Traceback" not in app.log()


def test_a_deep_link_survives_the_sign_in_and_a_reload(guarded: App, page: Page):
    link = f"{guarded.url}/model_playground?run=0123456789abcdef"
    page.goto(link)
    nothing_but_the_form(page)
    sign_in(page, "ana", "wrong password")
    expect(page.get_by_text("The user name or the password is wrong.")).to_be_visible()
    sign_in(page, "ana")
    expect(page.locator(PART_OF_PAGE["model_playground"])).to_be_visible(timeout=60_000)
    assert page.url == link
    expect(form(page)).to_have_count(0)
    has_cookie(page, True)
    page.reload()
    expect(page.locator(PART_OF_PAGE["model_playground"])).to_be_visible(timeout=60_000)
    assert page.url == link


def test_the_cookie_is_kept_although_the_first_visit_moves_on_at_once(guarded: App, page: Page):
    page.goto(guarded.url)
    sign_in(page, "ana")
    page.wait_for_url("**/model_playground")
    has_cookie(page, True)
    cookie = cookie_of(page.context)
    assert cookie is not None
    assert cookie.get("sameSite") == "Strict"
    assert cookie.get("expires", -1) > 0


def test_signing_out_deletes_the_cookie_and_makes_its_copy_worthless(
    guarded: App, page: Page, browser: Browser
):
    page.goto(f"{guarded.url}/model_playground")
    sign_in(page, "ana")
    has_cookie(page, True)
    copy = cookie_of(page.context)
    assert copy is not None
    page.locator(".st-key-sign_out button").click()
    nothing_but_the_form(page)
    has_cookie(page, False)
    with browser.new_context() as thief:
        thief.add_cookies([{"name": COOKIE, "value": copy.get("value", ""), "url": guarded.url}])
        tab = thief.new_page()
        tab.goto(f"{guarded.url}/model_playground")
        nothing_but_the_form(tab)
    sign_in(page, "bob")
    expect(page.locator(".st-key-sidebar_user")).to_contain_text("bob")
    has_cookie(page, True)


def test_a_new_password_ends_the_session(guarded: App, page: Page):
    page.goto(f"{guarded.url}/model_playground")
    sign_in(page, "bob")
    expect(page.locator(".st-key-sign_out")).to_be_visible()
    has_cookie(page, True)
    users.set_password(guarded.data_dir / "users.yaml", "bob", PASSWORD + "!")
    page.reload()
    nothing_but_the_form(page)
    users.set_password(guarded.data_dir / "users.yaml", "bob", PASSWORD)


def test_a_restart_of_the_server_keeps_people_signed_in(start_app: AppFactory, page: Page, tmp_path: Path):
    users.add(tmp_path / "users.yaml", "ana", PASSWORD)
    first = start_app(data_dir=tmp_path)
    page.goto(first.url)
    sign_in(page, "ana")
    has_cookie(page, True)
    first.stop()
    second = start_app(data_dir=tmp_path)  # on another port, which cookies do not care about
    page.goto(f"{second.url}/model_playground")
    expect(page.locator(".st-key-sign_out")).to_be_visible(timeout=60_000)


def test_a_server_for_others_without_users_refuses_and_says_what_to_do(
    start_app: AppFactory, page: Page, tmp_path: Path
):
    app = start_app(data_dir=tmp_path, args=("--server.address", "0.0.0.0"))
    page.goto(f"{app.url}/model_playground")
    expect(page.get_by_text("Add a user first")).to_be_visible()
    expect(page.get_by_text(users.ADD_COMMAND)).to_be_visible()
    expect(page.locator(PART_OF_PAGE["model_playground"])).to_have_count(0)
    added = subprocess.run(
        [sys.executable, "-m", "services.users", "add", "ana"],
        cwd=ROOT,
        env={**os.environ, "WORKBENCH_USERS_FILE": str(tmp_path / "users.yaml")},
        input=f"{PASSWORD}\n",
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert added.returncode == 0, added.stderr
    page.reload()
    nothing_but_the_form(page)


def test_signing_in_and_out_leaves_a_clean_log(guarded: App):
    """Runs last in this module: nothing above has made the server complain."""
    assert "Traceback" not in guarded.log()
    assert "Warning" not in guarded.log()
    assert "Error" not in guarded.log()
