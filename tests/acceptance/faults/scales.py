"""What the processes of an installation weigh while a run lasts, and whether any of them grows."""

import statistics
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tests.acceptance.faults.processes import Process, running
from tests.acceptance.faults.site import Site

SAMPLE_SECONDS = 2.0
WARM_SECONDS = 60.0  # of a run; a third of it where that is longer
FEWEST = 10  # samples after the warm-up that say something
MIB = 2**20
MOST_MIB_PER_MINUTE = 0.5
MOST_MIB = 4.0
"""A process grows whose least-squares line after the warm-up rises faster than this and by more than that."""

Sample = tuple[float, float]  # seconds since the start, MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The resident memory of one process."""

    role: str  # API, worker, job, PostgreSQL, Valkey
    pid: int
    standing: bool  # no fault ends it: it is judged
    seconds: float  # from its first sample to its last
    begin_mib: float  # median of the first ten samples after the warm-up, or of the first ten there are
    end_mib: float  # of the last ten
    largest_mib: float
    mib_per_minute: float | None  # slope after the warm-up; None where it did not live for so long
    grows: bool


class Scales:
    """Weighs every process of a site every two seconds."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._begun = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._weigh, name="scales", daemon=True)
        self._samples: dict[tuple[str, int], list[Sample]] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def _weigh(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            now = time.monotonic() - self._begun
            for process in self._site.processes():
                self._note(role_of(process), process, now)
            engines = self._site.engines
            roles = {engines.postgres.child.pid: "PostgreSQL", engines.valkey.child.pid: "Valkey"}
            for process in running():
                if process.pid in roles:
                    self._note(roles[process.pid], process, now)

    def _note(self, role: str, process: Process, now: float) -> None:
        rss = process.rss
        if rss:
            self._samples.setdefault((role, process.pid), []).append((now, rss / MIB))

    def weights(self, standing: Collection[int], *, seconds: float) -> tuple[Weight, ...]:
        """Of every process, after so many seconds; `standing` are the process ids of those that are judged."""
        warm = max(WARM_SECONDS, seconds / 3)
        return tuple(
            weight(role, pid, samples, standing=pid in standing, warm=warm)
            for (role, pid), samples in sorted(self._samples.items())
        )


def role_of(process: Process) -> str:
    return "API" if "app.cli" in process.words else "worker" if "fault_worker" in process.words else "job"


def weight(role: str, pid: int, samples: Sequence[Sample], *, standing: bool, warm: float) -> Weight:
    """One process's samples in a few figures; those before `warm` seconds say nothing of growth."""
    steady = [sample for sample in samples if sample[0] >= warm]
    told = steady or samples
    slope, rise = None, 0.0
    if len(steady) >= FEWEST:
        line = statistics.linear_regression([at for at, _ in steady], [mib for _, mib in steady])
        slope, rise = line.slope * 60, line.slope * (steady[-1][0] - steady[0][0])
    return Weight(
        role=role,
        pid=pid,
        standing=standing,
        seconds=round(samples[-1][0] - samples[0][0], 1),
        begin_mib=round(statistics.median(mib for _, mib in told[:FEWEST]), 1),
        end_mib=round(statistics.median(mib for _, mib in told[-FEWEST:]), 1),
        largest_mib=round(max(mib for _, mib in samples), 1),
        mib_per_minute=None if slope is None else round(slope, 3),
        grows=standing and slope is not None and slope > MOST_MIB_PER_MINUTE and rise > MOST_MIB,
    )
