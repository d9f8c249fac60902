"""Data sets that were uploaded or added."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("request", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'", name=op.f("ck_datasets_name")),
        sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name=op.f("ck_datasets_digest")),
        sa.CheckConstraint("bytes > 0", name=op.f("ck_datasets_bytes")),
        sa.CheckConstraint("visibility IN ('private', 'public')", name=op.f("ck_datasets_visibility")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_datasets_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_datasets_owner_name")),
    )
    op.create_index(op.f("ix_datasets_name_digest"), "datasets", ["name", "digest"])
    op.create_index(op.f("ix_datasets_digest"), "datasets", ["digest"])


def downgrade() -> None:
    op.drop_table("datasets")
