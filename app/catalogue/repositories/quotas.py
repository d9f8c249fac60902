"""What owners may use, and what they use: queued jobs, GPU time, storage."""

from dataclasses import asdict, dataclass

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.allowances import gpu_leases, quotas
from app.catalogue.repositories import datasets
from app.catalogue.repositories.clock import now, seconds
from app.catalogue.tables import artefacts, jobs

SUBMISSION_KEY = 0x63656C6C61720006
DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What an owner may use where it is not what everybody may. None: what everybody may."""

    queued_jobs: int | None = None
    gpu_hours: float | None = None  # in a period
    storage_bytes: int | None = None
    priority: int | None = None  # the highest of a job


def of_owner(session: Session, owner: str) -> Quota:
    """The owner's own limits."""
    columns = [quotas.c.queued_jobs, quotas.c.gpu_hours, quotas.c.storage_bytes, quotas.c.priority]
    row = session.execute(select(*columns).where(quotas.c.owner == owner)).mappings().one_or_none()
    return Quota() if row is None else Quota(**row)


def put(session: Session, owner: str, quota: Quota) -> None:
    """Set the owner's own limits, in place of those before."""
    values = {**asdict(quota), "changed_at": now()}
    statement = insert(quotas).values(owner=owner, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["owner"], set_=values))


def own_limits(session: Session) -> dict[str, Quota]:
    """Everybody who has limits of their own, by name."""
    columns = [quotas.c.owner, quotas.c.queued_jobs, quotas.c.gpu_hours, quotas.c.storage_bytes, quotas.c.priority]
    rows = session.execute(select(*columns).order_by(quotas.c.owner)).mappings()
    return {row["owner"]: Quota(**{name: row[name] for name in row if name != "owner"}) for row in rows}


def lock_submissions(session: Session) -> None:
    """Let nobody else be counted until the end of the transaction."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SUBMISSION_KEY})


def queued(session: Session, owner: str, *, at_most: int) -> tuple[int, int]:
    """How many submissions of the owner, and of all, are queued, when no more than `at_most` are. A child is none."""
    waiting = select(jobs.c.owner).where(jobs.c.state == "queued", jobs.c.parent_id.is_(None)).limit(at_most).subquery()
    own = func.count().filter(waiting.c.owner == owner)
    row = session.execute(select(own, func.count()).select_from(waiting)).one()
    return row[0], row[1]


def gpu_seconds(session: Session, owner: str, *, days: float) -> float:
    """How long the owner's jobs have had a GPU: leases that ended in so many days, and those that run."""
    ended = select(func.coalesce(func.sum(gpu_leases.c.seconds), 0)).where(
        gpu_leases.c.owner == owner, gpu_leases.c.ended_at > now() - seconds(days * DAY)
    )
    age = func.sum(func.extract("epoch", now() - jobs.c.claimed_at))
    running = select(func.coalesce(age, 0)).where(jobs.c.owner == owner, jobs.c.state == "running", jobs.c.on_gpu)
    return float(session.execute(select(ended.scalar_subquery() + running.scalar_subquery())).scalar_one())


def storage_bytes(session: Session, owner: str) -> int:
    """How many bytes the files take that the owner's jobs have kept, and the owner's data sets."""
    total = func.coalesce(func.sum(artefacts.c.bytes), 0)
    statement = select(total).join(jobs, jobs.c.id == artefacts.c.job_id).where(jobs.c.owner == owner)
    return int(session.execute(statement).scalar_one()) + datasets.bytes_of(session, owner)
