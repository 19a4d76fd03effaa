"""Settings come from the environment and `.env`; every fault is reported, and no password with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import settings
from services.settings import ROOT, SettingsError, load


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An own `.env` (not there yet) and nothing cached."""
    monkeypatch.setattr(settings, "DOTENV", tmp_path / ".env")
    settings.get.cache_clear()
    yield tmp_path / ".env"
    settings.get.cache_clear()


def faults(environ: dict[str, str], dotenv: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as raised:
        load(environ, dotenv)
    return raised.value.faults


def test_the_defaults_need_no_account_and_stay_beside_home() -> None:
    found = load({}, None)
    assert found.backend == "local"
    assert found.port == 8501
    assert found.users_file == ROOT / ".workbench" / "users.yaml"
    assert found.local_data == ROOT / ".workbench" / "local"
    assert found.database_url == f"sqlite:///{ROOT / '.workbench' / 'workbench.db'}"
    assert (ROOT / "services" / "settings.py").is_file()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("WORKBENCH_PORT=9001\nWORKBENCH_BACKEND=aws\n", encoding="utf-8")
    found = load({"WORKBENCH_PORT": "9002"}, dotenv)
    assert (found.backend, found.port) == ("aws", 9002)


def test_dotenv_is_read_as_people_write_it(tmp_path: Path) -> None:
    """Comments, quotes, `export`, a byte order mark and Windows line ends."""
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(
        b"\xef\xbb\xbf# mine\r\nexport WORKBENCH_BACKEND='aws'  # real\r\n\r\n"
        b'WORKBENCH_PORT="9001"\r\nOTHER=1\r\n'
    )
    found = load({}, dotenv)
    assert (found.backend, found.port) == ("aws", 9001)


def test_an_empty_value_counts_as_not_set() -> None:
    assert load({"WORKBENCH_BACKEND": " ", "WORKBENCH_PORT": ""}, None) == load({}, None)


def test_paths_start_beside_home_and_know_the_home_folder() -> None:
    found = load({"WORKBENCH_LOCAL_DATA": "data/../local", "WORKBENCH_USERS_FILE": "~/users.yaml"}, None)
    assert found.local_data == ROOT / "local"
    assert found.users_file == Path.home() / "users.yaml"


def test_all_faults_are_told_at_once() -> None:
    told = faults(
        {"WORKBENCH_BACKEND": "azure", "WORKBENCH_PORT": "http", "WORKBENCH_BAKEND": "aws", "PATH": "/bin"}
    )
    assert len(told) == 3
    assert any(fault.startswith("WORKBENCH_BACKEND is 'azure'") for fault in told)
    assert any(fault.startswith("WORKBENCH_PORT is 'http'") for fault in told)
    assert any("WORKBENCH_BAKEND" in fault and "Did you mean WORKBENCH_BACKEND?" in fault for fault in told)
    assert all(fault.endswith((".", "?")) for fault in told)


def test_a_name_like_none_of_them_gets_the_list() -> None:
    (told,) = faults({"WORKBENCH_QQQ": "1"})
    assert "WORKBENCH_DATABASE_URL" in told


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8501.0", "٨٥٠١", "8_501"])
def test_ports_that_are_none(port: str) -> None:
    (told,) = faults({"WORKBENCH_PORT": port})
    assert "1 to 65535" in told


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgres", "is not a database URL"),
        ("postgresql://ann:secret@host:port/db", "is not a database URL"),
        ("postgres://ann:secret@host/db", "does not know"),
        ("mssql+nosuchdriver://ann:secret@host/db", "does not know"),
        ("oracle://ann:secret@host/db", "needs the Python package"),
    ],
)
def test_databases_that_cannot_be_used(url: str, words: str) -> None:
    """A wrong URL is found at the start and not at the first run to be saved; its password is not shown."""
    (told,) = faults({"WORKBENCH_DATABASE_URL": url})
    assert words in told
    assert "secret" not in told


def test_a_folder_is_no_users_file_and_a_file_no_data_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    told = faults({"WORKBENCH_USERS_FILE": str(tmp_path), "WORKBENCH_LOCAL_DATA": str(file)})
    assert [fault.partition(" is ")[0] for fault in told] == ["WORKBENCH_USERS_FILE", "WORKBENCH_LOCAL_DATA"]


def test_a_line_of_dotenv_that_is_none(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("WORKBENCH_PORT=9001\nWORKBENCH BACKEND aws\n", encoding="utf-8")
    (told,) = faults({}, dotenv)
    assert f"{dotenv} line 2" in told


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"A=\xff\xfe")])
def test_a_dotenv_that_is_no_text_file(tmp_path: Path, make: object) -> None:
    dotenv = tmp_path / ".env"
    make(dotenv)  # type: ignore[operator]
    (told,) = faults({}, dotenv)
    assert "cannot be read" in told


def test_dotenv_passes_on_what_is_not_ours(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_PROFILE in `.env` reaches boto3; what the environment says already stays."""
    fresh.write_text(
        "AWS_PROFILE=team\nAWS_REGION=eu-west-1\nLOCALBEDROCK_OPENAI_URL=http://x\n", encoding="utf-8"
    )
    for name in ("AWS_PROFILE", "LOCALBEDROCK_OPENAI_URL"):
        monkeypatch.setenv(name, "x")  # so that it is put back after the test
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert settings.get().backend == "local"
    assert os.environ["AWS_PROFILE"] == "team"
    assert os.environ["LOCALBEDROCK_OPENAI_URL"] == "http://x"
    assert os.environ["AWS_REGION"] == "us-west-2"


def test_get_reads_once_and_a_fault_is_not_remembered(fresh: Path) -> None:
    fresh.write_text("WORKBENCH_PORT=none\n", encoding="utf-8")
    with pytest.raises(SettingsError):
        settings.get()
    fresh.write_text("WORKBENCH_PORT=9001\n", encoding="utf-8")
    assert settings.get().port == 9001
    fresh.write_text("WORKBENCH_PORT=9002\n", encoding="utf-8")
    assert settings.get().port == 9001
