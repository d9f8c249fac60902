"""What the catalogue knows of a space: one line for all results that compare, as far as the viewer sees them."""

import pytest

from app.catalogue import Database, EvaluationQuery
from app.catalogue.repositories import cohorts
from app.catalogue.repositories.cohorts import known_results, metrics_of
from tests.integration.recorded import RECIPE, SPACE, table

HERE = EvaluationQuery(viewer="local", space=SPACE.digest)


def test_what_compares_is_one_whoever_measured_it(database: Database) -> None:
    table(database, {0: {"accuracy": 1.0}, 4: {"accuracy": 2.0}}, owner="ada", visibility="public")
    table(database, {0: {"accuracy": 3.0}, 3: {"accuracy": 4.0}}, visibility="private", sha256="6" * 64)
    table(database, {2: {"accuracy": 5.0}}, owner="ada", visibility="private", sha256="7" * 64)
    with database.transaction() as session:
        (known,) = known_results(session, HERE)
    assert (known.dataset, known.split, known.kind) == ("cifar10", "selection", "trained")
    assert (known.recipe_name, known.recipe_digest) == (RECIPE.name, RECIPE.digest)
    assert (known.architectures, known.evaluations) == (3, 4), "one has two results; ada's own is not seen"
    assert known.skeleton == {
        "family": "edge_cells",
        "channels": 16,
        "num_cells": 5,
        "affine": True,
        "num_classes": 10,
    }
    assert known.input == {"channels": 3, "height": 32, "width": 32}


def test_what_does_not_compare_is_told_apart(database: Database) -> None:
    table(database, {0: {"accuracy": 1.0}, 4: {"accuracy": 1.0}})
    table(database, {0: {"accuracy": 1.0}}, split="test", sha256="6" * 64)
    table(database, {0: {"accuracy": 1.0}}, skeleton="small", sha256="7" * 64)
    table(database, {0: {"accuracy": 1.0}}, recipe=RECIPE.__class__(name="theirs", source="another"), sha256="8" * 64)
    with database.transaction() as session:
        everything = known_results(session, HERE)
        by_name = known_results(session, EvaluationQuery(viewer="local", space=SPACE.digest, recipe="theirs"))
        by_digest = known_results(session, EvaluationQuery(viewer="local", space=SPACE.digest, recipe=RECIPE.digest))
        on_test = known_results(session, EvaluationQuery(viewer="local", space=SPACE.digest, split="test"))
        elsewhere = known_results(session, EvaluationQuery(viewer="local", space="f" * 64))
    assert (len(everything), everything[0].architectures) == (4, 2), "the most architectures first"
    assert (len(by_name), len(by_digest), len(on_test), elsewhere) == (4, 3, 1, ())


def test_a_rare_metric_is_found_where_it_is_asked_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohorts, "LOOKED_AT", 1)
    # ranks of cells that differ in the operation of one edge
    table(database, {rank: {"accuracy": 1.0} for rank in (0, 1, 3, 4)} | {2: {"accuracy": 1.0, "energy": 2.0}})
    with database.transaction() as session:
        assert metrics_of(session, HERE) == {"accuracy"}
        assert metrics_of(session, HERE, "energy") == {"accuracy", "energy"}
        assert "charm" not in metrics_of(session, HERE, "charm")
