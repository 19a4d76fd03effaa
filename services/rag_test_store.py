"""Test sets of knowledge bases and what came of them: per user, in the database of the runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import sqlalchemy as sa

from services import rag_test_metrics, rag_test_set, run_store, run_tables
from services.rag_test_metrics import Result
from services.rag_test_set import QuestionSet
from services.run_store import RunStore

KEPT_RESULTS = 50
"""Of each user; the oldest go."""

_sets = sa.Table(
    "rag_test_sets",
    run_tables.schema,
    sa.Column("owner", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(run_tables.LONGEST_NAME), primary_key=True),
    sa.Column("document", sa.Text, nullable=False),
)
_results = sa.Table(
    "rag_test_results",
    run_tables.schema,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False, index=True),
    sa.Column("created_at", sa.Double, nullable=False),  # seconds since 1970, UTC
    sa.Column("set_name", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)


@dataclass(frozen=True)
class ResultSummary:
    """A result in the list of them; `label` says in words what was asked."""

    id: str
    created_at: datetime
    set_name: str
    label: str


class RagTests:
    """The test sets and results of all users, beside the runs of a RunStore; for many threads."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    def sets(self, user: str) -> tuple[QuestionSet, ...]:
        """The user's sets, by name."""
        query = sa.select(_sets.c.name, _sets.c.document).where(_sets.c.owner == user).order_by(_sets.c.name)
        with self._runs.engine.connect() as connection:
            return tuple(
                QuestionSet(row.name, rag_test_set.from_json(row.document))
                for row in connection.execute(query)
            )

    def save(self, user: str, questions: QuestionSet) -> None:
        """Store a set, in the place of the one that has its name. ValueError, a sentence, for a bad name."""
        name = questions.name
        run_tables.check_name(name, "A test set")
        document = rag_test_set.to_json(questions.questions)
        with self._runs.engine.begin() as connection:
            connection.execute(sa.delete(_sets).where(_sets.c.owner == user, _sets.c.name == name))
            connection.execute(sa.insert(_sets).values(owner=user, name=name, document=document))

    def delete(self, user: str, name: str) -> bool:
        """Delete one of the user's sets; False where there is none of this name. Its results stay."""
        with self._runs.engine.begin() as connection:
            deleted = connection.execute(sa.delete(_sets).where(_sets.c.owner == user, _sets.c.name == name))
        return deleted.rowcount == 1

    def keep(self, user: str, result: Result) -> None:
        """Store a result; the user's oldest beyond KEPT_RESULTS go."""
        row = {
            "id": result.id,
            "owner": user,
            "created_at": result.created_at.timestamp(),
            "set_name": result.set_name,
            "label": result.label,
            "document": rag_test_metrics.to_json(result),
        }
        of_user = sa.select(_results.c.id).where(_results.c.owner == user)
        newest_first = of_user.order_by(_results.c.created_at.desc(), _results.c.id)
        with self._runs.engine.begin() as connection:
            connection.execute(sa.insert(_results).values(row))
            old = connection.scalars(newest_first.offset(KEPT_RESULTS)).all()
            connection.execute(sa.delete(_results).where(_results.c.id.in_(old)))

    def results(self, user: str) -> tuple[ResultSummary, ...]:
        """The user's results, newest first."""
        table = _results.c
        query = sa.select(table.id, table.created_at, table.set_name, table.label).where(table.owner == user)
        query = query.order_by(table.created_at.desc(), table.id)
        with self._runs.engine.connect() as connection:
            return tuple(
                ResultSummary(row.id, datetime.fromtimestamp(row.created_at, UTC), row.set_name, row.label)
                for row in connection.execute(query)
            )

    def result(self, user: str, result_id: str) -> Result | None:
        """One of the user's results; None where there is none."""
        table = _results.c
        query = sa.select(table.document).where(table.owner == user, table.id == result_id)
        with self._runs.engine.connect() as connection:
            text = connection.scalar(query)
        return None if text is None else rag_test_metrics.from_json(text)

    def forget(self, user: str, result_id: str) -> bool:
        """Delete one of the user's results; False where there is none."""
        query = sa.delete(_results).where(_results.c.owner == user, _results.c.id == result_id)
        with self._runs.engine.begin() as connection:
            return connection.execute(query).rowcount == 1


def store() -> RagTests:
    """The test sets of this server, beside its runs."""
    return _beside(run_store.store())


@cache
def _beside(runs: RunStore) -> RagTests:
    return RagTests(runs)
