"""What the project says of itself is true: pins, settings in the README, links between documents."""

from __future__ import annotations

import re
from importlib.metadata import requires, version
from pathlib import Path

import pytest

from services import settings

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ("requirements.txt", "requirements-model.txt", "requirements-dev.txt")
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def pins(name: str) -> dict[str, str]:
    """Package -> pinned version, of one requirement file."""
    lines = [
        line.split("#")[0].split(";")[0].strip() for line in (ROOT / name).read_text("utf-8").splitlines()
    ]
    return {line.split("==")[0]: line.split("==")[1] for line in lines if line}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_what_is_pinned_is_what_the_tests_run_on(name: str) -> None:
    assert {package: version(package) for package in pins(name)} == pins(name)


def test_boto3_fits_the_botocore_that_ministack_wants() -> None:
    """pip would refuse to install two pins that exclude each other, but only on a fresh machine."""
    wanted = next(line for line in requires("ministack") or [] if line.startswith("botocore"))
    ours = pins("requirements.txt")
    assert wanted == f"botocore=={ours['botocore']}"
    assert ours["boto3"] == ours["botocore"]


def test_no_package_is_pinned_in_two_places() -> None:
    names = [package.lower() for name in REQUIREMENTS for package in pins(name)]
    assert not set(names) & {package.lower() for package in pins("constraints.txt")}


def test_the_readme_lists_every_setting() -> None:
    written = set(re.findall(r"`(WORKBENCH_\w+)`", (ROOT / "README.md").read_text("utf-8")))
    assert written == set(settings._READERS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []
