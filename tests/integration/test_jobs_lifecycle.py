"""The life of jobs on a real database: every rule of who may write what, and when."""

import threading
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.catalogue import Database, Job, artefacts, events, jobs, metrics, outbox, quotas, workers
from app.catalogue.repositories import census
from app.experiment import Device, Queue
from app.jobs import (
    ChildJob,
    Claim,
    IdempotencyConflict,
    Lease,
    LeaseLost,
    StoredFile,
    Submitted,
    attend,
    cancelled,
    claim,
    crash,
    fail,
    fan_out,
    finish,
    heartbeat,
    reconcile,
    record_artefact,
    record_checkpoint,
    record_epoch,
    record_note,
    record_progress,
    release,
    request_cancel,
    submit,
    suspend,
)

WORKER = uuid4()
FILE = StoredFile(path="jobs/x/1-0.safetensors", bytes=3, sha256="0" * 64)
EPOCH = {"phase": "train", "epoch": 0, "epochs": 2, "step": None, "steps": None, "metrics": {"loss": 1.0}}


def enqueue(database: Database, **changes: Any) -> UUID:
    values: dict[str, Any] = {"kind": "training", "request": {"n": 1}, "owner": "ada", "queue": "cpu"}
    with database.transaction() as session:
        return submit(session, **(values | changes)).job.id


def take(
    database: Database,
    queues: tuple[Queue, ...] = ("gpu", "cpu"),
    devices: tuple[Device, ...] = ("cpu",),
    lease_seconds: float = 30,
) -> Claim | None:
    with database.transaction() as session:
        return claim(session, worker_id=WORKER, queues=queues, devices=devices, lease_seconds=lease_seconds)


def must_take(database: Database, **how: Any) -> Claim:
    taken = take(database, **how)
    assert taken is not None
    return taken


def get(database: Database, id: UUID) -> Job:
    with database.transaction() as session:
        job = jobs.get(session, id)
    assert job is not None
    return job


def states(database: Database, id: UUID) -> list[tuple[str, int]]:
    with database.transaction() as session:
        return [(e.data["state"], e.data["attempt"]) for e in events.after(session, id) if e.kind == "state"]


def notes(database: Database, id: UUID) -> list[str]:
    with database.transaction() as session:
        return [e.data["text"] for e in events.after(session, id) if e.kind == "note"]


def expire(database: Database, id: UUID) -> None:
    with database.transaction() as session:
        session.execute(
            text("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second' WHERE id = :id"), {"id": id}
        )


def mend(database: Database, *, max_attempts: int = 3, grace_seconds: float = 60) -> Any:
    return reconcile(database, max_attempts=max_attempts, alive_seconds=30, grace_seconds=grace_seconds)


def owed(database: Database) -> set[UUID]:
    with database.transaction() as session:
        return {waiting.job_id for waiting in outbox.pending(session)}


def test_a_job_succeeds_and_its_final_state_absorbs(database: Database) -> None:
    id = enqueue(database)
    assert owed(database) == {id}
    taken = must_take(database)
    assert (taken.job.id, taken.job.state, taken.job.attempt, taken.job.fence) == (id, "running", 1, 1)
    assert taken.checkpoint is None
    assert owed(database) == set()
    with database.transaction() as session:
        done = finish(session, taken.lease, {"accuracy": 97.0})
    assert (done.state, done.result, done.lease_until) == ("succeeded", {"accuracy": 97.0}, None)
    assert done.finished_at is not None
    assert states(database, id) == [("queued", 0), ("running", 1), ("succeeded", 1)]
    for write in (
        lambda s: finish(s, taken.lease, {}),
        lambda s: fail(s, taken.lease, {"type": "x"}),
        lambda s: cancelled(s, taken.lease, None),
        lambda s: release(s, taken.lease),
        lambda s: crash(s, taken.lease, detail="", max_attempts=3),
        lambda s: heartbeat(s, taken.lease, lease_seconds=1),
        lambda s: record_note(s, taken.lease, "late"),
    ):
        with pytest.raises(LeaseLost), database.transaction() as session:
            write(session)
    with database.transaction() as session:
        after = request_cancel(session, id)
    assert after == get(database, id) == done
    assert take(database) is None


def test_claims_that_race_take_each_job_once(database: Database) -> None:
    ids = {enqueue(database, owner=f"owner{n % 3}") for n in range(24)}
    taken: list[tuple[UUID, int]] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        while (got := take(database)) is not None:
            taken.append((got.job.id, got.job.fence))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(taken) == Counter((id, 1) for id in ids)


def test_owners_take_turns_and_priority_is_within_an_owner(database: Database) -> None:
    ada = [enqueue(database, owner="ada") for _ in range(2)]
    bob = [enqueue(database, owner="bob") for _ in range(2)]
    urgent = [enqueue(database, owner="ada", priority=5) for _ in range(2)]
    order: list[UUID] = []
    while (got := take(database)) is not None:
        order.append(got.job.id)
    # However urgent one's jobs are, the other's turn comes.
    assert order == [bob[0], urgent[0], bob[1], urgent[1], ada[0], ada[1]]


def test_one_worker_alone_serves_owners_in_turn(database: Database) -> None:
    ada = [enqueue(database, owner="ada") for _ in range(3)]
    bob = [enqueue(database, owner="bob") for _ in range(2)]
    order: list[UUID] = []
    while (got := take(database)) is not None:
        order.append(got.job.id)
        with database.transaction() as session:
            finish(session, got.lease, {})
    assert order == [ada[0], bob[0], ada[1], bob[1], ada[2]]


def test_a_worker_takes_only_what_it_serves(database: Database) -> None:
    gpu = enqueue(database, queue="gpu")
    cuda = enqueue(database, queue="cpu", device="cuda")
    assert take(database, queues=("cpu",)) is None
    assert must_take(database, queues=("gpu",)).job.id == gpu
    assert must_take(database, devices=("cuda", "cpu")).job.id == cuda


def test_a_stale_fence_writes_nothing(database: Database) -> None:
    id = enqueue(database)
    old = must_take(database)
    expire(database, id)
    assert mend(database).expired == 1
    new = must_take(database)
    assert (new.job.id, new.job.attempt, new.job.fence) == (id, 2, 2)
    before = (get(database, id), states(database, id))
    for write in (
        lambda s: record_epoch(s, old.lease, EPOCH),
        lambda s: record_progress(s, old.lease, EPOCH),
        lambda s: record_note(s, old.lease, "x"),
        lambda s: record_checkpoint(s, old.lease, "train", 0, FILE),
        lambda s: record_artefact(s, old.lease, "weights", FILE),
        lambda s: finish(s, old.lease, {}),
        lambda s: fail(s, old.lease, {"type": "x"}),
        lambda s: release(s, old.lease),
        lambda s: crash(s, old.lease, detail="", max_attempts=1),
        lambda s: suspend(s, old.lease),
    ):
        with pytest.raises(LeaseLost, match=f"job {id} under fence 1"), database.transaction() as session:
            write(session)
    with database.transaction() as session:
        assert metrics.of_job(session, id) == ()
        assert artefacts.of_job(session, id) == ()
        assert artefacts.checkpoint(session, id) is None
    assert (get(database, id), states(database, id)) == before
    with database.transaction() as session:
        assert finish(session, new.lease, {"by": 2}).result == {"by": 2}


def test_a_write_holds_off_the_reconciler_until_it_is_committed(database: Database) -> None:
    id = enqueue(database)
    taken = must_take(database)
    expire(database, id)
    with database.transaction() as session:
        record_epoch(session, taken.lease, EPOCH)
        assert mend(database).expired == 0
    assert mend(database).expired == 1


def test_a_heartbeat_keeps_the_lease_and_carries_the_cancellation(database: Database) -> None:
    id = enqueue(database)
    taken = must_take(database, lease_seconds=0.01)
    with database.transaction() as session:
        assert heartbeat(session, taken.lease, lease_seconds=60) is False
    assert mend(database).expired == 0
    with database.transaction() as session:
        asked = request_cancel(session, id)
    assert asked is not None
    assert (asked.state, asked.cancel_requested) == ("running", True)
    with database.transaction() as session:
        assert heartbeat(session, taken.lease, lease_seconds=60) is True
        assert record_progress(session, taken.lease, EPOCH) is True
        kept = cancelled(session, taken.lease, {"best": 1})
    assert (kept.state, kept.result) == ("cancelled", {"best": 1})
    assert states(database, id)[-1] == ("cancelled", 1)


def test_a_queued_job_is_cancelled_at_once(database: Database) -> None:
    id = enqueue(database)
    with database.transaction() as session:
        job = request_cancel(session, id)
    assert job is not None
    assert job.state == "cancelled"
    assert take(database) is None
    assert owed(database) == set()
    assert states(database, id) == [("queued", 0), ("cancelled", 0)]
    with database.transaction() as session:
        assert request_cancel(session, uuid4()) is None


def test_a_job_that_is_cancelled_between_two_runs_leaves_no_checkpoint_and_no_steps(database: Database) -> None:
    id = enqueue(database)
    taken = must_take(database)
    with database.transaction() as session:
        record_progress(session, taken.lease, EPOCH | {"step": 1})
        record_checkpoint(session, taken.lease, "train", 0, FILE)
        release(session, taken.lease)
    with database.transaction() as session:
        request_cancel(session, id)
        assert artefacts.checkpoint(session, id) is None
        assert {event.kind for event in events.after(session, id)} == {"state", "checkpoint"}


def test_a_cancelled_job_whose_worker_died_does_not_run_again(database: Database) -> None:
    id = enqueue(database)
    must_take(database)
    with database.transaction() as session:
        request_cancel(session, id)
    expire(database, id)
    mend(database)
    assert get(database, id).state == "cancelled"


def test_poison_fails_after_the_attempt_limit(database: Database) -> None:
    id = enqueue(database)
    for attempt in (1, 2, 3):
        taken = must_take(database)
        assert taken.job.attempt == attempt
        expire(database, id)
        assert mend(database, max_attempts=3).expired == 1
    job = get(database, id)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error["type"] == "attempts-exhausted"
    assert "attempt 3 of 3" in job.error["detail"]
    assert "lease ran out" in job.error["detail"]
    assert take(database) is None


def test_a_crash_is_queued_again_at_once_and_counts(database: Database) -> None:
    id = enqueue(database)
    for _ in range(2):
        taken = must_take(database)
        with database.transaction() as session:
            crash(session, taken.lease, detail="signal 9", max_attempts=2)
    job = get(database, id)
    assert (job.state, job.attempt) == ("failed", 2)
    assert job.error is not None
    assert job.error["detail"] == "attempt 2 of 2 ended without an answer: signal 9"


def test_a_drain_does_not_count_and_the_checkpoint_waits(database: Database) -> None:
    id = enqueue(database)
    for fence in range(1, 6):
        taken = must_take(database)
        assert (taken.job.attempt, taken.job.fence) == (1, fence)
        assert (taken.checkpoint is None) == (fence == 1)
        with database.transaction() as session:
            record_checkpoint(session, taken.lease, "train", fence, FILE)
        with database.transaction() as session:
            release(session, taken.lease)
        assert owed(database) == {id}
    last = must_take(database)
    assert last.checkpoint is not None
    assert (last.checkpoint.phase, last.checkpoint.epoch, last.checkpoint.fence) == ("train", 5, 5)
    with database.transaction() as session:
        finish(session, last.lease, {})
        assert artefacts.checkpoint(session, id) is None


def test_an_epoch_told_twice_is_one_row_and_one_event(database: Database) -> None:
    id = enqueue(database)
    taken = must_take(database)
    for loss in (1.0, 2.0):
        with database.transaction() as session:
            record_epoch(session, taken.lease, EPOCH | {"metrics": {"loss": loss}})
    with database.transaction() as session:
        assert [m.values for m in metrics.of_job(session, id)] == [{"loss": 1.0}]
        assert [e.kind for e in events.after(session, id)] == ["state", "state", "progress"]
    assert get(database, id).progress == EPOCH | {"metrics": {"loss": 2.0}}


def test_a_key_makes_one_job_however_often_and_at_once_it_comes(database: Database) -> None:
    answers: list[Submitted] = []
    start = threading.Barrier(6)

    def post() -> None:
        start.wait()
        with database.transaction() as session:
            answers.append(
                submit(session, kind="search", request={"b": 1, "a": 2}, owner="ada", queue="cpu", idempotency="k")
            )

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({answer.job.id for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1
    again: dict[str, Any] = {"kind": "search", "owner": "ada", "queue": "cpu", "idempotency": "k"}
    with database.transaction() as session:
        assert not submit(session, request={"a": 2, "b": 1}, **again).created
    with pytest.raises(IdempotencyConflict, match="'k' is bound to job"), database.transaction() as session:
        submit(session, request={"a": 3}, **again)
    with database.transaction() as session:
        assert submit(session, request={"a": 3}, **(again | {"owner": "bob"})).created
        assert [row.number for row in census.open_jobs(session)] == [2]


def test_a_request_that_is_rolled_back_leaves_its_key_free(database: Database) -> None:
    wanted: dict[str, Any] = {"kind": "search", "request": {}, "owner": "ada", "queue": "cpu", "idempotency": "k"}
    with pytest.raises(IntegrityError, match="ck_jobs_queue"), database.transaction() as session:
        submit(session, **(wanted | {"queue": "tpu"}))
    with database.transaction() as session:
        assert submit(session, **wanted).created


def test_what_the_broker_lost_is_owed_again(database: Database) -> None:
    id = enqueue(database)
    with database.transaction() as session:
        outbox.published(session, [id])
    assert owed(database) == set()
    assert mend(database).hinted == 0  # not yet: the hint may be on its way
    assert mend(database, grace_seconds=0).hinted == 1
    assert owed(database) == {id}


def test_a_job_that_nobody_can_take_says_so_once(database: Database) -> None:
    id = enqueue(database, queue="gpu", device="cuda")
    assert mend(database, grace_seconds=60).stranded == 0
    beat: dict[str, Any] = {"id": uuid4(), "host": "here", "pid": 1, "queues": ["gpu", "cpu"], "gpu": None}
    with database.transaction() as session:
        workers.beat(session, **beat, devices=["cpu"], state="idle")
    assert mend(database, grace_seconds=0).stranded == 1
    assert mend(database, grace_seconds=0).stranded == 0
    assert get(database, id).stranded
    assert notes(database, id) == ["no live worker serves queue 'gpu' with device 'cuda'; the job waits for one"]
    possible = enqueue(database, queue="gpu")
    with database.transaction() as session:
        workers.beat(session, **beat, devices=["cuda", "cpu"], state="idle")
    assert mend(database, grace_seconds=0).stranded == 0
    assert not get(database, possible).stranded
    taken = must_take(database, devices=("cuda", "cpu"))
    assert (taken.job.id, taken.job.stranded) == (id, False)


def test_a_parent_waits_for_its_children_and_is_cancelled_with_them(database: Database) -> None:
    parent = enqueue(database)
    taken = must_take(database)
    children = [enqueue(database, parent_id=parent) for _ in range(2)]
    with database.transaction() as session:
        assert suspend(session, taken.lease).state == "waiting"
    assert mend(database).woken == 0
    for _ in children:
        child = must_take(database)
        assert child.job.parent_id == parent
        with database.transaction() as session:
            finish(session, child.lease, {})
    assert mend(database).woken == 1
    again = must_take(database)
    assert (again.job.id, again.job.attempt, again.job.fence) == (parent, 1, 2)
    orphan = enqueue(database, parent_id=parent)
    with database.transaction() as session:
        suspend(session, again.lease)
    with database.transaction() as session:
        request_cancel(session, parent)
    assert get(database, parent).state == get(database, orphan).state == "cancelled"


def test_a_parent_that_is_to_be_cancelled_does_not_wait(database: Database) -> None:
    parent = enqueue(database)
    taken = must_take(database)
    with database.transaction() as session:
        request_cancel(session, parent)
    with database.transaction() as session:
        assert suspend(session, taken.lease).state == "cancelled"
    assert mend(database).woken == 0
    assert take(database) is None
    assert states(database, parent) == [("queued", 0), ("running", 1), ("cancelled", 1)]


def test_one_reconciler_at_a_time(database: Database) -> None:
    from app.catalogue import leases

    with database.transaction() as session:
        assert leases.lock_reconciler(session)
        assert mend(database) is None
    assert mend(database) is not None


@pytest.mark.parametrize(
    "change",
    [
        "state = 'dreaming'",
        "state = 'running'",
        "state = 'succeeded'",
        "state = 'failed', finished_at = now()",
        "attempt = 1",
        "attempt = -1",
        "lease_until = now()",
        "queue = 'tpu'",
        "device = 'mps'",
    ],
)
def test_the_database_refuses_impossible_jobs(database: Database, change: str) -> None:
    enqueue(database)
    with pytest.raises(IntegrityError, match="ck_jobs"), database.transaction() as session:
        session.execute(text(f"UPDATE jobs SET {change}"))


def fanned_out(database: Database, lease: Lease, *names: str) -> dict[str, Job]:
    with database.transaction() as session:
        made, _ = fan_out(session, lease, {name: ChildJob(kind="training", request={"of": name}) for name in names})
    return made


def test_children_are_made_once_however_often_their_parent_runs(database: Database) -> None:
    parent = enqueue(database, queue="gpu", device="auto", priority=3, visibility="public", owner="bob")
    first = must_take(database)
    made = fanned_out(database, first.lease, "a", "b")
    for name, child in made.items():
        assert (child.parent_id, child.name, child.request) == (parent, name, {"of": name})
        assert (child.owner, child.visibility, child.priority) == ("bob", "public", 3)
        assert (child.queue, child.device) == ("gpu", "auto")
    expire(database, parent)
    mend(database)
    second = must_take(database)
    assert second.job.id == parent
    again = fanned_out(database, second.lease, "b", "c", "a")
    assert list(again) == ["b", "c", "a"]
    assert {name: again[name].id for name in "ab"} == {name: made[name].id for name in "ab"}
    with pytest.raises(LeaseLost):
        fanned_out(database, first.lease, "d")
    with database.transaction() as session:
        assert jobs.count_children(session, [parent]) == {parent: {"queued": 3}}
        suspend(session, second.lease)
        assert attend(session) == 0
    assert get(database, parent).progress == {
        "phase": "children",
        "epoch": 0,
        "epochs": 3,
        "step": None,
        "steps": None,
        "metrics": {},
    }


def test_two_children_of_one_name_are_refused_by_the_table(database: Database) -> None:
    parent = enqueue(database)
    enqueue(database, parent_id=parent, name="a")
    with pytest.raises(IntegrityError, match="uq_jobs_parent_id_name"):
        enqueue(database, parent_id=parent, name="a")
    with pytest.raises(IntegrityError, match="ck_jobs_name"):
        enqueue(database, name="a")


def test_a_child_that_comes_after_its_parents_cancellation_is_cancelled_with_it(database: Database) -> None:
    parent = enqueue(database)
    taken = must_take(database)
    with database.transaction() as session:
        request_cancel(session, parent)
    late = fanned_out(database, taken.lease, "late")["late"]
    assert late.state == "cancelled"
    with database.transaction() as session:
        assert suspend(session, taken.lease).state == "cancelled"
    assert get(database, enqueue(database, parent_id=parent)).state == "cancelled"
    assert take(database) is None


@pytest.mark.parametrize("end", ["finish", "fail", "crash"])
def test_a_parent_that_ends_leaves_no_child_behind(database: Database, end: str) -> None:
    parent = enqueue(database)
    taken = must_take(database)
    children = fanned_out(database, taken.lease, "queued", "running")
    held = must_take(database)
    with database.transaction() as session:
        match end:
            case "finish":
                finish(session, taken.lease, {})
            case "fail":
                fail(session, taken.lease, {"type": "x"})
            case _:
                crash(session, taken.lease, detail="signal 9", max_attempts=1)
    assert get(database, parent).final
    (queued,) = [child.id for child in children.values() if child.id != held.job.id]
    assert get(database, queued).state == "cancelled"
    with database.transaction() as session:
        assert heartbeat(session, held.lease, lease_seconds=60), "the running one is told"


def test_time_on_a_gpu_is_accounted_for_lease_by_lease(database: Database) -> None:
    gpu = {"queues": ("gpu", "cpu"), "devices": ("cuda", "cpu")}
    id = enqueue(database, queue="gpu")
    first = must_take(database, **gpu)
    with database.transaction() as session:
        session.execute(text("UPDATE jobs SET claimed_at = claimed_at - interval '60 s'"))
        assert 60 <= quotas.gpu_seconds(session, "ada", days=1) < 90, "what runs counts already"
        release(session, first.lease)
    must_take(database, **gpu)
    with database.transaction() as session:  # silent for an hour with a lease of thirty seconds
        session.execute(text("UPDATE jobs SET claimed_at = claimed_at - interval '1 h'"))
        session.execute(text("UPDATE jobs SET lease_until = claimed_at + interval '30 s'"))
    mend(database)
    last = must_take(database)  # a worker without
    with database.transaction() as session:
        done = finish(session, last.lease, {})
        assert (done.id, done.gpu_seconds) == (id, pytest.approx(60 + 30, abs=20))
        rows = session.execute(text("SELECT fence, seconds, owner FROM gpu_leases ORDER BY fence")).all()
        assert [(row.fence, row.owner) for row in rows] == [(1, "ada"), (2, "ada")]
        assert rows[1].seconds == pytest.approx(30, abs=0.1)
        assert sum(row.seconds for row in rows) == pytest.approx(done.gpu_seconds)
        assert quotas.gpu_seconds(session, "ada", days=1) == pytest.approx(sum(row.seconds for row in rows))
        assert quotas.gpu_seconds(session, "bob", days=1) == 0
    enqueue(database, queue="gpu", device="cpu")
    assert not must_take(database, **gpu).job.on_gpu, "a job for a CPU leaves the GPU alone"
