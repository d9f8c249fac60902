"""What the contract between front ends and workers raises.

JobsError
├── LeaseLost               the job belongs to somebody else by now, or is final: stop at once, write nothing
├── IdempotencyConflict     the key was used before for another request
└── Refused                 there is no room for the job now
    ├── QueueFull           of all jobs together
    └── QuotaExceeded       of this owner
"""

from typing import Literal
from uuid import UUID

Resource = Literal["queued-jobs", "gpu-hours", "storage-bytes"]


class JobsError(Exception):
    """Anything that the rules of jobs refuse."""


class LeaseLost(JobsError):
    """A write came with a fence that is not the job's any more."""

    def __init__(self, job_id: UUID, fence: int) -> None:
        super().__init__(f"the lease on job {job_id} under fence {fence} is lost")
        self.job_id = job_id
        self.fence = fence


class IdempotencyConflict(JobsError):
    """An idempotency key came back with another request than the one that it is bound to."""

    def __init__(self, key: str, job_id: UUID) -> None:
        super().__init__(f"the idempotency key {key!r} is bound to job {job_id}, which was another request")
        self.key = key
        self.job_id = job_id


class Refused(JobsError):
    """A job that may be submitted again later."""

    def __init__(self, message: str, *, used: float, limit: float, retry_seconds: int) -> None:
        super().__init__(message)
        self.used = used
        self.limit = limit
        self.retry_seconds = retry_seconds


class QueueFull(Refused):
    """As many jobs are queued as the service takes."""

    def __init__(self, limit: int, *, retry_seconds: int) -> None:
        super().__init__(
            f"{limit} jobs are queued, and no more are taken", used=limit, limit=limit, retry_seconds=retry_seconds
        )


class QuotaExceeded(Refused):
    """An owner has used what they may use."""

    def __init__(self, owner: str, resource: Resource, *, used: float, limit: float, retry_seconds: int) -> None:
        said = {
            "queued-jobs": f"{used:.0f} of {limit:.0f} jobs are queued",
            "gpu-hours": f"{used:.2f} of {limit:g} GPU hours are used",
            "storage-bytes": f"{used:.0f} of {limit:.0f} bytes are stored",
        }
        message = f"{said[resource]} for {owner!r}"
        super().__init__(message, used=used, limit=limit, retry_seconds=retry_seconds)
        self.owner = owner
        self.resource: Resource = resource
