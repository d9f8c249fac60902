"""Worker processes: who is there, what they serve, when they were last seen."""

from uuid import UUID

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.repositories.clock import now, seconds
from app.catalogue.repositories.jobs import QUEUED_CHANNEL
from app.catalogue.rows import Worker
from app.catalogue.tables import workers
from app.experiment import Device, Queue


def beat(
    session: Session,
    *,
    id: UUID,
    host: str,
    pid: int,
    queues: list[Queue],
    devices: list[Device],
    gpu: str | None,
    state: str,
    gpu_utilisation: float | None = None,
    gpu_memory_used: int | None = None,
    gpu_memory_total: int | None = None,
    device_name: str | None = None,
    memory_total: int | None = None,
    memory_available: int | None = None,
) -> None:
    """Say that a worker lives, and what it and its device do; one that turns idle wakes the publisher.

    Args:
        session: of the transaction.
        id: of the worker.
        host: on which it runs.
        pid: of its process.
        queues: that it serves.
        devices: that it has.
        gpu: UUID of the device that it owns.
        state: `idle`, `busy` or `draining`.
        gpu_utilisation: share of the time in which the device computed, 0 to 1.
        gpu_memory_used: bytes.
        gpu_memory_total: bytes.
        device_name: of what its jobs compute on, as measurements name it.
        memory_total: bytes that its processes may have.
        memory_available: bytes of these that nothing holds.
    """
    before = session.execute(select(workers.c.state).where(workers.c.id == id).with_for_update()).scalar_one_or_none()
    values = {
        "host": host,
        "pid": pid,
        "queues": queues,
        "devices": devices,
        "gpu": gpu,
        "state": state,
        "gpu_utilisation": gpu_utilisation,
        "gpu_memory_used": gpu_memory_used,
        "gpu_memory_total": gpu_memory_total,
        "device_name": device_name,
        "memory_total": memory_total,
        "memory_available": memory_available,
    }
    statement = insert(workers).values(id=id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_={**values, "last_seen": now()}))
    if state == "idle" and before != "idle":
        session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": QUEUED_CHANNEL})


def leave(session: Session, id: UUID) -> None:
    """Say that a worker has gone by itself."""
    session.execute(update(workers).where(workers.c.id == id).values(state="gone"))


def alive(session: Session, *, within_seconds: float) -> tuple[Worker, ...]:
    """The workers that were seen within so many seconds, the first started first."""
    statement = select(workers).where(_alive(within_seconds)).order_by(workers.c.started_at, workers.c.id)
    return tuple(Worker(**row) for row in session.execute(statement).mappings())


def claim_gpu(session: Session, uuids: list[str], *, within_seconds: float) -> str | None:
    """The first of these devices that no live worker owns. Hold the transaction until `beat` has said so.

    UUIDs alone tell devices apart: containers of one machine see the same device under host names of their own.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('gpu', 0))"))
    statement = select(workers.c.gpu).where(_alive(within_seconds))
    owned = set(session.execute(statement).scalars())
    return next((uuid for uuid in uuids if uuid not in owned), None)


def _alive(within_seconds: float) -> ColumnElement[bool]:
    return (workers.c.last_seen > now() - seconds(within_seconds)) & (workers.c.state != "gone")
