"""A long run of mixed real jobs with a fault every few seconds, and a report.

    python -m tests.acceptance.faults.soak --minutes 15 --seed 0 [--every 5] [--workers 2] [--report soak.json]

Searches, trainings, profiles and transfers are asked for over HTTP, counting jobs written beside them; some of both
have their work done by child jobs, some are cancelled. At the end all faults are healed, all jobs have to end, and
every invariant has to hold. One API process and one worker stand beside those that faults end: whether they grow is
judged from their resident memory after a warm-up, see `scales`. The exit status is 0 where nothing was lost or doubled,
no rule was broken, and neither of the two grew.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.jobs import request_cancel
from tests.acceptance.faults.disturbances import DISTURBANCES
from tests.acceptance.faults.invariants import DOUBLED, breaches
from tests.acceptance.faults.scales import MOST_MIB, MOST_MIB_PER_MINUTE, Scales, Weight
from tests.acceptance.faults.site import Site
from tests.acceptance.faults.work import drawn

OPEN = 12  # jobs that are not final, at most


@dataclass(slots=True, kw_only=True)
class Report:
    """What happened, and what was left."""

    minutes: float
    seed: int
    seconds: float = 0.0
    drained_seconds: float = 0.0  # from the last fault until all was over
    faults: dict[str, int] = field(default_factory=dict)
    submitted: dict[str, int] = field(default_factory=dict)
    children: int = 0  # jobs that others had done
    states: dict[str, int] = field(default_factory=dict)  # final ones, children too
    lost: int = 0  # accepted, and not final in the end
    doubled: int = 0  # epochs, results, ends of leases and jobs that are there twice
    claims: dict[str, int] = field(default_factory=dict)  # how many jobs were claimed how often
    gpu_seconds: float = 0.0  # that the books say; no job computes on one
    errors: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    memory: list[Weight] = field(default_factory=list)


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
                id = site.tally(epochs=rng.randint(2, 8), parts=rng.choice((0, 0, 3)))
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


def deal(rng: Random) -> Iterator[str]:
    """Names of faults, none twice before all have come once."""
    while True:
        yield from rng.sample(sorted(DISTURBANCES), len(DISTURBANCES))


def soak(site: Site, *, minutes: float, seed: int, every: float, workers: int) -> Report:
    """Run, heal, drain and judge."""
    report = Report(minutes=minutes, seed=seed)
    rng, asked, cancelled = Random(f"faults {seed}"), Counter[str](), list[UUID]()
    dealt = deal(rng)
    site.api()
    site.worker("--queues", "cpu")
    site.stand()
    site.api()
    for _ in range(workers):
        site.worker("--queues", "cpu")
    standing = [process.pid for process in site.standing]
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
        name = next(dealt)
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
    report.seconds = round(last - begun, 1)
    scales.stop()  # what follows is no load
    try:
        site.settle(seconds=max(300, minutes * 60))
    except AssertionError as error:
        failures.append(str(error)[:4000])
    report.drained_seconds = round(time.monotonic() - last, 1)
    report.submitted, report.breaches = dict(asked), failures
    report.memory = list(scales.weights(standing, seconds=report.seconds))
    grown = [weight for weight in report.memory if weight.grows]
    failures += [f"{w.role} {w.pid} grew from {w.begin_mib} to {w.end_mib} MiB" for w in grown]
    account(site, report)
    return report


def account(site: Site, report: Report) -> None:
    """What the tables say in the end."""
    broken = breaches(site.database, site.data_root, site.submitted)
    report.doubled = sum(breach.startswith(DOUBLED) or "without being submitted" in breach for breach in broken)
    with site.database.transaction() as session:

        def counted(query: str) -> dict[str, int]:
            return {str(what): int(number) for what, number in session.execute(text(query))}

        report.states = counted("SELECT state, count(*) FROM jobs GROUP BY state")
        report.claims = counted("SELECT fence, count(*) FROM jobs GROUP BY fence ORDER BY fence")
        final = session.execute(text("SELECT id FROM jobs WHERE finished_at IS NOT NULL")).scalars()
        report.lost = len(site.submitted - set(final))
        children = "SELECT count(*), (SELECT sum(gpu_seconds) FROM jobs) FROM jobs WHERE parent_id IS NOT NULL"
        report.children, report.gpu_seconds = session.execute(text(children)).one()
        report.errors = [str(error) for error in session.execute(text(ERRORS)).scalars()]


ERRORS = "SELECT kind || ': ' || (error->>'detail') FROM jobs WHERE state = 'failed' LIMIT 20"


def told(report: Report) -> str:
    """The report for people."""
    lines = [
        f"{report.seconds:g} s, seed {report.seed}, {sum(report.faults.values())} faults",
        *(f"  {name:<26}{number:>5}" for name, number in sorted(report.faults.items())),
        f"{sum(report.submitted.values())} jobs submitted: {report.submitted}, and {report.children} children",
        f"ended: {report.states}; jobs by number of claims: {report.claims}; GPU-seconds {report.gpu_seconds:.1f}",
        f"lost {report.lost}, doubled {report.doubled}; all over {report.drained_seconds:g} s after the last fault",
        f"memory, MiB; who stands may rise by {MOST_MIB_PER_MINUTE:g} a minute, or {MOST_MIB:g} in all, once warm",
        f"  {'role':<12}{'process':>9}{'seconds':>9}{'begin':>9}{'end':>9}{'largest':>9}{'a minute':>10}",
    ]
    for w in report.memory:
        if w.role == "job":
            continue
        slope = "-" if w.mib_per_minute is None else f"{w.mib_per_minute:+g}"
        figures = f"{w.seconds:>9g}{w.begin_mib:>9g}{w.end_mib:>9g}{w.largest_mib:>9g}{slope:>10}"
        lines.append(f"  {w.role:<12}{w.pid:>9}{figures}{'  stands' if w.standing else ''}")
    lines += [f"FAILED {error}" for error in report.errors]
    lines += [f"BREACH {breach}" for breach in report.breaches] or ["nothing lost, nothing doubled, nothing grew"]
    return "\n".join(lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=float, default=5, help="seconds between two faults")
    parser.add_argument("--workers", type=int, default=1, help="that faults may end")
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
