"""One line under a reply: how fast, how much, how dear, and why it ended."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from components.safe_markdown import plain
from services import models
from services.pricing import cache_savings_usd
from services.runs import Run, TokenUsage

_SHORTEST_RATE_S = 0.05  # a reply that came in one piece has no rate
_WHOLE = {"end_turn", "stop_sequence", "stop", "FINISH", "COMPLETE", "STOP_SEQUENCE", "STOP_CRITERIA_MET"}
"""Stop reasons of whole replies: Converse's, and the families' own words for them."""
_EXPLAINED = """
- **First**: time from sending to the first token, measured here.
- **Total**: time from sending to the last event, measured here.
- **Service**: the time the service itself reports.
- **in / out**: tokens of the prompt and of the reply; cache reads and writes are counted apart.
- **cache saved**: cache reads at their price instead of the input's, less the surcharge of cache writes.
- **tok/s**: output tokens per second after the first token.
- **Cost**: tokens times price; *unpriced* where no price is known. A reply that was stopped or broke off has
  neither, because the service reports the tokens at the end. It is billed all the same.
"""


def metrics_line(run: Run, *, key: str) -> None:
    """Draw the badges of one reply in the container `key`."""
    with st.container(key=key):
        st.markdown(" ".join(_badge(text, color) for text, color in _parts(run)), help=_EXPLAINED)


def totals_line(runs: Iterable[Run]) -> str:
    """What a conversation has cost so far: replies, tokens and USD, as one caption."""
    runs = list(runs)
    tokens_in = sum(_prompt_tokens(run) for run in runs)
    tokens_out = sum(run.usage.output_tokens for run in runs if run.usage)
    known = [run.cost_usd for run in runs if run.cost_usd is not None]
    unpriced = sum(1 for run in runs if run.usage and run.cost_usd is None)
    cost = format_usd(sum(known)) if known else "unpriced"
    if known and unpriced:
        cost += f" and {unpriced} unpriced"
    replies = "1 reply" if len(runs) == 1 else f"{len(runs)} replies"
    return f"{replies} · {tokens_in:,} in · {tokens_out:,} out · {cost}"


def format_usd(amount: float) -> str:
    """USD with as many digits as the amount needs: "free", "$0.000042", "$0.0031", "$1.24"."""
    if amount == 0:
        return "free"
    if amount < 0.01:
        return f"${amount:.2g}" if amount >= 0.0001 else f"${amount:.6f}"
    return f"${amount:.4f}" if amount < 1 else f"${amount:,.2f}"


def format_ms(milliseconds: float) -> str:
    """A duration: "84 ms" below a second, "1.42 s" above."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def tokens_per_second(run: Run) -> float | None:
    """Output tokens per second after the first token; None where it cannot be told."""
    if not run.usage or run.ttft_ms is None or run.latency_ms is None:
        return None
    seconds = (run.latency_ms - run.ttft_ms) / 1000
    if seconds < _SHORTEST_RATE_S or run.usage.output_tokens < 2:
        return None
    return (run.usage.output_tokens - 1) / seconds


def _parts(run: Run) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    if run.state == "stopped":
        parts.append((":material/stop_circle: stopped", "orange"))
    if run.state == "failed":
        parts.append((f":material/error: {'broken off' if run.events else 'failed'}", "red"))
    if run.ttft_ms is not None:
        parts.append((f"First {format_ms(run.ttft_ms)}", "primary"))
    if run.latency_ms is not None:
        parts.append((f"Total {format_ms(run.latency_ms)}", "gray"))
    if run.service_latency_ms is not None:
        parts.append((f"Service {format_ms(run.service_latency_ms)}", "gray"))
    if run.usage:
        parts += _usage_parts(run.usage, run)
    elif run.ttft_ms is not None:
        parts.append(("tokens not reported", "yellow"))
    if reason := run.stop_reason:
        parts.append((plain(reason), "gray" if reason in _WHOLE else "orange"))
    return parts


def _usage_parts(usage: TokenUsage, run: Run) -> list[tuple[str, str]]:
    parts = [(f"{usage.input_tokens:,} in", "gray"), (f"{usage.output_tokens:,} out", "gray")]
    if usage.cache_read_tokens:
        parts.append((f"{usage.cache_read_tokens:,} cache read", "green"))
    if usage.cache_write_tokens:
        parts.append((f"{usage.cache_write_tokens:,} cache write", "violet"))
    if rate := tokens_per_second(run):
        parts.append((f"{rate:.0f} tok/s", "gray"))
    cost = "unpriced" if run.cost_usd is None else format_usd(run.cost_usd)
    parts.append((cost, "yellow" if run.cost_usd is None else "green"))
    if saved := _savings(usage, run):
        parts.append(saved)
    return parts


def _savings(usage: TokenUsage, run: Run) -> tuple[str, str] | None:
    """What the cache saved; nothing where nothing was cached, and where the call is unpriced or free."""
    if not run.cost_usd or not (usage.cache_read_tokens or usage.cache_write_tokens):
        return None
    saved = cache_savings_usd(usage, models.price_of(run.call.identity, run.call.model_id))
    if not saved:
        return None
    if saved > 0:
        return f"cache saved {format_usd(saved)}", "green"
    return f"cache write surcharge {format_usd(-saved)}", "violet"


def _badge(text: str, color: str) -> str:
    return f":{color}-badge[{text.replace('$', chr(92) + '$')}]"


def _prompt_tokens(run: Run) -> int:
    if not run.usage:
        return 0
    return run.usage.input_tokens + run.usage.cache_read_tokens + run.usage.cache_write_tokens
