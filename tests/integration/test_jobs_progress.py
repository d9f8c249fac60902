"""What handlers report to, on a real database: fenced, repeatable, patient."""

import hashlib
import math
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.catalogue import Database, artefacts, events, metrics
from app.jobs import Lease, LeaseLost, claim, finish, request_cancel, submit
from app.store import Store, object_path
from workers import fenced
from workers.fenced import FencedProgress, Stop, patiently
from workers.files import JobFiles


def claimed(database: Database) -> Lease:
    with database.transaction() as session:
        submit(session, kind="training", request={}, owner="ada", queue="cpu")
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=60)
    assert taken is not None
    return taken.lease


def progress_of(database: Database, lease: Lease, root: Path, stop: Stop | None = None) -> FencedProgress:
    return FencedProgress(database, lease, JobFiles(Store.in_folder(root), lease.job_id), stop or Stop())


def told(database: Database, lease: Lease, kind: str) -> list[Any]:
    with database.transaction() as session:
        return [dict(e.data) for e in events.after(session, lease.job_id) if e.kind == kind]


def test_a_checkpoint_is_found_again_by_the_next_attempt_and_only_the_newest_stays(
    database: Database, tmp_path: Path
) -> None:
    lease = claimed(database)
    progress = progress_of(database, lease, tmp_path)
    assert progress.resume() is None
    for epoch in range(3):
        progress.checkpoint("search", epoch, lambda file, epoch=epoch: file.write_text(f"state {epoch}") and None)
    found = progress_of(database, lease, tmp_path).resume()
    assert found is not None
    assert (found.phase, found.epoch, found.file.read_text()) == ("search", 2, "state 2")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [found.file]
    assert told(database, lease, "checkpoint") == [{"phase": "search", "epoch": epoch} for epoch in range(3)]


def test_a_damaged_checkpoint_is_passed_over_and_said(database: Database, tmp_path: Path) -> None:
    lease = claimed(database)
    progress = progress_of(database, lease, tmp_path)
    progress.checkpoint("search", 4, lambda file: file.write_text("state") and None)
    found = progress.resume()
    assert found is not None
    found.file.write_text("stale")
    assert progress.resume() is None
    assert told(database, lease, "note") == [
        {"text": "the checkpoint of search epoch 4 is not there as written: starting over"}
    ]


def test_a_checkpoint_of_a_lost_lease_does_not_become_visible(database: Database, tmp_path: Path) -> None:
    lease = claimed(database)
    progress = progress_of(database, lease, tmp_path)
    progress.checkpoint("search", 0, lambda file: file.write_text("mine") and None)
    stale = progress_of(database, Lease(lease.job_id, lease.fence - 1), tmp_path)
    with pytest.raises(LeaseLost):
        stale.checkpoint("search", 9, lambda file: file.write_text("stale") and None)
    with pytest.raises(LeaseLost):
        stale.keep("weights.safetensors", lambda file: file.write_text("stale") and None)
    found = progress.resume()
    assert found is not None
    assert (found.epoch, found.file.read_text()) == (0, "mine")
    with database.transaction() as session:
        assert artefacts.of_job(session, lease.job_id) == ()


def test_artefacts_outlive_the_job_and_have_plain_names(database: Database, tmp_path: Path) -> None:
    lease = claimed(database)
    progress = progress_of(database, lease, tmp_path)
    assert progress.keep("weights.safetensors", lambda file: file.write_bytes(b"abc") and None) == "weights.safetensors"
    for name in ("../weights", "Weights", "", ".hidden", "a/b", "x" * 65):
        with pytest.raises(ValueError, match="is not the name of an artefact"):
            progress.keep(name, lambda file: file.touch())
    with database.transaction() as session:
        finish(session, lease, {})
        kept = artefacts.find(session, lease.job_id, "weights.safetensors")
    assert kept is not None
    assert kept.path == object_path(hashlib.sha256(b"abc").hexdigest())
    assert (tmp_path / kept.path).read_bytes() == b"abc"


def test_what_an_earlier_attempt_kept_is_opened_if_it_is_there_as_written(database: Database, tmp_path: Path) -> None:
    lease = claimed(database)
    progress_of(database, lease, tmp_path).keep("supernet", lambda file: file.write_bytes(b"abc") and None)
    progress = progress_of(database, lease, tmp_path)
    file = progress.artefact("supernet")
    assert file is not None
    assert file.read_bytes() == b"abc"
    assert progress.artefact("another") is None
    (tmp_path / object_path(hashlib.sha256(b"abc").hexdigest())).unlink()
    assert progress.artefact("supernet") is None


def test_steps_are_told_now_and_then_and_forgotten_in_the_end(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = claimed(database)
    progress = progress_of(database, lease, tmp_path)
    for step in range(100):
        progress.report("search", 1, 2, {"loss": 1.0}, step=step, steps=100)
    assert next(event["step"] for event in told(database, lease, "progress")) == 0
    assert len(told(database, lease, "progress")) < 10
    monkeypatch.setattr(fenced, "STEP_SECONDS", 0.0)
    before = len(told(database, lease, "progress"))
    progress.report("search", 1, 2, {"loss": 1.0}, step=99, steps=100)
    assert len(told(database, lease, "progress")) == before + 1
    progress.report("search", 1, 2, {"loss": 0.5})
    with database.transaction() as session:
        finish(session, lease, {})
        assert [m.values for m in metrics.of_job(session, lease.job_id)] == [{"loss": 0.5}]
    (kept,) = told(database, lease, "progress")
    assert (kept["epoch"], kept["step"], kept["metrics"]) == (1, None, {"loss": 0.5})


def test_what_is_not_finite_is_left_out_and_said_once(database: Database, tmp_path: Path) -> None:
    lease = claimed(database)
    progress = progress_of(database, lease, tmp_path)
    for epoch in (1, 2):
        progress.report("train", epoch, 2, {"loss": math.nan, "accuracy": 10})
    with database.transaction() as session:
        assert [m.values for m in metrics.of_job(session, lease.job_id)] == [{"accuracy": 10.0}] * 2
    assert told(database, lease, "note") == [{"text": "loss of train epoch 1 is not a finite number and is left out"}]


def test_any_report_learns_of_the_cancellation(database: Database, tmp_path: Path) -> None:
    lease = claimed(database)
    progress = progress_of(database, lease, tmp_path)
    progress.report("train", 1, 3, {"loss": 1.0})
    assert progress.should_stop() is None
    with database.transaction() as session:
        request_cancel(session, lease.job_id)
    progress.report("train", 2, 3, {"loss": 1.0})
    assert progress.should_stop() == "cancel"


def test_a_connection_that_was_cut_is_made_again(database: Database, tmp_path: Path) -> None:
    lease = claimed(database)
    progress = progress_of(database, lease, tmp_path)
    progress.note("before")
    other = Database(database.url.render_as_string(hide_password=False))
    with other.transaction() as session:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        session.execute(text(cut + " AND pid <> pg_backend_pid()"))
    other.dispose()
    progress.note("after")
    assert told(database, lease, "note") == [{"text": "before"}, {"text": "after"}]


def test_patience_is_for_a_database_that_is_away_and_has_an_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fenced, "RETRY_SECONDS", 0.01)
    calls: list[int] = []

    def cut_twice(session: Any) -> str:
        calls.append(1)
        if len(calls) < 3:
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return "done"

    assert patiently(database, cut_twice) == "done"
    assert len(calls) == 3

    def wrong(session: Any) -> None:
        calls.append(1)
        session.execute(text("INSERT INTO outbox (job_id) VALUES (gen_random_uuid())"))

    with pytest.raises(IntegrityError):
        patiently(database, wrong)
    assert len(calls) == 4
    calls.clear()
    with pytest.raises(Exception, match="terminating connection"):
        patiently(database, lambda session: calls.clear() or cut_twice(session), seconds=0.1)
