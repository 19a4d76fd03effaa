"""What a check of a guardrail costs, by the team's own price file: no kept list has the prices of text units.

The table stands in `prices.toml` beside the prices of models (`pricing.price_file`), in USD per 1,000 units,
by the names of AWS's counters; for example::

    [guardrails]
    contentPolicyUnits = 0.15
    topicPolicyUnits = 0.15
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from services.clients import Identity
from services.pricing import price_file, price_file_stamp

_FREE = frozenset({"sensitiveInformationPolicyFreeUnits", "automatedReasoningPolicies"})
"""Counters that AWS does not charge for: regexes, and how many policies the reasoning units are about."""


def cost_usd(identity: Identity, units: Mapping[str, int]) -> float | None:
    """What text units cost in USD; None where a price that they need is not in the file: "unpriced", not 0.

    The local endpoint costs nothing.
    """
    if identity.backend == "local":
        return 0.0
    stamp = price_file_stamp()
    rates = _rates(price_file(), stamp) if stamp else {}
    cost = 0.0
    for name, count in units.items():
        if not count or name in _FREE:
            continue
        if name not in rates:
            return None
        cost += count * rates[name] / 1_000
    return cost


@lru_cache(maxsize=4)
def _rates(path: Path, stamp: tuple[int, int]) -> Mapping[str, float]:  # noqa: ARG001 (key)
    """The rates in the file that can be read as prices; what cannot be read leaves checks unpriced."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("guardrails")
    except (OSError, ValueError):
        return {}
    if not isinstance(table, dict):
        return {}
    return {
        name: float(rate)
        for name, rate in table.items()
        if isinstance(rate, int | float) and not isinstance(rate, bool) and 0 <= rate < math.inf
    }
