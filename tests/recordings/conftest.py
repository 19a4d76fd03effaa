"""The recorded calls of `bedrock-runtime`, ready to be served again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recorded import Recording, read
from tests.scripted_server import identity, server

__all__ = ["identity", "server"]

Find = Callable[[str], list[Recording]]


@pytest.fixture(scope="session")
def find(recordings: Path) -> Find:
    """All recordings of an operation that botocore can read."""
    found = read(recordings)
    return lambda operation: [recording for recording in found if recording.operation == operation]
