"""The gate: nobody sees a page who may not, on any way in; the others land where they wanted."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
import streamlit as st
from streamlit import config
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, app_test

from components import auth
from services import sign_in, users
from services.users import Role
from tests.pages.conftest import Workspace

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.name for path in (ROOT / "pages").glob("*.py"))
pytestmark = pytest.mark.usefixtures("workspace")
PART_OF_PAGE = {
    "home.py": "health_refresh",
    "model_playground.py": "playground_new_chat",
    "rag_chat.py": "rag_new_session",
    "guardrail_tester.py": "guardrail_refresh",
    "run_history.py": "history_details",
}
"""A button of each page, by which it is seen that the page was drawn."""


@pytest.fixture
def add(workspace: Workspace) -> Callable[..., None]:
    """Adds a user whose password is "<name>-password"."""

    def add_user(name: str, role: Role = "admin") -> None:
        users.add(workspace.settings.users_file, name, f"{name}-password", role)

    return add_user


def open_app(page: str = "") -> AppTest:
    app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=30)
    if page:
        app.run()
        app.switch_page(f"pages/{page}")
    app.run()
    assert not app.exception
    return app


def enter(app: AppTest, name: str, password: str | None = None) -> None:
    app.text_input(key="sign_in_name").set_value(name)
    app.text_input(key="sign_in_password").set_value(f"{name}-password" if password is None else password)
    app.button(key="sign_in_submit").click().run()
    assert not app.exception


def asks_to_sign_in(app: AppTest) -> bool:
    return any(widget.key == "sign_in_password" for widget in app.text_input)


def shows(app: AppTest, page: str) -> bool:
    """Whether the page's own part of the run was drawn."""
    return any(button.key == PART_OF_PAGE[page] for button in app.button)


def words(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.error, *app.code))


@pytest.fixture
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the browser sends along."""
    jar: dict[str, str] = {}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda self: jar))
    return jar


def test_these_tests_know_every_page():
    assert set(PART_OF_PAGE) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_the_first_statement_of_every_page_is_the_guard(page: str):
    body = ast.parse((ROOT / "pages" / page).read_text("utf-8")).body
    statements = [node for node in body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
    assert isinstance(body[0], ast.Expr), "a page begins with its docstring"
    assert ast.unparse(statements[0]) == "user = require_user()"


class TestNobodySignedIn:
    @pytest.mark.parametrize("page", PAGES)
    def test_a_page_shows_the_form_and_nothing_of_itself(self, page: str, add: Callable[..., None]):
        add("ana")
        app = open_app(page)
        assert asks_to_sign_in(app)
        assert not shows(app, page)
        assert not app.sidebar.button

    @pytest.mark.parametrize("page", PAGES)
    def test_the_way_past_home_py_is_closed(
        self, page: str, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ):
        """Until st.navigation has run in a process, Streamlit runs pages/x.py alone. As AppTest does here."""
        monkeypatch.setattr(app_test, "PagesManager", PagesManager)
        add("ana")
        app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=30)
        app.switch_page(f"pages/{page}").run()
        assert not app.exception
        assert asks_to_sign_in(app)
        assert not shows(app, page)

    @pytest.mark.parametrize("page", PAGES)
    def test_without_sign_in_that_way_leads_through_home_py_too(
        self, page: str, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(app_test, "PagesManager", PagesManager)
        app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=30)
        app.switch_page(f"pages/{page}").run()
        assert not app.exception
        assert [badge.value for badge in app.sidebar.markdown if "LOCAL" in badge.value]

    @pytest.mark.parametrize("page", PAGES)
    def test_a_broken_users_file_lets_nobody_in(self, page: str, workspace: Workspace):
        workspace.settings.users_file.write_text("users: {ana: {role: admin, password: plain}}")
        app = open_app(page)
        assert not asks_to_sign_in(app)
        assert not shows(app, page)
        assert "bcrypt" in words(app)

    def test_strangers_are_not_told_what_is_wrong_with_the_users_file(self, workspace: Workspace):
        workspace.settings.users_file.write_text("users: {ana: {role: admin, password: plain}}")
        config.set_option("server.address", "0.0.0.0")
        app = open_app()
        assert app.error
        assert "ana" not in words(app)
        assert "users.yaml" not in words(app)

    def test_a_weak_cookie_key_lets_nobody_in(self, workspace: Workspace, add: Callable[..., None]):
        add("ana")
        workspace.settings.users_file.with_name("cookie.key").write_text("some_key")
        app = open_app()
        assert not asks_to_sign_in(app)
        assert "cookie" in words(app)


class TestNoUsers:
    @pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
    def test_on_loopback_there_is_no_sign_in(self, address: str):
        config.set_option("server.address", address)
        app = open_app("home.py")
        assert shows(app, "home.py")
        assert not [button for button in app.button if button.key == "sign_out"]

    @pytest.mark.parametrize(
        "address", [None, "", "0.0.0.0", "::", "192.168.1.7", "example.org", "unix:///tmp/s"]
    )
    @pytest.mark.parametrize("page", PAGES)
    def test_anywhere_else_every_page_is_refused_with_the_command(self, page: str, address: str | None):
        config.set_option("server.address", address)
        app = open_app(page)
        assert not shows(app, page)
        assert not asks_to_sign_in(app)
        assert users.ADD_COMMAND in words(app)

    def test_anywhere_else_with_a_user_there_is_sign_in(self, add: Callable[..., None]):
        add("ana")
        config.set_option("server.address", "0.0.0.0")
        assert asks_to_sign_in(open_app())


class TestSigningIn:
    def test_leads_to_the_page_that_was_asked_for(self, add: Callable[..., None]):
        add("ana")
        app = open_app("model_playground.py")
        enter(app, "ana")
        assert not asks_to_sign_in(app)
        assert shows(app, "model_playground.py")
        app.run()
        assert shows(app, "model_playground.py")

    def test_takes_the_name_in_any_case(self, add: Callable[..., None]):
        add("ana")
        app = open_app()
        enter(app, " Ana ", "ana-password")
        assert not asks_to_sign_in(app)

    @pytest.mark.parametrize(
        ("name", "password"),
        [("ana", "wrong-password"), ("nobody", "ana-password"), ("ana", ""), ("", ""), ("ana", "x" * 100)],
    )
    def test_says_the_same_whatever_was_wrong(self, add: Callable[..., None], name: str, password: str):
        add("ana")
        app = open_app()
        enter(app, name, password)
        assert words(app) == "The user name or the password is wrong."
        assert asks_to_sign_in(app)

    def test_too_many_wrong_passwords_shut_out_the_right_one_for_a_while(self, add: Callable[..., None]):
        add("ana")
        app = open_app()
        for _ in range(5):
            enter(app, "ana", "wrong-password")
        enter(app, "ana")
        assert asks_to_sign_in(app)
        assert "Too many attempts" in words(app)
        sign_in.limiter.clear()
        enter(app, "ana")
        assert not asks_to_sign_in(app)

    def test_the_limit_holds_across_browser_sessions(self, add: Callable[..., None]):
        add("ana")
        for _ in range(5):
            enter(open_app(), "ana", "wrong-password")
        app = open_app()
        enter(app, "ana")
        assert "Too many attempts" in words(app)

    def test_a_right_password_forgives_slips(self, add: Callable[..., None]):
        add("ana")
        for _ in range(3):
            app = open_app()
            for _ in range(3):
                enter(app, "ana", "wrong-password")
            enter(app, "ana")
            assert not asks_to_sign_in(app)

    def test_the_role_is_the_one_in_the_file_now(self, workspace: Workspace, add: Callable[..., None]):
        add("root")
        add("ana", "tester")
        app = open_app("model_playground.py")
        enter(app, "ana")
        assert not app.chat_input(key="playground_prompt").disabled
        users.remove(workspace.settings.users_file, "ana")
        users.add(workspace.settings.users_file, "ana", "ana-password", "viewer")
        app = open_app("model_playground.py")
        enter(app, "ana")
        assert app.chat_input(key="playground_prompt").disabled


class TestEndingASession:
    @pytest.fixture
    def app(self, add: Callable[..., None]) -> AppTest:
        """A browser in which ana is signed in."""
        add("root")
        add("ana", "admin")
        app = open_app("model_playground.py")
        enter(app, "ana")
        assert shows(app, "model_playground.py")
        return app

    def cookie_of(self, app: AppTest) -> str:
        """The token that this browser was told to keep."""
        token: str = app.session_state[auth._COOKIE_JOB].token
        assert token
        return token

    def test_the_cookie_signs_another_tab_in(self, app: AppTest, cookies: dict[str, str]):
        cookies[auth.COOKIE] = self.cookie_of(app)
        assert shows(open_app("home.py"), "home.py")

    def test_signing_out_ends_this_tab_and_the_cookie(self, app: AppTest, cookies: dict[str, str]):
        cookies[auth.COOKIE] = self.cookie_of(app)
        app.button(key="sign_out").click().run()
        assert asks_to_sign_in(app)
        assert not shows(app, "model_playground.py")
        assert asks_to_sign_in(open_app("home.py"))

    def test_signing_out_leaves_nothing_for_the_next_one_at_this_tab(self, app: AppTest):
        app.session_state["draft"] = "what ana was doing"
        app.button(key="sign_out").click().run()
        enter(app, "root")
        assert "draft" not in app.session_state

    def test_the_first_user_ends_what_was_open_without_sign_in(self, add: Callable[..., None]):
        app = open_app("model_playground.py")
        app.session_state["draft"] = "what was done without sign-in"
        add("ana")
        app.run()
        assert asks_to_sign_in(app)
        assert "draft" not in app.session_state

    def test_a_new_password_ends_tabs_and_cookies(
        self, app: AppTest, cookies: dict[str, str], workspace: Workspace
    ):
        cookies[auth.COOKIE] = self.cookie_of(app)
        app.session_state["draft"] = "what ana was doing"
        users.set_password(workspace.settings.users_file, "ana", "another-password")
        app.run()
        assert asks_to_sign_in(app)
        assert "draft" not in app.session_state
        assert asks_to_sign_in(open_app("home.py"))

    @pytest.mark.parametrize("page", PAGES)
    def test_the_guard_of_a_page_looks_by_itself(
        self, app: AppTest, page: str, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
    ):
        """That this browser session has passed the gate before proves nothing. Here a page runs alone."""
        monkeypatch.setattr(app_test, "PagesManager", PagesManager)
        app.switch_page(f"pages/{page}").run()
        assert shows(app, page)
        users.remove(workspace.settings.users_file, "ana")
        app.run()
        assert not app.exception
        assert not shows(app, page)

    def test_removing_a_user_ends_tabs_and_cookies(
        self, app: AppTest, cookies: dict[str, str], workspace: Workspace
    ):
        cookies[auth.COOKIE] = self.cookie_of(app)
        users.remove(workspace.settings.users_file, "ana")
        assert asks_to_sign_in(app.run())
        assert asks_to_sign_in(open_app("home.py"))

    def test_a_cookie_that_we_did_not_sign_is_nothing(self, app: AppTest, cookies: dict[str, str]):
        claims = jwt.decode(self.cookie_of(app), options={"verify_signature": False})
        for forged in (
            jwt.encode(claims, "another key, also of 32 bytes or more", algorithm="HS256"),
            jwt.encode(claims, "", algorithm="none"),
            self.cookie_of(app)[:-4] + "AAAA",
            "not a token",
            "",
        ):
            cookies[auth.COOKIE] = forged
            assert asks_to_sign_in(open_app("home.py"))

    def test_a_signed_cookie_without_a_session_of_ours_is_nothing(
        self, app: AppTest, cookies: dict[str, str]
    ):
        """The cookie that streamlit-authenticator would write by itself holds a name and a date only."""
        claims = jwt.decode(self.cookie_of(app), options={"verify_signature": False})
        for changes in ({"sid": "made-up"}, {"sid": None}, {"exp": 1}):
            cookies[auth.COOKIE] = jwt.encode(claims | changes, auth._cookie_key(), algorithm="HS256")
            assert asks_to_sign_in(open_app("home.py"))
