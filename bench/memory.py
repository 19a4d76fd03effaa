"""What the app and the endpoint hold in memory."""

from __future__ import annotations

import subprocess
import time

from playwright.sync_api import Browser

from bench import playground
from bench.report import Row

SESSIONS = 10
SETTLE_SECONDS = 15


def measure(browser: Browser, app_url: str, app_pid: int) -> list[Row]:
    """Rows on memory; the app runs with its own local endpoint, and has answered before."""
    endpoint_mb = settled_mb(child(app_pid, "localbedrock"))
    first = [playground.open_playground(browser, app_url) for _ in range(2)]
    before_mb = settled_mb(app_pid)
    pages = [playground.open_playground(browser, app_url) for _ in range(SESSIONS)]
    after_mb = settled_mb(app_pid)
    for page in (*first, *pages):
        page.context.close()
    each_mb = (after_mb - before_mb) / SESSIONS
    return [
        Row("memory: endpoint with its model", f"{endpoint_mb:.0f} MB", "", "", "700 MB"),
        Row("memory: app", f"{before_mb:.0f} MB", "", "", "350 MB"),
        Row(f"memory: each further session (of {SESSIONS})", f"{each_mb:.2f} MB", "", "", "2 MB"),
    ]


def with_knowledge_base(app_pid: int) -> Row:
    """The row on the endpoint once knowledge bases are asked: LanceDB is loaded with the first of them."""
    return Row(
        "memory: endpoint with its model and a knowledge base",
        f"{settled_mb(child(app_pid, 'localbedrock')):.0f} MB",
        "",
        "",
    )


def settled_mb(pid: int) -> float:
    """What a process holds once that has stopped changing."""
    deadline = time.monotonic() + SETTLE_SECONDS
    last_mb, now_mb = 0.0, memory_mb(pid)
    while abs(now_mb - last_mb) > 0.5 and time.monotonic() < deadline:
        time.sleep(1)
        last_mb, now_mb = now_mb, memory_mb(pid)
    return now_mb


def memory_mb(pid: int) -> float:
    """Resident set size."""
    resident = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True, text=True
    )
    return int(resident.stdout) / 1024


def child(parent: int, word: str) -> int:
    """The child process of `parent` that has `word` in its command."""
    listing = subprocess.run(
        ["ps", "-ax", "-o", "pid=,ppid=,command="], check=True, capture_output=True, text=True
    )
    for line in listing.stdout.splitlines():
        pid, ppid, command = line.split(None, 2)
        if int(ppid) == parent and word in command:
            return int(pid)
    raise RuntimeError(f"process {parent} has no child with {word!r} in its command")
