"""`make bench`: measures the workbench on this machine, in one run, and prints a table of ratios.

Compare rows with each other and with tables made on the same machine, never with figures from another one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from playwright.sync_api import Browser, sync_playwright

from bench import (
    endpoint_speed,
    guardrails,
    memory,
    pages,
    playground,
    rag_page,
    reruns,
    retrieval,
    streaming,
)
from bench.report import Row, print_table
from scripts.served_app import ROOT, launch_chromium, start_app
from tests.processes import first_line, stop

PARTS = ("endpoint", "batch", "retrieval", "guardrails", "reruns", "streaming", "pages")


def main() -> None:
    """Measures what is asked for (everything by default) and prints the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--misses", action="store_true", help="guardrails: name the texts that went wrong")
    options = parser.parse_args()
    parts = options.parts or PARTS
    for name in [name for name in os.environ if name.startswith(("AWS_", "WORKBENCH_", "LOCALBEDROCK_"))]:
        del os.environ[name]
    rows: list[Row] = []
    if "endpoint" in parts:
        rows += endpoint_rows()
    if "batch" in parts:
        rows += batch_rows()
    if "retrieval" in parts:
        rows += retrieval_rows()
    if "guardrails" in parts:
        rows += guardrail_rows(misses=options.misses)
    if "reruns" in parts:
        rows += rerun_rows()
    if {"streaming", "pages"} & set(parts):
        with sync_playwright() as playwright:
            browser = launch_chromium(playwright)
            rows += streaming_rows(browser) if "streaming" in parts else []
            rows += page_rows(browser) if "pages" in parts else []
            browser.close()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"\n{machine}, Python {platform.python_version()}\n")
    print_table(rows)


def endpoint_rows() -> list[Row]:
    """The endpoint in a process of its own, called with boto3."""
    say("the local endpoint and llama.cpp, in turns")
    with workspace() as folder, process("localbedrock", "--port", "0", "--data-dir", folder):
        session = session_of(folder)
        return endpoint_speed.measure(session.client("bedrock-runtime"))


def batch_rows() -> list[Row]:
    """A batch in a process of its own, against the bench's own Bedrock."""
    say("a batch, and a plain pool of boto3 calls before and after it")
    with workspace() as folder, process("bench.bedrock_server") as url:
        measuring = subprocess.run(
            [sys.executable, "-m", "bench.batch", url],
            cwd=ROOT,
            env=os.environ | aws_environment(folder, url),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return [Row(*json.loads(line)) for line in measuring.stdout.splitlines()]


def retrieval_rows() -> list[Row]:
    """Knowledge bases of an endpoint in a process of its own, called with boto3."""
    with workspace() as folder, process("localbedrock", "--port", "0", "--data-dir", folder):
        session = session_of(folder)
        say("how well the sample documents are found")
        rows = retrieval.quality(session)
        say(f"{retrieval.DOCUMENTS:,} documents, which takes minutes")
        return rows + retrieval.speed(session)


def guardrail_rows(*, misses: bool) -> list[Row]:
    """The sample guardrail of an endpoint in a process of its own, called with boto3."""
    say("the sample guardrail on the labelled texts")
    with workspace() as folder, process("localbedrock", "--port", "0", "--data-dir", folder):
        return guardrails.measure(session_of(folder), misses=misses)


def rerun_rows() -> list[Row]:
    """The page's script, in a process of its own, against the bench's Bedrock."""
    say("the page's script with long conversations")
    with workspace() as folder, process("bench.bedrock_server") as url:
        return reruns.measure(os.environ | aws_environment(folder, url))


def streaming_rows(browser: Browser) -> list[Row]:
    """The app against the bench's own Bedrock."""
    say("streaming into the page")
    with workspace() as folder, process("bench.bedrock_server") as url:
        app = start_app(Path(folder), aws_environment(folder, url))
        try:
            app.wait()
            return streaming.measure(browser, app.url, url)
        finally:
            app.stop()


def aws_environment(folder: str, url: str) -> dict[str, str]:
    """What makes the app talk to the bench's Bedrock at `url`, with its own files in `folder`."""
    return {
        "WORKBENCH_BACKEND": "aws",
        "WORKBENCH_DATABASE_URL": f"sqlite:///{folder}/workbench.db",
        "WORKBENCH_USERS_FILE": f"{folder}/users.yaml",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": f"{folder}/none",
        "AWS_SHARED_CREDENTIALS_FILE": f"{folder}/none",
    }


def page_rows(browser: Browser) -> list[Row]:
    """The app as a new user meets it, with the local endpoint."""
    say("cold start, page switches, memory")
    with workspace() as folder:
        app, row = pages.cold_start(browser, Path(folder))
        try:
            reply_once(browser, app.url)
            return [
                row,
                pages.switching(browser, app.url),
                *memory.measure(browser, app.url, app.process.pid),
                *rag_page.measure(browser, app.url, Path(folder), session_of(f"{folder}/local")),
                memory.with_knowledge_base(app.process.pid),
            ]
        finally:
            app.stop()


def reply_once(browser: Browser, app_url: str) -> None:
    """One prompt in every pane, to its end: memory is measured with everything loaded that a reply loads."""
    page = playground.open_playground(browser, app_url)
    playground.ask(page, "Say hello.")
    page.wait_for_selector(".st-key-playground_metrics_0", timeout=playground.READY_MS)
    page.wait_for_selector(".st-key-playground_metrics_1", timeout=playground.READY_MS)
    page.context.close()


def session_of(folder: str) -> Any:
    """A boto3 session with the configuration that the endpoint has written."""
    os.environ["AWS_CONFIG_FILE"] = f"{folder}/config"
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = f"{folder}/credentials"
    return boto3.Session(profile_name="localbedrock")


@contextmanager
def workspace() -> Iterator[str]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield folder


@contextmanager
def process(module: str, *arguments: str) -> Iterator[str]:
    """A server of the project that says `READY URL`; gives the URL."""
    server = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield first_line(server, seconds=120).removeprefix("READY ")
    finally:
        stop(server)


def say(text: str) -> None:
    """Progress, apart from the table."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
