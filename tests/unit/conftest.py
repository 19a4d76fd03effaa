"""Fixtures of the unit tests."""

from __future__ import annotations

from tests.scripted_server import identity, server

__all__ = ["identity", "server"]
