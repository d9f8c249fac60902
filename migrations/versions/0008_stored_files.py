"""Files by their content: whether a row names one is asked whenever one is collected.

Rows of earlier revisions keep their paths, below `jobs/`, and their files.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_artefacts_sha256"), "artefacts", ["sha256"])


def downgrade() -> None:
    op.drop_index(op.f("ix_artefacts_sha256"), table_name="artefacts")
