"""Exact counts of classes, for whoever asks next."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counts",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("surroundings", sa.Text(), nullable=False),
        sa.Column("equivalence", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("exact", sa.Numeric(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("exact >= 0", name=op.f("ck_counts_exact")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_counts_job_id")),
        sa.PrimaryKeyConstraint("digest", "surroundings", "equivalence", "version", name=op.f("pk_counts")),
    )


def downgrade() -> None:
    op.drop_table("counts")
