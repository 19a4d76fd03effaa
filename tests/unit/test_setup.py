"""The set-up script: when it skips, when it begins anew, and what it says where it cannot go on."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from scripts import setup

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with requirements and a finished .venv of this very Python."""
    folder = tmp_path / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(
        f"version = {sys.version.split()[0]}\ncommand = python -m venv {folder}\n"
    )
    for name in ("constraints.txt", *setup.DEV_STEPS):
        (tmp_path / name).write_text("package==1\n")
    paths = {
        "ROOT": tmp_path,
        "VENV": folder,
        "PYTHON": folder / "bin" / "python",
        "CONFIG": folder / "pyvenv.cfg",
        "LOG": folder / "setup.log",
        "UNFINISHED": folder / "setup.unfinished",
        "CONSTRAINTS": tmp_path / "constraints.txt",
        "WANTED": "",
    }
    for name, value in paths.items():
        monkeypatch.setattr(setup, name, value)
    return folder


@pytest.fixture
def installed(venv: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requirement files that the set-up installs, in order; pip itself is not run."""
    files: list[str] = []
    monkeypatch.setattr(setup, "install", lambda name, options: files.append(name))
    monkeypatch.setattr(setup, "has_pip", lambda: True)
    return files


def test_nothing_is_done_twice(installed: list[str]) -> None:
    setup.main([])
    setup.main([])
    assert installed == ["requirements.txt", "requirements-model.txt"]


def test_the_set_up_for_tests_is_enough_to_run_but_not_the_other_way_round(installed: list[str]) -> None:
    setup.main([])
    setup.main(["--dev"])
    assert installed.count("requirements-dev.txt") == 1
    setup.main([])
    setup.main(["--dev"])
    assert installed.count("requirements.txt") == 2


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-model.txt", "constraints.txt"])
def test_a_changed_requirement_is_installed(installed: list[str], venv: Path, name: str) -> None:
    setup.main([])
    (venv.parent / name).write_text("package==2\n")
    installed.clear()
    setup.main([])
    assert installed == ["requirements.txt", "requirements-model.txt"]


def test_a_finished_venv_fits(venv: Path) -> None:
    assert setup.venv_fits()


def test_an_interrupted_set_up_begins_anew(venv: Path) -> None:
    setup.UNFINISHED.touch()
    assert not setup.venv_fits()


def test_a_venv_whose_python_is_gone_begins_anew(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(venv / "no-such-python")
    assert not setup.venv_fits()


def test_a_moved_project_begins_anew(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts in .venv/bin start with the path that they were made for."""
    setup.CONFIG.write_text(setup.CONFIG.read_text().replace(str(venv), "/elsewhere/.venv"))
    assert not setup.venv_fits()


def test_another_wanted_python_begins_anew(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "WANTED", "python-other")
    monkeypatch.setattr(setup, "probe", lambda python: ("3.12" if HERE != "3.12" else "3.13", True))
    assert not setup.venv_fits()


def test_this_python_is_taken_if_it_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "WANTED", "")
    monkeypatch.setattr(setup, "probe", lambda python: (HERE, True))
    assert setup.choose_python() == (sys.executable, HERE)


def test_a_newer_python_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old `python3` does not matter where a supported one stands beside it."""
    monkeypatch.setattr(setup, "WANTED", "")
    monkeypatch.setattr(
        setup, "probe", lambda python: ("3.12", True) if python == "python3.12" else ("", False)
    )
    assert setup.choose_python() == ("python3.12", "3.12")


@pytest.mark.parametrize(
    ("found", "advice"),
    [(("3.8", True), "3.11, 3.12 or 3.13 is needed"), (("3.12", False), "apt install python3.12-venv")],
)
def test_without_a_usable_python_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, found: tuple[str, bool], advice: str
) -> None:
    monkeypatch.setattr(setup, "WANTED", "")
    monkeypatch.setattr(setup, "probe", lambda python: found)
    with pytest.raises(SystemExit, match=advice):
        setup.choose_python()


def test_a_python_that_does_not_run_is_none() -> None:
    assert setup.probe("no-such-python") == ("", False)
    assert setup.probe("false") == ("", False)


@pytest.mark.parametrize(
    ("log", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("after connection broken by 'NewConnectionError(...)'\nERROR: No matching", "No network"),
        ("ERROR: Failed building wheel for wordllama", "wordllama .* compiled: install a compiler"),
        ("ERROR: Failed to build 'wordllama' when installing", "wordllama .* compiled"),
        ("ERROR: No matching distribution found for xllamacpp==1", "xllamacpp==1 is not made for"),
        ("one\ntwo\nsomething else", "pip stopped:\none\ntwo\nsomething else"),
    ],
)
def test_what_stopped_pip_is_said_in_a_sentence(log: str, advice: str) -> None:
    assert re.search(advice, setup.explain(log), re.DOTALL)


def test_an_old_python_can_read_the_script() -> None:
    """Else `make run` with Python 3.8 ends in a SyntaxError and not in advice."""
    source = Path(setup.__file__).read_text("utf-8")
    ast.parse(source, feature_version=(3, 8))
