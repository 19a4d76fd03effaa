"""The tables of guardrail suites and their results, in the database of the run history."""

from __future__ import annotations

import sqlalchemy as sa

from services.run_tables import LONGEST_NAME, schema

suites = sa.Table(
    "guardrail_suites",
    schema,
    sa.Column("owner", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(LONGEST_NAME), primary_key=True),
    sa.Column("case_count", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)
results = sa.Table(
    "guardrail_results",
    schema,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(64), nullable=False),  # the same for the versions that are run together
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("suite_name", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("identifier", sa.Text, nullable=False),
    sa.Column("guardrail_version", sa.String(16), nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),  # seconds since 1970, UTC
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("backend", sa.String(16), nullable=False),
    sa.Column("profile", sa.Text),
    sa.Column("region", sa.String(64), nullable=False),
    sa.Column("changes", sa.Integer, nullable=False),  # rises with every change of a check
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("runner", sa.Text),
    sa.Column("heartbeat_at", sa.Double),
)
checks = sa.Table(
    "guardrail_checks",
    schema,
    sa.Column("result_id", sa.String(64), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("source", sa.String(8), nullable=False),
    sa.Column("expected", sa.String(16), nullable=False),
    sa.Column("policy", sa.String(64), nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("grounding_source", sa.Text, nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("got", sa.String(16)),  # NULL: not checked yet
    sa.Column("rank", sa.Integer),  # the place of its verdict in metrics.VERDICTS
    sa.Column("acted", sa.Text),  # "|wordPolicy|topicPolicy|"
    sa.Column("why", sa.Text),
    sa.Column("units", sa.Text),  # JSON
    sa.Column("latency_ms", sa.Double),
)
sa.Index("guardrail_results_by_owner", results.c.owner, results.c.created_at)
sa.Index("guardrail_checks_by_rank", checks.c.result_id, checks.c.rank, checks.c.position)
sa.Index("guardrail_checks_by_key", checks.c.result_id, checks.c.key)
