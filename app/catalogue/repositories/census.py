"""How the service stands, for those who watch it: ages in seconds on the database's clock, by one statement each."""

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.catalogue.access import audit
from app.catalogue.migration import COMMENT
from app.catalogue.repositories.clock import now, seconds
from app.catalogue.tables import job_events, jobs, outbox
from app.experiment import Device, JobState, Queue

FINAL: tuple[JobState, ...] = ("succeeded", "failed", "cancelled")
OPEN: tuple[JobState, ...] = ("queued", "running", "waiting")
RECENT_EVENTS = 5_000
"""So many of the newest events are looked at for a pace, however busy the service is."""


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """The jobs of one queue and kind in one state that is not final."""

    queue: Queue
    kind: str
    state: JobState
    number: int
    longest_seconds: float  # since the one that was queued first was queued
    lease_seconds: float | None  # until the first lease runs out, negative when it has; None where there is none
    attempts: int  # of the job that was begun most often
    begun_again: int  # jobs that were begun more than once


@dataclass(frozen=True, slots=True)
class Owed:
    """Jobs of one queue that need one device and wait for a hint."""

    queue: Queue
    device: Device
    seconds: float  # for which the first of them has


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the jobs of one kind went in the last seconds."""

    kind: str
    epochs: float  # ended a second
    steps: float  # done a second, as far as jobs have told: an epoch that ends before it tells of a step has none


def tables_revision(session: Session) -> tuple[str | None, str | None]:
    """The revision of the tables, None where there are none, and what they say of the code that they need."""
    if session.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None, None
    at = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return at, session.execute(text(COMMENT)).scalar_one()


def open_jobs(session: Session) -> tuple[OpenJobs, ...]:
    """Jobs that are not final, by queue, kind and state."""
    statement = (
        select(
            jobs.c.queue,
            jobs.c.kind,
            jobs.c.state,
            func.count(),
            func.max(func.extract("epoch", now() - jobs.c.queued_at)),
            func.min(func.extract("epoch", jobs.c.lease_until - now())),
            func.max(jobs.c.attempt),
            func.count().filter(jobs.c.attempt > 1),
        )
        .where(jobs.c.state.in_(OPEN))
        .group_by(jobs.c.queue, jobs.c.kind, jobs.c.state)
    )
    return tuple(
        OpenJobs(queue, kind, state, number, float(age), none_or_float(lease), attempts, again)
        for queue, kind, state, number, age, lease, attempts, again in session.execute(statement)
    )


def final_jobs(session: Session) -> dict[tuple[Queue, str, JobState], int]:
    """How many jobs have ended, by queue, kind and state. Reads an index that grows with every job."""
    statement = (
        select(jobs.c.queue, jobs.c.kind, jobs.c.state, func.count())
        .where(jobs.c.state.in_(FINAL))
        .group_by(jobs.c.queue, jobs.c.kind, jobs.c.state)
    )
    return {(queue, kind, state): number for queue, kind, state, number in session.execute(statement)}


def none_or_float(value: object) -> float | None:
    """A number of the database's as Python's; NULL stays None."""
    return None if value is None else float(str(value))


def owed_hints(session: Session) -> tuple[int, float]:
    """How many queued jobs wait for a hint, and for how many seconds the first of them has."""
    age = func.coalesce(func.max(func.extract("epoch", now() - outbox.c.created_at)), 0)
    number, seconds = session.execute(select(func.count(), age).select_from(outbox)).one()
    return number, float(seconds)


def owed_by_device(session: Session) -> tuple[Owed, ...]:
    """For how long the first job of each queue and device has waited for a hint."""
    age = func.max(func.extract("epoch", now() - outbox.c.created_at))
    statement = (
        select(jobs.c.queue, jobs.c.device, age)
        .select_from(outbox.join(jobs, jobs.c.id == outbox.c.job_id))
        .group_by(jobs.c.queue, jobs.c.device)
    )
    return tuple(Owed(queue, device, float(seconds)) for queue, device, seconds in session.execute(statement))


def upkeep_seconds(session: Session) -> float | None:
    """How long ago the last upkeep ended; None where there was none."""
    ended = select(audit.c.at).where(audit.c.action == "upkeep.end").order_by(audit.c.id.desc()).limit(1).subquery()
    return none_or_float(session.execute(select(func.extract("epoch", now() - ended.c.at))).scalar_one_or_none())


def most_queued(session: Session) -> int:
    """Submissions of that owner who has most in the queue."""
    of_one = (
        select(func.count().label("number"))
        .where(jobs.c.state == "queued", jobs.c.parent_id.is_(None))
        .group_by(jobs.c.owner)
        .subquery()
    )
    return session.execute(select(func.coalesce(func.max(of_one.c.number), 0))).scalar_one()


def paces(session: Session, *, within_seconds: float) -> tuple[Pace, ...]:
    """How fast jobs went lately, by kind: what their events tell that are no older."""
    newest = (
        select(job_events.c.job_id, job_events.c.kind, job_events.c.data, job_events.c.created_at)
        .order_by(job_events.c.id.desc())
        .limit(RECENT_EVENTS)
        .subquery()
    )
    phase = newest.c.data["phase"].as_string()
    told = (
        select(
            newest.c.job_id,
            phase.label("phase"),
            newest.c.data["epoch"].as_integer().label("epoch"),
            newest.c.data["step"].as_integer().label("step"),
            func.max(newest.c.data["steps"].as_integer()).over(partition_by=(newest.c.job_id, phase)).label("steps"),
        )
        .where(newest.c.kind == "progress", newest.c.created_at > now() - seconds(within_seconds))
        .subquery()
    )
    place = told.c.epoch * told.c.steps + func.coalesce(told.c.step, 0)
    fits = (
        select(
            told.c.job_id,
            func.count().filter(told.c.step.is_(None)).label("epochs"),
            func.coalesce(func.max(place) - func.min(place), 0).label("steps"),
        )
        .group_by(told.c.job_id, told.c.phase)
        .subquery()
    )
    statement = (
        select(jobs.c.kind, func.sum(fits.c.epochs), func.sum(fits.c.steps))
        .select_from(fits.join(jobs, jobs.c.id == fits.c.job_id))
        .group_by(jobs.c.kind)
    )
    rows = session.execute(statement)
    return tuple(Pace(kind, float(e) / within_seconds, float(s) / within_seconds) for kind, e, s in rows)
