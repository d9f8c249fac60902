"""What Prometheus reads: what this process counts itself, and how the service stands, which every process tells alike.

The database is asked at most every few seconds, whoever scrapes and how many do, and for `LIMIT_SECONDS` at most. What
is not known is left out, never told as 0. No label holds an id, an owner or anything else that callers make up; `gpu`
is the device's UUID, of which there are as many as there are devices.
"""

import asyncio
import os
import shutil
from dataclasses import dataclass
from typing import cast

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy.pool import QueuePool

from app.api.question import Question
from app.api.readiness import LIMIT_SECONDS, Finding, Readiness
from app.api.streams import Streams
from app.catalogue import Database, Worker, workers
from app.catalogue.repositories import census
from app.catalogue.repositories.census import OpenJobs, Pace
from app.experiment import JobState, Queue
from app.settings import Settings

KEPT_SECONDS = 5.0
FINAL_KEPT_SECONDS = 60.0
"""Jobs that have ended are counted by an index of all of them."""

PACE_SECONDS = 60.0
WORKER_STATES = ("idle", "busy", "draining")


@dataclass(frozen=True, slots=True)
class Census:
    """How the service stands, by the database."""

    jobs: tuple[OpenJobs, ...]
    workers: tuple[Worker, ...]
    paces: tuple[Pace, ...]
    owed: int
    owed_seconds: float
    most_queued: int
    upkeep_seconds: float | None


class Exposition:
    """The text that is scraped."""

    def __init__(
        self,
        settings: Settings,
        counted: CollectorRegistry,
        streams: Streams,
        pool: Database,
        watching: Database,
        readiness: Readiness,
    ) -> None:
        """
        Args:
            settings: of the deployment.
            counted: what this process counts of its requests.
            streams: those of this process.
            pool: through which requests are answered.
            watching: connects anew each time.
            readiness: the parts of the service.
        """
        self._settings = settings
        self._counted = counted
        self._streams = streams
        self._pool = pool
        self._watching = watching
        self._readiness = readiness
        self._census = Question("census", self._take_census, seconds=LIMIT_SECONDS, kept=KEPT_SECONDS)
        self._final = Question("ended jobs", self._count_final, seconds=LIMIT_SECONDS, kept=FINAL_KEPT_SECONDS)

    async def text(self) -> bytes:
        """Every metric that is known now."""
        findings, taken, final, hints = await asyncio.gather(
            self._readiness.findings(),
            self._census.answer(),
            self._final.answer(),
            self._readiness.hints(),
            return_exceptions=True,
        )
        here = Gauges()
        self._tell_process(here)
        if not isinstance(findings, BaseException):
            tell_parts(here, findings)
        if not isinstance(hints, BaseException):
            told = here.gauge("broker_hints", "Hints that lie in the broker, by queue", "queue")
            for queue, number in hints.items():
                told.labels(queue).set(number)
        complete = not isinstance(taken, BaseException) and not isinstance(final, BaseException)
        here.gauge("census_up", "Whether the database told of jobs and workers in time, 1 or 0").set(complete)
        if not isinstance(taken, BaseException):
            counts = {} if isinstance(final, BaseException) else final
            tell_jobs(here, taken, counts, self._settings.lease_seconds)
            tell_workers(here, taken.workers)
        return generate_latest(self._counted) + generate_latest(here.registry)

    def _tell_process(self, here: "Gauges") -> None:
        settings = self._settings
        pool = cast("QueuePool", self._pool.engine.pool)
        here.gauge("pool_connections", "Connections to the database that this process uses now").set(pool.checkedout())
        here.gauge("pool_connections_limit", "Connections that it may use").set(pool.size() * 2)
        here.gauge("event_streams", "Event streams that are open in this process").set(self._streams.number)
        here.gauge("event_streams_limit", "Event streams that may be").set(settings.streams)
        here.gauge("queued_jobs_limit", "Submissions of all owners together that may be queued").set(
            settings.max_queued_jobs
        )
        here.gauge("owner_queued_jobs_limit", "The same of an owner without a limit of their own").set(
            settings.quota_queued_jobs
        )
        here.gauge("lease_limit_seconds", "How long a job is held without a heartbeat").set(settings.lease_seconds)
        here.gauge("build_info", "1; the version of the code is the label", "version").labels(
            settings.code_version
        ).set(1)
        place = next(path for path in (settings.data_root, *settings.data_root.parents) if os.path.lexists(path))
        room = shutil.disk_usage(place)
        here.gauge("data_root_free_bytes", "Bytes that can still be written to the data root").set(room.free)
        here.gauge("data_root_size_bytes", "Bytes of the file system of the data root").set(room.total)

    def _take_census(self) -> Census:
        with self._watching.transaction() as session:
            owed, owed_seconds = census.owed_hints(session)
            return Census(
                jobs=census.open_jobs(session),
                workers=workers.alive(session, within_seconds=self._settings.lease_seconds),
                paces=census.paces(session, within_seconds=PACE_SECONDS),
                owed=owed,
                owed_seconds=owed_seconds,
                most_queued=census.most_queued(session),
                upkeep_seconds=census.upkeep_seconds(session),
            )

    def _count_final(self) -> dict[tuple[Queue, str, JobState], int]:
        with self._watching.transaction() as session:
            return census.final_jobs(session)


class Gauges:
    """Gauges of one scrape, by their names without `cellar_`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def gauge(self, name: str, says: str, *labels: str) -> Gauge:
        """A new one."""
        return Gauge(f"cellar_{name}", says, labels, registry=self.registry)


def tell_parts(here: Gauges, findings: tuple[Finding, ...]) -> None:
    """What readiness says of each part."""
    up = here.gauge("part_up", "Whether a part of the service is as it should be, 1 or 0", "part")
    for finding in findings:
        up.labels(finding.part).set(finding.state == "ok")
    here.gauge("ready", "Whether /readyz answers with 200, 1 or 0").set(
        all(finding.state != "down" for finding in findings)
    )


def tell_jobs(
    here: Gauges, taken: Census, final: dict[tuple[Queue, str, JobState], int], lease_limit_seconds: float
) -> None:
    """The queue: what waits, what runs and how fast, what has ended."""
    labels = ("queue", "kind", "state")
    number = here.gauge("jobs", "Jobs", *labels)
    oldest = here.gauge("job_age_seconds", "Seconds since the oldest open job was queued", *labels)
    attempts = here.gauge("job_attempts", "Attempts of the open job that was begun most often", *labels)
    again = here.gauge("jobs_begun_again", "Open jobs that were begun more than once", *labels)
    lease = here.gauge("lease_age_seconds", "Seconds since the lease that was renewed first was renewed", "queue")
    ages: dict[Queue, float] = {}
    for row in taken.jobs:
        which = (row.queue, row.kind, row.state)
        number.labels(*which).set(row.number)
        oldest.labels(*which).set(row.longest_seconds)
        attempts.labels(*which).set(row.attempts)
        again.labels(*which).set(row.begun_again)
        if row.lease_seconds is not None:
            ages[row.queue] = max(ages.get(row.queue, 0.0), lease_limit_seconds - row.lease_seconds)
    for queue, age in ages.items():
        lease.labels(queue).set(age)
    for which, ended in final.items():
        number.labels(*which).set(ended)
    epochs = here.gauge("epochs_per_second", f"Epochs that jobs ended in the last {PACE_SECONDS:.0f} s", "kind")
    steps = here.gauge("steps_per_second", f"Steps that jobs told of in the last {PACE_SECONDS:.0f} s", "kind")
    for pace in taken.paces:
        epochs.labels(pace.kind).set(pace.epochs)
        steps.labels(pace.kind).set(pace.steps)
    here.gauge("outbox_jobs", "Queued jobs that wait for a hint").set(taken.owed)
    here.gauge("outbox_age_seconds", "Seconds for which the first of them has waited").set(taken.owed_seconds)
    if taken.upkeep_seconds is not None:
        here.gauge("upkeep_age_seconds", "Seconds since the last upkeep ended").set(taken.upkeep_seconds)
    here.gauge("owner_queued_jobs", "Queued submissions of the owner who has most").set(taken.most_queued)


def tell_workers(here: Gauges, alive: tuple[Worker, ...]) -> None:
    """Who works, and how busy the devices are."""
    by_state = here.gauge("workers", "Workers that have reported themselves lately, by what they do", "state")
    for state in WORKER_STATES:
        by_state.labels(state).set(sum(worker.state == state for worker in alive))
    use = here.gauge("gpu_utilisation_ratio", "Share of the time in which a device computed, 0 to 1", "gpu")
    used = here.gauge("gpu_memory_used_bytes", "Bytes of a device's memory in use, by whatever process", "gpu")
    total = here.gauge("gpu_memory_size_bytes", "Bytes of a device's memory", "gpu")
    for worker in alive:
        if worker.gpu is None:
            continue
        for told, value in (
            (use, worker.gpu_utilisation),
            (used, worker.gpu_memory_used),
            (total, worker.gpu_memory_total),
        ):
            if value is not None:
                told.labels(worker.gpu).set(value)
