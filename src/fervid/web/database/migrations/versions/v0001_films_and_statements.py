"""Film jobs and the operator's statements."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Film jobs and the operator's statements."""
    op.create_table(
        "film_jobs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Double()),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("seconds_left", sa.Double()),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True)),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(32)),
        sa.Column("heartbeat_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_film_jobs")),
    )
    op.create_index(op.f("ix_film_jobs_owner"), "film_jobs", ["owner"])
    op.create_index(op.f("ix_film_jobs_status_queued_at"), "film_jobs", ["status", "queued_at"])
    op.create_table(
        "statements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("recorded_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
    )
