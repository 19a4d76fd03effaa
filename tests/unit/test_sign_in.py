"""What guards the sign-in: attempts are limited, sessions end when they should, the cookie key is safe."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import bcrypt
import pytest

from services import sign_in
from services.sign_in import AttemptLimiter, Sessions
from services.users import Account, User, UsersError


class Clock:
    """Time that passes when a test says so."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def account(password: bytes = b"correct horse", role: str = "admin") -> Account:
    return Account(User("ana", "Ana", role), bcrypt.hashpw(password, bcrypt.gensalt(4)).decode())  # type: ignore[arg-type]


class TestAttemptLimiter:
    def test_a_name_has_its_attempts_and_then_waits_for_the_oldest_to_age(self, clock: Clock):
        limiter = AttemptLimiter(per_name=3, per_address=100, window_s=60, clock=clock)
        for _ in range(3):
            assert limiter.admit("ana", "1.1.1.1") == 0
            clock.now += 10
        assert limiter.admit("ana", "2.2.2.2") == 30
        clock.now += 30
        assert limiter.admit("ana", "2.2.2.2") == 0

    def test_other_names_go_on(self, clock: Clock):
        limiter = AttemptLimiter(per_name=1, per_address=100, clock=clock)
        limiter.admit("ana", "1.1.1.1")
        assert limiter.admit("ana", "1.1.1.1") > 0
        assert limiter.admit("bob", "1.1.1.1") == 0

    def test_an_address_cannot_try_many_names(self, clock: Clock):
        limiter = AttemptLimiter(per_name=5, per_address=4, clock=clock)
        assert [limiter.admit(f"user{n}", "1.1.1.1") for n in range(4)] == [0, 0, 0, 0]
        assert limiter.admit("user5", "1.1.1.1") > 0
        assert limiter.admit("user5", "2.2.2.2") == 0

    def test_refused_attempts_do_not_make_the_wait_longer(self, clock: Clock):
        limiter = AttemptLimiter(per_name=1, per_address=100, window_s=60, clock=clock)
        limiter.admit("ana", "1.1.1.1")
        clock.now += 59
        assert limiter.admit("ana", "1.1.1.1") == 1
        clock.now += 1
        assert limiter.admit("ana", "1.1.1.1") == 0

    def test_the_right_password_clears_the_name_but_not_the_address_of_a_guesser(self, clock: Clock):
        limiter = AttemptLimiter(per_name=2, per_address=3, clock=clock)
        limiter.admit("victim", "1.1.1.1")
        limiter.admit("victim", "1.1.1.1")
        limiter.admit("own", "1.1.1.1")
        limiter.succeeded("own", "1.1.1.1")
        assert limiter.admit("victim", "2.2.2.2") > 0
        assert limiter.admit("own", "1.1.1.1") == 0
        assert limiter.admit("own", "1.1.1.1") > 0

    def test_attempts_at_the_same_moment_are_counted_before_they_are_checked(self, clock: Clock):
        limiter = AttemptLimiter(per_name=5, per_address=100, clock=clock)
        together = threading.Barrier(20)
        admitted: list[float] = []

        def attempt() -> None:
            together.wait(10)
            admitted.append(limiter.admit("ana", "1.1.1.1"))

        threads = [threading.Thread(target=attempt) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert admitted.count(0) == 5
        assert len(admitted) == 20

    def test_made_up_names_do_not_pile_up(self, clock: Clock):
        limiter = AttemptLimiter(per_address=10_000, window_s=60, clock=clock)
        for n in range(500):
            limiter.admit(f"user{n}", "1.1.1.1")
        clock.now += 60
        limiter.admit("ana", "1.1.1.1")
        assert len(limiter._attempts) == 2


class TestSessions:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "folder" / "sign_in.db"

    def test_a_session_is_its_user_with_the_role_of_now(self, path: Path):
        ana = account()
        session_id, _ = Sessions(path).open(ana)
        assert Sessions(path).user(session_id, {"ana": ana}) == ana.user
        demoted = Account(User("ana", "Ana", "viewer"), ana.password_hash)
        assert Sessions(path).user(session_id, {"ana": demoted}) == demoted.user

    def test_an_unknown_session_is_nobody(self, path: Path):
        sessions = Sessions(path)
        assert sessions.user("made-up", {"ana": account()}) is None
        assert sessions.user("", {"ana": account()}) is None

    def test_a_closed_session_is_nobody_and_the_others_go_on(self, path: Path):
        sessions, ana = Sessions(path), account()
        here, _ = sessions.open(ana)
        elsewhere, _ = sessions.open(ana)
        sessions.close(here)
        assert sessions.user(here, {"ana": ana}) is None
        assert sessions.user(elsewhere, {"ana": ana}) == ana.user

    def test_a_new_password_ends_every_session(self, path: Path):
        sessions = Sessions(path)
        session_id, _ = sessions.open(account())
        assert sessions.user(session_id, {"ana": account(b"battery staple")}) is None

    def test_a_removed_user_is_nobody(self, path: Path):
        sessions = Sessions(path)
        session_id, _ = sessions.open(account())
        assert sessions.user(session_id, {}) is None

    def test_a_session_ends_by_itself(self, path: Path, clock: Clock):
        sessions, ana = Sessions(path, clock), account()
        session_id, expires_at = sessions.open(ana)
        clock.now = expires_at - 1
        assert sessions.user(session_id, {"ana": ana}) == ana.user
        clock.now = expires_at
        assert sessions.user(session_id, {"ana": ana}) is None

    def test_the_database_gives_away_neither_ids_nor_hashes(self, path: Path):
        ana = account()
        session_id, _ = Sessions(path).open(ana)
        content = path.read_bytes()
        assert session_id.encode() not in content
        assert ana.password_hash.encode() not in content

    def test_the_file_is_for_the_owner_alone(self, path: Path):
        Sessions(path).open(account())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_file_that_cannot_be_used_lets_nobody_in(self, path: Path):
        sessions, ana = Sessions(path), account()
        session_id, _ = sessions.open(ana)
        path.write_bytes(b"not a database" * 100)
        with pytest.raises(UsersError, match="cannot be used"):
            sessions.user(session_id, {"ana": ana})


class TestCookieKey:
    def test_it_is_made_once_for_the_owner_alone(self, tmp_path: Path):
        path = tmp_path / "new" / "cookie.key"
        key = sign_in.cookie_key(path)
        assert len(bytes.fromhex(key)) == 32
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sign_in.cookie_key(path) == key
        assert list(path.parent.iterdir()) == [path]

    def test_two_places_have_two_keys(self, tmp_path: Path):
        assert sign_in.cookie_key(tmp_path / "a") != sign_in.cookie_key(tmp_path / "b")

    def test_starters_at_the_same_moment_agree(self, tmp_path: Path):
        together = threading.Barrier(8)
        keys: list[str] = []

        def start() -> None:
            together.wait(10)
            keys.append(sign_in.cookie_key(tmp_path / "cookie.key"))

        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(keys) == 8
        assert len(set(keys)) == 1

    @pytest.mark.parametrize("content", ["", "some_key", "00" * 31, "not hexadecimal " * 8])
    def test_a_weak_or_broken_key_is_refused(self, tmp_path: Path, content: str):
        path = tmp_path / "cookie.key"
        path.write_text(content)
        with pytest.raises(ValueError, match=r"cookie\.key|hexadecimal"):
            sign_in.cookie_key(path)


def test_an_unknown_name_costs_a_check_of_the_same_price(monkeypatch: pytest.MonkeyPatch):
    checked: list[bytes] = []
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, against: checked.append(against))
    ana = account()
    sign_in.waste_a_check({"ana": ana}, "guess")
    assert checked == [ana.password_hash.encode()]
