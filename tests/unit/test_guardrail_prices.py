"""A check has a price where the team has one for everything it used; an unknown price is never 0."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services import guardrail_prices, pricing
from services.clients import Identity
from services.guardrail_prices import cost_usd

AWS = Identity("aws", None, "us-east-1")
PRICES = "[guardrails]\ncontentPolicyUnits = 0.15\ntopicPolicyUnits = 0.3\nwordPolicyUnits = 0\nbad = 'x'\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    path = tmp_path / "prices.toml"
    monkeypatch.setattr(pricing, "price_file", lambda: path)
    monkeypatch.setattr(guardrail_prices, "price_file", lambda: path)
    return lambda text: (path.write_text(text), None)[1]


def test_units_are_added_up_over_the_policies(write: Callable[[str], None]) -> None:
    write(PRICES)
    units = {"contentPolicyUnits": 2, "topicPolicyUnits": 1, "wordPolicyUnits": 7, "bad": 0}
    assert cost_usd(AWS, units) == pytest.approx(0.0006)


def test_what_aws_gives_for_nothing_needs_no_price(write: Callable[[str], None]) -> None:
    write(PRICES)
    assert cost_usd(AWS, {"sensitiveInformationPolicyFreeUnits": 3}) == 0


@pytest.mark.parametrize("text", ["", "[models]", "guardrails = 3", "not toml at all ="])
def test_one_price_that_is_missing_leaves_the_check_unpriced(write: Callable[[str], None], text: str) -> None:
    write(text)
    assert cost_usd(AWS, {"contentPolicyUnits": 1}) is None


def test_a_price_that_is_no_number_is_none(write: Callable[[str], None]) -> None:
    write(PRICES)
    assert cost_usd(AWS, {"bad": 1}) is None


def test_without_a_file_a_check_is_unpriced_and_the_local_endpoint_is_free(
    write: Callable[[str], None],
) -> None:
    assert cost_usd(AWS, {"contentPolicyUnits": 1}) is None
    assert cost_usd(Identity("local", None, "us-east-1"), {"contentPolicyUnits": 1}) == 0


def test_the_prices_of_models_may_stand_beside_them(write: Callable[[str], None]) -> None:
    write(PRICES + "[models.'a.b']\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n")
    assert pricing.own_prices()["a.b"].output_usd_per_mtok == 2
    assert cost_usd(AWS, {"contentPolicyUnits": 1}) == pytest.approx(0.00015)
