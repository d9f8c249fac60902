"""The repositories on a real database: spaces, architectures, evaluations, metrics, artefacts."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.catalogue import (
    Database,
    EvaluationQuery,
    InvalidCursor,
    JobQuery,
    architectures,
    artefacts,
    evaluations,
    jobs,
    metrics,
    spaces,
)
from app.catalogue.repositories import census
from app.jobs import submit

SPACE = {"name": "darts", "version": 1, "digest": "d" * 64}


def architecture(session: Session, number: int = 0, **changes: Any) -> str:
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "space": SPACE,
        "index": number,
        "genotype": {"zulu": 1, "alpha": [2, {"y": 1, "x": 2}]},
        "skeleton": {"family": "cells", "channels": 16},
        "input": {"channels": 1, "height": 8, "width": 8},
        "params": 1000 + number,
        "macs": 5000 + number,
    }
    return architectures.ensure(session, **(values | changes))[0].id


def job(session: Session, owner: str = "ada") -> UUID:
    return submit(session, kind="training", request={}, owner=owner, queue="cpu").job.id


def evaluate(session: Session, job_id: UUID, architecture_id: str, **changes: Any) -> bool:
    values: dict[str, Any] = {
        "architecture_id": architecture_id,
        "job_id": job_id,
        "kind": "trained",
        "dataset": "digits",
        "split": "test",
        "recipe_name": "digits-quick",
        "recipe_digest": "r" * 64,
        "recipe": {"name": "digits-quick", "epochs": 30},
        "seed": 0,
        "metrics": {"accuracy": 97.5, "loss": 0.1},
        "params": 1000,
        "macs": 5000,
        "device": "cpu",
        "torch_version": "2.13.0",
        "code_version": "0.1.0",
        "seconds": 1.5,
        "owner": "ada",
    }
    return evaluations.record(session, **(values | changes))


def test_documents_keep_the_order_of_their_fields_and_ranks_all_their_digits(database: Database) -> None:
    rank = 10**60 + 1
    with database.transaction() as session:
        id = architecture(session, index=rank)
    with database.transaction() as session:
        stored = architectures.get(session, id)
    assert stored is not None
    assert json.dumps(stored.genotype) == '{"zulu": 1, "alpha": [2, {"y": 1, "x": 2}]}'
    assert stored.index == rank
    assert (stored.space_name, stored.space_version, stored.space_digest) == ("darts", 1, "d" * 64)


def test_an_architecture_is_stored_once_whoever_meets_it_at_the_same_time(database: Database) -> None:
    new: list[bool] = []
    start = threading.Barrier(8)

    def meet(index: int) -> None:
        start.wait()
        with database.transaction() as session:
            _, created = architectures.ensure(
                session, id="a" * 32, space=SPACE, index=index, genotype=index, skeleton={}, input={}, params=1, macs=1
            )
        new.append(created)

    threads = [threading.Thread(target=meet, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(new) == [False] * 7 + [True]
    with database.transaction() as session:
        assert list(architectures.get_many(session, ["a" * 32, "b" * 32])) == ["a" * 32]


@pytest.mark.parametrize("changes", [{"id": "A" * 32}, {"id": "1" * 31}, {"index": -1}, {"params": -1}])
def test_the_database_refuses_an_impossible_architecture(database: Database, changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="ck_architectures"), database.transaction() as session:
        architecture(session, **changes)


def test_a_result_is_recorded_once(database: Database) -> None:
    with database.transaction() as session:
        id, run = architecture(session), job(session)
        assert evaluate(session, run, id)
        assert not evaluate(session, run, id, metrics={"accuracy": 1.0})
        assert evaluate(session, run, id, split="selection")
        assert evaluate(session, run, id, kind="baseline")
        assert evaluate(session, other := job(session), id)
        assert evaluate(session, other, id, dataset="fashion_mnist"), "a job may measure in several places"
        assert evaluate(session, other, id, recipe_digest="s" * 64)
        assert not evaluate(session, other, id, recipe_digest="s" * 64)
    with database.transaction() as session:
        found = evaluations.query(session, EvaluationQuery(viewer="ada", job_id=run, split="test", kind="trained"))
    assert [e.accuracy for e in found] == [97.5]
    assert found[0].architecture.id == id
    assert found[0].metrics == {"accuracy": 97.5, "loss": 0.1}
    assert found[0].recipe == {"name": "digits-quick", "epochs": 30}


def test_weights_must_be_an_artefact_of_the_job(database: Database) -> None:
    with pytest.raises(IntegrityError, match="fk_evaluations_job_id_weights"), database.transaction() as session:
        evaluate(session, job(session), architecture(session), weights="weights.safetensors")
    with database.transaction() as session:
        run = job(session)
        artefacts.keep(session, job_id=run, name="weights.safetensors", fence=1, path="there", bytes=3, sha256="0" * 64)
        assert evaluate(session, run, architecture(session), weights="weights.safetensors")


def test_pages_meet_each_evaluation_once_in_every_order(database: Database) -> None:
    with database.transaction() as session:
        run = job(session)
        for number in range(20):
            id = architecture(session, number)
            accuracy = {"accuracy": float(number % 4)} if number != 13 else {}
            evaluate(session, run, id, params=number % 3, macs=number, metrics=accuracy)
    for sort in ("accuracy", "params", "macs", "created_at"):
        for descending in (False, True):
            seen: list[Any] = []
            after = None
            while True:
                wanted = EvaluationQuery(viewer="ada", sort=sort, descending=descending, limit=3, after=after)
                with database.transaction() as session:
                    page = evaluations.query(session, wanted)
                if not page:
                    break
                seen += page
                after = (getattr(page[-1], sort), page[-1].id)
            keys = [getattr(e, sort) for e in seen]
            assert keys == sorted(keys, reverse=descending)
            assert len({e.id for e in seen}) == len(seen) == (19 if sort == "accuracy" else 20)


def test_a_cursor_of_another_order_is_refused(database: Database) -> None:
    with database.transaction() as session, pytest.raises(InvalidCursor, match="sorted by params"):
        evaluations.query(session, EvaluationQuery(viewer="ada", sort="params", after=(datetime.now(UTC), uuid4())))


def test_filters_narrow_and_recipes_are_told_apart(database: Database) -> None:
    with database.transaction() as session:
        run = job(session)
        small, large = architecture(session, 1), architecture(session, 2, space=SPACE | {"name": "chain"})
        evaluate(session, run, small, params=10, macs=100)
        evaluate(session, run, large, params=20, macs=200, recipe_name="long", recipe_digest="l" * 64)
        evaluate(session, run, large, params=20, macs=200, kind="inherited", dataset="fashion_mnist", split="selection")

    def ids(**filters: Any) -> list[str]:
        with database.transaction() as session:
            found = evaluations.query(session, EvaluationQuery(viewer="ada", sort="params", **filters))
            return sorted(e.architecture_id for e in found)

    assert ids() == [small, large, large]
    assert ids(max_params=10) == ids(max_macs=199) == ids(space="darts") == [small]
    assert ids(space="chain") == ids(max_params=20, space="chain", space_version=1) == [large, large]
    assert ids(space="d" * 64) == ids()
    assert ids(space_version=2) == ids(dataset="cifar10") == []
    assert ids(recipe="long") == ids(recipe="l" * 64) == [large]
    assert ids(split="selection") == ids(kind="inherited") == ids(dataset="fashion_mnist") == [large]
    assert ids(architecture_id=small) == [small]
    with database.transaction() as session:
        everything = evaluations.mixture(session, EvaluationQuery(viewer="ada"))
        alone = evaluations.mixture(session, EvaluationQuery(viewer="ada", space="darts"))
        small_ones = evaluations.mixture(session, EvaluationQuery(viewer="ada", max_params=10))
        nothing = evaluations.mixture(session, EvaluationQuery(viewer="eve"))
    assert everything.recipes == (("digits-quick", "r" * 64), ("long", "l" * 64))
    assert (everything.datasets, everything.splits) == (("digits", "fashion_mnist"), ("selection", "test"))
    assert alone == small_ones == evaluations.Mixture((("digits-quick", "r" * 64),), ("digits",), ("test",))
    assert nothing == evaluations.Mixture((), (), ())


def test_what_was_measured_is_found_by_those_who_may_see_it(database: Database) -> None:
    with database.transaction() as session:
        id = architecture(session)
        evaluate(session, job(session), id, split="selection")
        evaluate(session, job(session), id, kind="inherited", seed=7)
        public = job(session)
        evaluate(session, public, id, seed=9, visibility="public")

    def find(viewer: str = "ada", **changes: Any) -> str | None:
        wanted = {"architecture_id": id, "recipe_digest": "r" * 64, "dataset": "digits", "seed": 0} | changes
        with database.transaction() as session:
            found = evaluations.find_measured(session, viewer=viewer, **wanted)
        return None if found is None else found.split

    assert find() == "selection"
    assert find("eve") is None
    assert find("eve", seed=9) == "test"
    assert find(seed=7) is None  # with inherited weights nothing was trained
    assert find(seed=1) is find(dataset="cifar10") is find(recipe_digest="x") is None
    with database.transaction() as session:
        evaluate(session, job(session), id, split="test")
    assert find() == "test"
    with database.transaction() as session:
        (private, *_) = evaluations.query(session, EvaluationQuery(viewer="ada", split="selection"))
        assert evaluations.get(session, private.id, viewer="ada") == private
        assert evaluations.get(session, private.id, viewer="eve") is None


def test_an_epoch_told_again_keeps_what_was_told_first(database: Database) -> None:
    with database.transaction() as session:
        run = job(session)
        assert metrics.record(session, run, "search", 0, {"loss": 1.0})
        assert not metrics.record(session, run, "search", 0, {"loss": 2.0})
        assert metrics.record(session, run, "search", 1, {"loss": 0.5})
        assert metrics.record(session, run, "retrain", 0, {"loss": 0.7})
        rows = metrics.of_job(session, run)
        assert [(m.phase, m.epoch, m.values["loss"]) for m in rows] == [
            ("search", 0, 1.0),
            ("search", 1, 0.5),
            ("retrain", 0, 0.7),
        ]
        assert [m.epoch for m in metrics.of_job(session, run, "search")] == [0, 1]


def test_spaces_are_immutable_versioned_and_seen_by_whom_they_are_for(database: Database) -> None:
    def register(owner: str, digest: str, **changes: Any) -> tuple[int, bool]:
        with database.transaction() as session:
            space, new = spaces.register(
                session,
                owner=owner,
                name="mine",
                digest=digest,
                title="Mine",
                document={"b": 1, "a": digest},
                **changes,
            )
            return space.version, new

    assert register("ada", "one") == (1, True)
    assert register("ada", "two") == (2, True)
    assert register("ada", "one") == (1, False)
    assert register("bob", "three", visibility="public") == (1, True)

    def find(viewer: str, version: int | None = None) -> str | None:
        with database.transaction() as session:
            found = spaces.find(session, "mine", version, viewer=viewer)
        return None if found is None else found.digest

    assert find("ada") == "two"
    assert find("ada", 1) == "one"
    assert find("bob") == find("eve") == "three"
    assert find("eve", 2) is None
    with database.transaction() as session:
        assert [s.digest for s in spaces.listing(session, viewer="ada")] == ["one", "three", "two"]
        assert list(spaces.listing(session, viewer="eve")[0].document) == ["b", "a"]


def test_jobs_are_listed_newest_first_and_foreign_ones_stay_hidden(database: Database) -> None:
    ids: list[UUID] = []
    for number in range(5):
        with database.transaction() as session:
            ids.append(job(session, "bob" if number == 2 else "ada"))
    mine = [id for id in reversed(ids) if id != ids[2]]
    with database.transaction() as session:
        first = jobs.query(session, JobQuery(viewer="ada", limit=3))
        after = (first[-1].submitted_at, first[-1].id)
        rest = jobs.query(session, JobQuery(viewer="ada", limit=3, after=after))
        assert [j.id for j in (*first, *rest)] == mine
        assert jobs.get(session, ids[2], viewer="ada") is None
        assert jobs.get(session, ids[2]) is not None
        assert jobs.query(session, JobQuery(viewer="ada", kind="search")) == ()
        assert jobs.query(session, JobQuery(viewer="ada", states=["running"])) == ()
        assert [(row.queue, row.state, row.number) for row in census.open_jobs(session)] == [("cpu", "queued", 5)]


def test_times_are_aware_and_on_the_databases_clock(database: Database) -> None:
    with database.transaction() as session:
        run = jobs.get(session, job(session))
        now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert run is not None
    assert run.submitted_at.utcoffset() == timedelta(0)
    assert timedelta(0) <= now - run.submitted_at < timedelta(seconds=10)


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def half() -> None:
        with database.transaction() as session:
            architecture(session)
            architecture(session, id="no identity")

    with pytest.raises(IntegrityError):
        half()
    with database.transaction() as session:
        assert architectures.get(session, f"{0:032x}") is None
