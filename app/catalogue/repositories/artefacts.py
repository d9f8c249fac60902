"""Files of jobs: artefacts that outlive them, and the one checkpoint a job may have. Here are rows, not files."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.rows import Artefact, Checkpoint
from app.catalogue.snapshot import COLLECTING_KEY
from app.catalogue.tables import artefacts, checkpoints

CONTENT_LOCK = 0x0CE11A8  # first key of the advisory locks of contents; the second is the digest's first 32 bits


def keep(session: Session, *, job_id: UUID, name: str, fence: int, path: str, bytes: int, sha256: str) -> None:
    """Make a file visible under a name of its job; a later attempt's file replaces an earlier one's."""
    values = {"fence": fence, "path": path, "bytes": bytes, "sha256": sha256}
    statement = insert(artefacts).values(job_id=job_id, name=name, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["job_id", "name"], set_=values))


def find(session: Session, job_id: UUID, name: str) -> Artefact | None:
    """The job's artefact of this name."""
    statement = select(artefacts).where(artefacts.c.job_id == job_id, artefacts.c.name == name)
    row = session.execute(statement).mappings().one_or_none()
    return None if row is None else Artefact(**row)


def of_job(session: Session, job_id: UUID) -> tuple[Artefact, ...]:
    """The job's artefacts by name."""
    statement = select(artefacts).where(artefacts.c.job_id == job_id).order_by(artefacts.c.name)
    return tuple(Artefact(**row) for row in session.execute(statement).mappings())


def save_checkpoint(
    session: Session, *, job_id: UUID, fence: int, phase: str, epoch: int, path: str, bytes: int, sha256: str
) -> None:
    """Make a file the job's checkpoint, in place of the one before."""
    values = {"fence": fence, "phase": phase, "epoch": epoch, "path": path, "bytes": bytes, "sha256": sha256}
    statement = insert(checkpoints).values(job_id=job_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=values))


def checkpoint(session: Session, job_id: UUID) -> Checkpoint | None:
    """The job's checkpoint."""
    row = session.execute(select(checkpoints).where(checkpoints.c.job_id == job_id)).mappings().one_or_none()
    return None if row is None else Checkpoint(**row)


def drop_checkpoint(session: Session, job_id: UUID) -> None:
    """Forget the job's checkpoint: it is final and needs none."""
    session.execute(delete(checkpoints).where(checkpoints.c.job_id == job_id))


def share_content(session: Session, sha256: str) -> None:
    """Keep files of this content from being collected until this transaction ends, so that a row may name one."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:first, :second)"), _lock_key(sha256))


def claim_content(session: Session, sha256: str) -> bool:
    """Wait for everyone who is about to name this content; whether a row names it, and until the transaction's end
    none will begin to."""
    session.execute(text("SELECT pg_advisory_xact_lock(:first, :second)"), _lock_key(sha256))
    return session.execute(select(select(artefacts.c.job_id).where(artefacts.c.sha256 == sha256).exists())).scalar_one()


def lock_collecting(session: Session) -> bool:
    """Take the right to remove stored files until the transaction's end; False while a backup or another has it."""
    return bool(session.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": COLLECTING_KEY}).scalar_one())


def contents(session: Session) -> set[str]:
    """The sha256 of everything that rows name."""
    return set(session.execute(select(artefacts.c.sha256).distinct()).scalars())


def every(session: Session) -> Iterator[Artefact]:
    """Every artefact, by path."""
    statement = select(artefacts).order_by(artefacts.c.path).execution_options(yield_per=1000)
    for row in session.execute(statement).mappings():
        yield Artefact(**row)


def _lock_key(sha256: str) -> dict[str, int]:
    return {"first": CONTENT_LOCK, "second": int.from_bytes(bytes.fromhex(sha256[:8]), signed=True)}
