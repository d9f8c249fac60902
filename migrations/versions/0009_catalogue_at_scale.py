"""Cohorts of evaluations that compare, and the indexes by which a catalogue of millions is asked.

Writers wait while it runs: rows get their cohort in one pass, and an index takes seconds a million rows. Readers wait
only for the moments in which the table changes its shape.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Sizes that a sixteenth of an octave tells apart: exponent and first four bits of the number as IEEE 754 has it.
SIZE_CLASS = """
CREATE FUNCTION size_class(size bigint) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (get_byte(float8send(size::float8), 0) << 8) | get_byte(float8send(size::float8), 1)
"""

# The id is a digest of what it stands for: two processes that meet a new cohort at once make the same one.
JOIN_COHORT = """
CREATE FUNCTION join_cohort() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    met architectures%ROWTYPE;
    wanted uuid;
BEGIN
    SELECT * INTO met FROM architectures WHERE id = NEW.architecture_id;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = format('there is no architecture %L', NEW.architecture_id),
            CONSTRAINT = 'fk_evaluations_architecture_id';
    END IF;
    wanted := encode(substr(sha256(convert_to(jsonb_build_array(
        NEW.owner, NEW.visibility, met.space_name, met.space_version, met.space_digest,
        NEW.dataset, NEW.split, NEW.kind, NEW.recipe_name, NEW.recipe_digest
    )::text, 'UTF8')), 1, 16), 'hex')::uuid;
    IF NOT EXISTS (SELECT FROM cohorts WHERE id = wanted) THEN
        INSERT INTO cohorts (
            id, owner, visibility, space_name, space_version, space_digest,
            dataset, split, kind, recipe_name, recipe_digest
        ) VALUES (
            wanted, NEW.owner, NEW.visibility, met.space_name, met.space_version, met.space_digest,
            NEW.dataset, NEW.split, NEW.kind, NEW.recipe_name, NEW.recipe_digest
        ) ON CONFLICT DO NOTHING;
    END IF;
    NEW.cohort_id := wanted;
    RETURN NEW;
END $$
"""
JOINED_BY = """
CREATE TRIGGER join_cohort BEFORE INSERT OR UPDATE OF
    owner, visibility, architecture_id, dataset, split, kind, recipe_name, recipe_digest, cohort_id
ON evaluations FOR EACH ROW EXECUTE FUNCTION join_cohort()
"""

SORTS = ("accuracy", "params", "macs", "created_at")
CLASSES = ("params", "macs")


def upgrade() -> None:
    op.create_table(
        "cohorts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("space_name", sa.Text(), nullable=False),
        sa.Column("space_version", sa.Integer(), nullable=False),
        sa.Column("space_digest", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipe_name", sa.Text(), nullable=False),
        sa.Column("recipe_digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohorts")),
    )
    op.execute(SIZE_CLASS)
    op.execute(JOIN_COHORT)
    op.add_column("evaluations", sa.Column("cohort_id", sa.Uuid(), nullable=True))
    op.execute(JOINED_BY)
    op.execute("UPDATE evaluations SET cohort_id = NULL")  # the trigger says which
    op.alter_column("evaluations", "cohort_id", nullable=False)
    op.create_foreign_key(op.f("fk_evaluations_cohort_id"), "evaluations", "cohorts", ["cohort_id"], ["id"])
    for sort in SORTS:
        op.drop_index(op.f(f"ix_evaluations_{sort}_id"), "evaluations")
        included = [size for size in CLASSES if size != sort]
        op.create_index(
            f"ix_evaluations_cohort_id_{sort}_id",
            "evaluations",
            ["cohort_id", sort, "id"],
            postgresql_include=included,
        )
    for size in CLASSES:
        op.create_index(
            f"ix_evaluations_cohort_id_{size}_class",
            "evaluations",
            ["cohort_id", sa.text(f"size_class({size})"), "accuracy", "id"],
            postgresql_include=list(CLASSES),
        )
    for column in ("space_name", "space_digest"):
        op.create_index(f"ix_architectures_{column}_created_at_id", "architectures", [column, "created_at", "id"])


def downgrade() -> None:
    for column in ("space_name", "space_digest"):
        op.drop_index(f"ix_architectures_{column}_created_at_id", "architectures")
    for size in CLASSES:
        op.drop_index(f"ix_evaluations_cohort_id_{size}_class", "evaluations")
    for sort in SORTS:
        op.drop_index(f"ix_evaluations_cohort_id_{sort}_id", "evaluations")
        op.create_index(op.f(f"ix_evaluations_{sort}_id"), "evaluations", [sort, "id"])
    op.execute("DROP TRIGGER join_cohort ON evaluations")
    op.drop_column("evaluations", "cohort_id")
    op.execute("DROP FUNCTION join_cohort()")
    op.execute("DROP FUNCTION size_class(bigint)")
    op.drop_table("cohorts")
