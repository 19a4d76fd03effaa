"""The gate in front of every page: who is signed in, the sign-in form, signing out.

Sign-in is off only while there are no users and the server listens on loopback alone. Otherwise a visitor
is known by a session id that the server keeps (`services.sign_in`): it lies in the browser session's state,
and in a cookie that outlives the tab. Roles are read from the users file on every run, not from the browser.

streamlit-authenticator checks the password and writes the cookie. The form is ours, because attempts are
limited before a password is looked at, and because password managers need to know the fields.
"""

from __future__ import annotations

import ipaddress
import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import jwt
import streamlit as st

from components.navigation import all_pages
from components.reply_hub import reply_hub
from components.safe_markdown import plain
from services import settings, sign_in, users
from services.users import LOCAL_USER, Account, Accounts, User, UsersError

if TYPE_CHECKING:
    from streamlit_authenticator import Authenticate

logger = logging.getLogger(__name__)

COOKIE = "workbench_sign_in"
_ADMITTED = "sign_in_admitted"
_SESSION_ID = "sign_in_session_id"
_COOKIE_JOB = "sign_in_cookie_job"
_REFUSAL = "sign_in_refusal"


@dataclass(frozen=True)
class _CookieJob:
    """What the browser still has to do to its cookie. Asked for in every run until it has answered."""

    method: Literal["set", "delete"]
    token: str = ""
    expires_at: float = 0.0

    @property
    def key(self) -> str:
        return f"sign_in_cookie_{self.method}"


def gate() -> User:
    """Let a run of Home.py go on only for someone who may be here; else draw the form, or why, and stop."""
    try:
        accounts = users.load(settings.get().users_file)
        user = current_user()
    except UsersError as error:
        _refuse_broken(error)
    if user is None and _ADMITTED in st.session_state:
        _forget()  # whoever was here is not any more; the next one at this tab sees nothing of it
    if not accounts:
        user = user or _refuse_without_users()
    elif user is None or _COOKIE_JOB in st.session_state:
        user = _sign_in(user, accounts)
    st.session_state[_ADMITTED] = True
    return user


def require_user() -> User:
    """The first statement of every page: the user, or no page.

    Until some browser has run `st.navigation`, Streamlit runs `pages/x.py` directly, past Home.py and its
    gate. Such a run starts again through Home.py, at the same address.
    """
    if _ADMITTED not in st.session_state:
        st.navigation(all_pages(), position="hidden")
        st.rerun()
    try:
        user = current_user()
    except UsersError:
        user = None
    if user is None:
        st.stop()
    return user


def current_user() -> User | None:
    """Who this browser session is signed in as, looked up anew on every call. Raises UsersError."""
    accounts = users.load(settings.get().users_file)
    if not accounts:
        return LOCAL_USER if _on_loopback() else None
    session_id = st.session_state.get(_SESSION_ID) or _session_id_of_cookie()
    user = sign_in.sessions().user(session_id, accounts) if session_id else None
    if user:
        st.session_state[_SESSION_ID] = session_id
    return user


def sign_out() -> None:
    """End this session on the server, stop what it streams, forget its state and have the cookie deleted."""
    sign_in.sessions().close(st.session_state.get(_SESSION_ID, ""))
    _forget()
    st.session_state[_COOKIE_JOB] = _CookieJob("delete")


def _forget() -> None:
    reply_hub().stop_all()
    st.session_state.clear()


def _on_loopback() -> bool:
    """Whether the server can be reached from this machine alone. Unset means every interface."""
    address = str(st.get_option("server.address") or "")
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _refuse_without_users() -> NoReturn:
    _refuse(
        "Add a user first",
        "This server can be reached from other machines, and nobody would have to sign in. "
        "Add the first user with the command below and reload this page, "
        "or start the server with `--server.address 127.0.0.1`.",
        users.ADD_COMMAND,
    )


def _refuse_broken(error: UsersError) -> NoReturn:
    """Strangers are not told what is in the users file, or where it is."""
    logger.error("%s", error)
    _refuse("Nobody can sign in", plain(str(error)) if _on_loopback() else "The server's log says why.")


def _refuse(title: str, text: str, command: str = "") -> NoReturn:
    st.navigation(all_pages(), position="hidden")
    st.error(text, title=title, icon=":material/lock:")
    if command:
        st.code(command, language="bash")
    st.stop()


def _sign_in(user: User | None, accounts: Accounts) -> User:
    """Have the form filled in unless there is a user, and the browser's cookie brought up to date."""
    if user is None:
        st.navigation(all_pages(), position="hidden")  # keeps the address that the visitor asked for
    authenticator = _authenticator(accounts)
    _do_cookie_job(authenticator)
    if user is None:
        _sign_in_form(authenticator, accounts)
    return user


def _sign_in_form(authenticator: Authenticate, accounts: Accounts) -> NoReturn:
    """The form. Whoever signs in with it is a user from the next run on."""

    def attempt() -> None:
        """A callback: a run that is under way can be ended by the next one, and its click be lost."""
        name, password = st.session_state["sign_in_name"], st.session_state["sign_in_password"]
        outcome = _check(authenticator, accounts, name, password)
        if isinstance(outcome, Account):
            _open_session(outcome)
        else:
            st.session_state[_REFUSAL] = outcome

    with st.container(horizontal_alignment="center"), st.form("sign_in", width=400):
        st.subheader("Sign in to Bedrock Workbench", anchor=False)
        st.text_input("User name", key="sign_in_name", autocomplete="username", max_chars=64)
        st.text_input("Password", key="sign_in_password", type="password", autocomplete="current-password")
        st.form_submit_button(
            "Sign in", key="sign_in_submit", type="primary", width="stretch", on_click=attempt
        )
        if refusal := st.session_state.get(_REFUSAL):
            st.error(refusal, icon=":material/error:")
    st.stop()


def _check(authenticator: Authenticate, accounts: Accounts, name: str, password: str) -> Account | str:
    """The account, or why not. Says and takes the same for an unknown name as for a wrong password."""
    name = name.strip().lower()
    address = st.context.ip_address or "loopback"
    wait_s = sign_in.limiter().admit(name, address)
    if wait_s:
        return f"Too many attempts. The next one counts in {math.ceil(wait_s)} s."
    if len(password.encode()) <= users.MAX_PASSWORD_BYTES:
        if name not in accounts:
            sign_in.waste_a_check(accounts, password)
        if authenticator.authentication_controller.login(name, password):
            sign_in.limiter().succeeded(name, address)
            return accounts[name]
    return "The user name or the password is wrong."


def _open_session(account: Account) -> None:
    session_id, expires_at = sign_in.sessions().open(account)
    claims = {"username": account.user.username, "exp_date": expires_at, "exp": expires_at, "sid": session_id}
    token = jwt.encode(claims, _cookie_key(), algorithm="HS256")
    st.session_state.pop(_REFUSAL, None)
    st.session_state[_SESSION_ID] = session_id
    st.session_state[_COOKIE_JOB] = _CookieJob("set", token, expires_at)


def _session_id_of_cookie() -> str:
    """The session id in the browser's cookie, if we signed it; whether it is still good is not said."""
    try:
        claims = jwt.decode(st.context.cookies.get(COOKIE) or "", _cookie_key(), algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return ""
    return str(claims.get("sid", ""))


def _cookie_key() -> str:
    path = settings.get().users_file.with_name("cookie.key")
    try:
        return sign_in.cookie_key(path)
    except (OSError, ValueError) as error:
        raise UsersError(f"The key of the sign-in cookies cannot be used: {error}.") from error


def _authenticator(accounts: Accounts) -> Authenticate:
    """streamlit-authenticator for this run; making it mounts its cookie component."""
    from streamlit_authenticator import Authenticate  # costs 0.2 s: only where sign-in is on

    usernames: dict[str, dict[str, Any]] = {
        username: {
            "name": account.user.name,
            "email": "",
            "roles": [account.user.role],
            "password": account.password_hash,
        }
        for username, account in accounts.items()
    }
    credentials = {"usernames": usernames}
    return Authenticate(credentials, COOKIE, _cookie_key(), auto_hash=False, login_sleep_time=0)


def _do_cookie_job(authenticator: Authenticate) -> None:
    """Mount the component that sets or deletes the cookie, until the browser has answered that it did."""
    job: _CookieJob | None = st.session_state.get(_COOKIE_JOB)
    if job is None:
        return
    if st.session_state.get(job.key):
        del st.session_state[_COOKIE_JOB]
        return
    manager = authenticator.cookie_controller.cookie_model.cookie_manager
    if job.method == "delete":
        manager.cookies.setdefault(COOKIE, "")  # it forgets the name itself, and fails where it is not known
        manager.delete(COOKIE, key=job.key)
    else:
        manager.set(
            COOKIE,
            job.token,
            key=job.key,
            expires_at=datetime.fromtimestamp(job.expires_at, UTC),
            secure=str(st.context.url or "").startswith("https://"),
        )
