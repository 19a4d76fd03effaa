"""The sample guardrail, its labelled texts and the attack library fit together."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter
from typing import Any

import pytest
from stdnum import iban, luhn
from stdnum.us import ssn

from localbedrock.wire.parse import Readers, check
from localbedrock.wire.routing import load_services
from services.guardrail_suites import cases
from services.settings import ROOT

SAMPLES = ROOT / "localbedrock" / "samples"
LEARNED = ROOT / "localbedrock" / "guardrails" / "data"
ADJUSTED = ROOT / "tests" / "unit" / "localbedrock"
GUARDRAIL: dict[str, Any] = json.loads((SAMPLES / "guardrail.json").read_text("utf-8"))
CASE_COLUMNS = [
    "id",
    "text",
    "source",
    "expected",
    "policy",
    "item",
    "kind",
    "grounding_source",
    "query",
    "note",
]
LIBRARY_COLUMNS = ["group", "text", "source", "expected", "policy", "note"]
OUTCOMES = {"BLOCK": "blocked", "ANONYMIZE": "masked", "NONE": "passed"}
LEAST_LINES_OF_AN_ITEM = 4
LEAST_LINES_OF_A_POLICY = {
    "topics": 30,
    "content": 50,
    "words": 20,
    "pii": 60,
    "regexes": 8,
    "grounding": 20,
}


def rows(name: str) -> list[dict[str, str]]:
    with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


CASES = rows("guardrail_cases.csv")
LIBRARY = rows("attack_library.csv")


def configured() -> dict[tuple[str, str], dict[str, str]]:
    """What the guardrail does with each item, by policy and item, for each source."""
    words = GUARDRAIL["wordPolicyConfig"]
    personal = GUARDRAIL["sensitiveInformationPolicyConfig"]
    acting = [
        ("topics", "name", GUARDRAIL["topicPolicyConfig"]["topicsConfig"]),
        ("words", "text", words["wordsConfig"]),
        ("words", "type", words["managedWordListsConfig"]),
        ("pii", "type", personal["piiEntitiesConfig"]),
        ("regexes", "name", personal["regexesConfig"]),
    ]
    found = {
        (policy, item[key]): {side.upper(): OUTCOMES[item[f"{side}Action"]] for side in ("input", "output")}
        for policy, key, items in acting
        for item in items
    }
    for item in GUARDRAIL["contentPolicyConfig"]["filtersConfig"]:
        found["content", item["type"]] = {
            side.upper(): "passed" if item[f"{side}Strength"] == "NONE" else "blocked"
            for side in ("input", "output")
        }
    for item in GUARDRAIL["contextualGroundingPolicyConfig"]["filtersConfig"]:
        found["grounding", item["type"]] = {"INPUT": "passed", "OUTPUT": OUTCOMES[item["action"]]}
    return found


def test_the_guardrail_is_what_create_guardrail_takes() -> None:
    operation = load_services()["bedrock"].operation_model("CreateGuardrail")
    violations: list[str] = []
    read = Readers().reader(operation.input_shape)
    assert read(GUARDRAIL, "", violations) == GUARDRAIL
    check(violations)


def test_the_guardrail_uses_every_policy_type_and_other_actions_on_each_side() -> None:
    policies = {policy for policy, _ in configured()}
    assert policies == set(LEAST_LINES_OF_A_POLICY)
    differing = {policy for policy, sides in configured().items() if len(set(sides.values())) > 1}
    assert {policy for policy, _ in differing} == set(LEAST_LINES_OF_A_POLICY)
    assert not [item for item in GUARDRAIL["contentPolicyConfig"]["filtersConfig"] if len(item) < 3]


def test_every_case_is_labelled_as_the_guardrail_is_set() -> None:
    assert list(CASES[0]) == CASE_COLUMNS
    items = configured()
    for case in CASES:
        assert case["text"], case
        assert case["source"] in ("INPUT", "OUTPUT"), case
        assert bool(case["grounding_source"]) == bool(case["query"]), case
        if case["kind"] == "attack":
            assert items[case["policy"], case["item"]][case["source"]] == case["expected"] != "passed", case
        else:
            assert case["kind"] in ("benign", "lookalike"), case
            assert (case["expected"], case["policy"], case["item"]) == ("passed", "", ""), case
        if case["policy"] == "grounding":
            assert case["grounding_source"], case


def test_no_case_stands_there_twice() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES)
    texts = Counter((case["text"], case["source"], case["query"]) for case in CASES)
    assert texts.most_common(1)[0][1] == 1


def test_there_are_enough_lines_of_everything() -> None:
    kinds = Counter(case["kind"] for case in CASES)
    harmless = kinds["benign"] + kinds["lookalike"]
    assert kinds.total() >= 360
    assert 0.45 <= harmless / kinds.total() <= 0.55
    assert kinds["lookalike"] >= kinds["benign"]
    policies = Counter(case["policy"] for case in CASES)
    assert all(policies[policy] >= least for policy, least in LEAST_LINES_OF_A_POLICY.items()), policies
    lines = Counter((case["policy"], case["item"]) for case in CASES)
    assert [item for item in configured() if lines[item] < LEAST_LINES_OF_AN_ITEM] == []
    assert {case["source"] for case in CASES} == {"INPUT", "OUTPUT"}
    assert any(len(case["text"]) > 1_000 for case in CASES)
    assert any("\u200b" in case["text"] for case in CASES)


@pytest.mark.parametrize(
    ("item", "valid"),
    [
        ("CREDIT_DEBIT_CARD_NUMBER", luhn.is_valid),
        ("US_SOCIAL_SECURITY_NUMBER", ssn.is_valid),
        ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", lambda number: iban.is_valid(number, check_country=False)),
    ],
)
def test_numbers_that_should_be_stopped_are_valid(item: str, valid: Any) -> None:
    candidate = re.compile(r"[A-Z]{2}\d{2}(?:\s?[A-Z0-9]){10,30}|\d(?:[ -]?\d){8,}", re.IGNORECASE)
    for case in CASES:
        if case["item"] == item:
            text = unicodedata.normalize("NFKC", case["text"]).replace("\u200b", "")
            numbers = [re.sub(r"[\s-]", "", found) for found in candidate.findall(text)]
            # The candidate may run on into the next word.
            assert any(valid(number[:end]) for number in numbers for end in range(9, len(number) + 1)), case


def test_the_attack_library_has_groups_with_attacks_and_harmless_twins() -> None:
    assert list(LIBRARY[0]) == LIBRARY_COLUMNS
    assert len(LIBRARY) >= 80
    assert len({row["text"] for row in LIBRARY}) == len(LIBRARY)
    known = {policy for policy, _ in configured()}
    for row in LIBRARY:
        assert row["source"] in ("INPUT", "OUTPUT"), row
        assert row["policy"] in known if row["expected"] != "passed" else row["policy"] == "", row
    outcomes = {(row["group"], row["expected"] == "passed") for row in LIBRARY}
    groups = {row["group"] for row in LIBRARY}
    assert outcomes == {(group, harmless) for group in groups for harmless in (True, False)}


@pytest.mark.parametrize("name", ["guardrail_cases.csv", "attack_library.csv"])
def test_a_suite_takes_every_line(name: str) -> None:
    read = cases.read((SAMPLES / name).read_bytes(), name)
    assert read.faults == ()
    assert [case.text for case in read.cases] == [row["text"] for row in rows(name)]


def test_no_text_that_measures_is_one_that_was_learned_or_adjusted_on() -> None:
    measuring = {plainly(row["text"]) for row in CASES + LIBRARY}
    learned = [
        line[2:] for path in LEARNED.glob("*.txt") for line in path.read_text("utf-8").splitlines() if line
    ]
    adjusted = [
        text
        for path in ADJUSTED.glob("*_cases.py")
        for text in re.findall(r'"([^"\n]+)"', path.read_text("utf-8"))
    ]
    assert len(learned) > 100
    assert len(adjusted) > 100
    assert measuring & {plainly(text) for text in learned + adjusted} == set()


def plainly(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()
