"""The key pair and the config files: AWS's format, private, kept over restarts."""

from __future__ import annotations

import stat
from pathlib import Path

import botocore.session
import pytest

from localbedrock import keys


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_sdks_read_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = keys.load_or_create(tmp_path)
    keys.write_config(tmp_path, "http://127.0.0.1:1234")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    session = botocore.session.Session(profile="localbedrock")
    credentials = session.get_credentials()
    assert (credentials.access_key, credentials.secret_key) == (pair.id, pair.secret)
    client = session.create_client("sts")
    assert client.meta.region_name == "us-east-1"
    assert client.meta.endpoint_url == "http://127.0.0.1:1234"
    client.close()


def test_the_pair_is_kept_and_the_port_is_not(tmp_path: Path) -> None:
    first = keys.load_or_create(tmp_path)
    keys.write_config(tmp_path, "http://127.0.0.1:1")
    keys.write_config(tmp_path, "http://127.0.0.1:2")
    assert keys.load_or_create(tmp_path) == first
    assert "127.0.0.1:2\n" in (tmp_path / "config").read_text()


def test_everything_is_closed_to_others(tmp_path: Path) -> None:
    data_dir = tmp_path / "a" / "b"
    keys.make_data_dir(data_dir)
    keys.load_or_create(data_dir)
    keys.write_config(data_dir, "http://127.0.0.1:1")
    assert mode(data_dir) == 0o700
    assert mode(data_dir / "credentials") == mode(data_dir / "config") == 0o600
    assert sorted(path.name for path in data_dir.iterdir()) == ["config", "credentials"]


def test_a_credentials_file_without_our_profile_gets_it(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[localbedrock]\naws_access_key_id = AKIA\n")
    assert keys.load_or_create(tmp_path).id != "AKIA"


def test_pairs_differ_and_do_not_show_their_secret() -> None:
    one, two = keys.new_key_pair(), keys.new_key_pair()
    assert one.id != two.id
    assert one.secret != two.secret
    assert one.id.startswith("AKIA")
    assert len(one.id) == 20
    assert one.secret not in repr(one)
