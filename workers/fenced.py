"""`Progress` on the catalogue: every call is one transaction that carries the job's fence."""

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.catalogue import Artefact, Database, EvaluationQuery, Job, artefacts, evaluations, jobs
from app.experiment.pace import Pace
from app.jobs import (
    ChildJob,
    Lease,
    fan_out,
    record_artefact,
    record_checkpoint,
    record_epoch,
    record_note,
    record_pace,
    record_progress,
    secure,
)
from app.store import MissingObject, StoredFile, StoreDown
from workers.files import JobFiles
from workers.progress import ChildRequest, Ended, Resume, Stopped, StopReason, Waiting

log = structlog.get_logger(__name__)

T = TypeVar("T")

STEP_SECONDS = 0.5  # steps are told at most so often: they are for people to look at
PATIENCE_SECONDS = 300.0  # how long a job waits for its database or its store to come back
RETRY_SECONDS = 0.5
MOST_EVALUATIONS = 1000  # of one child
# Classes of SQLSTATE, PostgreSQL's appendix A: connections; read-only, as a standby is; deadlocks; room, memory and
# connections; locks; statements cancelled, by their timeout for one, and a server that stops or starts; its disk.
PASSING = ("08", "25006", "40", "53", "55P03", "57", "58")
ARTEFACT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Stop:
    """What the job was asked to do, by its worker, by a signal or by the catalogue; cancelling goes before draining."""

    def __init__(self) -> None:
        self._cancel = threading.Event()
        self._drain = threading.Event()

    def ask(self, reason: StopReason) -> None:
        """Ask the job to stop."""
        (self._cancel if reason == "cancel" else self._drain).set()

    @property
    def reason(self) -> StopReason | None:
        """Why the job is to stop, if it is."""
        if self._cancel.is_set():
            return "cancel"
        return "drain" if self._drain.is_set() else None


def patiently(database: Database, work: Callable[[Session], T], *, seconds: float = PATIENCE_SECONDS) -> T:
    """Do the work in a transaction, again and again while the database is away. Anything else is raised at once.

    A connection that breaks during the commit leaves open whether it was done, so the work has to bear repetition.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            with database.transaction() as session:
                return work(session)
        except (DBAPIError, PoolTimeout) as error:
            away = isinstance(error, PoolTimeout) or error.connection_invalidated or _is_passing(error)
            if not away or time.monotonic() > deadline:
                raise
            log.warning("database is away, trying again", error=str(error).splitlines()[0])
            time.sleep(RETRY_SECONDS)


def until_stored(work: Callable[[], T], *, seconds: float = PATIENCE_SECONDS) -> T:
    """Do the work, again and again while the store is away. Anything else is raised at once."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return work()
        except StoreDown as error:
            if time.monotonic() > deadline:
                raise
            log.warning("store is away, trying again", error=str(error).splitlines()[0])
            time.sleep(RETRY_SECONDS)


class FencedProgress:
    """What a handler reports to. Raises LeaseLost from any call once the job belongs to somebody else."""

    def __init__(self, database: Database, lease: Lease, files: JobFiles, stop: Stop) -> None:
        self._database = database
        self._lease = lease
        self._files = files
        self._stop = stop
        self._numbers = count()
        self._step_told = -math.inf
        self._told_odd = False

    def report(
        self,
        phase: str,
        epoch: int,
        epochs: int,
        metrics: Mapping[str, float],
        *,
        step: int | None = None,
        steps: int | None = None,
    ) -> None:
        """Tell how far the job is; the end of an epoch is kept, steps are told twice a second at most."""
        if step is not None:
            moment = time.monotonic()
            if moment - self._step_told < STEP_SECONDS:
                return
            self._step_told = moment
        data: dict[str, Any] = {
            "phase": phase,
            "epoch": epoch,
            "epochs": epochs,
            "step": step,
            "steps": steps,
            "metrics": finite(metrics),
        }
        record = record_epoch if step is None else record_progress
        if patiently(self._database, lambda session: record(session, self._lease, data)):
            self._stop.ask("cancel")
        odd = sorted(metrics.keys() - data["metrics"].keys())
        if odd and step is None and not self._told_odd:
            self._told_odd = True
            self.note(f"{', '.join(odd)} of {phase} epoch {epoch} is not a finite number and is left out")

    def note(self, text: str) -> None:
        """Tell something worth knowing."""
        patiently(self._database, lambda session: record_note(session, self._lease, text))

    def pace(self, phase: str, pace: Pace) -> None:
        """Keep what a phase took, for estimates of others."""
        patiently(self._database, lambda session: record_pace(session, self._lease, phase, pace))

    def checkpoint(self, phase: str, epoch: int, write: Callable[[Path], None]) -> None:
        """Commit a state to resume from, in place of the one before."""
        fence, number = self._lease.fence, next(self._numbers)
        file = until_stored(lambda: self._files.write_checkpoint(fence, number, write))
        patiently(self._database, lambda session: record_checkpoint(session, self._lease, phase, epoch, file))
        self._files.keep_only_checkpoint(file.path, self._lease.fence)

    def resume(self) -> Resume | None:
        """The last committed checkpoint; one whose file is gone or damaged is passed over, and a note says so."""
        stored = patiently(self._database, lambda session: artefacts.checkpoint(session, self._lease.job_id))
        if stored is None:
            return None
        file = until_stored(lambda: self._files.open(stored.path, bytes=stored.bytes, sha256=stored.sha256))
        if file is None:
            self.note(f"the checkpoint of {stored.phase} epoch {stored.epoch} is not there as written: starting over")
            return None
        return Resume(stored.phase, stored.epoch, file)

    def keep(self, name: str, write: Callable[[Path], None]) -> str:
        """Commit a file that outlives the job. Raises ValueError for a name that is not a plain file name."""
        if not ARTEFACT_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an artefact: it must match {ARTEFACT_NAME.pattern}")
        while True:
            file = until_stored(lambda: self._files.write_artefact(name, write))

            def commit(session: Session, file: StoredFile = file) -> None:
                secure(session, self._files.store, file)
                record_artefact(session, self._lease, name, file)

            try:
                until_stored(lambda: patiently(self._database, commit))
                return name
            except MissingObject:
                log.warning("collected before it was named, writing it again", artefact=name)

    def artefact(self, name: str) -> Path | None:
        """The file of an artefact of this job; None where there is none, or it is gone or damaged."""
        stored = patiently(self._database, lambda session: artefacts.find(session, self._lease.job_id, name))
        if stored is None:
            return None
        return until_stored(lambda: self._files.open(stored.path, bytes=stored.bytes, sha256=stored.sha256))

    def parents_artefact(self, name: str) -> Path | None:
        """The file of an artefact of the job that asked for this one; None where there is none, or no such job."""
        stored = patiently(self._database, lambda session: _of_parent(session, self._lease.job_id, name))
        if stored is None:
            return None
        return until_stored(lambda: self._files.open(stored.path, bytes=stored.bytes, sha256=stored.sha256))

    def children(self, asked: Mapping[str, ChildRequest]) -> Mapping[str, Ended]:
        """How these jobs ended, each submitted once. Raises Waiting, or Stopped where this one is to be cancelled."""
        wanted = {name: ChildJob(kind=child.kind, request=asdict(child.request)) for name, child in asked.items()}
        made, to_cancel = patiently(self._database, lambda session: fan_out(session, self._lease, wanted))
        if to_cancel:
            self._stop.ask("cancel")
            raise Stopped("cancel")
        left = [name for name, job in made.items() if not job.final]
        if left:
            raise Waiting(f"{len(left)} of {len(made)} children are not final")
        return patiently(self._database, lambda session: {name: ended(session, job) for name, job in made.items()})

    def ended_children(self) -> Mapping[str, Ended]:
        """How those of the children ended which have, by name."""

        def found(session: Session) -> dict[str, Ended]:
            there = jobs.children(session, self._lease.job_id)
            return {child.name: ended(session, child) for child in there if child.final and child.name is not None}

        return patiently(self._database, found)

    def read(self, work: Callable[[Session], T]) -> T:
        """What the work reads, in a transaction of its own."""
        return patiently(self._database, work)

    def should_stop(self) -> StopReason | None:
        """Why to stop, if at all. Costs nothing."""
        return self._stop.reason


def _of_parent(session: Session, job_id: UUID, name: str) -> Artefact | None:
    """An artefact of a job's parent, which has the same owner."""
    job = jobs.get(session, job_id)
    parent = None if job is None or job.parent_id is None else jobs.get(session, job.parent_id)
    if job is None or parent is None or parent.owner != job.owner:
        return None
    return artefacts.find(session, parent.id, name)


def ended(session: Session, job: Job) -> Ended:
    """A child as its parent sees it."""
    of_job = EvaluationQuery(viewer=job.owner, job_id=job.id, descending=False, limit=MOST_EVALUATIONS)
    return Ended(
        job_id=job.id,
        state=job.state,
        result=job.result,
        error=job.error,
        evaluations=evaluations.query(session, of_job),
        gpu_seconds=job.gpu_seconds,
    )


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that are finite numbers: JSON has no other, and a loss that overflowed has no place in a ranking."""
    return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}


def _is_passing(error: DBAPIError) -> bool:
    """Whether the database could not be reached, or could not do it now: another time it can."""
    code = getattr(error.orig, "sqlstate", None)
    return code is None or code.startswith(PASSING)
