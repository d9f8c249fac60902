"""What operators watch: the request that made a job, what a worker's device does, jobs counted without reading them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
oldest_code = "0010"  # what came before does not start on tables that it does not know

GPU = {"gpu_utilisation": sa.Float(), "gpu_memory_used": sa.BigInteger(), "gpu_memory_total": sa.BigInteger()}


def upgrade() -> None:
    # Columns that may be NULL: code of the revision before neither reads nor writes them.
    op.add_column("jobs", sa.Column("request_id", sa.Text(), nullable=True))
    for name, kind in GPU.items():
        op.add_column("workers", sa.Column(name, kind, nullable=True))
    op.create_index(op.f("ix_jobs_counted"), "jobs", ["state", "queue", "kind", "attempt"])


def downgrade() -> None:
    op.drop_index(op.f("ix_jobs_counted"), "jobs")
    for name in reversed(GPU):
        op.drop_column("workers", name)
    op.drop_column("jobs", "request_id")
