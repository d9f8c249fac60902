"""The smallest job that does something: one epoch with a sum, and the sum as its result."""

from dataclasses import dataclass

from app.experiment import JobResult
from workers.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallRequest:
    """What to add up."""

    number: int


def add(request: SmallRequest, progress: Progress) -> JobResult:
    """The sum of the numbers up to `number`."""
    total = sum(range(request.number + 1))
    progress.report("add", 0, 1, {"total": float(total)})
    return JobResult(result={"number": request.number, "total": total})
