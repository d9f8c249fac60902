"""What an owner may use, and whether there is room for another job. Children are part of what their parent was let in
for: they are never refused and never counted.

Where a limit is far away a count of what was committed a moment ago settles it. Near one, submissions wait for each
other. Far is `MARGIN`: no more can come within that moment, nor be under way at once.
"""

import time
from dataclasses import dataclass
from math import inf
from typing import Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from app.catalogue import Quota, quotas
from app.jobs.errors import QueueFull, QuotaExceeded

MARGIN = 2000  # submissions
MOMENT_SECONDS = 1.0
QUEUE_RETRY_SECONDS = 10  # when a queue may have moved on
USAGE_RETRY_SECONDS = 3600  # when GPU hours may have left their period, or somebody has made room


class QuotaSettings(Protocol):
    """The settings that quotas go by."""

    @property
    def max_queued_jobs(self) -> int:
        """Of all owners together."""
        ...

    @property
    def quota_queued_jobs(self) -> int:
        """Of an owner."""
        ...

    @property
    def quota_gpu_hours(self) -> float | None:
        """Of an owner, in a period."""
        ...

    @property
    def quota_gpu_days(self) -> float:
        """The period."""
        ...

    @property
    def quota_storage_bytes(self) -> int | None:
        """Of an owner."""
        ...

    @property
    def quota_priority(self) -> int:
        """The highest that an owner may give a job."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one owner may use. None: as much as there is."""

    all_queued_jobs: int  # of all owners together
    queued_jobs: int
    gpu_hours: float | None
    gpu_days: float  # length of the sliding period of GPU hours
    storage_bytes: int | None
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one owner uses."""

    queued_jobs: int
    gpu_hours: float  # in the period that ends now
    storage_bytes: int


def limits_of(session: Session, settings: QuotaSettings, owner: str) -> Limits:
    """The owner's own limits, and everybody's where they have none."""
    own: Quota = quotas.of_owner(session, owner)
    return Limits(
        all_queued_jobs=settings.max_queued_jobs,
        queued_jobs=settings.quota_queued_jobs if own.queued_jobs is None else own.queued_jobs,
        gpu_hours=settings.quota_gpu_hours if own.gpu_hours is None else own.gpu_hours,
        gpu_days=settings.quota_gpu_days,
        storage_bytes=settings.quota_storage_bytes if own.storage_bytes is None else own.storage_bytes,
        priority=settings.quota_priority if own.priority is None else own.priority,
    )


def usage_of(session: Session, limits: Limits, owner: str) -> Usage:
    """What the owner uses now."""
    return Usage(
        queued_jobs=quotas.queued(session, owner, at_most=limits.all_queued_jobs)[0],
        gpu_hours=quotas.gpu_seconds(session, owner, days=limits.gpu_days) / 3600,
        storage_bytes=quotas.storage_bytes(session, owner),
    )


def admit(session: Session, owner: str, limits: Limits) -> None:
    """Let one more submission of the owner in. Raises QueueFull or QuotaExceeded."""
    own, every = _lately(session, owner, limits)
    if own + MARGIN > limits.queued_jobs or every + MARGIN > limits.all_queued_jobs:
        quotas.lock_submissions(session)
        own, every = quotas.queued(session, owner, at_most=limits.all_queued_jobs)
    if own >= limits.queued_jobs:
        retry = QUEUE_RETRY_SECONDS
        raise QuotaExceeded(owner, "queued-jobs", used=own, limit=limits.queued_jobs, retry_seconds=retry)
    if every >= limits.all_queued_jobs:
        raise QueueFull(limits.all_queued_jobs, retry_seconds=QUEUE_RETRY_SECONDS)
    if limits.gpu_hours is not None:
        hours = quotas.gpu_seconds(session, owner, days=limits.gpu_days) / 3600
        if hours >= limits.gpu_hours:
            retry = USAGE_RETRY_SECONDS
            raise QuotaExceeded(owner, "gpu-hours", used=hours, limit=limits.gpu_hours, retry_seconds=retry)
    if limits.storage_bytes is not None:
        stored = quotas.storage_bytes(session, owner)
        if stored >= limits.storage_bytes:
            retry = USAGE_RETRY_SECONDS
            raise QuotaExceeded(owner, "storage-bytes", used=stored, limit=limits.storage_bytes, retry_seconds=retry)


_COUNTS: WeakKeyDictionary[Engine | Connection, dict[str, tuple[float, int, int]]] = WeakKeyDictionary()
"""By database and owner: when they were counted, the owner's queued submissions, and those of all."""


def _lately(session: Session, owner: str, limits: Limits) -> tuple[int, int]:
    """Queued submissions of the owner and of all, no longer ago than a moment."""
    counts = _COUNTS.setdefault(session.get_bind(), {})
    at, own, every = counts.get(owner, (-inf, 0, 0))
    if time.monotonic() - at > MOMENT_SECONDS:
        at = time.monotonic()
        own, every = quotas.queued(session, owner, at_most=limits.all_queued_jobs)
        counts[owner] = at, own, every
    return own, every
