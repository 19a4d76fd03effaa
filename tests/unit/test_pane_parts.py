"""The small judgements behind a pane: bounds on a model change, disabled parameters, numbers in words."""

from __future__ import annotations

import pytest

from components.metrics_line import format_ms, format_usd
from components.parameter_form import clamp, why_disabled
from services.capabilities import Bound, Capabilities, Conflict
from services.conversations import Settings

BOUNDS = {"temperature": Bound(0, 1, step=0.1), "topP": Bound(0, 1, step=0.1)}


def test_a_number_outside_the_new_model_moves_to_its_bound_and_is_said() -> None:
    settings, notes = clamp(Settings(parameters={"temperature": 1.5, "topP": 0.5}), BOUNDS)
    assert settings.parameters == {"temperature": 1, "topP": 0.5}
    assert [note[:15] for note in notes] == ["Temperature 1.5"]


def test_a_parameter_unknown_to_the_new_model_is_kept_for_the_way_back() -> None:
    settings, notes = clamp(Settings(parameters={"topK": 900}), BOUNDS)
    assert settings.parameters == {"topK": 900}
    assert not notes


def test_the_other_one_of_a_pair_is_disabled_with_the_reason() -> None:
    capabilities = Capabilities(
        bounds=BOUNDS, conflicts=(Conflict(("temperature", "topP"), "One of the two."),)
    )
    assert why_disabled("topP", Settings(parameters={"temperature": 0.0}), capabilities) == "One of the two."
    assert why_disabled("temperature", Settings(parameters={"temperature": 0.0}), capabilities) == ""
    assert why_disabled("topP", Settings(), capabilities) == ""


def test_a_refused_parameter_says_why() -> None:
    capabilities = Capabilities(bounds=BOUNDS, refused={"topP": "Not with this model."})
    assert why_disabled("topP", Settings(parameters={"topP": 0.5}), capabilities) == "Not with this model."


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "free"), (0.0000042, "$0.000004"), (0.00042, "$0.00042"), (0.5, "$0.5000"), (1234.5, "$1,234.50")],
)
def test_money_has_the_digits_it_needs(amount: float, words: str) -> None:
    assert format_usd(amount) == words


@pytest.mark.parametrize(("ms", "words"), [(0.4, "0 ms"), (84.2, "84 ms"), (1424, "1.42 s")])
def test_durations(ms: float, words: str) -> None:
    assert format_ms(ms) == words
