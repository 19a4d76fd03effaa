"""What streamlit-authenticator leaves out: a limit on attempts, and sessions that the server can end.

Its cookie is a signed token that stays good after a sign-out and a change of password. Ours also carries a
session id that must be known here, so that both end it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import streamlit as st

from services import settings
from services.users import MAX_PASSWORD_BYTES, Account, Accounts, User, UsersError

KEY_BYTES = 32
SESSION_SECONDS = 7 * 24 * 3600


class AttemptLimiter:
    """Counts sign-in attempts of the last `window_s` seconds by name and by address. Safe for threads.

    A name is short of attempts only for a while, so nobody can lock somebody else out for good.
    """

    def __init__(
        self,
        per_name: int = 5,
        per_address: int = 20,
        window_s: float = 300,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = {"name": per_name, "address": per_address}
        self._window_s = window_s
        self._clock = clock
        self._attempts: dict[tuple[str, str], deque[float]] = {}
        self._lock = threading.Lock()

    def admit(self, name: str, address: str) -> float:
        """Count an attempt and return 0, or return the seconds to wait before the next one is looked at."""
        keys = [("name", name), ("address", address)]
        with self._lock:
            now = self._clock()
            self._forget(now)
            wait_s = max(self._wait_s(key, now) for key in keys)
            if wait_s <= 0:
                for key in keys:
                    self._attempts.setdefault(key, deque()).append(now)
            return max(0.0, wait_s)

    def succeeded(self, name: str, address: str) -> None:
        """Take back what a right password counted: all attempts on the name, and this one of the address."""
        with self._lock:
            self._attempts.pop(("name", name), None)
            if of_address := self._attempts.get(("address", address)):
                of_address.pop()

    def _wait_s(self, key: tuple[str, str], now: float) -> float:
        times = self._attempts.get(key)
        if not times or len(times) < self._limits[key[0]]:
            return 0.0
        return times[0] + self._window_s - now

    def _forget(self, now: float) -> None:
        """Drop what is older than the window, so that made-up names do not fill the memory."""
        for key, times in list(self._attempts.items()):
            while times and times[0] + self._window_s <= now:
                times.popleft()
            if not times:
                del self._attempts[key]


def waste_a_check(accounts: Accounts, password: str) -> None:
    """Take as long over an unknown name as over a known one, so that the time tells nobody which names exist.

    Checks against a real hash of the file, because the cost of a check is written in the hash.
    """
    stand_in = next(iter(accounts.values())).password_hash
    bcrypt.checkpw(password.encode()[:MAX_PASSWORD_BYTES], stand_in.encode())


_TABLE = """CREATE TABLE IF NOT EXISTS sessions (
    id_sha256 TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    password_sha256 TEXT NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID"""


class Sessions:
    """Open sign-in sessions, in an SQLite file of their own. It holds no id and no password hash in clear.

    Every method raises UsersError when the file cannot be used, so that nobody is let in.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def open(self, account: Account) -> tuple[str, float]:
        """Begin a session: its id, and the Unix time at which it ends."""
        session_id = secrets.token_urlsafe(KEY_BYTES)
        now = self._clock()
        row = (
            _sha256(session_id),
            account.user.username,
            _sha256(account.password_hash),
            now + SESSION_SECONDS,
        )
        with self._database() as database:
            database.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
            database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", row)
        return session_id, now + SESSION_SECONDS

    def user(self, session_id: str, accounts: Accounts) -> User | None:
        """The user, with the role as it is now; None once the session, the password or the user is gone."""
        query = "SELECT username, password_sha256 FROM sessions WHERE id_sha256 = ? AND expires_at > ?"
        with self._database() as database:
            row = database.execute(query, (_sha256(session_id), self._clock())).fetchone()
        account = accounts.get(row[0]) if row else None
        return account.user if account and _sha256(account.password_hash) == row[1] else None

    def close(self, session_id: str) -> None:
        """End a session; a cookie that names it is worthless from now on."""
        with self._database() as database:
            database.execute("DELETE FROM sessions WHERE id_sha256 = ?", (_sha256(session_id),))

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            self._make_private_file()
            with contextlib.closing(sqlite3.connect(self._path)) as database, database:
                database.execute(_TABLE)
                yield database
        except (OSError, sqlite3.Error) as error:
            raise UsersError(f"The sign-in sessions in {self._path} cannot be used: {error}.") from error

    def _make_private_file(self) -> None:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(0o600)


@st.cache_resource(show_spinner=False)
def limiter() -> AttemptLimiter:
    """The one of this server."""
    return AttemptLimiter()


def sessions() -> Sessions:
    """Those of this workbench, beside its users file."""
    return Sessions(settings.get().users_file.with_name("sign_in.db"))


def cookie_key(path: Path) -> str:
    """The key that signs the cookies: 32 random bytes in hexadecimal, made at the first call.

    Raises OSError when the file cannot be read or made, ValueError when it holds anything else.
    """
    if not path.exists():
        _make_key(path)
    key = path.read_text("ascii").strip()
    if len(bytes.fromhex(key)) < KEY_BYTES:
        raise ValueError(f"{path} holds fewer than {KEY_BYTES} bytes")
    return key


def _make_key(path: Path) -> None:
    """Linking a finished file into place lets the first of several starters win; nobody reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # made with mode 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES))
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    Path(temporary).unlink()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
