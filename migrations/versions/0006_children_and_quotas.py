"""Children of jobs by name, and what an owner may use."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

QUEUED = sa.text("state = 'queued'")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("name", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("on_gpu", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("jobs", sa.Column("gpu_seconds", sa.Float(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(
        op.f("ck_jobs_name"),
        "jobs",
        "name IS NULL OR (parent_id IS NOT NULL AND name ~ '^[a-z0-9][a-z0-9._-]{0,63}$')",
    )
    op.create_unique_constraint(op.f("uq_jobs_parent_id_name"), "jobs", ["parent_id", "name"])
    op.drop_index(op.f("ix_jobs_parent_id"), table_name="jobs")
    op.drop_index("ix_jobs_queued", table_name="jobs")
    op.create_index(
        "ix_jobs_queued",
        "jobs",
        ["owner", sa.text("priority DESC"), "submitted_at", "id"],
        postgresql_where=QUEUED,
    )
    op.create_index(
        "ix_jobs_submissions", "jobs", ["owner"], postgresql_where=sa.text("state = 'queued' AND parent_id IS NULL")
    )
    op.create_index("ix_jobs_waiting", "jobs", ["id"], postgresql_where=sa.text("state = 'waiting'"))
    op.create_table(
        "quotas",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("queued_jobs", sa.Integer(), nullable=True),
        sa.Column("gpu_hours", sa.Float(), nullable=True),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.CheckConstraint(
            "queued_jobs >= 0 AND gpu_hours >= 0 AND storage_bytes >= 0 AND priority >= 0",
            name=op.f("ck_quotas_limits"),
        ),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_quotas")),
    )
    op.create_table(
        "gpu_leases",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_gpu_leases_seconds")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_gpu_leases_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "fence", name=op.f("pk_gpu_leases")),
    )
    op.create_index(
        op.f("ix_gpu_leases_owner_ended_at"), "gpu_leases", ["owner", "ended_at"], postgresql_include=["seconds"]
    )


def downgrade() -> None:
    op.drop_table("gpu_leases")
    op.drop_table("quotas")
    op.drop_index("ix_jobs_waiting", table_name="jobs")
    op.drop_index("ix_jobs_submissions", table_name="jobs")
    op.drop_index("ix_jobs_queued", table_name="jobs")
    op.create_index("ix_jobs_queued", "jobs", ["queue", "priority", "submitted_at"], postgresql_where=QUEUED)
    op.create_index(op.f("ix_jobs_parent_id"), "jobs", ["parent_id"])
    op.drop_constraint(op.f("uq_jobs_parent_id_name"), "jobs", type_="unique")
    op.drop_constraint(op.f("ck_jobs_name"), "jobs", type_="check")
    op.drop_column("jobs", "gpu_seconds")
    op.drop_column("jobs", "on_gpu")
    op.drop_column("jobs", "name")
