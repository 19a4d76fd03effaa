"""A fresh server of the workbench and a real Chromium for the tests in this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from scripts import served_app
from scripts.served_app import App

AppFactory = Callable[..., App]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks these tests and runs them last: Playwright keeps an event loop in the main thread."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: here in item.path.parents)


@pytest.fixture(scope="session")
def start_app(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppFactory]:
    """Starts servers, `start_app(env={...}, args=(...), data_dir=...)`, and stops them after all tests."""
    started: list[App] = []

    def start(
        env: Mapping[str, str] | None = None,
        args: tuple[str, ...] = (),
        data_dir: Path | None = None,
        wait: bool = True,
    ) -> App:
        app = served_app.start_app(data_dir or tmp_path_factory.mktemp("app"), env, args)
        started.append(app)
        if wait:
            app.wait()
        return app

    yield start
    for app in started:
        app.stop()


@pytest.fixture(scope="session")
def app(start_app: AppFactory) -> App:
    """One server for the tests that only look and click."""
    return start_app()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium. Where there is none the tests are skipped, loudly; with CI=true that is a failure."""
    with sync_playwright() as playwright:
        try:
            chromium = served_app.launch_chromium(playwright)
        except Error as error:
            reason = "no Chromium here: `apt install chromium`, or `.venv/bin/playwright install chromium`"
            if os.environ.get("CI") == "true":
                pytest.fail(f"{reason}\n{error}", pytrace=False)
            pytest.skip(reason)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new tab with cookies and storage of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()
