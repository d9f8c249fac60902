"""How the service stands, for those who watch it: ages in seconds on the database's clock, by one statement each."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.catalogue.repositories.clock import now
from app.catalogue.tables import jobs, outbox
from app.experiment import JobState, Queue


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """The jobs of one queue in one state that is not final."""

    queue: Queue
    state: JobState
    longest_seconds: float  # since the one that was queued first was queued
    lease_seconds: float | None  # until the first lease runs out, negative when it has; None where there is none
    attempts: int  # of the job that was begun most often


def open_jobs(session: Session) -> tuple[OpenJobs, ...]:
    """Jobs that are not final, by queue and state."""
    statement = (
        select(
            jobs.c.queue,
            jobs.c.state,
            func.max(func.extract("epoch", now() - jobs.c.queued_at)),
            func.min(func.extract("epoch", jobs.c.lease_until - now())),
            func.max(jobs.c.attempt),
        )
        .where(jobs.c.state.in_(("queued", "running", "waiting")))
        .group_by(jobs.c.queue, jobs.c.state)
    )
    rows = session.execute(statement)
    return tuple(
        OpenJobs(queue, state, float(age), none_or_float(lease), most) for queue, state, age, lease, most in rows
    )


def none_or_float(value: object) -> float | None:
    """A number of the database's as Python's; NULL stays None."""
    return None if value is None else float(str(value))


def owed_hints(session: Session) -> tuple[int, float]:
    """How many queued jobs wait for a hint, and for how many seconds the first of them has."""
    age = func.coalesce(func.max(func.extract("epoch", now() - outbox.c.created_at)), 0)
    number, seconds = session.execute(select(func.count(), age).select_from(outbox)).one()
    return number, float(seconds)
