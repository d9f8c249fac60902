"""A long run of mixed real jobs with a fault every few seconds, and a report.

    python -m tests.acceptance.faults.soak --minutes 15 --seed 0 [--every 5] [--workers 2] [--report soak.json]

Searches, trainings, profiles and transfers are asked for over HTTP, counting jobs written beside them; some are
cancelled. At the end all faults are healed, all jobs have to end, and every invariant has to hold. Memory is sampled
every two seconds by role; processes that a fault ends start anew, so what grows within processes shows in the slope of
the largest one of each role that was not replaced for a minute. The exit status is 0 where nothing was lost or doubled.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.jobs import request_cancel
from tests.acceptance.faults.disturbances import DISTURBANCES
from tests.acceptance.faults.processes import running
from tests.acceptance.faults.site import Site
from tests.acceptance.faults.work import drawn

OPEN = 12  # jobs that are not final, at most
SAMPLE_SECONDS = 2.0
STEADY_SECONDS = 60.0  # a process younger than that still warms up
MIB = 2**20


@dataclass(slots=True, kw_only=True)
class Memory:
    """What the processes of one role held."""

    samples: int
    largest_mib: float  # one process
    first_mib: float  # median of the first quarter of the samples of processes past their first minute
    last_mib: float  # of the last quarter
    slope_mib_per_hour: float | None  # least squares within processes past their first minute; None: there were none


@dataclass(slots=True, kw_only=True)
class Report:
    """What happened, and what was left."""

    minutes: float
    seed: int
    seconds: float = 0.0
    drained_seconds: float = 0.0  # from the last fault until all was over
    faults: dict[str, int] = field(default_factory=dict)
    submitted: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    memory: dict[str, Memory] = field(default_factory=dict)


class Scales:
    """Samples the resident memory of every process of a site, by role."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._weigh, name="scales", daemon=True)
        self.samples: dict[str, dict[int, list[tuple[float, int]]]] = {}  # role -> process -> (moment, bytes)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def _weigh(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            now = time.monotonic()
            for process in self._site.processes():
                role = "API" if "app.cli" in process.words else "worker" if "workers.main" in process.words else "job"
                self._note(role, process.pid, now, process.rss)
            engines = {
                self._site.engines.postgres.child.pid: "PostgreSQL",
                self._site.engines.valkey.child.pid: "Valkey",
            }
            for process in running():
                if process.pid in engines:
                    self._note(engines[process.pid], process.pid, now, process.rss)

    def _note(self, role: str, pid: int, now: float, rss: int) -> None:
        if rss:
            self.samples.setdefault(role, {}).setdefault(pid, []).append((now, rss))

    def summary(self) -> dict[str, Memory]:
        """By role."""
        return {role: summed(processes) for role, processes in sorted(self.samples.items())}


def summed(processes: dict[int, list[tuple[float, int]]]) -> Memory:
    """The memory of one role. The slope is that of all its processes, each about its own mean."""
    steady = {
        pid: [(at, rss / MIB) for at, rss in samples if at - samples[0][0] > STEADY_SECONDS]
        for pid, samples in processes.items()
    }
    above = below = 0.0
    for samples in steady.values():
        if len(samples) > 2:
            when, what = statistics.fmean(at for at, _ in samples), statistics.fmean(mib for _, mib in samples)
            above += sum((at - when) * (mib - what) for at, mib in samples)
            below += sum((at - when) ** 2 for at, _ in samples)
    everything = sorted(sample for samples in steady.values() for sample in samples)
    if not everything:
        everything = sorted((at, rss / MIB) for samples in processes.values() for at, rss in samples)
    quarter = max(1, len(everything) // 4)
    return Memory(
        samples=sum(map(len, processes.values())),
        largest_mib=round(max(rss for samples in processes.values() for _, rss in samples) / MIB, 1),
        first_mib=round(statistics.median(mib for _, mib in everything[:quarter]), 1),
        last_mib=round(statistics.median(mib for _, mib in everything[-quarter:]), 1),
        slope_mib_per_hour=round(above / below * 3600, 2) if below else None,
    )


def feed(site: Site, rng: Random, ended: threading.Event, asked: Counter[str], cancelled: list[UUID]) -> None:
    """Ask for jobs for as long as the run lasts, never for more than can be open; cancel one in ten."""
    while not ended.is_set():
        try:
            with site.database.transaction() as session:
                query = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running', 'waiting')"
                busy = session.execute(text(query)).scalar_one() >= OPEN
            if busy:
                ended.wait(0.3)
                continue
            if rng.random() < 0.5:
                id = site.tally(epochs=rng.randint(2, 8))
                asked["tally"] += 1
            else:
                path, body = drawn(rng)
                id = site.post(path, body, seconds=120)
                asked[path.rpartition("/")[2]] += 1
            if rng.random() < 0.1:
                with site.database.transaction() as session:
                    request_cancel(session, id)
                cancelled.append(id)
        except SQLAlchemyError:  # a fault; nothing was written, or `post` asks again
            ended.wait(0.3)


def soak(site: Site, *, minutes: float, seed: int, every: float, workers: int) -> Report:
    """Run, heal, drain and judge."""
    report = Report(minutes=minutes, seed=seed)
    rng, asked, cancelled = Random(f"faults {seed}"), Counter[str](), list[UUID]()
    site.api()
    for _ in range(workers):
        site.worker("--queues", "cpu")
    scales, ended, failures = Scales(site), threading.Event(), list[str]()

    def feeding() -> None:
        try:
            feed(site, Random(f"work {seed}"), ended, asked, cancelled)
        except BaseException as error:
            failures.append(f"nobody submits any more: {error}")

    feeder = threading.Thread(target=feeding, name="feeder", daemon=True)
    scales.start()
    feeder.start()
    begun = time.monotonic()
    while time.monotonic() - begun < minutes * 60 and not failures:
        time.sleep(every)
        name = rng.choice(sorted(DISTURBANCES))
        print(f"{time.monotonic() - begun:7.1f} s  {name}", flush=True)
        try:
            DISTURBANCES[name](site, rng)
        except AssertionError as error:
            failures.append(f"{name}: {error}")
        report.faults[name] = report.faults.get(name, 0) + 1
    ended.set()
    site.heal()
    feeder.join(180)
    last = time.monotonic()
    try:
        site.settle(seconds=max(300, minutes * 60))
    except AssertionError as error:
        failures.append(str(error)[:4000])
    report.drained_seconds = round(time.monotonic() - last, 1)
    report.seconds = round(time.monotonic() - begun, 1)
    scales.stop()
    report.submitted, report.breaches, report.memory = dict(asked), failures, scales.summary()
    with site.database.transaction() as session:
        counted = session.execute(text("SELECT state, count(*) AS number FROM jobs GROUP BY state"))
        report.states = {row.state: row.number for row in counted}
        tried = session.execute(text("SELECT fence, count(*) FROM jobs GROUP BY fence ORDER BY fence"))
        report.attempts = {str(fence): number for fence, number in tried}
        report.errors = [str(error) for error in session.execute(text(ERRORS)).scalars()]
    return report


ERRORS = "SELECT kind || ': ' || (error->>'detail') FROM jobs WHERE state = 'failed' LIMIT 20"


def told(report: Report) -> str:
    """The report for people."""
    lines = [
        f"{report.seconds:g} s, seed {report.seed}, {sum(report.faults.values())} faults",
        *(f"  {name:<26}{number:>5}" for name, number in sorted(report.faults.items())),
        f"{sum(report.submitted.values())} jobs submitted: {report.submitted}",
        f"ended: {report.states}; claims a job: {report.attempts}",
        f"all over {report.drained_seconds:g} s after the last fault",
        f"{'memory, MiB':<14}{'largest':>9}{'first':>9}{'last':>9}{'MiB/h':>9}",
    ]
    for role, m in report.memory.items():
        slope = "-" if m.slope_mib_per_hour is None else f"{m.slope_mib_per_hour:g}"
        lines.append(f"  {role:<12}{m.largest_mib:>9g}{m.first_mib:>9g}{m.last_mib:>9g}{slope:>9}")
    lines += [f"FAILED {error}" for error in report.errors]
    lines += [f"BREACH {breach}" for breach in report.breaches] or ["nothing lost, nothing doubled"]
    return "\n".join(lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=float, default=5, help="seconds between two faults")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--report", type=Path, help="where to write the report as JSON")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="cellar-soak-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        with Site(directory) as site:
            report = soak(site, minutes=given.minutes, seed=given.seed, every=given.every, workers=given.workers)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if given.report is not None:
        given.report.write_text(json.dumps(asdict(report), indent=2))
    print(told(report))
    return 1 if report.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
