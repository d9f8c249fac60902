"""A state machine over the real job table, and beside it a model of it that knows no database.

Front ends, three workers that keep every claim they ever had, reconcilers and a publisher act in any order, each by a
clock of its own that is hours wrong. After every step the tables are compared with the model, and laws are asked of
them in SQL. Time passes by moving every moment in the database into the past: nobody sleeps.
"""

import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import time
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.catalogue import Database, outbox, workers
from app.catalogue.repositories import census
from app.experiment import DATASETS, FINAL_STATES, TRAINING_RECIPES, MeasuredEvaluation
from app.jobs import (
    ChildJob,
    Claim,
    IdempotencyConflict,
    Lease,
    LeaseLost,
    Limits,
    QuotaExceeded,
    Reconciled,
    StoredFile,
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
from app.space.zoo import chain
from workers.measured import MeasuredArchitecture, record

MAX_ATTEMPTS = 2
# Minutes. No sum of the moves comes within ten of the limit, so it does not matter how long the test itself takes.
LIMIT = 60  # of a lease, of a worker's silence, of the grace before a hint counts as lost
MOVES = (25, 70)
DRIFT = 5

SPACE = chain()
MEASURED = MeasuredArchitecture(
    MeasuredEvaluation(
        genotype=SPACE.plan.unrank(0),
        skeleton=SPACE.skeletons["small"],
        kind="trained",
        dataset="digits",
        split="test",
        recipe=TRAINING_RECIPES["digits-quick"],
        seed=0,
        metrics={"accuracy": 50.0},
        params=1,
        macs=1,
        device="cpu",
        torch_version="none",
        code_version="test",
        seconds=0.0,
    ),
    id="a" * 32,
    index=0,
    space=SPACE,
    image=DATASETS["digits"].input,
)
MOMENTS = ("lease_until", "submitted_at", "queued_at", "claimed_at", "started_at", "finished_at")
TABLES = (
    "outbox",
    "idempotency",
    "evaluations",
    "artefacts",
    "checkpoints",
    "metrics",
    "job_events",
    "jobs",
    "workers",
)


@dataclass(frozen=True, slots=True)
class Actor:
    """A process with a clock of its own; a worker also serves queues and devices."""

    hours: int  # that its clock is ahead
    queues: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    id: UUID = field(default_factory=uuid4)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(f"<{self.hours} h ahead, serves {self.queues}>")


WORKERS = (Actor(7, ("cpu",), ("cpu",)), Actor(-9, ("gpu", "cpu"), ("cuda", "cpu")), Actor(50, ("gpu",), ("cpu",)))
FRONT_ENDS = (Actor(-3), Actor(30))


@dataclass(slots=True, kw_only=True, eq=False)
class Expected:
    """What there should be of one job. Moments are minutes on the model's clock."""

    parent: "Expected | None"
    name: str | None = None
    owner: str
    queue: str
    device: str
    priority: int
    submitted_at: int
    queued_at: int
    id: UUID | None = None
    state: str = "queued"
    claims: int = 0
    crashes: int = 0  # runs that ended without an answer
    answered: bool = False
    turn: int = 0  # number of its last claim among the claims of all jobs
    cancel: bool = False
    stranded: bool = False
    owed: bool = True  # a hint
    worker: UUID | None = None
    lease_until: int | None = None
    claimed_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    progress: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: str | None = None
    checkpoint: tuple[int, int] | None = None  # fence, epoch
    artefact: int | None = None  # fence
    epochs: dict[int, float] = field(default_factory=dict)
    evaluations: int = 0
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def attempt(self) -> int:
        """Runs that count: those that crashed, and the one that goes on or has given the answer."""
        return self.crashes + (self.state == "running" or self.answered)

    @property
    def final(self) -> bool:
        return self.state in FINAL_STATES

    def become(self, state: str) -> None:
        self.state, self.lease_until = state, None
        if state in ("queued", "waiting"):
            self.worker = None
        self.tell("state", {"state": state, "attempt": self.attempt})

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        self.events.append((kind, data))


class Model:
    """The rules of jobs over plain values."""

    def __init__(self) -> None:
        self.clock = 0
        self.claims = 0
        self.jobs: list[Expected] = []
        self.keys: dict[str, tuple[Expected, int]] = {}
        self.seen: dict[UUID, tuple[Actor, int, str]] = {}  # workers: who, when, state

    def submit(self, parent: Expected | None = None, **what: Any) -> Expected:
        job = Expected(parent=parent, submitted_at=self.clock, queued_at=self.clock, **what)
        job.become("queued")
        self.jobs.append(job)
        return job

    def best(self, worker: Actor, but: Expected | None = None) -> Expected | None:
        """What this worker takes next, if `but` is being taken by another one."""
        running = Counter(job.owner for job in self.jobs if job.state == "running")
        turn = {
            owner: max((job.turn for job in self.jobs if job.owner == owner), default=0) for owner in ("ada", "bob")
        }
        queued = [(-job.priority, number, job) for number, job in enumerate(self.jobs) if job.state == "queued"]
        first: dict[str, int] = {}  # when the job came that its owner would have first
        for _, n, job in sorted(queued, key=lambda found: found[:2]):
            first.setdefault(job.owner, n)
        able = [
            ((running[job.owner], turn[job.owner], first[job.owner], p, n), job)
            for p, n, job in queued
            if job is not but and can_take(worker, job)
        ]
        return min(able, key=lambda found: found[0])[1] if able else None

    def claim(self, job: Expected, worker: Actor) -> None:
        self.claims += 1
        job.claims, job.turn, job.worker = job.claims + 1, self.claims, worker.id
        job.stranded = job.owed = False
        job.become("running")
        job.lease_until, job.claimed_at = self.clock + LIMIT, self.clock
        job.started_at = self.clock if job.started_at is None else job.started_at

    def queue(self, job: Expected) -> None:
        job.queued_at, job.owed = self.clock, True
        job.become("queued")

    def end(self, job: Expected, state: str) -> None:
        job.finished_at, job.checkpoint, job.stranded, job.owed = self.clock, None, False, False
        job.events = [(kind, data) for kind, data in job.events if kind != "progress" or data["step"] is None]
        job.become(state)
        for child in self.jobs:  # nobody waits for it any more
            if child.parent is job:
                self.cancel(child)

    def give_back(self, job: Expected, state: str) -> None:
        """A run ends without an answer and does not count, unless the job was to be cancelled anyway.

        One that waits for its children has something to tell where it has a checkpoint, and is to come back for that.
        """
        if job.cancel and not (state == "waiting" and job.checkpoint is not None):
            job.answered = True
            self.end(job, "cancelled")
        elif state == "queued":
            self.queue(job)
        else:
            job.become(state)

    def crash(self, job: Expected) -> None:
        job.crashes += 1
        if job.cancel:
            self.end(job, "cancelled")
        elif job.crashes < MAX_ATTEMPTS:
            self.queue(job)
        else:
            job.error = "attempts-exhausted"
            self.end(job, "failed")

    def cancel(self, job: Expected) -> None:
        if not job.final:
            job.cancel = True
            for child in self.jobs:
                if child.parent is job:
                    self.cancel(child)
            if job.state != "running" and not (job.state == "waiting" and job.checkpoint is not None):
                self.end(job, "cancelled")

    def attend(self) -> int:
        """Who waits goes on, or is told how many of its children have ended."""
        woken = 0
        for job in [job for job in self.jobs if job.state == "waiting"]:
            children = [child for child in self.jobs if child.parent is job]
            done = sum(child.final for child in children)
            if done == len(children):
                self.queue(job)
                woken += 1
                continue
            told = {"phase": "children", "epoch": done, "epochs": len(children), "step": None, "steps": None}
            told["metrics"] = {}
            if job.progress != told:
                job.progress = told
                job.tell("progress", told)
        return woken

    def reconcile(self, but: Expected | None = None) -> Reconciled:
        """One round, while a write for `but` is not committed."""
        late = [j for j in self.jobs if j.lease_until is not None and j.lease_until < self.clock and j is not but]
        for job in late:
            self.crash(job)
        woken = self.attend()
        old = [job for job in self.jobs if job.state == "queued" and job.queued_at < self.clock - LIMIT]
        lost = [job for job in old if not job.owed]
        for job in lost:
            job.owed = True
        alive = [who for who, when, state in self.seen.values() if when > self.clock - LIMIT and state != "gone"]
        stranded = [job for job in old if not job.stranded and not any(can_take(worker, job) for worker in alive)]
        for job in stranded:
            job.stranded = True
            said = f"no live worker serves queue {job.queue!r} with device {job.device!r}; the job waits for one"
            job.tell("note", {"text": said})
        return Reconciled(expired=len(late), woken=woken, hinted=len(lost), stranded=len(stranded))


def can_take(worker: Actor, job: Expected) -> bool:
    return job.queue in worker.queues and job.device in ("auto", *worker.devices)


@dataclass(slots=True, eq=False)
class Held:
    """A claim as the worker remembers it, whether or not it still holds."""

    worker: Actor
    job: Expected
    lease: Lease
    epoch: int  # that it is at

    @property
    def live(self) -> bool:
        return self.job.state == "running" and self.job.claims == self.lease.fence

    @property
    def file(self) -> StoredFile:
        return StoredFile(path=f"{self.lease.job_id}/{self.lease.fence}-{self.epoch}", bytes=1, sha256="0" * 64)

    def told(self, step: int | None = None) -> dict[str, Any]:
        """What it measures differs from run to run, so that it shows whose number was kept."""
        at = {"phase": "train", "epoch": self.epoch, "epochs": 9, "step": step, "steps": None}
        return {**at, "metrics": {"loss": float(self.lease.fence)}}


def done(session: Session, held: Held) -> None:
    """A job's end and its result in one transaction, as a worker's process commits them."""
    record(session, finish(session, held.lease, {"fence": held.lease.fence}), (MEASURED,))


def stopped(session: Session, held: Held) -> None:
    """The same after a cancellation: the best so far is kept."""
    record(session, cancelled(session, held.lease, {"fence": held.lease.fence}), (MEASURED,))


def children(session: Session, held: Held) -> dict[str, UUID]:
    """As many as epochs were told, so that a run which goes on after another meets some and makes some."""
    asked = {f"child-{n}": ChildJob(kind="training", request={}) for n in range(min(held.epoch, 2) + 1)}
    made, _ = fan_out(session, held.lease, asked)
    return {name: job.id for name, job in made.items()}


WRITES: dict[str, Callable[[Session, Held], Any]] = {
    "beat": lambda session, held: heartbeat(session, held.lease, lease_seconds=60 * LIMIT),
    "epoch": lambda session, held: record_epoch(session, held.lease, held.told()),
    "step": lambda session, held: record_progress(session, held.lease, held.told(step=1)),
    "note": lambda session, held: record_note(session, held.lease, "so far, so good"),
    "checkpoint": lambda session, held: record_checkpoint(session, held.lease, "train", held.epoch, held.file),
    "artefact": lambda session, held: record_artefact(session, held.lease, "weights", held.file),
    "fan out": children,
    "finish": done,
    "stop": stopped,
    "fail": lambda session, held: fail(session, held.lease, {"type": "wrong"}),
    "release": lambda session, held: release(session, held.lease),
    "crash": lambda session, held: crash(session, held.lease, detail="signal 9", max_attempts=MAX_ATTEMPTS),
    "wait": lambda session, held: suspend(session, held.lease),
}

LAWS = {
    "more attempts than the limit": "SELECT id FROM jobs WHERE attempt > :limit",
    "as many claims as its fence says": """SELECT id FROM jobs WHERE fence <> (SELECT count(*) FROM job_events e
        WHERE e.job_id = jobs.id AND e.kind = 'state' AND e.data->>'state' = 'running')""",
    "the state that was told last": """SELECT id FROM jobs WHERE state <> (SELECT e.data->>'state' FROM job_events e
        WHERE e.job_id = jobs.id AND e.kind = 'state' ORDER BY e.id DESC LIMIT 1)""",
    "one end, and it is told": """SELECT id FROM jobs WHERE (finished_at IS NOT NULL)::int <> (SELECT count(*)
        FROM job_events e WHERE e.job_id = jobs.id AND e.data->>'state' IN ('succeeded', 'failed', 'cancelled'))""",
    "an epoch is one row": "SELECT job_id FROM metrics GROUP BY job_id, phase, epoch HAVING count(*) > 1",
    "an epoch is one event": """SELECT job_id FROM job_events WHERE kind = 'progress' AND data->>'step' IS NULL
        GROUP BY job_id, data->>'phase', data->>'epoch' HAVING count(*) > 1""",
    "every epoch is told": """SELECT job_id FROM metrics m WHERE NOT EXISTS (SELECT FROM job_events e
        WHERE e.job_id = m.job_id AND e.kind = 'progress' AND (e.data->>'epoch')::int = m.epoch)""",
    "a result is one, and belongs to an answer": """SELECT id FROM jobs LEFT JOIN
        (SELECT job_id, count(*) AS n FROM evaluations GROUP BY job_id) found ON found.job_id = id
        WHERE coalesce(n, 0) <> (result IS NOT NULL)::int OR (state = 'succeeded') > (result IS NOT NULL)""",
    "only a running job is held": """SELECT id FROM jobs
        WHERE state IN ('queued', 'waiting') AND worker_id IS NOT NULL""",
    "a job that nobody runs and that has nothing to tell is cancelled at once": """SELECT id FROM jobs
        WHERE state IN ('queued', 'waiting') AND cancel_requested
        AND NOT EXISTS (SELECT FROM checkpoints WHERE job_id = id)""",
    "hints are for what is queued": "SELECT id FROM jobs JOIN outbox ON job_id = id WHERE state <> 'queued'",
    "files come from a fence that was given": """SELECT id FROM jobs JOIN
        (SELECT job_id, fence FROM checkpoints UNION ALL SELECT job_id, fence FROM artefacts) file ON job_id = id
        WHERE file.fence NOT BETWEEN 1 AND jobs.fence""",
    "no child is left behind": """SELECT child.id FROM jobs child JOIN jobs parent ON parent.id = child.parent_id
        WHERE parent.finished_at IS NOT NULL AND child.finished_at IS NULL AND NOT child.cancel_requested""",
    "a child has one name": "SELECT min(id::text)::uuid FROM jobs GROUP BY parent_id, name HAVING count(name) > 1",
    "a final job needs no checkpoint": """SELECT id FROM jobs JOIN checkpoints ON job_id = id
        WHERE finished_at IS NOT NULL""",
}
BREACHES = text(" UNION ALL ".join(f"SELECT '{law}' AS law, id FROM ({query}) AS b(id)" for law, query in LAWS.items()))

PASS = [
    text(f"UPDATE {table} SET {', '.join(f'{m} = {m} - make_interval(mins => :minutes)' for m in moments)}")
    for table, moments in {"jobs": MOMENTS, "workers": ("last_seen",)}.items()
]
AGES = ", ".join(f"(extract(epoch FROM clock_timestamp() - {m}) / 60)::float8 AS {m}" for m in MOMENTS)
LOOK = text(f"""
    SELECT id, parent_id, name, owner, queue, device, priority, state, attempt, fence, cancel_requested, stranded,
        worker_id, progress, result, error->>'type' AS error, {AGES},
        EXISTS (SELECT FROM outbox WHERE job_id = id) AS owed,
        (SELECT array[fence, epoch] FROM checkpoints c WHERE c.job_id = jobs.id) AS checkpoint,
        (SELECT fence FROM artefacts a WHERE a.job_id = jobs.id) AS artefact,
        (SELECT count(*) FROM evaluations v WHERE v.job_id = jobs.id) AS evaluations,
        (SELECT json_agg(json_build_array(epoch, values) ORDER BY epoch) FROM metrics m
            WHERE m.job_id = jobs.id) AS epochs,
        (SELECT json_agg(json_build_array(kind, data) ORDER BY e.id) FROM job_events e
            WHERE e.job_id = jobs.id) AS events
    FROM jobs""")


# What a run has to meet with before it counts as a proof; the rest takes longer lives.
OUTCOMES = ("succeeded", "failed", "cancelled", "expired", "claimed again", "claimed together", "late on running")
RARE_OUTCOMES = (
    *("a child that was there", "a child that came too late", "refused at the limit"),
    *("resumed", "woken", "hinted", "stranded", "an epoch told again", "beat too late, and not too late"),
    *(f"cancel {state}" for state in ("queued", "running", "waiting", "succeeded", "failed", "cancelled")),
    *(f"late on {state}" for state in ("queued", "waiting", "succeeded", "failed", "cancelled")),
    *(f"{how}{asked}" for how in ("finish", "fail", "release", "crash", "wait") for asked in ("", " to be cancelled")),
)


LIVES = (
    *("late", "again", "ends to be cancelled", "waits", "waits to be cancelled"),
    *("fans out too late", "late on what waits"),
)


class Cut(Exception):
    """The connection breaks before the commit."""


which = st.integers(0, 11)
actors = st.sampled_from(FRONT_ENDS)


class JobTable(RuleBasedStateMachine):
    """Everything that may happen to jobs."""

    def __init__(self, database: Database, outcomes: Counter[str]) -> None:
        super().__init__()
        self.database = database
        self.outcomes = outcomes  # what has come about, so that a run that shows little is noticed
        self.model = Model()
        self.held: list[Held] = []
        self.before: dict[UUID, tuple[int, Any]] = {}  # fences and final rows at the last look
        self.sound = True
        with database.transaction() as session:
            for table in TABLES:
                session.execute(text(f"DELETE FROM {table}"))

    @contextmanager
    def acting(self, actor: Actor) -> Generator[Session]:
        self.sound = False
        with wrong_clock(actor.hours), self.database.transaction() as session:
            yield session

    def live(self) -> list[Held]:
        return [held for held in self.held if held.live]

    def late(self) -> list[Held]:
        return [held for held in self.held if not held.live]

    # What front ends do.

    @initialize(life=st.sampled_from(LIVES))
    def begin(self, life: str) -> None:
        """What chance alone would seldom come to."""
        for owner in ("ada", "bob", "ada"):
            self.submit(FRONT_ENDS[0], owner=owner, queue="cpu", device="auto", priority=0)
        match life:
            case "late":
                self.claim(WORKERS[0])
                self.be_stopped_for_too_long(FRONT_ENDS[1], WORKERS[1])
                self.claim(WORKERS[1])
                self.claim(WORKERS[1])
                self.write_late(0)
            case "again":
                self.claim(WORKERS[0])
                self.write(0, "epoch")
                self.pass_time(MOVES[1])
                self.write(0, "beat")
                self.end(0, "release")
                for _ in range(3):
                    self.claim(WORKERS[0])
                for which in range(3):
                    self.write(which, "epoch")
            case "ends to be cancelled":
                for how in ("fail", "release", "crash"):
                    self.claim(WORKERS[0])
                    self.cancel(FRONT_ENDS[0], self.model.jobs.index(self.live()[0].job))
                    self.end(0, how)
            case "fans out too late":
                self.claim(WORKERS[0])
                self.cancel(FRONT_ENDS[0], self.model.jobs.index(self.live()[0].job))
                self.fan_out(0)
                self.end(0, "finish")
            case "late on what waits":
                self.claim(WORKERS[0])
                self.be_stopped_for_too_long(FRONT_ENDS[1], WORKERS[0])
                for which in reversed(range(len(self.live()))):
                    self.fan_out(which)
                    self.end(which, "wait")
                for which in range(len(self.late())):
                    self.write_late(which)
            case _:
                self.claim(WORKERS[0])
                self.fan_out(0)
                self.claim(WORKERS[2])
                if life == "waits to be cancelled":
                    self.cancel(FRONT_ENDS[0], 0)
                self.end(1, "wait")
                self.reconcile(FRONT_ENDS[1])

    @rule(
        by=actors,
        owner=st.sampled_from(("ada", "bob")),
        queue=st.sampled_from(("cpu", "gpu")),
        device=st.sampled_from(("auto", "cpu", "cuda")),
        priority=st.sampled_from((0, 0, 5)),
    )
    def submit(self, by: Actor, **what: Any) -> None:
        with self.acting(by) as session:
            made = submit(session, kind="training", request={}, **what)
        assert made.created
        self.model.submit(**what).id = made.job.id

    @rule(by=actors, key=st.sampled_from("xy"), n=st.sampled_from((0, 0, 1)))
    def submit_under_a_key(self, by: Actor, key: str, n: int) -> None:
        bound = self.model.keys.get(key)
        if bound is not None and bound[1] != n:
            with pytest.raises(IdempotencyConflict), self.acting(by) as session:
                submit(session, kind="count", request={"n": n}, owner="ada", queue="cpu", idempotency=key)
            self.outcomes["a key for another request"] += 1
            return
        with self.acting(by) as session:
            made = submit(session, kind="count", request={"n": n}, owner="ada", queue="cpu", idempotency=key)
        assert made.created == (bound is None)
        if bound is None:
            job = self.model.submit(owner="ada", queue="cpu", device="auto", priority=0)
            job.id, self.model.keys[key] = made.job.id, (job, n)
        else:
            assert made.job.id == bound[0].id
            self.outcomes["a request that came again"] += 1

    @rule(by=actors, room=st.sampled_from((0, 1)))
    def submit_at_a_limit(self, by: Actor, room: int) -> None:
        """Children and what other owners have queued are not counted."""
        queued = sum(j.state == "queued" and j.owner == "ada" and j.parent is None for j in self.model.jobs)
        what: dict[str, Any] = {"owner": "ada", "queue": "cpu", "device": "auto", "priority": 0}
        room_for = Limits(
            all_queued_jobs=10**6, queued_jobs=queued + room, gpu_hours=None, gpu_days=1, storage_bytes=None, priority=0
        )
        if not room:
            with pytest.raises(QuotaExceeded), self.acting(by) as session:
                submit(session, kind="training", request={}, limits=room_for, **what)
            self.outcomes["refused at the limit"] += 1
            return
        with self.acting(by) as session:
            made = submit(session, kind="training", request={}, limits=room_for, **what)
        self.model.submit(**what).id = made.job.id

    @precondition(lambda self: self.model.jobs)
    @rule(by=actors, which=which)
    def cancel(self, by: Actor, which: int) -> None:
        job = self.model.jobs[which % len(self.model.jobs)]
        self.outcomes[f"cancel {job.state}"] += 1
        self.model.cancel(job)
        assert job.id is not None
        with self.acting(by) as session:
            told = request_cancel(session, job.id)
            assert request_cancel(session, uuid4()) is None
        assert told is not None
        assert (told.state, told.cancel_requested) == (job.state, job.cancel)

    @rule(by=actors)
    def reconcile(self, by: Actor) -> None:
        self.sound = False
        with wrong_clock(by.hours):
            self.compare(self.tidy(), self.model.reconcile())

    @precondition(lambda self: self.live())
    @rule(by=actors, which=which)
    def reconcile_during_a_write(self, by: Actor, which: int) -> None:
        held = pick(self.live(), which)
        with self.acting(held.worker) as session:
            WRITES["note"](session, held)
            with wrong_clock(by.hours):
                done = self.tidy()
        self.compare(done, self.model.reconcile(but=held.job))
        held.job.tell("note", {"text": "so far, so good"})

    def tidy(self) -> Reconciled | None:
        return reconcile(self.database, max_attempts=MAX_ATTEMPTS, alive_seconds=60 * LIMIT, grace_seconds=60 * LIMIT)

    def compare(self, done: Reconciled | None, expected: Reconciled) -> None:
        assert done == expected
        for name in ("expired", "woken", "hinted", "stranded"):
            self.outcomes[name] += getattr(expected, name)

    @precondition(lambda self: any(job.owed for job in self.model.jobs))
    @rule(by=actors)
    def publish(self, by: Actor) -> None:
        """The broker takes every hint, and whether it keeps them is its own affair."""
        owed = [job for job in self.model.jobs if job.owed]
        with self.acting(by) as session:
            pending = [waiting.job_id for waiting in outbox.pending(session)]
            outbox.published(session, pending)
        assert pending == [job.id for job in sorted(owed, key=lambda job: -job.priority)]
        for job in owed:
            job.owed = False

    @rule(minutes=st.sampled_from(MOVES))
    def pass_time(self, minutes: int) -> None:
        self.sound = False
        self.model.clock += minutes
        with self.database.transaction() as session:
            for statement in PASS:
                session.execute(statement, {"minutes": minutes})

    # What workers do.

    @rule(worker=st.sampled_from(WORKERS), state=st.sampled_from(("idle", "busy", "draining", "gone")))
    def show_up(self, worker: Actor, state: str) -> None:
        self.model.seen[worker.id] = (worker, self.model.clock, state)
        served: dict[str, Any] = {"queues": list(worker.queues), "devices": list(worker.devices)}
        with self.acting(worker) as session:
            workers.beat(session, id=worker.id, host="here", pid=1, gpu=None, state=state, **served)

    def take(self, session: Session, worker: Actor) -> Claim | None:
        queues: Any = worker.queues
        devices: Any = worker.devices
        return claim(session, worker_id=worker.id, queues=queues, devices=devices, lease_seconds=60 * LIMIT)

    def taken(self, taken: Claim | None, worker: Actor, job: Expected | None) -> None:
        """Compare what was claimed with what the model says."""
        assert (taken and taken.job.id) == (job and job.id)
        if taken is None or job is None:
            return
        self.model.claim(job, worker)
        assert (taken.lease, taken.job.attempt) == (Lease(taken.job.id, job.claims), job.attempt)
        found = taken.checkpoint and (taken.checkpoint.fence, taken.checkpoint.epoch)
        assert found == job.checkpoint
        self.outcomes["claimed again"] += job.claims > 1
        self.outcomes["resumed"] += found is not None
        self.held.append(Held(worker, job, taken.lease, 0 if found is None else found[1] + 1))

    @precondition(lambda self: any(job.state == "queued" for job in self.model.jobs))
    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: Actor) -> None:
        with self.acting(worker) as session:
            taken = self.take(session, worker)
        self.taken(taken, worker, self.model.best(worker))

    @precondition(lambda self: self.live())
    @rule(by=actors, worker=st.sampled_from(WORKERS))
    def be_stopped_for_too_long(self, by: Actor, worker: Actor) -> None:
        """Every worker; then one wakes up and takes what another one, or it itself, had."""
        self.pass_time(MOVES[1])
        self.reconcile(by)
        self.claim(worker)

    @precondition(lambda self: any(job.state == "queued" for job in self.model.jobs))
    @rule(first=st.sampled_from(WORKERS), second=st.sampled_from(WORKERS), lost=st.booleans())
    def claim_together(self, first: Actor, second: Actor, lost: bool) -> None:
        """Both before either commits; the first one's connection may break before it does."""
        expected = self.model.best(first)
        other = self.model.best(second, but=expected)
        by_second: Claim | None = None
        try:
            with self.acting(first) as session:
                by_first = self.take(session, first)
                with self.acting(second) as inner:
                    by_second = self.take(inner, second)
                if lost:
                    raise Cut
            self.taken(by_first, first, expected)
        except Cut:
            pass
        self.outcomes["claimed together"] += expected is not None and other is not None
        self.taken(by_second, second, other)

    @precondition(lambda self: self.live())
    @rule(which=which, how=st.sampled_from(("beat", "epoch", "epoch", "step", "note", "checkpoint", "artefact")))
    def write(self, which: int, how: str) -> None:
        held = pick(self.live(), which)
        job = held.job
        with self.acting(held.worker) as session:
            told = WRITES[how](session, held)
        match how:
            case "beat":
                assert told == job.cancel
                self.outcomes["beat too late, and not too late"] += job.lease_until < self.model.clock
                job.lease_until = self.model.clock + LIMIT
            case "epoch":
                assert told == job.cancel
                job.progress = held.told()
                if held.epoch in job.epochs:
                    self.outcomes["an epoch told again"] += 1
                else:
                    job.epochs[held.epoch] = held.lease.fence
                    job.tell("progress", held.told())
                held.epoch += 1
            case "step":
                assert told == job.cancel
                job.progress = held.told(step=1)
                job.tell("progress", job.progress)
            case "note":
                job.tell("note", {"text": "so far, so good"})
            case "checkpoint":
                job.checkpoint = (held.lease.fence, held.epoch)
                job.tell("checkpoint", {"phase": "train", "epoch": held.epoch})
            case "artefact":
                job.artefact = held.lease.fence

    @precondition(lambda self: self.live())
    @rule(which=which)
    def fan_out(self, which: int) -> None:
        held = pick(self.live(), which)
        there = {job.name: job for job in self.model.jobs if job.parent is held.job}
        with self.acting(held.worker) as session:
            made = WRITES["fan out"](session, held)
        for name, id in made.items():
            if name in there:
                assert there[name].id == id
                self.outcomes["a child that was there"] += 1
                continue
            like = {field: getattr(held.job, field) for field in ("owner", "queue", "device", "priority")}
            child = self.model.submit(held.job, name=name, **like)
            child.id = id
            if held.job.cancel:
                self.model.cancel(child)
                self.outcomes["a child that came too late"] += 1

    @rule(by=actors)
    def attend(self, by: Actor) -> None:
        """What the publisher does whenever a child has ended."""
        with self.acting(by) as session:
            woken = attend(session)
        assert woken == self.model.attend()
        self.outcomes["woken"] += woken

    @precondition(lambda self: self.live())
    @rule(which=which, how=st.sampled_from(("finish", "stop", "fail", "release", "crash", "wait")))
    def end(self, which: int, how: str) -> None:
        held = pick(self.live(), which)
        job = held.job
        with self.acting(held.worker) as session:
            WRITES[how](session, held)
        self.outcomes[f"{how}{' to be cancelled' if job.cancel else ''}"] += 1
        match how:
            case "finish" | "stop":
                job.answered, job.evaluations, job.result = True, 1, {"fence": held.lease.fence}
                self.model.end(job, "succeeded" if how == "finish" else "cancelled")
            case "fail":
                job.answered, job.error = True, "wrong"
                self.model.end(job, "failed")
            case "release":
                self.model.give_back(job, "queued")
            case "crash":
                self.model.crash(job)
            case "wait":
                self.model.give_back(job, "waiting")

    @precondition(lambda self: self.live())
    @rule(which=which, how=st.sampled_from(sorted(WRITES)))
    def write_and_lose_the_connection(self, which: int, how: str) -> None:
        """What is not committed has not happened."""
        held = pick(self.live(), which)
        with suppress(Cut), self.acting(held.worker) as session:
            WRITES[how](session, held)
            raise Cut

    @precondition(lambda self: self.late())
    @rule(which=which)
    def write_late(self, which: int) -> None:
        """A worker that was stopped for too long, or that repeats what it has done already."""
        held = pick(self.late(), which)
        self.outcomes[f"late on {held.job.state}"] += 1
        for how in WRITES:
            self.refused(held, how)

    @precondition(lambda self: self.model.jobs)
    @rule(worker=st.sampled_from(WORKERS), which=which, how=st.sampled_from(sorted(WRITES)))
    def write_under_a_fence_never_given(self, worker: Actor, which: int, how: str) -> None:
        job = self.model.jobs[which % len(self.model.jobs)]
        assert job.id is not None
        self.refused(Held(worker, job, Lease(job.id, job.claims + 1), 0), how)

    def refused(self, held: Held, how: str) -> None:
        try:
            with self.acting(held.worker) as session:
                WRITES[how](session, held)
                raise Cut
        except LeaseLost:
            return
        except Cut:
            pytest.fail(f"{how} was let through")

    # What must hold.

    @invariant()
    def the_tables_agree_with_the_model(self) -> None:
        with self.database.transaction() as session:
            rows = [dict(row) for row in session.execute(LOOK).mappings()]
            counts: Counter[tuple[str, str]] = Counter()
            for row in census.open_jobs(session):
                counts[row.queue, row.state] += row.number
            for (queue, _, state), number in census.final_jobs(session).items():
                counts[queue, state] += number
            breaches = session.execute(BREACHES, {"limit": MAX_ATTEMPTS}).all()
        assert breaches == []
        assert counts == Counter((job.queue, job.state) for job in self.model.jobs)
        assert sum(counts.values()) == len(self.model.jobs)
        for row in rows:
            fence, end = self.before.get(row["id"], (0, None))
            assert row["fence"] >= fence, "fences only grow"
            lasting = {name: value for name, value in row.items() if name not in MOMENTS}
            assert end in (None, lasting), "final states absorb"
            self.before[row["id"]] = (row["fence"], lasting if row["state"] in FINAL_STATES else None)
        found = {row["id"]: row for row in rows}
        assert found.keys() == {job.id for job in self.model.jobs}
        for job in self.model.jobs:
            row = found[job.id]
            ages = {name: row.pop(name) for name in MOMENTS}
            assert row == row_of(job)
            for name, age in ages.items():
                moment: int | None = getattr(job, name)
                assert (age is None) == (moment is None), name
                assert age is None or abs(age - (self.model.clock - moment)) < DRIFT, f"{name} by the database's clock"
        self.sound = True

    def teardown(self) -> None:
        """Whatever has happened, all jobs can still be brought to an end, and none is missing."""
        if not self.sound:
            return
        everything = Actor(0, ("cpu", "gpu"), ("cpu", "cuda"))
        submitted = len(self.model.jobs)
        for _ in range(2 * submitted + 2):
            self.pass_time(MOVES[1])
            self.reconcile(FRONT_ENDS[0])
            while self.model.best(everything) is not None:
                self.claim(everything)
                self.end(0, "finish")
        self.the_tables_agree_with_the_model()
        with self.database.transaction() as session:
            found = session.execute(text("SELECT state, count(*) FROM jobs GROUP BY state"))
            ended = Counter({row.state: row.count for row in found})
        assert ended.keys() <= FINAL_STATES
        assert ended.total() == submitted
        self.outcomes.update(ended)


def pick(claims: list[Held], which: int) -> Held:
    return claims[-1 - which % len(claims)]


def row_of(job: Expected) -> dict[str, Any]:
    """What the database should say of a job, without its moments."""
    return {
        "id": job.id,
        "parent_id": job.parent and job.parent.id,
        "fence": job.claims,
        "cancel_requested": job.cancel,
        "worker_id": job.worker,
        "checkpoint": job.checkpoint and [*job.checkpoint],
        "epochs": [[epoch, {"loss": loss}] for epoch, loss in sorted(job.epochs.items())] or None,
        "events": [[kind, data] for kind, data in job.events],
        **{
            name: getattr(job, name)
            for name in (
                *("name", "owner", "queue", "device", "priority", "state", "attempt", "stranded"),
                *("progress", "result", "error", "owed", "artefact", "evaluations"),
            )
        },
    }


@contextmanager
def wrong_clock(hours: int) -> Generator[None]:
    """Python's clock is that far ahead, for everything that jobs run through."""

    class Skewed(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=hours)

    with ExitStack() as stack:
        stack.enter_context(patch("time.time", lambda: time() + 3600 * hours))
        for module in [m for name, m in sys.modules.items() if name.startswith(("app.catalogue", "app.jobs"))]:
            if getattr(module, "datetime", None) is not None:
                stack.enter_context(patch.object(module, "datetime", Skewed))
        yield


def run_machine(database: Database, *, examples: int, steps: int) -> Counter[str]:
    """What came about, how often."""
    outcomes = Counter[str]()
    run_state_machine_as_test(
        lambda: JobTable(database, outcomes),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=[*HealthCheck],
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    return outcomes


@pytest.mark.timeout(900)  # a failure is made small before it is shown
def test_jobs_keep_their_promises_whatever_happens(database: Database) -> None:
    outcomes = run_machine(database, examples=8, steps=50)
    assert not [what for what in OUTCOMES if not outcomes[what]]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_jobs_keep_their_promises_in_long_lives(database: Database) -> None:
    outcomes = run_machine(database, examples=100, steps=80)
    assert not [what for what in (*OUTCOMES, *RARE_OUTCOMES) if not outcomes[what]]
