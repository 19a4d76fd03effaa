"""The workbench's settings: `WORKBENCH_*` from the environment and from `.env` beside `Home.py`, read once.

Every fault is reported, not just the first: a name that means nothing here, a value that cannot be used, a
line of `.env` that cannot be read. `AWS_*` and `LOCALBEDROCK_*` are for boto3 and the endpoint to judge.
"""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from dotenv.parser import parse_stream
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

ROOT = Path(__file__).resolve().parent.parent
"""The folder of `Home.py`. Relative paths in settings start here, wherever the server was started."""
STATE_DIR = ROOT / ".workbench"
DOTENV = ROOT / ".env"
PREFIX = "WORKBENCH_"
HANDED_ON = ("AWS_", "LOCALBEDROCK_")

Backend = Literal["local", "aws"]


class SettingsError(ValueError):
    """The settings cannot be used. `faults` holds one sentence for each thing to correct."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Settings:
    """Everything that is set from outside. All paths are absolute."""

    backend: Backend = "local"
    database_url: str = f"sqlite:///{STATE_DIR / 'workbench.db'}"
    users_file: Path = STATE_DIR / "users.yaml"
    local_data: Path = STATE_DIR / "local"
    port: int = 8501


@functools.cache
def get() -> Settings:
    """The settings of this process. Raises SettingsError (each time, until they are right).

    `AWS_*` and `LOCALBEDROCK_*` lines of `.env` go to the process environment, where boto3 and the local
    endpoint look for them; what is set there already wins.
    """
    settings = load(os.environ, DOTENV)
    values, _ = _read_dotenv(DOTENV)
    for name, value in values.items():
        if name.startswith(HANDED_ON):
            os.environ.setdefault(name, value)
    return settings


def load(environ: Mapping[str, str], dotenv: Path | None) -> Settings:
    """The settings that `environ` and the `.env` file give; `environ` wins, an empty value counts as not set.

    Raises SettingsError with one sentence for every fault; a value that may hold a password is not repeated.
    """
    from_file, faults = _read_dotenv(dotenv)
    values: dict[str, Any] = {}
    for name, text in ({**from_file, **environ}).items():
        if not name.startswith(PREFIX):
            continue
        if name not in _READERS:
            faults.append(_unknown(name))
        elif text.strip():
            field, read = _READERS[name]
            try:
                values[field] = read(text.strip())
            except ValueError as error:
                faults.append(f"{name} {error}")
    if faults:
        raise SettingsError(faults)
    return Settings(**values)


def _read_dotenv(path: Path | None) -> tuple[dict[str, str], list[str]]:
    """The assignments in a `.env` file, and a sentence for every line that is none."""
    if path is None or not path.exists():
        return {}, []
    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        return {}, [f"{path} cannot be read ({reason}): make it a UTF-8 text file that you may read."]
    faults = [
        f"{path} line {binding.original.line} is not of the form NAME=value: correct or remove it."
        for binding in bindings
        if binding.error
    ]
    return {binding.key: binding.value or "" for binding in bindings if binding.key}, faults


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(
        name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in _READERS]
    )
    hint = f"Did you mean {PREFIX}{near[0]}?" if near else f"There are {', '.join(_READERS)}."
    return f"{name} is not a setting of the workbench. {hint}"


# Readers: from the text of a variable to its value, or a ValueError that completes the sentence "NAME ...".


def _backend(text: str) -> Backend:
    choices: tuple[Backend, ...] = get_args(Backend)
    for choice in choices:
        if text.lower() == choice:
            return choice
    raise ValueError(f"is {text!r}; it takes local (the endpoint on this machine) or aws.")


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise ValueError(f"is {text!r}; it takes a port number from 1 to 65535.")


def _database_url(text: str) -> str:
    try:
        dialect = make_url(text).get_dialect()
        dialect.import_dbapi()
    except NoSuchModuleError:
        raise ValueError(
            "names a database that SQLAlchemy does not know; PostgreSQL is postgresql://."
        ) from None
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ValueError("is not a database URL such as postgresql://user:password@host/name.") from None
    except ModuleNotFoundError as error:
        raise ValueError(f"needs the Python package {error.name!r}: install it into .venv.") from None
    return text


def _path(text: str) -> Path:
    return Path(os.path.abspath(ROOT / Path(text).expanduser()))  # noqa: PTH100 (resolve() would follow links)


def _file(text: str) -> Path:
    path = _path(text)
    if path.is_dir():
        raise ValueError(f"is {text!r}, which is a folder; it takes a file.")
    return path


def _folder(text: str) -> Path:
    path = _path(text)
    if path.exists() and not path.is_dir():
        raise ValueError(f"is {text!r}, which is a file; it takes a folder.")
    return path


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "WORKBENCH_BACKEND": ("backend", _backend),
    "WORKBENCH_DATABASE_URL": ("database_url", _database_url),
    "WORKBENCH_USERS_FILE": ("users_file", _file),
    "WORKBENCH_LOCAL_DATA": ("local_data", _folder),
    "WORKBENCH_PORT": ("port", _port),
}
