"""Home: what it says about the backend, identity, services and runs, and where a first visit leads."""

from __future__ import annotations

import gc
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from streamlit.testing.v1 import AppTest

from components.recent_runs import ago
from components.startup import settle
from services import backend, clients, health, run_store, settings, users
from services.backend import BackendStatus
from services.clients import Caller, Identity
from services.problems import Problem
from services.runs import Call, Run, TokenUsage
from tests.conftest import Endpoint
from tests.pages.conftest import Workspace

ROOT = Path(__file__).resolve().parents[2]


def open_app(page: str = "home.py") -> AppTest:
    app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=30).run()
    app.switch_page(f"pages/{page}").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    elements = (*app.markdown, *app.caption, *app.error, *app.code, *app.title, *app.subheader)
    return "\n".join(str(element.value) for element in elements)


def keys(app: AppTest) -> set[str]:
    return {str(widget.key) for widget in (*app.button, *app.selectbox)}


def run(run_id: str, prompt: str = "Why is the sky blue?", user: str = "local", **changes: Any) -> Run:
    request = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": prompt}]}]}
    call = Call(
        operation="ConverseStream",
        request=request,
        identity=Identity("local", "localbedrock", "us-east-1"),
        model_id="local.smollm2",
        user=user,
    )
    values: dict[str, Any] = {
        "state": "done",
        "latency_ms": 1234.0,
        "usage": TokenUsage(10, 20),
        "started_at": datetime.now(UTC),
    }
    return Run(id=run_id, call=call, **(values | changes))


@pytest.fixture(autouse=True)
def nothing_kept(workspace: Workspace) -> None:
    health.health.clear()
    health._lookup.clear()


class TestWhereAVisitLeads:
    def visit(self) -> AppTest:
        return AppTest.from_file(str(ROOT / "Home.py"), default_timeout=30).run()

    def is_home(self, app: AppTest) -> bool:
        return "Recent runs" in [heading.value for heading in app.subheader]

    def test_the_first_one_on_a_machine_without_runs_to_the_playground(self):
        assert not self.is_home(self.visit())

    def test_a_click_on_home_to_home(self):
        app = self.visit()
        app.switch_page("pages/home.py").run()
        assert self.is_home(app)
        assert self.is_home(app.run())

    def test_a_later_one_to_home(self, workspace: Workspace):
        run_store.store().save(run("r1"))
        assert self.is_home(self.visit())

    def test_home_opens_when_the_history_cannot_be_read(self, workspace: Workspace, tmp_path: Path):
        (tmp_path / "broken.db").write_bytes(b"not a database" * 100)
        workspace.change(database_url=f"sqlite:///{tmp_path / 'broken.db'}")
        app = self.visit()
        assert not app.exception
        assert self.is_home(app)
        assert "WORKBENCH_DATABASE_URL" in words(app)


class TestRecentRuns:
    def test_each_row_leads_to_its_run(self):
        run_store.store().save(run("r1", "Why is the *sky* blue?"))
        app = open_app()
        links = [link for link in app.get("page_link") if "sky" in link.proto.label]
        assert len(links) == 1
        assert links[0].proto.page == "model_playground"
        assert links[0].proto.query_string == "run=r1"
        assert "\\*sky\\*" in links[0].proto.label
        assert "30 tokens" in words(app)

    def test_a_run_says_how_it_ended(self):
        problem = Problem(code="X", title="Throttled", cause="c", fix="f")
        run_store.store().save(run("r1", state="failed", usage=None, problem=problem))
        assert "failed" in words(open_app())
        assert "Throttled" in words(open_app())

    def test_private_runs_of_others_stay_private(self):
        run_store.store().save(run("r1", "secret of ana", user="ana"))
        assert "secret" not in str(open_app().get("page_link"))
        run_store.store().share("r1", "ana", True)
        app = open_app()
        assert any("secret of ana" in link.proto.label for link in app.get("page_link"))
        assert "shared by ana" in words(app)

    @pytest.mark.parametrize(
        ("passed", "said"),
        [
            (timedelta(seconds=5), "just now"),
            (timedelta(seconds=-5), "just now"),
            (timedelta(minutes=5), "5 min ago"),
            (timedelta(hours=3, minutes=59), "3 h ago"),
        ],
    )
    def test_how_long_ago(self, passed: timedelta, said: str):
        assert ago(datetime.now(UTC) - passed) == said

    def test_long_ago_is_a_date(self):
        assert ago(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02"


class TestLocal:
    def test_services_of_the_real_endpoint_are_well(self, workspace: Workspace, endpoint: Endpoint):
        workspace.change(local_data=endpoint.data_dir)
        workspace.status = BackendStatus("ready", endpoint.url, "", None, 2)
        app = open_app()
        text = words(app)
        assert text.count(":green[:material/check_circle:]") == len(health.probes(current_identity_of(app)))
        assert ":material/error:" not in text
        assert endpoint.url in text
        assert "2 times" in text
        assert f"export AWS_CONFIG_FILE={endpoint.data_dir / 'config'}" in text

    def test_the_badge_says_local(self):
        app = open_app()
        assert any(":green-badge[:material/computer: LOCAL]" in mark.value for mark in app.sidebar.markdown)
        assert not {"sidebar_profile", "sign_out"} & keys(app)

    def test_a_dead_endpoint_is_a_card_and_home_still_opens(self, workspace: Workspace):
        workspace.status = BackendStatus("failed", None, "It ended with status 7.", None, 0)
        app = open_app()
        assert "status 7" in words(app)
        assert "problem_action_backend" in keys(app)
        assert "Recent runs" in words(app)

    def test_restart_restarts(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
        workspace.status = BackendStatus("failed", None, "It ended.", None, 0)

        def restart() -> BackendStatus:
            workspace.status = BackendStatus("ready", "http://127.0.0.1:2", "", None, 0)
            return workspace.status

        monkeypatch.setattr(backend, "restart", restart)
        app = open_app()
        app.button(key="problem_action_backend").click().run()
        assert "problem_action_backend" not in keys(app)
        assert "http://127.0.0.1:2" in words(app)
        workspace.status = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
        app.run()
        app.button(key="backend_restart").click().run()
        assert "http://127.0.0.1:2" in words(app)

    def test_a_start_tells_how_far_it_is(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
        workspace.status = BackendStatus("starting", None, "", None, 0)
        steps: list[str] = []

        def ensure(progress: Any) -> BackendStatus:
            progress("Loading the model")
            steps.append("told")
            workspace.status = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
            return workspace.status

        monkeypatch.setattr(backend, "ensure", ensure)
        app = open_app()
        assert steps == ["told"]
        assert "Loading the model" not in words(app), "nothing of it stays"

    @pytest.mark.parametrize("role", ["viewer", "tester"])
    def test_only_admins_restart(self, workspace: Workspace, role: users.Role):
        path = workspace.settings.users_file
        users.add(path, "root", "root-password")
        users.add(path, "ana", "ana-password", role)
        workspace.status = BackendStatus("failed", None, "It ended.", None, 0)
        app = open_app()
        app.text_input(key="sign_in_name").set_value("ana")
        app.text_input(key="sign_in_password").set_value("ana-password")
        app.button(key="sign_in_submit").click().run()
        app.switch_page("pages/home.py").run()
        assert "Ask an admin" in words(app)
        assert not {"problem_action_backend", "backend_restart"} & keys(app)
        assert "sign_out" in keys(app)


def current_identity_of(app: AppTest) -> Identity:
    identity: Identity = app.session_state["identity"]
    return identity


class TestAws:
    @pytest.fixture(autouse=True)
    def aws(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        workspace.change(backend="aws")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setattr(clients, "available_profiles", lambda: ["prod", "*dev*"])

        def refused(service: str, identity: Identity) -> Any:
            raise NoCredentialsError

        monkeypatch.setattr(clients, "client", refused)
        who = Caller("123456789012", "the_*company*", "arn:aws:iam::123456789012:user/ana")
        monkeypatch.setattr(clients, "caller", lambda identity: who)
        monkeypatch.setattr(clients, "endpoint_label", lambda identity: "AWS")

    def test_the_sidebar_says_which_account_and_region(self):
        app = open_app()
        text = "\n".join(str(e.value) for e in (*app.sidebar.markdown, *app.sidebar.caption))
        assert "LOCAL" not in text
        assert "the\\_\\*company\\*" in text
        assert "123456789012" in text
        assert "eu\\-west\\-1" in text

    def test_an_sts_that_fails_is_said_in_words(self, monkeypatch: pytest.MonkeyPatch):
        def fail(identity: Identity) -> Caller:
            raise EndpointConnectionError(endpoint_url="https://sts.eu-west-1.amazonaws.com")

        monkeypatch.setattr(clients, "caller", fail)
        app = open_app()
        text = "\n".join(str(e.value) for e in app.sidebar.caption)
        assert ":red[" in text
        assert "Recent runs" in words(app)

    def test_an_sts_that_is_silent_holds_no_page(self, monkeypatch: pytest.MonkeyPatch):
        let_go = threading.Event()

        def silent(identity: Identity) -> Caller:
            let_go.wait(30)
            return Caller("42", None, "arn")

        monkeypatch.setattr(clients, "caller", silent)
        monkeypatch.setattr("components.identity_card.ANSWER_WITHIN_S", 0.1)
        try:
            app = open_app()
            assert any("Asking AWS" in str(e.value) for e in app.sidebar.caption)
            assert "Recent runs" in words(app)
            let_go.set()
            health.caller_lookup(current_identity_of(app)).result(10)
            assert any("Account 42" in str(e.value) for e in app.run().sidebar.markdown)
        finally:
            let_go.set()

    def test_services_without_credentials_say_what_to_do(self):
        app = open_app()
        assert words(app).count(":material/error:") == len(health.probes(current_identity_of(app)))
        assert words(app).count("none gave a complete key") == 1, "once, not for each service"
        assert "backend_restart" not in keys(app)

    def test_profile_and_region_are_switched_for_this_session(self):
        app, other = open_app(), open_app()
        app.selectbox(key="sidebar_profile").select("prod").run()
        app.selectbox(key="sidebar_region").select("us-west-2").run()
        assert current_identity_of(app) == Identity("aws", "prod", "us-west-2")
        assert current_identity_of(other) == Identity("aws", None, "eu-west-1")
        app.selectbox(key="sidebar_profile").select("(default chain)").run()
        assert current_identity_of(app) == Identity("aws", None, "us-west-2")

    def test_reading_the_credentials_again_makes_a_new_identity(self):
        app = open_app()
        app.button(key="sidebar_renew").click().run()
        assert current_identity_of(app).epoch == 1

    def test_a_viewer_cannot_switch(self, workspace: Workspace):
        path = workspace.settings.users_file
        users.add(path, "root", "root-password")
        users.add(path, "ana", "ana-password", "viewer")
        app = open_app()
        app.text_input(key="sign_in_name").set_value("ana")
        app.text_input(key="sign_in_password").set_value("ana-password")
        app.button(key="sign_in_submit").click().run()
        assert not {"sidebar_profile", "sidebar_region", "sidebar_renew"} & keys(app)


def test_after_the_first_page_the_heap_is_frozen_and_streaming_is_warm():
    """Else every click pays for a garbage collection, and the first reply for importing pandas."""
    app = open_app()
    settle(current_identity_of(app)).join(60)
    assert gc.get_freeze_count() > 0
    assert {"pandas", "pyarrow"} <= set(sys.modules)


def test_faults_in_the_settings_are_one_card(monkeypatch: pytest.MonkeyPatch):
    def broken() -> settings.Settings:
        raise settings.SettingsError(["WORKBENCH_BACKEND is 'x'.", "WORKBENCH_PROT is not a setting."])

    monkeypatch.setattr(settings, "get", broken)
    app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=30).run()
    assert not app.exception
    assert "WORKBENCH_BACKEND is 'x'.\nWORKBENCH_PROT is not a setting." in words(app)
    assert not app.subheader
