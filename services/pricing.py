"""What a call costs: AWS's list prices, a team's own prices, and the sum for one usage."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from services import model_ids, settings

if TYPE_CHECKING:
    from services.clients import Identity
    from services.runs import TokenUsage


@dataclass(frozen=True, kw_only=True)
class Rates:
    """USD per million tokens. A cache rate that is None is unknown, not free."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cache_read_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None
    cache_write_1h_usd_per_mtok: float | None = None


@dataclass(frozen=True, kw_only=True)
class PriceTier(Rates):
    """The rates of every token of a request whose input, cached tokens included, exceeds a length."""

    above_input_tokens: int


@dataclass(frozen=True, kw_only=True)
class Price(Rates):
    """The rates of a model, those of long requests (shortest first), and where they come from."""

    tiers: tuple[PriceTier, ...] = ()
    source: str = ""
    as_of: date | None = None


LOCAL_PRICE = Price(
    input_usd_per_mtok=0.0,
    output_usd_per_mtok=0.0,
    cache_read_usd_per_mtok=0.0,
    cache_write_usd_per_mtok=0.0,
    cache_write_1h_usd_per_mtok=0.0,
    source="runs on this machine",
)

PASSED_ON = "local.openai."
"""Starts the ids of models behind the local endpoint that run elsewhere, at a price not known here."""


class PriceFileError(ValueError):
    """The team's price file cannot be used; the message is one sentence that says where and why."""


def price_of(identity: Identity, model_id: str) -> Price | None:
    """The price of what an id or ARN names; None where none is known ("unpriced", which is not 0).

    A team's own price wins over the list price: first one for this very id or ARN, then one for the profile
    id in the ARN, then one for its base model. An ARN that does not name its model (application profile,
    provisioned, custom, imported) has no list price by itself: `models.resolve` knows the model behind it.
    """
    parsed = model_ids.parse_or_none(model_id)
    if parsed is None:
        return None
    return price_by_reference(identity, model_id, reference(parsed.base, parsed.scope, parsed.geography))


def price_by_reference(identity: Identity, model_id: str, reference: str) -> Price | None:
    """As price_of, for an id whose model is known to be `reference`, e.g. "eu.amazon.nova-lite-v1:0".

    The local endpoint costs nothing, save the models it passes on to an OpenAI-compatible server. While the
    price file cannot be read everything is unpriced: which price it would have changed is unknown.
    """
    local = identity.backend == "local"
    if local and not reference.startswith(PASSED_ON):
        return LOCAL_PRICE
    try:
        own = own_prices()
    except PriceFileError:
        return None
    base = model_ids.split_scope(reference)[1]
    for key in (model_id, reference, base):
        if key and key in own:
            return own[key]
    return None if local or not reference else _list_price(reference, datetime.now(UTC).date())


def reference(base_model_id: str, scope: model_ids.Scope, geography: str) -> str:
    """The id under which a model's price is listed: geographic and global inference have their own prices."""
    if not base_model_id or scope == "in_region":
        return base_model_id
    return f"{'global' if scope == 'global' else geography or 'us'}.{base_model_id}"


def cost_usd(usage: TokenUsage, price: Price | None) -> float | None:
    """What a usage costs in USD; None where a rate that it needs is not known.

    Input, cache read and cache write are disjoint, as Converse reports them, and are added up.
    """
    if price is None:
        return None
    rates = _rates_of(usage, price)
    parts = (
        (usage.input_tokens, rates.input_usd_per_mtok),
        (usage.output_tokens, rates.output_usd_per_mtok),
        (usage.cache_read_tokens, rates.cache_read_usd_per_mtok),
        (usage.cache_write_tokens - usage.cache_write_1h_tokens, rates.cache_write_usd_per_mtok),
        (usage.cache_write_1h_tokens, rates.cache_write_1h_usd_per_mtok),
    )
    cost = 0.0
    for tokens, rate in parts:
        if tokens and rate is None:
            return None
        cost += tokens * (rate or 0.0) / 1_000_000
    return cost


def cache_savings_usd(usage: TokenUsage, price: Price | None) -> float | None:
    """What caching saved in USD: reads at their price instead of the input's, less the surcharge of writes.

    Below 0 where writing cost more than reading saved, as with the first prompt of a chat. None where nothing
    was cached or a rate is not known.
    """
    if price is None or not (usage.cache_read_tokens or usage.cache_write_tokens):
        return None
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    uncached = replace(
        usage,
        input_tokens=usage.input_tokens + cached,
        cache_read_tokens=0,
        cache_write_tokens=0,
        cache_write_1h_tokens=0,
    )
    plain, actual = cost_usd(uncached, price), cost_usd(usage, price)
    return None if plain is None or actual is None else plain - actual


def _rates_of(usage: TokenUsage, price: Price) -> Rates:
    """The rates for the length of this request."""
    input_tokens = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    begun = [tier for tier in price.tiers if input_tokens > tier.above_input_tokens]
    return begun[-1] if begun else price


def warm_up() -> None:
    """Load the list prices (0.2 s), so that the first catalogue need not."""
    _list_price("", datetime.now(UTC).date())


# List prices: the `aws` provider of the package genai-prices, whose data is inside the package.


def context_tokens(model_id: str) -> int | None:
    """The context window the price list gives for a model, for those that the capability table lacks."""
    info = _model_info(model_id)
    return info.context_window if info else None


@lru_cache(maxsize=4096)
def _model_info(reference: str) -> Any:
    from genai_prices.data_snapshot import get_snapshot  # slow: not at start

    try:
        return get_snapshot().find_provider_model(reference, None, "aws", None)[1]
    except LookupError:
        return None


@lru_cache(maxsize=4096)
def _list_price(reference: str, day: date) -> Price | None:
    """The list price on a day: prices that change on a date are in the list beforehand."""
    info = _model_info(reference)
    if info is None:
        return None
    listed = info.get_prices(datetime(day.year, day.month, day.day, tzinfo=UTC))
    if listed.input_mtok is None:
        return None
    starts = sorted({tier.start for value in vars(listed).values() for tier in getattr(value, "tiers", ())})
    return Price(
        **_rates(listed, 0),
        tiers=tuple(PriceTier(**_rates(listed, start), above_input_tokens=start) for start in starts),
        source=f"AWS list price, US regions (genai-prices {version('genai-prices')})",
    )


def _rates(listed: Any, start: int) -> dict[str, Any]:
    """The rates from a request length on. Embedding models have no output price: they put out no tokens."""
    return {
        "input_usd_per_mtok": _rate(listed.input_mtok, start),
        "output_usd_per_mtok": _rate(listed.output_mtok, start) or 0.0,
        "cache_read_usd_per_mtok": _rate(listed.cache_read_mtok, start),
        "cache_write_usd_per_mtok": _rate(listed.cache_write_mtok, start),
        "cache_write_1h_usd_per_mtok": _rate(listed.cache_write_1h_mtok, start),
    }


def _rate(listed: Any, start: int) -> float | None:
    """One rate at a request length: a plain number, or the last of its tiers that has begun."""
    if listed is None:
        return None
    begun = [tier.price for tier in getattr(listed, "tiers", ()) if tier.start <= start]
    return float(begun[-1] if begun else getattr(listed, "base", listed))


# A team's own prices: a file that may be edited while the server runs.


def price_file() -> Path:
    """Where a team keeps its own prices: `prices.toml` beside the local data, by default in `.workbench/`.

    ::

        source = "Private pricing agreement"
        as_of = 2026-11-01
        [models."us.anthropic.claude-sonnet-4-5-20250929-v1:0"]
        input_usd_per_mtok = 2.64
        output_usd_per_mtok = 13.2
        cache_read_usd_per_mtok = 0.26    # the cache rates may be left out: such calls are then unpriced
    """
    return settings.get().local_data.parent / "prices.toml"


def price_file_stamp() -> tuple[int, int] | None:
    """Changes whenever the price file does; None while there is none."""
    try:
        status = price_file().stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def own_prices() -> Mapping[str, Price]:
    """The team's own prices by model id or ARN; read once per change of the file. Raises PriceFileError."""
    stamp = price_file_stamp()
    if stamp is None:
        return MappingProxyType({})
    prices = _read_price_file(price_file(), stamp)
    if isinstance(prices, str):
        raise PriceFileError(prices)
    return prices


@lru_cache(maxsize=4)
def _read_price_file(path: Path, stamp: tuple[int, int]) -> Mapping[str, Price] | str:  # noqa: ARG001 (key)
    """The prices in the file, or the sentence that says why there are none (kept like the prices)."""
    try:
        return _own_prices(tomllib.loads(path.read_text(encoding="utf-8")))
    except PriceFileError as error:
        return f"{path}: {error}"
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {error}."


def _own_prices(content: dict[str, Any]) -> Mapping[str, Price]:
    if unknown := content.keys() - {
        "models",
        "guardrails",
        "source",
        "as_of",
    }:  # guardrail_prices reads its own
        raise PriceFileError(f"{min(unknown)!r} is none of models, guardrails, source, as_of.")
    source, as_of = content.get("source", "own price"), content.get("as_of")
    models = content.get("models", {})
    if not isinstance(source, str) or not isinstance(models, dict):
        raise PriceFileError('it takes source = "..." and a table [models."id"] for each model.')
    if as_of is not None and type(as_of) is not date:
        raise PriceFileError("as_of takes a date such as 2026-11-01.")
    own = Price(input_usd_per_mtok=0.0, output_usd_per_mtok=0.0, source=source, as_of=as_of)
    return MappingProxyType({key: replace(own, **_own_rates(key, row)) for key, row in models.items()})


def _own_rates(key: str, row: Any) -> dict[str, Any]:
    names = [field.name for field in fields(Rates)]
    if not isinstance(row, dict) or not set(names[:2]) <= row.keys() <= set(names):
        raise PriceFileError(f"{key!r} needs {names[0]} and {names[1]} and may have {', '.join(names[2:])}.")
    for name, value in row.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise PriceFileError(f"{name} of {key!r} is {value!r}, not a price in USD.")
    return {name: float(value) for name, value in row.items()}
