"""The conversations of RetrieveAndGenerate: what was asked and answered, for 24 hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.knowledge.rag_prompt import Turn

KIND = "rag-session"
LIFETIME = timedelta(hours=24)
"""As on AWS, from the first question on; nothing extends it."""


def find(ctx: Context, target: str, session_id: str) -> dict[str, Any]:
    """The session with this id, to be continued.

    ``target`` is the knowledge base's id (or EXTERNAL_SOURCES), to which a session is bound. AwsError for an
    id that is unknown or has expired, and for another knowledge base.
    """
    session = ctx.store.get(KIND, session_id)
    if session is None or _expired(session):
        raise validation(f"Session with Id {session_id} is not valid. Please check and try again.")
    if session["target"] != target:
        raise validation("Knowledge base configurations cannot be modified for an ongoing session.")
    return session


def new(ctx: Context, target: str, settings: dict[str, Any]) -> dict[str, Any]:
    """A session without turns; ``settings`` is sessionConfiguration. Those that have expired are deleted."""
    for session in ctx.store.list(KIND):
        if _expired(session):
            ctx.store.delete(KIND, session["id"])
    session = {
        "id": str(uuid4()),
        "target": target,
        "createdAt": datetime.now(UTC).isoformat(),
        "turns": [],
        **settings,
    }
    ctx.store.put(KIND, session["id"], session)
    return session


def turns(session: dict[str, Any]) -> list[Turn]:
    """Its questions and answers, the oldest first."""
    return [(turn["question"], turn["answer"]) for turn in session["turns"]]


def add(ctx: Context, session_id: str, question: str, answer: str) -> None:
    """Keeps a turn, once its answer is complete."""

    def changed(session: dict[str, Any] | None) -> dict[str, Any]:
        kept = session or {}
        return kept | {"turns": [*kept.get("turns", []), {"question": question, "answer": answer}]}

    if ctx.store.get(KIND, session_id) is not None:
        ctx.store.update(KIND, session_id, changed)


def _expired(session: dict[str, Any]) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(session["createdAt"]) > LIFETIME
