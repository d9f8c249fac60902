"""Indexes by size that hold what is ranked, so that a bound is answered from them alone; architectures by size.

Writers wait while it runs, some ten seconds a million evaluations. Code of the revision before runs on these tables.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OTHER = {"params": "macs", "macs": "params"}
RANKED = ("accuracy", "created_at")
UNASKED = {"ix_architectures_created_at_id": (), "ix_architectures_space_name_created_at_id": ("space_name",)}


def upgrade() -> None:
    for size, other in OTHER.items():
        include(size, [other, *RANKED])
        op.create_index(op.f(f"ix_architectures_space_digest_{size}_id"), "architectures", ["space_digest", size, "id"])
    for name in UNASKED:
        op.drop_index(name, "architectures")


def downgrade() -> None:
    for name, columns in UNASKED.items():
        op.create_index(name, "architectures", [*columns, "created_at", "id"])
    for size, other in OTHER.items():
        op.drop_index(op.f(f"ix_architectures_space_digest_{size}_id"), "architectures")
        include(size, [other])


def include(size: str, columns: list[str]) -> None:
    """Make the index of the evaluations by a size anew, with these columns beside it."""
    name = f"ix_evaluations_cohort_id_{size}_id"
    op.drop_index(name, "evaluations")
    op.create_index(name, "evaluations", ["cohort_id", size, "id"], postgresql_include=columns)
