"""What the local endpoint costs on top of llama.cpp: tokens per second and time to first token."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.report import Row

MODEL_ID = "local.smollm2-135m-instruct-v1:0"
MAX_TOKENS = 64
ROUNDS = 120
AT_ONCE = 4
PROMPT = "Story {}: tell me a long story about a lighthouse keeper, a storm and a lost ship, day by day."

Answers = list[dict[str, float]]


def measure(client: Any) -> list[Row]:
    """Rows on speed; `client` is a bedrock-runtime client of a running endpoint."""
    direct = subprocess.Popen(
        [sys.executable, "-m", "bench.llama_direct"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        ours, bare = alternate(lambda prompt: converse(client, prompt), lambda prompt: ask(direct, prompt))
    finally:
        direct.communicate()
    return [*rows(ours, bare), at_once(client)]


def alternate(*askers: Callable[[str], dict[str, float]]) -> list[Answers]:
    """The same prompts to all, in many short turns: whatever else the machine does meets all alike."""
    answers: list[Answers] = [[] for _ in askers]
    for turn in range(ROUNDS + 1):
        for asker, kept in random.sample(list(zip(askers, answers, strict=True)), len(askers)):
            answer = asker(PROMPT.format(turn))
            if turn:  # the first answers warm up
                kept.append(answer)
    return answers


def rows(ours: Answers, bare: Answers) -> list[Row]:
    """Speed and first token beside llama.cpp's: medians, and the median of what each round compares."""
    speeds, bare_speeds = (
        [(each["tokens"] - 1) / each["seconds"] for each in found] for found in (ours, bare)
    )
    ratio = statistics.median(one / other for one, other in zip(speeds, bare_speeds, strict=True))
    first, bare_first = (statistics.median(each["first_ms"] for each in found) for found in (ours, bare))
    return [
        Row(
            "endpoint: tokens per second, one reply",
            f"{statistics.median(speeds):.1f}",
            f"llama.cpp {statistics.median(bare_speeds):.1f}",
            f"x{ratio:.2f}",
            "x0.95",
        ),
        Row(
            "endpoint: time to first token",
            f"{first:.1f} ms",
            f"llama.cpp {bare_first:.1f} ms",
            f"{first - bare_first:+.1f} ms",
            "+20 ms",
        ),
    ]


def at_once(client: Any) -> Row:
    """Several replies at the same time, as a playground asks for them."""
    started = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        replies = list(pool.map(lambda n: converse(client, PROMPT.format(100 + n)), range(AT_ONCE)))
    seconds = time.perf_counter() - started
    each = [reply["tokens"] / (reply["first_ms"] / 1000 + reply["seconds"]) for reply in replies]
    return Row(
        f"endpoint: tokens per second, {AT_ONCE} replies at once, in sum",
        f"{sum(reply['tokens'] for reply in replies) / seconds:.1f}",
        f"slowest reply {min(each):.1f}, quickest {max(each):.1f}",
        f"x{min(each) / max(each):.2f}",
    )


def converse(client: Any, prompt: str) -> dict[str, float]:
    """One greedy ConverseStream, timed by the arrival of its events."""
    arrivals: list[float] = []
    tokens = 0
    started = time.perf_counter()
    reply = client.converse_stream(
        modelId=MODEL_ID,
        messages=[{"role": "user", "content": [{"text": prompt}]}],
        inferenceConfig={"maxTokens": MAX_TOKENS, "temperature": 0},
    )
    for event in reply["stream"]:
        if "contentBlockDelta" in event:
            arrivals.append(time.perf_counter())
        elif "metadata" in event:
            tokens = event["metadata"]["usage"]["outputTokens"]
    return {
        "first_ms": 1000 * (arrivals[0] - started),
        "tokens": tokens,
        "seconds": arrivals[-1] - arrivals[0],
    }


def ask(process: subprocess.Popen[str], prompt: str) -> dict[str, float]:
    """One reply of llama.cpp itself."""
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018
    process.stdin.write(json.dumps({"prompt": prompt, "max_tokens": MAX_TOKENS}) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    while line.strip() == "READY":
        line = process.stdout.readline()
    answer: dict[str, float] = json.loads(line)
    return answer
