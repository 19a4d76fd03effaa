"""A prompt template that would be refused, or would not work, is found out before it is sent."""

from __future__ import annotations

import pytest

from services.rag_settings import Mode
from services.rag_templates import EXAMPLES, template_advice, template_faults


@pytest.mark.parametrize("mode", ["generate", "converse"])
def test_the_examples_are_without_fault(mode: Mode) -> None:
    assert template_faults(EXAMPLES[mode], mode) == []
    assert template_advice(EXAMPLES[mode], mode) == ""


@pytest.mark.parametrize(
    ("template", "mode", "faults"),
    [
        ("", "generate", []),
        (" \n", "converse", []),
        ("anything", "retrieve", []),
        ("$search_results$", "generate", []),
        ("$search_results$", "converse", ["$query$ is missing"]),
        ("Hello", "generate", ["$search_results$ is missing"]),
        ("Hello", "converse", ["$search_results$ is missing", "$query$ is missing"]),
        ("$search_results$ $current_time$", "generate", []),
        ("$search_results$ $query$ $current_time$", "converse", ["$current_time$ is no placeholder"]),
        ("$search_results$ $5 and $10 $ x $", "generate", []),
        ("$search_results$ $SEARCH$ $SEARCH$", "generate", ["$SEARCH$ is no placeholder"]),
        ("$search_results$" + "x" * 3984, "generate", []),
        ("$search_results$" + "x" * 3985, "generate", ["4,001 characters"]),
        ("$search_results$ $query$" + "x" * 5000, "converse", []),
    ],
)
def test_faults(template: str, mode: Mode, faults: list[str]) -> None:
    found = template_faults(template, mode)
    assert len(found) == len(faults)
    assert all(said in sentence for said, sentence in zip(faults, found, strict=True))


def test_a_template_without_format_instructions_costs_the_citations() -> None:
    assert "no citations" in template_advice("$search_results$", "generate")
    assert template_advice("$search_results$", "converse") == ""
    assert template_advice("", "generate") == ""
