"""Measured latencies and memories of operations, architectures and what these are made of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("architecture_id", sa.Text(), nullable=True),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("macs", sa.BigInteger(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("device_type", sa.Text(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("torch_version", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("median_ms", sa.Float(), nullable=False),
        sa.Column("q1_ms", sa.Float(), nullable=False),
        sa.Column("q3_ms", sa.Float(), nullable=False),
        sa.Column("minimum_ms", sa.Float(), nullable=False),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("memory_method", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("target IN ('operation', 'architecture', 'entry')", name=op.f("ck_profiles_target")),
        sa.CheckConstraint(
            "(target = 'architecture') = (architecture_id IS NOT NULL)", name=op.f("ck_profiles_architecture")
        ),
        sa.CheckConstraint("direction IN ('forward', 'forward+backward')", name=op.f("ck_profiles_direction")),
        sa.CheckConstraint("device_type IN ('cpu', 'cuda')", name=op.f("ck_profiles_device_type")),
        sa.CheckConstraint(
            "n >= 1 AND runs >= 1 AND threads >= 1 AND batch_size >= 1", name=op.f("ck_profiles_counts")
        ),
        sa.CheckConstraint(
            "0 < minimum_ms AND minimum_ms <= q1_ms AND q1_ms <= median_ms AND median_ms <= q3_ms",
            name=op.f("ck_profiles_ms"),
        ),
        sa.CheckConstraint("visibility IN ('private', 'public')", name=op.f("ck_profiles_visibility")),
        sa.ForeignKeyConstraint(["architecture_id"], ["architectures.id"], name=op.f("fk_profiles_architecture_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_profiles_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        sa.UniqueConstraint("job_id", "target", "key", name=op.f("uq_profiles_job_id_target_key")),
    )
    op.create_index(op.f("ix_profiles_device_target_key"), "profiles", ["device", "target", "key"])
    op.create_index(op.f("ix_profiles_created_at_id"), "profiles", ["created_at", "id"])


def downgrade() -> None:
    op.drop_table("profiles")
