"""The tables of the batches, in the database of the run history, for SQLite and Postgres."""

from __future__ import annotations

import sqlalchemy as sa

from services.run_tables import schema

batches = sa.Table(
    "batches",
    schema,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),  # seconds since 1970, UTC
    sa.Column("headers", sa.Text, nullable=False),  # JSON
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("mapping", sa.Text, nullable=False),  # JSON: variable -> header
    sa.Column("columns", sa.Text, nullable=False),  # JSON: labels and settings
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("concurrency", sa.Integer, nullable=False),
    sa.Column("backend", sa.String(16), nullable=False),
    sa.Column("profile", sa.Text),
    sa.Column("region", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),  # rises with every change of a cell
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("runner", sa.Text),
    sa.Column("heartbeat_at", sa.Double),
)
rows = sa.Table(
    "batch_rows",
    schema,
    sa.Column("batch_id", sa.String(64), primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True),
    sa.Column("texts", sa.Text, nullable=False),  # JSON, in the order of the headers
)
cells = sa.Table(
    "batch_cells",
    schema,
    sa.Column("batch_id", sa.String(64), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),  # row by row
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("column", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("runner", sa.Text),  # who claimed it: a runner, or a job
    sa.Column("run_id", sa.String(64)),
    sa.Column("reply", sa.Text),
    sa.Column("reply_hash", sa.String(64)),
    sa.Column("input_tokens", sa.Integer),
    sa.Column("output_tokens", sa.Integer),
    sa.Column("ttft_ms", sa.Double),
    sa.Column("latency_ms", sa.Double),
    sa.Column("cost_usd", sa.Double),
    sa.Column("problem", sa.Text),
    sa.Column("billed", sa.Boolean, nullable=False),  # it failed, and may have been charged
)
jobs = sa.Table(
    "batch_jobs",
    schema,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("batch_id", sa.String(64), nullable=False, index=True),
    sa.Column("column", sa.Integer, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("role_arn", sa.Text, nullable=False),
    sa.Column("job_arn", sa.Text),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
)
sa.Index("batches_by_owner", batches.c.owner, batches.c.created_at)
sa.Index("batch_cells_by_state", cells.c.batch_id, cells.c.state, cells.c.position)
sa.Index("batch_cells_by_row", cells.c.batch_id, cells.c.row)
