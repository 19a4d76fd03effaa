"""What Lambda functions, which inherit the environment of the process, get to see of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localbedrock import environment


def test_lambda_functions_inherit_nothing_of_whoever_started_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "theirs",
        "DATABASE_PASSWORD": "theirs",
        "LOCALBEDROCK_OPENAI_KEY": "theirs",
    }
    environment.prepare(tmp_path, 1234, "for-lambda", frozenset({"s3", "sts"}))
    environment.forget_settings()
    assert "theirs" not in os.environ.values()
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "for-lambda"
    assert os.environ["GATEWAY_PORT"] == "1234"
    assert Path(os.environ["HOME"]).is_relative_to(tmp_path)
    assert "PATH" in os.environ
