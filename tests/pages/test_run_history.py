"""The run history: what is listed and found, and what can be done with a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from components import history_table
from services import run_store
from services.clients import Identity
from services.runs import Call, Run, TokenUsage, new_id, to_json
from services.users import LOCAL_USER

pytestmark = pytest.mark.usefixtures("workspace")


def save(number: int = 0, *, user: str = LOCAL_USER.username, shared: bool = False, **call: Any) -> Run:
    made: dict[str, Any] = {
        "operation": "Converse",
        "request": {"messages": [{"role": "user", "content": [{"text": f"prompt {number}"}]}]},
        "identity": Identity("aws", None, "us-east-1"),
        "model_id": "m",
        "user": user,
        "tags": {"page": "playground"},
    }
    run = Run(
        id=new_id(),
        call=Call(**made | call),
        started_at=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=number),
        state="done",
        latency_ms=12.0,
        usage=TokenUsage(1, 2),
        shared=shared,
    )
    assert run_store.store().save(run) is None
    return run


def open_page(**params: str) -> AppTest:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    app.switch_page("pages/run_history.py")
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def prompts(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["prompt"]) if app.dataframe else []


def select(monkeypatch: pytest.MonkeyPatch, *chosen: Run) -> None:
    """AppTest cannot click rows."""
    draw = history_table._draw_page

    def drawn(runs: Any, user: Any) -> Any:
        draw(runs, user)
        return [run for run in runs if run.id in {one.id for one in chosen}]

    monkeypatch.setattr(history_table, "_draw_page", drawn)


def test_an_empty_history_says_so() -> None:
    app = open_page()
    assert any("Nothing has been run yet" in caption.value for caption in app.caption)
    assert app.button(key="history_details").disabled


def test_every_run_is_listed_newest_first_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_table, "PAGE_RUNS", 3)
    for number in range(7):
        save(number)
    app = open_page()
    assert prompts(app) == ["prompt 6", "prompt 5", "prompt 4"]
    app.button(key="history_older").click().run()
    app.button(key="history_older").click().run()
    assert prompts(app) == ["prompt 0"]
    assert app.button(key="history_older").disabled
    app.text_input(key="q").set_value("prompt").run()
    assert prompts(app)[0] == "prompt 6", "a search begins at its first page"


def test_a_row_says_what_it_cost_or_that_it_is_unpriced() -> None:
    save()
    (row,) = open_page().dataframe[0].value.to_dict("records")
    assert (row["tokens"], row["cost"], row["latency"]) == (3, "unpriced", "12 ms")
    assert row["tags"] == "page: playground"


def test_a_search_can_be_linked() -> None:
    save(1)
    save(2)
    app = open_page(q="2")
    assert app.text_input(key="q").value == "2"
    assert prompts(app) == ["prompt 2"]


def test_filters_narrow_the_list_and_say_when_nothing_is_left() -> None:
    save(1, model_id="a")
    save(2, model_id="b", user="bob", shared=True)
    save(3, model_id="c", user="bob")
    app = open_page()
    assert prompts(app) == ["prompt 2", "prompt 1"]
    app.selectbox(key="history_scope").set_value("shared").run()
    assert prompts(app) == ["prompt 2"]
    app.selectbox(key="history_state").set_value("failed").run()
    assert not app.exception
    assert any("No run fits" in caption.value for caption in app.caption)


def test_share_gives_a_link_and_unshare_takes_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    run = save()
    select(monkeypatch, run)
    app = open_page()
    app.button(key="history_share").click().run()
    assert run_store.store().get(run.id, "somebody else")
    assert any(f"model_playground?run={run.id}" in code.value for code in app.code)
    app.button(key="history_unshare").click().run()
    assert run_store.store().get(run.id, "somebody else") is None


def test_delete_takes_the_selected_runs_of_ones_own_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, kept, foreign = save(1), save(2), save(3, user="bob", shared=True)
    select(monkeypatch, mine, foreign)
    app = open_page()
    app.button(key="history_delete_confirm").click().run()
    assert not app.exception
    store = run_store.store()
    assert store.get(mine.id, LOCAL_USER.username) is None
    assert store.get(kept.id, LOCAL_USER.username)
    assert store.get(foreign.id, "bob")


def test_details_show_the_code_in_every_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    run = save(model_id="amazon.nova-lite-v1:0")
    select(monkeypatch, run)
    app = open_page()
    app.button(key="history_details").click().run()
    assert not app.exception
    assert any("import boto3" in code.value for code in app.code)


def test_a_link_opens_the_run() -> None:
    run = save()
    app = open_page(run=run.id)
    assert any("import boto3" in code.value for code in app.code)


def test_a_link_to_a_private_run_says_so() -> None:
    app = open_page(run=save(user="bob").id)
    assert any("private to someone else" in toast.value for toast in app.toast)


def test_an_exported_file_comes_back_as_ones_own() -> None:
    run = save(user="bob")
    app = open_page()
    app.file_uploader(key="history_upload_0").set_value(
        ("run.json", to_json(run).encode(), "application/json")
    )
    app.run()
    assert not app.exception
    assert prompts(app) == ["prompt 0"]
    app.run()
    assert len(prompts(app)) == 1, "a rerun imports nothing again"


def test_a_bad_file_is_a_sentence() -> None:
    app = open_page()
    bad = json.dumps({"format": "x"}).encode() + b"\nnonsense"
    app.file_uploader(key="history_upload_0").set_value(("run.jsonl", bad, "application/jsonl")).run()
    assert not app.exception
    assert any("Line 1" in error.value for error in app.error)
