"""A fresh server of the workbench and a real Chromium for the tests in this folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from bench import bedrock_server
from scripts import served_app
from scripts.served_app import App
from tests import scripted_server
from tests.scripted_server import ScriptedServer

AppFactory = Callable[..., App]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks these tests and runs them last: Playwright keeps an event loop in the main thread.

    One that fails is run once more, and the summary tells of it (RERUN): now and then one fails by chance
    where two cores serve app, browser and model at once. Twice is a failure. A test that often stands there
    hides a race that wants to be found.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1))
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


@dataclass(frozen=True)
class AwsApp:
    """A server in `aws` mode whose AWS is on this machine; `bedrock` answers for both its runtimes."""

    app: App
    bedrock: ScriptedServer

    def set_key(self, key_id: str) -> None:
        """Puts another key into the credentials file of the server."""
        path = self.app.data_dir / "credentials"
        path.write_text(f"[default]\naws_access_key_id={key_id}\naws_secret_access_key=not-a-secret\n")


@pytest.fixture(scope="session")
def aws_app(start_app: AppFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsApp]:
    """One server in `aws` mode. Everything but `bedrock-runtime` is answered as the bench's Bedrock does."""
    data_dir = tmp_path_factory.mktemp("aws")
    with (
        scripted_server.running() as bedrock,
        bedrock_server.Server(("127.0.0.1", 0), bedrock_server.Handler) as others,
    ):
        threading.Thread(target=others.serve_forever, args=(0.05,), daemon=True).start()
        env = {
            "WORKBENCH_BACKEND": "aws",
            "AWS_REGION": "us-east-1",
            "AWS_SHARED_CREDENTIALS_FILE": str(data_dir / "credentials"),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{others.server_port}",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
            "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": bedrock.url,
        }
        aws = AwsApp(start_app(env=env, data_dir=data_dir, wait=False), bedrock)
        aws.set_key("AKIDEXAMPLE")
        aws.app.wait()
        yield aws
        others.shutdown()


@pytest.fixture
def aws(aws_app: AwsApp) -> AwsApp:
    """The server in `aws` mode, whose `bedrock` has seen no request yet."""
    aws_app.bedrock.requests.clear()
    return aws_app


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
        expect.set_options(timeout=30_000)
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
