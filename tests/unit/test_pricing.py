"""Prices and sums: against the price list's own calculation, with a team's own prices, and unpriced."""

import os
from datetime import date
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price

from services import pricing, settings
from services.clients import Identity
from services.pricing import LOCAL_PRICE, Price, PriceFileError, PriceTier, cost_usd, price_of
from services.runs import TokenUsage

AWS = Identity("aws", None, "us-east-1")
LOCAL = Identity("local", "localbedrock", "us-east-1")
USAGE = TokenUsage(
    input_tokens=1234,
    output_tokens=567,
    cache_read_tokens=890,
    cache_write_tokens=321,
    cache_write_1h_tokens=21,
)


@pytest.fixture(autouse=True)
def price_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Settings with local data in a folder of the test's own: no price file unless the test writes one."""
    monkeypatch.setattr(settings, "get", lambda: settings.Settings(local_data=tmp_path / "local"))
    assert pricing.price_file() == tmp_path / "prices.toml"
    return tmp_path / "prices.toml"


def listed_cost(model_id: str, usage: TokenUsage) -> float:
    """What the price list's own calculator says; it counts cached tokens as a part of the input."""
    reported = {
        "input_tokens": usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
    }
    return float(
        calc_price(Usage(**{k: v for k, v in reported.items() if v}), model_id, provider_id="aws").total_price
    )


@pytest.mark.parametrize(
    ("model_id", "input_price", "output_price"),
    [
        ("amazon.nova-lite-v1:0", 0.06, 0.24),
        ("us.amazon.nova-pro-v1:0", 0.8, 3.2),
        ("meta.llama3-1-8b-instruct-v1:0", 0.22, 0.22),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", 1.0, 5.0),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 1.1, 5.5),
        ("anthropic.claude-3-haiku-20240307-v1:0", 0.25, 1.25),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", 0.06, 0.24),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
            1.1,
            5.5,
        ),
    ],
)
def test_list_prices_that_aws_publishes(model_id: str, input_price: float, output_price: float) -> None:
    """Global inference is cheaper than the same model's geographic profile: the prefix counts."""
    price = price_of(AWS, model_id)
    assert price is not None
    assert price.input_usd_per_mtok == pytest.approx(input_price)
    assert price.output_usd_per_mtok == pytest.approx(output_price)
    assert "genai-prices" in price.source


@pytest.mark.parametrize(
    "model_id",
    [
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "anthropic.claude-opus-4-6-v1",
        "global.anthropic.claude-haiku-5-5",
        "eu.anthropic.claude-sonnet-5",
    ],
)
@pytest.mark.parametrize("scale", [1, 400])
def test_the_sum_is_the_price_lists_own(model_id: str, scale: int) -> None:
    """Cached tokens are disjoint in Converse and a part of the input in the list: both ways give one sum.

    The scale of 400 is a request of a million tokens, which falls into the tier for long ones.
    """
    usage = TokenUsage(
        **{name: getattr(USAGE, name) * scale for name in ("input_tokens", "output_tokens")},
        cache_read_tokens=USAGE.cache_read_tokens * scale,
        cache_write_tokens=USAGE.cache_write_tokens * scale,
        cache_write_1h_tokens=USAGE.cache_write_1h_tokens * scale,
    )
    assert cost_usd(usage, price_of(AWS, model_id)) == pytest.approx(listed_cost(model_id, usage))


@pytest.mark.parametrize("tokens", [1, 100_000, 100_001, 272_000, 272_001, 900_000])
@pytest.mark.parametrize("model_id", ["us.anthropic.claude-haiku-5-5", "us.openai.gpt-6-astra"])
def test_long_requests_are_priced_by_their_whole_input(model_id: str, tokens: int) -> None:
    usage = TokenUsage(input_tokens=tokens, output_tokens=1000)
    price = price_of(AWS, model_id)
    assert price is not None
    assert price.tiers
    assert cost_usd(usage, price) == pytest.approx(listed_cost(model_id, usage))


def test_cached_tokens_count_towards_the_tier() -> None:
    tier = PriceTier(
        above_input_tokens=100, input_usd_per_mtok=10, output_usd_per_mtok=0, cache_read_usd_per_mtok=10
    )
    price = Price(input_usd_per_mtok=1, output_usd_per_mtok=0, cache_read_usd_per_mtok=1, tiers=(tier,))
    assert cost_usd(TokenUsage(50, 0, cache_read_tokens=50), price) == pytest.approx(100e-6)
    assert cost_usd(TokenUsage(50, 0, cache_read_tokens=51), price) == pytest.approx(1010e-6)


@pytest.mark.parametrize(
    "model_id",
    [
        "somebody.new-model-v1:0",
        "amazon.nova-canvas-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/06vsfs68yb4g",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdef012345",
        "no model at all",
        "",
    ],
)
def test_unknown_prices_are_none_never_zero(model_id: str) -> None:
    price = price_of(AWS, model_id)
    assert price is None
    assert cost_usd(USAGE, price) is None


def test_a_missing_cache_price_leaves_only_calls_with_cached_tokens_unpriced() -> None:
    price = Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)
    assert cost_usd(TokenUsage(1_000_000, 500_000), price) == pytest.approx(2.0)
    assert cost_usd(TokenUsage(1, 1, cache_read_tokens=1), price) is None
    assert cost_usd(TokenUsage(1, 1, cache_write_tokens=1), price) is None
    short = Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0, cache_write_usd_per_mtok=3.0)
    assert cost_usd(TokenUsage(0, 0, cache_write_tokens=10), short) == pytest.approx(30e-6)
    assert cost_usd(TokenUsage(0, 0, cache_write_tokens=10, cache_write_1h_tokens=1), short) is None


def test_the_local_endpoint_costs_nothing_and_says_why() -> None:
    for model_id in ("local.smollm2-135m-instruct", "us.anthropic.claude-haiku-4-5-20251001-v1:0"):
        assert price_of(LOCAL, model_id) is LOCAL_PRICE
    assert price_of(
        LOCAL, "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/06vsfs68yb4g"
    )
    assert cost_usd(USAGE, LOCAL_PRICE) == 0
    assert LOCAL_PRICE.source == "runs on this machine"


def test_what_the_local_endpoint_passes_on_is_not_free(price_file: Path) -> None:
    """The server behind it may be somebody's paid service; AWS's price for a like name is not its price."""
    passed_on = "local.openai.openai.gpt-oss-20b-1"
    assert price_of(AWS, "openai.gpt-oss-20b-1:0") is not None
    assert price_of(LOCAL, passed_on) is None
    price_file.write_text(f'[models."{passed_on}"]\ninput_usd_per_mtok = 3\noutput_usd_per_mtok = 4\n')
    price = price_of(LOCAL, passed_on)
    assert price is not None
    assert price.input_usd_per_mtok == 3


def test_a_price_that_changes_on_a_date() -> None:
    """The list holds coming prices: which one counts depends on the day of the call."""
    before = pricing._list_price("global.openai.gpt-5.6-sol", date(2026, 8, 20))
    after = pricing._list_price("global.openai.gpt-5.6-sol", date(2026, 8, 21))
    assert before is not None
    assert after is not None
    assert before.input_usd_per_mtok > after.input_usd_per_mtok


OWN = """
source = "Private pricing agreement"
as_of = 2026-11-01
[models."amazon.nova-lite-v1:0"]
input_usd_per_mtok = 0.05
output_usd_per_mtok = 0.2
cache_read_usd_per_mtok = 0
[models."eu.amazon.nova-lite-v1:0"]
input_usd_per_mtok = 0.07
output_usd_per_mtok = 0.3
[models."arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdef012345"]
input_usd_per_mtok = 1
output_usd_per_mtok = 1
"""


def test_own_prices_win_the_closest_first(price_file: Path) -> None:
    price_file.write_text(OWN)
    own = price_of(AWS, "amazon.nova-lite-v1:0")
    assert own is not None
    assert (own.input_usd_per_mtok, own.source, own.as_of) == (
        0.05,
        "Private pricing agreement",
        date(2026, 11, 1),
    )
    assert own.cache_read_usd_per_mtok == 0
    assert own.cache_write_usd_per_mtok is None
    by_id = {
        "us.amazon.nova-lite-v1:0": 0.05,
        "eu.amazon.nova-lite-v1:0": 0.07,
        "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0": 0.07,
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdef012345": 1,
        "amazon.nova-micro-v1:0": 0.035,
    }
    for model_id, expected in by_id.items():
        price = price_of(AWS, model_id)
        assert price is not None
        assert price.input_usd_per_mtok == pytest.approx(expected), model_id


def test_the_price_file_is_read_once_per_change(price_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    original = Path.read_text

    def read_text(path: Path, *args: str, **options: str) -> str:
        reads.append(path)
        return original(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    price_file.write_text(OWN)
    for _ in range(3):
        price_of(AWS, "amazon.nova-lite-v1:0")
    assert reads == [price_file]
    price_file.write_text(OWN.replace("0.05", "0.04"))
    os.utime(price_file, ns=(1, 1))
    changed = price_of(AWS, "amazon.nova-lite-v1:0")
    assert changed is not None
    assert changed.input_usd_per_mtok == 0.04
    assert len(reads) == 2
    price_file.unlink()
    listed = price_of(AWS, "amazon.nova-lite-v1:0")
    assert listed is not None
    assert listed.input_usd_per_mtok == 0.06


@pytest.mark.parametrize(
    "content",
    [
        "this is not toml",
        "prices = 1",
        "models = 3",
        "source = 3",
        'as_of = "yesterday"',
        '[models."a.b"]\ninput_usd_per_mtok = 1',
        '[models."a.b"]\ninput_usd_per_mtok = "1"\noutput_usd_per_mtok = 1',
        '[models."a.b"]\ninput_usd_per_mtok = -1\noutput_usd_per_mtok = 1',
        '[models."a.b"]\ninput_usd_per_mtok = nan\noutput_usd_per_mtok = 1',
        '[models."a.b"]\ninput_usd_per_mtok = inf\noutput_usd_per_mtok = 1',
        '[models."a.b"]\ninput_usd_per_mtok = true\noutput_usd_per_mtok = 1',
        '[models."a.b"]\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\ninput = 2',
        "[models]\na = 1",
        "\x00",
    ],
)
def test_a_malformed_price_file_is_one_sentence_and_no_price(price_file: Path, content: str) -> None:
    """No price is better than a list price where the team has agreed on another."""
    price_file.write_text(content)
    with pytest.raises(PriceFileError) as refused:
        pricing.own_prices()
    sentence = str(refused.value)
    assert sentence.startswith(str(price_file))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert price_of(AWS, "amazon.nova-lite-v1:0") is None


def test_a_price_file_that_is_no_utf8_is_one_sentence(price_file: Path) -> None:
    price_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PriceFileError, match="cannot be read"):
        pricing.own_prices()
