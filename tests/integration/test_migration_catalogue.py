"""Evaluations that were there before the catalogue had cohorts and size classes get theirs, and lose nothing on the
way back."""

import random
from collections.abc import Iterator
from itertools import product

import psycopg
import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, text

from app.catalogue import migration
from app.embedded import Engines

ARCHITECTURE = """INSERT INTO architectures
    (id, space_name, space_version, space_digest, index, genotype, skeleton, input, params, macs)
    VALUES (:id, :space, :version, :digest, 0, '{"b": 1, "a": 2}', '{}', '{}', :params, :macs)"""
JOB = """INSERT INTO jobs (id, kind, queue, device, state, priority, owner, visibility, request, finished_at)
    VALUES (:id, 'training', 'cpu', 'auto', 'succeeded', 0, :owner, :visibility, '{}', now())"""
EVALUATION = """INSERT INTO evaluations (id, architecture_id, job_id, kind, dataset, split, recipe_name, recipe_digest,
    recipe, seed, metrics, accuracy, params, macs, device, torch_version, code_version, seconds, provenance, owner,
    visibility) VALUES (:id, :architecture, :job, :kind, :dataset, :split, :recipe, :digest, '{"b": 1, "a": 2}', :seed,
    '{}', :accuracy, :params, :macs, 'cpu', '2', '1', 1.5, '{}', :owner, :visibility)"""
LOOK = """SELECT id::text, architecture_id, kind, dataset, split, recipe_name, recipe::text, seed, accuracy, params,
    macs, owner, visibility, created_at FROM evaluations ORDER BY id"""
# What whoever may see it and whatever it compares with depend on.
ALIKE = """SELECT e.cohort_id, (e.owner, e.visibility, a.space_name, a.space_version, a.space_digest, e.dataset,
    e.split, e.kind, e.recipe_name, e.recipe_digest)::text
    FROM evaluations AS e JOIN architectures AS a ON a.id = e.architecture_id"""
DESCRIBED = """SELECT id, (owner, visibility, space_name, space_version, space_digest, dataset, split, kind,
    recipe_name, recipe_digest)::text FROM cohorts"""
SIZES = (0, 1, 2, 999, 2**20, 2**20 + 2**16 - 1, 2**20 + 2**16, 2**53 + 1, 2**63 - 1)


@pytest.fixture
def connection(engines: Engines) -> Iterator[Connection]:
    """A database of its own, of the revision before cohorts."""
    with psycopg.connect(engines.postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute("CREATE DATABASE before_cohorts")
        engine = create_engine(engines.postgres.url("before_cohorts"))
        with engine.connect() as opened:
            command.upgrade(migration.alembic_config(opened), "0008")
            yield opened
        engine.dispose()
        owner.execute("DROP DATABASE before_cohorts WITH (FORCE)")


def fill(connection: Connection) -> None:
    """Four hundred evaluations by three jobs, of nine sizes in two spaces."""
    rng = random.Random(4)
    spaces = [("darts", 1, "a" * 64), ("own", 1, "b" * 64), ("own", 2, "c" * 64)]
    for number, size in enumerate(SIZES):
        space, version, digest = spaces[number % 3]
        place = {"id": f"{number:032x}", "space": space, "version": version, "digest": digest}
        connection.execute(text(ARCHITECTURE), place | {"params": size, "macs": SIZES[-1 - number]})
    owners = [("ada", "private"), ("ada", "public"), ("eve", "private")]
    for place, (owner, visibility) in enumerate(owners):
        connection.execute(text(JOB), {"id": f"{place:032x}", "owner": owner, "visibility": visibility})
    made = product(
        range(3), range(len(SIZES)), ("trained", "inherited"), ("digits", "cifar10"), ("test", "selection"), "12"
    )
    for seed, (job, architecture, kind, dataset, split, recipe) in enumerate(made):
        owner, visibility = owners[job]
        measured = {
            "id": f"{seed:032x}",
            "job": f"{job:032x}",
            "architecture": f"{architecture:032x}",
            "kind": kind,
            "dataset": dataset,
            "split": split,
            "recipe": "standard",
            "digest": recipe * 64,
            "seed": seed,
            "accuracy": rng.choice((None, rng.uniform(0, 100))),
            "params": SIZES[architecture],
            "macs": SIZES[-1 - architecture],
            "owner": owner,
            "visibility": visibility,
        }
        connection.execute(text(EVALUATION), measured)
    connection.commit()


def octave_and_sixteenth(size: int) -> tuple[int, int]:
    """By which powers of two a size is divided into classes, as float64 rounds it."""
    mantissa, exponent = float(size).hex().partition("p")[::2]
    return int(exponent), int((mantissa.partition(".")[2] or "0")[0], 16)


def test_evaluations_of_the_revision_before_get_cohorts_and_classes(connection: Connection) -> None:
    fill(connection)
    before = connection.execute(text(LOOK)).all()
    assert len(before) == 432
    config = migration.alembic_config(connection)
    for revision in ("0009", "0011"):
        command.upgrade(config, revision)
        assert connection.execute(text(LOOK)).all() == before
        pairs = {(cohort, described) for cohort, described in connection.execute(text(ALIKE))}
        assert len(pairs) == len({cohort for cohort, _ in pairs}) == len({described for _, described in pairs})
        assert pairs == {(cohort, described) for cohort, described in connection.execute(text(DESCRIBED))}
        classes = dict(connection.execute(text("SELECT DISTINCT params, size_class(params) FROM evaluations")).all())
        places = [(octave_and_sixteenth(size) if size else (-1023, 0), classes[size]) for size in SIZES]
        assert len(set(places)) == len({place for place, _ in places}) == len({found for _, found in places})
        assert sorted(places) == places == sorted(places, key=lambda both: both[1])
        connection.commit()
    for size, other in (("params", "macs"), ("macs", "params")):
        name = f"ix_evaluations_cohort_id_{size}_id"
        definition = connection.scalar(text("SELECT indexdef FROM pg_indexes WHERE indexname = :name"), {"name": name})
        assert f"(cohort_id, {size}, id) INCLUDE ({other}, accuracy, created_at)" in definition
    connection.commit()
    for revision in ("0010", "0008"):
        command.downgrade(config, revision)
        assert connection.execute(text(LOOK)).all() == before
        connection.commit()
    command.upgrade(config, "head")
    assert connection.execute(text(LOOK)).all() == before
    assert pairs == {(cohort, described) for cohort, described in connection.execute(text(ALIKE))}
