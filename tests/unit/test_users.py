"""The users file: what is refused, so that nobody gets in by accident; roles; the command that edits it."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import bcrypt
import pytest

from services import settings, users
from services.users import LOCAL_USER, User, UsersError

HASH = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt takes 0.3 s a password as shipped; here its cheapest setting does."""
    gensalt = bcrypt.gensalt
    monkeypatch.setattr(bcrypt, "gensalt", lambda: gensalt(4))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "users.yaml"


@pytest.fixture
def command_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the command edits."""
    monkeypatch.setattr(settings, "get", lambda: settings.Settings(users_file=path))
    return path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def entry(role: str = "admin", password: str = HASH) -> str:
    return f"{{name: Ana, role: {role}, password: '{password}'}}"


@pytest.mark.parametrize(
    ("role", "view", "spend", "admin"),
    [("viewer", True, False, False), ("tester", True, True, False), ("admin", True, True, True)],
)
def test_each_role_can_what_it_should_and_no_more(role: users.Role, view: bool, spend: bool, admin: bool):
    user = User("x", "X", role)
    assert (user.can("view"), user.can("spend"), user.can("admin")) == (view, spend, admin)


def test_without_a_file_there_are_no_users_and_the_local_user_may_do_all(path: Path):
    assert users.load(path) == {}
    assert LOCAL_USER.can("admin")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "users: {}",
        "users: [ana]",
        "- ana",
        "users: {ana: [",
        "users: {ana: secret}",
        "users: {ana: {role: admin}}",
        f"users: {{ana: {entry(password='correct horse')}}}",
        f"users: {{ana: {entry(password=HASH[:-1])}}}",
        f"users: {{ana: {entry(role='owner')}}}",
        f"users: {{ana: {entry(role='tester')}}}",
        f"users: {{'../ana': {entry()}}}",
        f"users: {{Ana: {entry()}}}",
        f"users: {{ana: {entry()}, bob: {{}}}}",
        "!!python/object/apply:os.system ['true']",
        "\x00",
    ],
)
def test_a_file_that_is_not_in_order_lets_nobody_in(path: Path, text: str):
    write(path, text)
    with pytest.raises(UsersError):
        users.load(path)


def test_a_file_that_is_not_text_lets_nobody_in(path: Path):
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\x00users")
    with pytest.raises(UsersError):
        users.load(path)


def test_a_refused_file_does_not_repeat_a_password_that_stands_in_it(path: Path):
    write(path, f"users: {{ana: {entry(password='correct horse')}}}")
    with pytest.raises(UsersError) as refusal:
        users.load(path)
    assert "horse" not in str(refusal.value)
    assert "passwd ana" in str(refusal.value)


def test_a_changed_file_counts_at_once(path: Path):
    users.add(path, "ana", "correct horse")
    assert list(users.load(path)) == ["ana"]
    users.add(path, "bob", "battery staple")
    assert sorted(users.load(path)) == ["ana", "bob"]


def test_an_edit_in_place_counts_although_name_and_size_stay(path: Path):
    write(path, f"users: {{ana: {entry()}, bob: {entry(role='tester')}}}")
    assert users.load(path)["bob"].user.role == "tester"
    before = path.stat().st_mtime_ns
    write(path, f"users: {{ana: {entry()}, bob: {entry(role='viewer')}}}")
    os.utime(path, ns=(before + 1, before + 1))
    assert users.load(path)["bob"].user.role == "viewer"


def test_the_file_holds_a_hash_and_is_for_its_owner_alone(path: Path):
    users.add(path, "Ana ", "correct horse")
    assert "correct horse" not in path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert bcrypt.checkpw(b"correct horse", users.load(path)["ana"].password_hash.encode())
    assert list(path.parent.iterdir()) == [path]


def test_the_first_user_is_an_admin_and_later_ones_are_testers(path: Path):
    with pytest.raises(UsersError, match="must be an admin"):
        users.add(path, "ana", "correct horse", "viewer")
    assert not path.exists()
    assert users.add(path, "ana", "correct horse").role == "admin"
    assert users.add(path, "bob", "battery staple").role == "tester"
    assert users.add(path, "eve", "battery staple", "viewer").role == "viewer"


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a" * 65, "a\nb", "<b>"])
def test_names_that_could_be_taken_for_something_else_are_refused(path: Path, name: str):
    with pytest.raises(UsersError, match="user name"):
        users.add(path, name, "correct horse")


@pytest.mark.parametrize("password", ["", "short", "a" * 73, "ä" * 37, " correct horse", "correct horse "])
def test_a_password_that_could_not_sign_in_is_refused(path: Path, password: str):
    with pytest.raises(UsersError, match="password"):
        users.add(path, "ana", password)


def test_a_name_is_given_once(path: Path):
    users.add(path, "ana", "correct horse")
    with pytest.raises(UsersError, match="already"):
        users.add(path, "ANA", "battery staple")


def test_the_last_admin_stays_while_there_are_others(path: Path):
    users.add(path, "ana", "correct horse")
    users.add(path, "bob", "battery staple")
    with pytest.raises(UsersError, match="only admin"):
        users.remove(path, "ana")
    assert not users.remove(path, "bob")
    assert users.remove(path, "ana")
    assert not path.exists()


def test_a_broken_file_is_not_overwritten(path: Path):
    write(path, "users: {ana: [")
    with pytest.raises(UsersError):
        users.add(path, "bob", "battery staple")
    assert path.read_text("utf-8") == "users: {ana: ["


def test_the_command_takes_the_password_from_standard_input(
    command_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    assert users.main(["add", "ana", "--full-name", "Ana Ruiz"]) == 0
    account = users.load(command_file)["ana"]
    assert (account.user.name, account.user.role) == ("Ana Ruiz", "admin")
    assert bcrypt.checkpw(b"correct horse", account.password_hash.encode())
    assert "horse" not in "".join(capsys.readouterr())


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person types at the prompts, in order."""
    answers: list[str] = []
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("getpass.getpass", lambda prompt: answers.pop(0))
    return answers


def test_the_command_asks_twice_at_a_terminal(command_file: Path, typed: list[str]):
    typed += ["correct horse", "correct horse"]
    assert users.main(["add", "ana"]) == 0
    assert "ana" in users.load(command_file)


def test_a_typing_slip_changes_nothing(
    command_file: Path, typed: list[str], capsys: pytest.CaptureFixture[str]
):
    typed += ["correct horse", "correct hose"]
    assert users.main(["add", "ana"]) == 1
    assert "differ" in capsys.readouterr().err
    assert not command_file.exists()


def test_passwd_list_and_remove(
    command_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    users.add(command_file, "ana", "correct horse")
    monkeypatch.setattr("sys.stdin", io.StringIO("battery staple\n"))
    assert users.main(["passwd", "ana"]) == 0
    assert bcrypt.checkpw(b"battery staple", users.load(command_file)["ana"].password_hash.encode())
    assert users.main(["passwd", "bob"]) == 1
    assert "no user bob" in capsys.readouterr().err
    assert users.main(["list"]) == 0
    assert capsys.readouterr().out.split() == ["ana", "admin", "ana"]
    assert users.main(["remove", "ana"]) == 0
    assert "sign-in is off" in capsys.readouterr().out
    assert users.main(["list"]) == 0
    assert "No users" in capsys.readouterr().out


def test_a_wrong_role_is_a_usage_error(command_file: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        users.main(["add", "ana", "--role", "owner"])
    assert ended.value.code == 2
    assert "viewer" in capsys.readouterr().err
