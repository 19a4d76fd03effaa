"""A suite and its result, to be taken along: JSON, CSV, and a test file for pytest that needs boto3 alone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from services.csv_cells import MARK, inert
from services.guardrail_suites import metrics
from services.guardrail_suites.cases import COLUMNS, Case
from services.guardrail_suites.reading import Figures, Shown
from services.guardrail_suites.values import SuiteResult

_GOT = ("got", "verdict", "acted", "why", "latency_ms")


def csv_text(lines: Iterable[Shown]) -> str:
    """One row for each line; a cell that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *_GOT])
    for line in lines:
        checked = line.checked
        latency_ms = "" if checked.latency_ms is None else round(checked.latency_ms, 1)
        got = [checked.got, line.verdict, "|".join(checked.acted), inert(checked.why), latency_ms]
        writer.writerow([*(inert(value) for value in asdict(line.case).values()), *got])
    return MARK + out.getvalue()


def json_text(result: SuiteResult, figures: Figures, lines: Iterable[Shown]) -> str:
    """The guardrail, the figures and every line, for other programs."""
    document = {
        "suite": result.suite_name,
        "guardrailIdentifier": result.identifier,
        "guardrailVersion": result.guardrail_version,
        "region": result.region,
        "created_at": result.created_at.isoformat(),
        "texts": result.total,
        "checked": result.done,
        "metrics": _metrics(figures),
        "lines": [{**asdict(line.case), **asdict(line.checked), "verdict": line.verdict} for line in lines],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def pytest_text(cases: Sequence[Case], identifier: str, version: str, region: str) -> str:
    """A file that pytest runs: one test for each case, against this version of the guardrail.

    Texts are written as Python literals of ASCII alone, so that none of them is ever code.
    """
    written = "\n".join(f"    {_literal(case)}," for case in cases)
    constants = {"@IDENTIFIER@": identifier, "@VERSION@": version, "@REGION@": region}
    text = _PYTEST
    for name, value in constants.items():
        text = text.replace(name, ascii(value))
    return text.replace("@CASES@", written)


def _metrics(figures: Figures) -> dict[str, Any]:
    matrix = metrics.confusion(figures.tallies)
    return {
        "accuracy": metrics.accuracy(figures.tallies),
        "verdicts": metrics.verdicts(figures.tallies),
        "confusion": [
            {"expected": expected, "got": got, "texts": count} for (expected, got), count in matrix.items()
        ],
        "overall": _score(metrics.overall(figures.tallies)),
        "policies": {name: _score(each) for name, each in metrics.by_policy(figures.tallies).items()},
        "latency_ms": {"p50": figures.p50_ms, "p95": figures.p95_ms},
        "units": dict(figures.units),
    }


def _score(score: metrics.Score) -> dict[str, Any]:
    return {**asdict(score), "precision": score.precision, "recall": score.recall, "f1": score.f1}


def _literal(case: Case) -> str:
    """What the test needs of a case; what is empty is left out."""
    wanted = ("id", "text", "source", "expected", "policy", "grounding_source", "query")
    values = asdict(case)
    return ascii({name: values[name] for name in wanted if values[name]})


_PYTEST = '''"""What a guardrail must block, mask and let through. Exported from Bedrock Workbench.

    pip install boto3 pytest
    pytest FILE

Each test is one ApplyGuardrail call and is billed as such. Credentials are found as boto3 finds them; the
guardrail, its version and the region can be set by the variables below.
"""

import os

import boto3
import pytest
from botocore.config import Config

GUARDRAIL_ID = os.environ.get("GUARDRAIL_ID", @IDENTIFIER@)
GUARDRAIL_VERSION = os.environ.get("GUARDRAIL_VERSION", @VERSION@)
REGION = os.environ.get("GUARDRAIL_REGION", @REGION@)

CASES = [
@CASES@
]


@pytest.fixture(scope="session")
def bedrock():
    retries = Config(retries={"mode": "adaptive", "total_max_attempts": 8})
    client = boto3.client("bedrock-runtime", region_name=REGION, config=retries)
    yield client
    client.close()


def content_of(case):
    if "grounding_source" not in case:
        return [{"text": {"text": case["text"]}}]
    return [
        {"text": {"text": case["grounding_source"], "qualifiers": ["grounding_source"]}},
        {"text": {"text": case["query"], "qualifiers": ["query"]}},
        {"text": {"text": case["text"], "qualifiers": ["guard_content"]}},
    ]


def actions_of(answer):
    """What each policy did: {"wordPolicy": {"BLOCKED"}, ...}."""
    found = {}
    for assessment in answer["assessments"]:
        for policy, lists in assessment.items():
            if not policy.endswith("Policy"):
                continue
            items = [item for each in lists.values() if isinstance(each, list) for item in each]
            done = {item.get("action", "NONE") for item in items} - {"NONE"}
            if done:
                found.setdefault(policy, set()).update(done)
    return found


def outcome_of(answer, actions):
    if answer["action"] != "GUARDRAIL_INTERVENED":
        return "passed"
    done = set().union(*actions.values())
    return "masked" if "ANONYMIZED" in done and "BLOCKED" not in done else "blocked"


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_guardrail(bedrock, case):
    answer = bedrock.apply_guardrail(
        guardrailIdentifier=GUARDRAIL_ID,
        guardrailVersion=GUARDRAIL_VERSION,
        source=case["source"],
        content=content_of(case),
    )
    actions = actions_of(answer)
    assert outcome_of(answer, actions) == case["expected"], f"acted: {actions}"
    if case["expected"] != "passed" and "policy" in case:
        assert case["policy"] in actions, f"acted: {actions}"
'''
