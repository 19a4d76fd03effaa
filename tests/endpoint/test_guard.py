"""The process itself lets nobody in who should stay out (each rule has its tests in
unit/localbedrock/test_guard.py).
"""

from __future__ import annotations

import socket
import stat
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from tests.conftest import Endpoint


def status(endpoint: Endpoint, path: str, headers: dict[str, str], method: str = "GET") -> int:
    request = urllib.request.Request(endpoint.url + path, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            code: int = answer.status
    except urllib.error.HTTPError as error:
        with error:
            code = error.code
    return code


@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        ("/foundation-models", {}, "GET"),
        ("/_ministack/reset", {}, "POST"),
        ("/_ministack/health", {}, "GET"),
        ("/health", {}, "GET"),
        ("/2015-03-31/functions", {"Origin": "https://evil.example"}, "POST"),
        (
            "/any-bucket",
            {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"},
            "OPTIONS",
        ),
        ("/foundation-models", {"Host": "evil.example"}, "GET"),
        ("/foundation-models", {"Authorization": "Bearer something"}, "GET"),
    ],
)
def test_unsigned_requests_get_403(
    endpoint: Endpoint, path: str, headers: dict[str, str], method: str
) -> None:
    assert status(endpoint, path, headers, method) == 403


def test_only_this_machine_can_connect(endpoint: Endpoint) -> None:
    port = urlsplit(endpoint.url).port
    assert port is not None
    addresses = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    others = [address for address in addresses if not address.startswith("127.")]
    if not others:
        pytest.skip("this machine has no address but loopback")
    with socket.socket() as attempt:
        attempt.settimeout(5)
        assert attempt.connect_ex((others[0], port)) != 0


def test_keys_are_readable_by_their_owner_alone(endpoint: Endpoint) -> None:
    assert stat.S_IMODE(endpoint.data_dir.stat().st_mode) == 0o700
    for path in endpoint.data_dir.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
