"""The environment of the process, which the emulator reads its settings from and Lambda functions inherit."""

from __future__ import annotations

import os
from pathlib import Path

from localbedrock.keys import ACCOUNT_ID, REGION

_SETTINGS = "LOCALBEDROCK_"
_KEPT = frozenset({"PATH", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})
_KEPT_PREFIXES = ("LC_", "PYTHON", "DYLD_", "SSL_CERT_", "OMP_", "GGML_", _SETTINGS)


def prepare(data_dir: Path, port: int, lambda_secret: str, services: frozenset[str]) -> None:
    """Takes out what is nobody's business here and puts in MiniStack's settings. Call it before its import.

    MiniStack starts Lambda workers with the whole environment of its process, which would hand the secrets
    of whoever started us to any function. They keep what a process needs to run, and a key pair (the
    account's id and ``lambda_secret``) that the guard knows, so that boto3 inside a function reaches us.
    """
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    home = data_dir / "emulator"
    home.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "HOME": str(home),
        "AWS_SECRET_ACCESS_KEY": lambda_secret,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "SERVICES": ",".join(sorted(services)),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "WARNING",
    }


def forget_settings() -> None:
    """Takes out our own settings, a key among them, once everything has read them."""
    for name in list(os.environ):
        if name.startswith(_SETTINGS):
            del os.environ[name]
