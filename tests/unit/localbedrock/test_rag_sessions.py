"""A conversation goes on for a day, with the knowledge base that it began with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from localbedrock.context import Context
from localbedrock.errors import AwsError
from localbedrock.knowledge import rag_sessions
from localbedrock.store import Store

BASE = "KB12345678"


@pytest.fixture
def ctx() -> Iterator[Context]:
    store = Store(":memory:")
    yield cast(Context, SimpleNamespace(store=store))
    store.close()


def aged(ctx: Context, session_id: str, hours: float) -> None:
    """Makes a session that old."""
    created = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    ctx.store.update(rag_sessions.KIND, session_id, lambda session: (session or {}) | {"createdAt": created})


def test_a_session_holds_its_turns_in_order(ctx: Context) -> None:
    session = rag_sessions.new(ctx, BASE, {"kmsKeyArn": "arn"})
    assert rag_sessions.turns(session) == []
    rag_sessions.add(ctx, session["id"], "q1", "a1")
    rag_sessions.add(ctx, session["id"], "q2", "a2")
    found = rag_sessions.find(ctx, BASE, session["id"])
    assert rag_sessions.turns(found) == [("q1", "a1"), ("q2", "a2")]
    assert found["kmsKeyArn"] == "arn"


@pytest.mark.parametrize("hours", [24.01, 1000])
def test_a_session_ends_after_a_day(ctx: Context, hours: float) -> None:
    session = rag_sessions.new(ctx, BASE, {})
    aged(ctx, session["id"], hours)
    with pytest.raises(AwsError, match=r"is not valid\. Please check and try again"):
        rag_sessions.find(ctx, BASE, session["id"])
    rag_sessions.new(ctx, BASE, {})
    assert ctx.store.get(rag_sessions.KIND, session["id"]) is None, "it is kept for ever"


def test_a_session_of_this_day_goes_on(ctx: Context) -> None:
    session = rag_sessions.new(ctx, BASE, {})
    aged(ctx, session["id"], 23.9)
    rag_sessions.new(ctx, BASE, {})
    assert rag_sessions.find(ctx, BASE, session["id"])["id"] == session["id"]


def test_an_unknown_session(ctx: Context) -> None:
    with pytest.raises(AwsError, match="Session with Id nope is not valid") as caught:
        rag_sessions.find(ctx, BASE, "nope")
    assert caught.value.code == "ValidationException"


def test_another_knowledge_base(ctx: Context) -> None:
    session = rag_sessions.new(ctx, BASE, {})
    with pytest.raises(AwsError, match="cannot be modified for an ongoing session"):
        rag_sessions.find(ctx, "OTHER12345", session["id"])


def test_the_turn_of_a_session_that_is_gone_makes_no_new_one(ctx: Context) -> None:
    rag_sessions.add(ctx, "gone", "q", "a")
    assert ctx.store.get(rag_sessions.KIND, "gone") is None
