"""The handler of counting jobs: the exact number of classes of a space under an equivalence, however long it takes.

phase    epochs   steps
count    1        members, where all of them are listed
"""

import threading
import time
from collections.abc import Callable

from app.experiment import CountRequest, JobResult, MeasuredCount, uncountable
from app.space import SearchSpace, space_from_json
from app.space.classes import Classes, canonical_rank, reading_of
from app.space.constraints import valid
from workers.progress import Progress, Stopped

PHASE = "count"
_CHUNK = 5_000  # members between two looks at what the job is asked to do
_WAIT_SECONDS = 0.1


class Uncountable(ValueError):
    """There is no way to count the classes exactly."""


def run(request: CountRequest, progress: Progress) -> JobResult:
    """Counts. Raises Uncountable, or Stopped where `progress` asks to stop."""
    started = time.monotonic()
    space = space_from_json(request.document)
    classes = counted(space, request.equivalence, progress)
    progress.report(PHASE, 1, 1, {})
    return JobResult(
        result={
            "space": request.space,
            "equivalence": request.equivalence,
            "exact": str(classes.exact),
            "method": classes.method,
            "seconds": time.monotonic() - started,
        },
        counted=(
            MeasuredCount(
                digest=space.digest,
                surroundings=space.surroundings,
                equivalence=request.equivalence,
                version=request.version,
                exact=classes.exact,
                method=classes.method,
            ),
        ),
    )


def counted(space: SearchSpace, equivalence: str, progress: Progress) -> Classes:
    """The classes of a space, in the quickest way there is."""
    reading = reading_of(space, equivalence)
    quick = reading.count(space)
    if quick is not None:
        return quick
    long = reading.count_long
    if long is not None:
        return stoppable(lambda: long(space), progress)
    why = uncountable(space, equivalence)
    if why is not None:
        raise Uncountable(why)
    return listed(space, equivalence, progress)


def listed(space: SearchSpace, equivalence: str, progress: Progress) -> Classes:
    """Every class has one canonical form: count those of valid members, a bit for each that was met."""
    size, forms = space.plan.size, 0
    is_valid, met = valid(space), bytearray(size // 8 + 1)
    for start in range(0, size, _CHUNK):
        if reason := progress.should_stop():
            raise Stopped(reason)
        end = min(start + _CHUNK, size)
        for index in range(start, end) if not space.constraints else filter(is_valid, range(start, end)):
            lowest = canonical_rank(space, index, equivalence)
            forms += not met[lowest >> 3] >> (lowest & 7) & 1
            met[lowest >> 3] |= 1 << (lowest & 7)
        progress.report(PHASE, 0, 1, {"classes": forms}, step=end, steps=size)
    return Classes(exact=forms, method=f"all {size} members, their canonical forms counted")


def stoppable(count: Callable[[], Classes], progress: Progress) -> Classes:
    """Count in a thread, so that a cancelled job ends at once: the thread ends with the job's process."""
    found: list[Classes] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            found.append(count())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="count", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_WAIT_SECONDS)
        if reason := progress.should_stop():
            raise Stopped(reason)
    if errors:
        raise errors[0]
    return found[0]
