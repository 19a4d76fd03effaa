"""The test file that a suite exports runs as it stands, and fails where the guardrail is not as expected."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.guardrail_suites import export
from services.guardrail_suites.cases import Case
from tests.conftest import Endpoint

CASES = (
    Case("word", "We beat Competitor Corp on price.", "INPUT", "blocked", "wordPolicy"),
    Case("order", "Your order ORD-123456 is on its way. 😀 'quoted' \\", "OUTPUT", "masked"),
    Case("plain", 'Your order is on its way.\n"""', "OUTPUT", "passed"),
)


@pytest.fixture(scope="module")
def guardrail(endpoint: Endpoint) -> Iterator[str]:
    """Blocks a word and masks order numbers; its id."""
    bedrock = endpoint.client("bedrock")
    order = {"name": "Order", "pattern": r"ORD-\d{6}", "action": "ANONYMIZE"}
    made: dict[str, Any] = bedrock.create_guardrail(
        name=f"suite-{uuid4().hex[:12]}",
        blockedInputMessaging="No.",
        blockedOutputsMessaging="No.",
        wordPolicyConfig={"wordsConfig": [{"text": "Competitor Corp"}]},
        sensitiveInformationPolicyConfig={"regexesConfig": [order]},
    )
    yield made["guardrailId"]
    with contextlib.suppress(bedrock.exceptions.ResourceNotFoundException):
        bedrock.delete_guardrail(guardrailIdentifier=made["guardrailId"])
    bedrock.close()


def run(folder: Path, endpoint: Endpoint, text: str, **variables: str) -> tuple[int, str]:
    """Run the file with pytest, as somebody would who has nothing of the workbench; exit code and output."""
    file = folder / "test_guardrail.py"
    file.write_text(text, "utf-8")
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(file),
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | endpoint.env | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_passes_where_the_guardrail_does_what_is_expected(
    endpoint: Endpoint, guardrail: str, tmp_path: Path
) -> None:
    code, said = run(tmp_path, endpoint, export.pytest_text(CASES, guardrail, "DRAFT", "us-east-1"))
    assert code == 0, said
    assert "3 passed" in said


def test_it_fails_where_outcome_or_policy_are_not_as_expected(
    endpoint: Endpoint, guardrail: str, tmp_path: Path
) -> None:
    wrong = (
        replace(CASES[0], policy="topicPolicy"),
        replace(CASES[1], expected="blocked"),
        replace(CASES[2], expected="masked"),
    )
    # The constants are wrong as well: the variables of the environment count.
    text = export.pytest_text(
        (*CASES, *(replace(case, id=f"bad-{case.id}") for case in wrong)), "gone", "9", "x"
    )
    code, said = run(
        tmp_path,
        endpoint,
        text,
        GUARDRAIL_ID=guardrail,
        GUARDRAIL_VERSION="DRAFT",
        GUARDRAIL_REGION="us-east-1",
    )
    assert code == 1, said
    assert "3 failed, 3 passed" in said
    for case in wrong:
        assert f"FAILED test_guardrail.py::test_guardrail[bad-{case.id}]" in said
    assert "acted: {'wordPolicy': {'BLOCKED'}}" in said
