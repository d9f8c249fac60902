"""What the contract between front ends and workers raises.

JobsError
├── LeaseLost               the job belongs to somebody else by now, or is final: stop at once, write nothing
└── IdempotencyConflict     the key was used before for another request
"""

from uuid import UUID


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
