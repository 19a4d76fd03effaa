"""What is exported can be opened, read and run, whatever the texts hold. tests/endpoint runs it for real."""

from __future__ import annotations

import ast
import csv
import io
import json
from datetime import UTC, datetime

import pytest

from services.guardrail_suites import export
from services.guardrail_suites.cases import Case
from services.guardrail_suites.metrics import Tally
from services.guardrail_suites.reading import Figures, Shown
from services.guardrail_suites.values import Checked, SuiteResult

HOSTILE = '"""\n\'\'\' @CASES@ {__import__("os")} \\ \u202e \U0001f600 \u2028'
CASE = Case("1", HOSTILE, "INPUT", "blocked", "wordPolicy", note="=1+1")
RESULT = SuiteResult(
    "r",
    "run",
    "ana",
    "mine",
    "g · 1",
    "gr1",
    "1",
    datetime(2026, 1, 2, tzinfo=UTC),
    1,
    1,
    "aws",
    None,
    "us-east-1",
    3,
    "",
    None,
    None,
)
LINE = Shown(0, CASE, Checked("passed", (), "-nothing", {}, 7.04), "missed")


def test_the_test_file_is_python_and_a_text_is_never_code() -> None:
    text = export.pytest_text([CASE], "gr1", "DRAFT", "us-east-1")
    assert text.isascii()
    tree = ast.parse(text)
    (cases,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if node.targets[0].id == "CASES"
    )
    assert cases == [
        {"id": "1", "text": HOSTILE, "source": "INPUT", "expected": "blocked", "policy": "wordPolicy"}
    ]


def test_the_test_file_needs_boto3_and_pytest_alone() -> None:
    tree = ast.parse(export.pytest_text([CASE], "gr1", "DRAFT", "us-east-1"))
    names = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names == {"os", "boto3", "pytest", "botocore.config"}


def test_no_cell_is_a_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(export.csv_text([LINE]).removeprefix("\ufeff"))))
    assert rows[0]["text"] == HOSTILE
    assert (rows[0]["note"], rows[0]["why"]) == ("'=1+1", "'-nothing")
    assert (rows[0]["got"], rows[0]["verdict"], rows[0]["latency_ms"]) == ("passed", "missed", "7.0")


def test_the_json_has_figures_and_lines() -> None:
    figures = Figures((Tally("blocked", "wordPolicy", "passed", (), 1),), {"wordPolicyUnits": 1}, 7.0, 7.0)
    found = json.loads(export.json_text(RESULT, figures, [LINE]))
    assert (found["guardrailIdentifier"], found["guardrailVersion"], found["checked"]) == ("gr1", "1", 1)
    assert found["metrics"]["accuracy"] == 0
    assert found["metrics"]["policies"]["wordPolicy"]["recall"] == 0
    assert found["metrics"]["policies"]["wordPolicy"]["precision"] is None
    (line,) = found["lines"]
    assert (line["text"], line["got"], line["verdict"]) == (HOSTILE, "passed", "missed")


@pytest.mark.parametrize("text", ["'", '"', "\\", "\n", "\ud7ff", "{}", "%s"])
def test_every_character_comes_through(text: str) -> None:
    written = export.pytest_text([Case("1", text, "INPUT", "passed")], "g", "1", "eu-west-1")
    namespace = ast.parse(written)
    assert any(isinstance(node, ast.Constant) and node.value == text for node in ast.walk(namespace))
