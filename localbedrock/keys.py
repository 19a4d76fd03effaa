"""The key pair of the endpoint and the two files, in AWS's own format, that make any SDK or CLI use it."""

from __future__ import annotations

import configparser
import os
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

PROFILE = "localbedrock"
REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
"""The account of everything here; also what the emulator behind us answers to GetCallerIdentity."""


@dataclass(frozen=True)
class KeyPair:
    """An access key id and its secret; the secret stays out of ``repr``."""

    id: str
    secret: str = field(repr=False)


def new_key_pair() -> KeyPair:
    """A random pair that looks like a long-term AWS key."""
    letters = string.ascii_uppercase + "234567"
    return KeyPair("AKIA" + "".join(secrets.choice(letters) for _ in range(16)), secrets.token_urlsafe(30))


def make_data_dir(data_dir: Path) -> None:
    """Creates the data directory, closed to everyone else."""
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o700)


def load_or_create(data_dir: Path) -> KeyPair:
    """The pair in ``data_dir/credentials``; a new one, written there, at the first start."""
    path = data_dir / "credentials"
    stored = configparser.RawConfigParser()
    stored.read(path)
    known = stored[PROFILE] if stored.has_section(PROFILE) else {}
    if known.get("aws_access_key_id") and known.get("aws_secret_access_key"):
        return KeyPair(known["aws_access_key_id"], known["aws_secret_access_key"])
    pair = new_key_pair()
    lines = [f"[{PROFILE}]", f"aws_access_key_id = {pair.id}", f"aws_secret_access_key = {pair.secret}"]
    _write_private(path, lines)
    return pair


def write_config(data_dir: Path, url: str) -> None:
    """Writes ``data_dir/config``: the profile's region and where the endpoint listens now."""
    _write_private(
        data_dir / "config", [f"[profile {PROFILE}]", f"region = {REGION}", f"endpoint_url = {url}"]
    )


def _write_private(path: Path, lines: list[str]) -> None:
    """Replaces a file in one step, readable by its owner alone from its first byte on."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    draft.replace(path)
