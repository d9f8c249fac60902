"""Paces: what phases of jobs took. They hold sizes and times only, and are read without regard to whose job it was."""

from collections.abc import Collection
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.pace_table import paces
from app.experiment.pace import Load, Pace

NEWEST = 200
"""Of one device: what is older tells of another version of the code."""

LOAD = ("subject", "strategy", "macs", "extent", "batch_size", "precision", "recompute")
REST = ("params", "steps", "seconds", "peak_memory_bytes", "device", "device_type", "torch_version")


def record(session: Session, job_id: UUID, phase: str, pace: Pace) -> None:
    """Write what a phase took, in place of what there is of it."""
    fields = asdict(pace)
    values = {**fields.pop("load"), **fields}
    statement = insert(paces).values(job_id=job_id, phase=phase, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["job_id", "phase"], set_=values))


def newest(session: Session, devices: Collection[str], *, limit: int = NEWEST) -> tuple[Pace, ...]:
    """The newest of each of these devices, the newest first."""
    found: list[Pace] = []
    for device in sorted(set(devices)):
        statement = select(paces).where(paces.c.device == device).order_by(paces.c.created_at.desc()).limit(limit)
        for row in session.execute(statement).mappings():
            load = Load(**{name: row[name] for name in LOAD})
            found.append(Pace(load=load, **{name: row[name] for name in REST}))
    return tuple(found)


def measured_devices(session: Session) -> tuple[str, ...]:
    """The devices that something was measured on."""
    return tuple(session.execute(select(paces.c.device).distinct().order_by(paces.c.device)).scalars())
