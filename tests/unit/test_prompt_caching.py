"""Cache points stand where they were asked for, never twice, and what they saved is told in USD."""

from __future__ import annotations

from typing import Any

import pytest

from services.capabilities import Capabilities
from services.pricing import Price, PriceTier, cache_savings_usd
from services.prompt_caching import CachePoints, cache_points_of, put_cache_points
from services.runs import TokenUsage

POINT = {"cachePoint": {"type": "default"}}


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"text": text}]}


def request() -> dict[str, Any]:
    return {
        "system": [{"text": "S"}],
        "toolConfig": {"tools": [{"toolSpec": {"name": "t"}}]},
        "messages": [said("assistant" if n % 2 else "user", str(n)) for n in range(5)],
    }


def test_points_stand_after_the_parts_that_were_chosen() -> None:
    made, points = request(), CachePoints(system=True, tools=True, messages=True)
    put_cache_points(made, points, Capabilities(prompt_caching=True))
    assert made["system"][-1] == POINT
    assert made["toolConfig"]["tools"][-1] == POINT
    marked = [message["content"][-1] == POINT for message in made["messages"]]
    assert marked == [
        False,
        False,
        True,
        False,
        True,
    ]  # the last request's point, to read; a new one to write
    assert cache_points_of(made) == points


def test_the_lifetime_is_sent_only_when_chosen() -> None:
    made, points = request(), CachePoints(system=True, ttl="1h")
    put_cache_points(made, points, Capabilities())
    assert made["system"][-1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert cache_points_of(made) == points


@pytest.mark.parametrize("points", [CachePoints(), CachePoints(ttl="1h")])
def test_nothing_chosen_changes_nothing(points: CachePoints) -> None:
    made = request()
    put_cache_points(made, points, Capabilities(prompt_caching=True))
    assert made == request()


def test_a_model_that_caches_nothing_gets_no_point_and_an_unknown_one_does() -> None:
    points = CachePoints(system=True, messages=True)
    made = request()
    put_cache_points(made, points, Capabilities(prompt_caching=False))
    assert made == request()
    put_cache_points(made, points, Capabilities(prompt_caching=None))
    assert made != request()


def test_a_part_that_is_not_there_gets_no_point() -> None:
    made: dict[str, Any] = {"messages": [said("user", "Hi")]}
    put_cache_points(made, CachePoints(system=True, tools=True), Capabilities())
    assert made == {"messages": [said("user", "Hi")]}


PRICE = Price(
    input_usd_per_mtok=3.0,
    output_usd_per_mtok=15.0,
    cache_read_usd_per_mtok=0.3,
    cache_write_usd_per_mtok=3.75,
    cache_write_1h_usd_per_mtok=6.0,
)


@pytest.mark.parametrize(
    ("usage", "saved"),
    [
        (TokenUsage(10, 5, cache_read_tokens=1_000_000), 2.7),
        (TokenUsage(10, 5, cache_write_tokens=1_000_000), -0.75),
        (TokenUsage(10, 5, cache_write_tokens=1_000_000, cache_write_1h_tokens=1_000_000), -3.0),
        (TokenUsage(10, 5, cache_read_tokens=1_000_000, cache_write_tokens=1_000_000), 1.95),
    ],
)
def test_savings_are_reads_at_their_price_less_the_surcharge_of_writes(
    usage: TokenUsage, saved: float
) -> None:
    assert cache_savings_usd(usage, PRICE) == pytest.approx(saved)


def test_savings_are_at_the_rates_of_a_long_request() -> None:
    tier = PriceTier(
        above_input_tokens=200_000,
        input_usd_per_mtok=6.0,
        output_usd_per_mtok=22.5,
        cache_read_usd_per_mtok=0.6,
        cache_write_usd_per_mtok=7.5,
    )
    price = Price(**{**vars(PRICE), "tiers": (tier,)})
    assert cache_savings_usd(TokenUsage(1, 1, cache_read_tokens=1_000_000), price) == pytest.approx(5.4)


def test_savings_that_cannot_be_told_are_not_0() -> None:
    reads = TokenUsage(10, 5, cache_read_tokens=100)
    assert cache_savings_usd(reads, None) is None
    assert cache_savings_usd(TokenUsage(10, 5), PRICE) is None
    assert cache_savings_usd(reads, Price(input_usd_per_mtok=3.0, output_usd_per_mtok=15.0)) is None
