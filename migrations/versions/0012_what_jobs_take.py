"""What phases of training took, and what a worker computes on: from these the next job is estimated."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WORKER = {"device_name": sa.Text(), "memory_total": sa.BigInteger(), "memory_available": sa.BigInteger()}


def upgrade() -> None:
    # Columns that may be NULL: code of the revision before neither reads nor writes them.
    for name, kind in WORKER.items():
        op.add_column("workers", sa.Column(name, kind, nullable=True))
    op.create_table(
        "paces",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=True),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("macs", sa.BigInteger(), nullable=False),
        sa.Column("extent", sa.BigInteger(), nullable=True),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("recompute", sa.Boolean(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("device_type", sa.Text(), nullable=False),
        sa.Column("torch_version", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        sa.PrimaryKeyConstraint("job_id", "phase", name=op.f("pk_paces")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_paces_job_id"), ondelete="CASCADE"),
        sa.CheckConstraint("subject IN ('network', 'supernet')", name=op.f("ck_paces_subject")),
        sa.CheckConstraint("device_type IN ('cpu', 'cuda')", name=op.f("ck_paces_device_type")),
        sa.CheckConstraint("steps >= 1 AND batch_size >= 1 AND seconds > 0", name=op.f("ck_paces_counts")),
    )
    op.create_index(op.f("ix_paces_device_created_at"), "paces", ["device", "created_at"])


def downgrade() -> None:
    op.drop_table("paces")
    for name in reversed(WORKER):
        op.drop_column("workers", name)
