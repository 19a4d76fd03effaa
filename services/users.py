"""Who may use the workbench: the users file, its roles, and the command that edits it.

    python -m services.users add NAME [--role viewer|tester|admin] [--full-name "..."]
    python -m services.users list
    python -m services.users passwd NAME
    python -m services.users remove NAME

The file is YAML and holds bcrypt hashes, never passwords:

    users:
      ana: {name: Ana Ruiz, role: admin, password: $2b$12$...}

Sign-in is on as soon as the file exists. A file that cannot be read in full lets nobody in (`UsersError`).
"""

from __future__ import annotations

import argparse
import functools
import getpass
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

import bcrypt
import yaml

from services import settings

Role = Literal["viewer", "tester", "admin"]
Permission = Literal["view", "spend", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    "viewer": frozenset({"view"}),
    "tester": frozenset({"view", "spend"}),
    "admin": frozenset({"view", "spend", "admin"}),
}
ADD_COMMAND = "make user NAME=ana"

MIN_PASSWORD_CHARACTERS = 8
MAX_PASSWORD_BYTES = 72  # bcrypt takes no more
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")


class UsersError(Exception):
    """The users file, or a change to it, is not acceptable. The text is a sentence for a person."""


@dataclass(frozen=True)
class User:
    """Someone at the workbench. `username` owns runs; `name` is for display."""

    username: str
    name: str
    role: Role

    def can(self, permission: Permission) -> bool:
        """Whether the role may look (`view`), call what costs money (`spend`), or change things (`admin`)."""
        return permission in PERMISSIONS[self.role]


LOCAL_USER = User("local", "Local user", "admin")
"""The one user while sign-in is off."""


@dataclass(frozen=True)
class Account:
    """A user and the bcrypt hash of the password."""

    user: User
    password_hash: str


Accounts = Mapping[str, Account]


def load(path: Path) -> Accounts:
    """The accounts by username; empty when there is no such file. Read again only after the file has changed.

    Raises UsersError when the file exists and is anything but complete and well formed.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        return MappingProxyType({})
    except OSError as error:
        raise UsersError(f"The users file {path} cannot be read: {error.strerror}.") from error
    return _load(path, stat.st_mtime_ns, stat.st_size, stat.st_ino)


@functools.lru_cache(maxsize=1)
def _load(path: Path, _mtime_ns: int, _size: int, _inode: int) -> Accounts:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsersError(f"The users file {path} cannot be read: {error}") from error
    users = content.get("users") if isinstance(content, dict) else None
    if not isinstance(users, dict) or not users:
        raise UsersError(f"The users file {path} names no users. Remove the file, or restore it.")
    accounts = {str(username): _account(str(username), entry, path) for username, entry in users.items()}
    if not any(account.user.role == "admin" for account in accounts.values()):
        raise UsersError(f"The users file {path} has no admin.")
    return MappingProxyType(accounts)


def _account(username: str, entry: object, path: Path) -> Account:
    if not _USERNAME.fullmatch(username) or not isinstance(entry, dict):
        raise UsersError(f"The users file {path} has a malformed entry: {username!r}.")
    role, password_hash = entry.get("role"), entry.get("password")
    if role not in ROLES:
        raise UsersError(f"The users file {path} gives {username} the role {role!r}, not {_any_of(ROLES)}.")
    if not isinstance(password_hash, str) or not _BCRYPT.fullmatch(password_hash):
        raise UsersError(
            f"The users file {path} has no bcrypt hash for {username}. "
            f"Set one with: python -m services.users passwd {username}"
        )
    return Account(User(username, str(entry.get("name") or username), role), password_hash)


def add(path: Path, username: str, password: str, role: Role | None = None, name: str = "") -> User:
    """Add a user and return it. Without a role the first user is an admin and every other one a tester."""
    username = username.strip().lower()
    accounts = dict(load(path))
    if not _USERNAME.fullmatch(username):
        raise UsersError(
            "A user name is up to 64 letters, digits and . _ @ - and begins with a letter or a digit."
        )
    if username in accounts:
        raise UsersError(f"There is a user {username} already. `passwd {username}` sets a new password.")
    role = role or ("tester" if accounts else "admin")
    if not accounts and role != "admin":
        raise UsersError("The first user must be an admin.")
    user = User(username, name.strip() or username, role)
    accounts[username] = Account(user, hash_password(password))
    _write(path, accounts)
    return user


def set_password(path: Path, username: str, password: str) -> None:
    """Give a user a new password. Every session that was opened with the old one ends."""
    accounts = dict(load(path))
    account = _existing(accounts, username)
    accounts[username] = Account(account.user, hash_password(password))
    _write(path, accounts)


def remove(path: Path, username: str) -> bool:
    """Remove a user; True when nobody is left, which removes the file and so turns sign-in off."""
    accounts = dict(load(path))
    _existing(accounts, username)
    del accounts[username]
    if not accounts:
        path.unlink()
        return True
    if not any(account.user.role == "admin" for account in accounts.values()):
        raise UsersError(f"{username} is the only admin. Add another admin first.")
    _write(path, accounts)
    return False


def hash_password(password: str) -> str:
    """The bcrypt hash, or UsersError when the password cannot be used to sign in."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise UsersError(f"A password has at least {MIN_PASSWORD_CHARACTERS} characters.")
    if len(password.encode()) > MAX_PASSWORD_BYTES:
        raise UsersError(f"A password has at most {MAX_PASSWORD_BYTES} bytes.")
    if password != password.strip():
        raise UsersError("A password does not begin or end with a space.")
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()


def _existing(accounts: Accounts, username: str) -> Account:
    if username not in accounts:
        raise UsersError(f"There is no user {username}.")
    return accounts[username]


def _write(path: Path, accounts: Accounts) -> None:
    """Replace the file as a whole, readable by its owner alone."""
    users = {
        username: {"name": account.user.name, "role": account.user.role, "password": account.password_hash}
        for username, account in accounts.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # made with mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump({"users": users}, file, allow_unicode=True)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def _any_of(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        message = _run(options, settings.get().users_file)
    except (UsersError, settings.SettingsError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{message}\n")
    return 0


def _run(options: argparse.Namespace, path: Path) -> str:
    if options.command == "list":
        lines = [
            f"{account.user.username:20} {account.user.role:8} {account.user.name}"
            for account in load(path).values()
        ]
        return "\n".join(lines) or f"No users: sign-in is off. Add the first one with: {ADD_COMMAND}"
    username = options.name.strip().lower()
    if options.command == "add":
        user = add(path, username, _ask_password(username), options.role, options.full_name)
        return f"Added {user.username} as {user.role} to {path}."
    if options.command == "passwd":
        _existing(load(path), username)
        set_password(path, username, _ask_password(username))
        return f"{username} has a new password; sessions opened with the old one have ended."
    if remove(path, username):
        return f"Removed {username}, the last user: sign-in is off."
    return f"Removed {username}."


def _ask_password(username: str) -> str:
    """The new password: typed twice, or one line of standard input where nobody is typing."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"Password for {username}: ")
    if getpass.getpass("The same again: ") != password:
        raise UsersError("The two passwords differ; nothing was changed.")
    return password


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.users", description="Edits the users of the workbench."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show the users and their roles")
    add_parser = commands.add_parser("add", help="add a user; asks for a password")
    add_parser.add_argument("--role", choices=ROLES, help="the first user is an admin, others testers")
    add_parser.add_argument("--full-name", default="", help="the name to show")
    commands.add_parser("passwd", help="set a new password; ends the user's sessions")
    commands.add_parser("remove", help="remove a user; ends the user's sessions")
    for name in ("add", "passwd", "remove"):
        commands.choices[name].add_argument("name", metavar="NAME")
    return parser


if __name__ == "__main__":
    sys.exit(main())
