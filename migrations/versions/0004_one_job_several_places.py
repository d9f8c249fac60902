"""One job may measure an architecture on several data sets and under several recipes."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PLACE = ["job_id", "kind", "split", "architecture_id"]
BEFORE = op.f("uq_evaluations_job_id_kind_split_architecture_id")
AFTER = op.f("uq_evaluations_result")


def upgrade() -> None:
    op.create_unique_constraint(AFTER, "evaluations", [*PLACE, "dataset", "recipe_digest"])
    op.drop_constraint(BEFORE, "evaluations", type_="unique")


def downgrade() -> None:
    # Refused where a job has measured one architecture in two places: which of them to forget is not for a migration.
    op.create_unique_constraint(BEFORE, "evaluations", PLACE)
    op.drop_constraint(AFTER, "evaluations", type_="unique")
