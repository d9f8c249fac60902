"""A job in a process of its own: `python -m workers.run JOB FENCE`, or `--spare` to wait for a job with imports done.

A process that has not imported torch serves further jobs, if it was given a pipe on which to say that one has ended:
starting it took longer than many a small job.

With `--control` the worker speaks on standard input, one JSON object a line: `{"job": ..., "fence": ...}` to a process
that waits for a job, `{"stop": "cancel" | "drain"}` at any time. When standard input ends, the worker is gone and so is
this process.
"""

import argparse
import ctypes
import importlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from sqlalchemy.orm import Session

from app import log as logs
from app.catalogue import Database, Job, jobs, visibilities
from app.experiment import JobResult
from app.jobs import Lease, LeaseLost, cancelled, fail, finish, release, suspend
from app.settings import Settings, load_settings
from app.store import open_store
from workers.fenced import FencedProgress, Stop, patiently
from workers.files import JobFiles
from workers.measured import (
    MeasuredArchitecture,
    measure,
    record,
    record_counts,
    record_datasets,
    record_profiles,
    record_table,
)
from workers.progress import Stopped, StopReason, Waiting
from workers.tasks import KINDS, TORCH_KINDS, handler_of

log = structlog.get_logger(__name__)

JOBS = 100  # that one process serves: what a handler leaves behind does not pile up for ever
NICE = 5  # requests and heartbeats of the same machine go before jobs
LOST = 3  # exit status of a process whose job belongs to somebody else
PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


def run(settings: Settings, database: Database, lease: Lease, stop: Stop) -> int:
    """Run the job to one of its ends, and commit that. Returns the process's exit status."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(job=str(lease.job_id), fence=lease.fence)
    progress = FencedProgress(database, lease, JobFiles(open_store(settings), lease.job_id), stop)
    try:
        job = patiently(database, lambda session: jobs.get(session, lease.job_id))
        if job is None or job.state != "running" or job.fence != lease.fence:
            raise LeaseLost(lease.job_id, lease.fence)
        structlog.contextvars.bind_contextvars(
            kind=job.kind, attempt=job.attempt, worker=str(job.worker_id), request_id=job.request_id
        )
        _work(job, settings, database, lease, progress)
    except LeaseLost as lost:
        if not _ended_by(database, lease):
            log.warning("lease lost, nothing more is written", error=str(lost))
            return LOST
    return 0


def _work(job: Job, settings: Settings, database: Database, lease: Lease, progress: FencedProgress) -> None:
    """Call the handler and commit what became of it."""
    try:
        handler, request_type = handler_of(job.kind, {**KINDS, **settings.extra_kinds})
        request = TypeAdapter(request_type).validate_python(job.request)
        outcome = handler(request, progress)
        measured = measure(job, outcome)
        patiently(database, lambda session: _finish(session, lease, job, outcome, measured))
        log.info("succeeded", evaluations=len(measured))
    except LeaseLost:
        raise
    except Waiting as waiting:
        log.info("waits", reason=str(waiting))
        patiently(database, lambda session: suspend(session, lease))
    except Stopped as stopped:
        if stopped.reason == "drain":
            log.info("drained")
            patiently(database, lambda session: release(session, lease))
            return
        log.info("cancelled")
        best = stopped.best
        kept = measure(job, best) if best is not None else ()
        patiently(database, lambda session: _cancel(session, lease, best, kept))
    except Exception as error:
        log.exception("handler failed", kind=job.kind)
        problem = error_document(job.kind, error)
        patiently(database, lambda session: fail(session, lease, problem))


def error_document(kind: str, error: BaseException) -> dict[str, Any]:
    """What the job's owner is told of a failure: what went wrong, not where in the code."""
    message = str(error).strip() or "no message"
    document: dict[str, Any] = {
        "type": "handler-error",
        "title": f"The {kind} failed",
        "detail": f"{type(error).__name__}: {message}"[:2000],
        "exception": type(error).__name__,
    }
    if place := getattr(error, "place", ""):  # a DataError, whose module would bring Arrow into every job's process
        document["errors"] = [{"pointer": place[:500], "message": getattr(error, "finding", message)[:2000]}]
    return document


def plain(value: object) -> Any:
    """A result as JSON: dataclasses become objects, what is not finite becomes null."""
    return to_jsonable_python(value, inf_nan_mode="null")


def _finish(
    session: Session, lease: Lease, begun: Job, outcome: JobResult, measured: tuple[MeasuredArchitecture, ...]
) -> None:
    """The job's result, its evaluations and its final state: all of it, or nothing."""
    of_table = {} if outcome.table is None else record_table(session, begun, outcome.table)
    result = plain({**outcome.result, **of_table})
    job = finish(session, lease, result)  # as it is now: it may have been shown or hidden meanwhile
    if of_table and job.visibility != begun.visibility:
        visibilities.of_job(session, job.id, visibility=job.visibility)
    record(session, job, measured)
    record_counts(session, job, outcome.counted)
    record_datasets(session, job, outcome.datasets)
    record_profiles(session, job, outcome.profiles)


def _cancel(session: Session, lease: Lease, best: JobResult | None, measured: tuple[MeasuredArchitecture, ...]) -> None:
    job = cancelled(session, lease, None if best is None else plain(best.result))
    record(session, job, measured)
    if best is not None:
        record_profiles(session, job, best.profiles)


def _ended_by(database: Database, lease: Lease) -> bool:
    """Whether the job was ended under this very fence: the connection broke after a commit that did happen."""
    job = patiently(database, lambda session: jobs.get(session, lease.job_id))
    return job is not None and job.final and job.fence == lease.fence


def _die_with_parent(parent: int | None) -> None:
    """End with the worker, also when it was killed."""
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(LOST)


class _Orders:
    """What the worker says on standard input: jobs, and stops for the latest of them."""

    def __init__(self) -> None:
        self._jobs = queue.SimpleQueue[tuple[Lease, Stop]]()
        self._latest = Stop()

    def add(self, lease: Lease) -> None:
        """A job to run after those that were added before."""
        self._latest = Stop()
        self._jobs.put((lease, self._latest))

    def stop(self, reason: StopReason) -> None:
        """Ask the latest job to stop."""
        self._latest.ask(reason)

    def next(self) -> tuple[Lease, Stop]:
        """Wait for a job."""
        return self._jobs.get()

    def listen(self) -> None:
        """Follow the worker's lines until they end, which is the end of this process too."""
        for line in sys.stdin:
            order = cast("Mapping[str, Any]", json.loads(line))
            if "stop" in order:
                self.stop(order["stop"])
            else:
                self.add(Lease(UUID(order["job"]), int(order["fence"])))
        os._exit(LOST)


def _serve(settings: Settings, database: Database, orders: _Orders, ends: int | None) -> int:
    """Run jobs until one ends badly or has imported torch, or there were enough. Returns the process's exit status."""
    for served in range(1, JOBS + 1):
        status = run(settings, database, *orders.next())
        if status != 0 or ends is None or served == JOBS or "torch" in sys.modules:
            return status
        sys.stdout.flush()
        os.write(ends, b".")
    return 0


def _import_ahead() -> None:
    """Import what jobs that need torch need. What fails now fails again when a job wants it, and is said there."""
    for module in ("torch", *sorted({KINDS[kind].partition(":")[0] for kind in TORCH_KINDS})):
        try:
            importlib.import_module(module)
        except Exception:
            log.exception("import failed", module=module)


def main(arguments: list[str] | None = None) -> int:
    """The process."""
    parser = argparse.ArgumentParser(prog="python -m workers.run", description="Run one job under a lease.")
    parser.add_argument("job", nargs="?", type=UUID, help="the job's id")
    parser.add_argument("fence", nargs="?", type=int, help="the fence it was claimed with")
    parser.add_argument("--spare", action="store_true", help="do the imports, then wait for a job")
    parser.add_argument("--control", action="store_true", help="follow the worker on standard input")
    parser.add_argument("--parent", type=int, help="process id of the worker, to end with")
    parser.add_argument("--ends", type=int, metavar="FD", help="pipe on which to say that a job has ended")
    given = parser.parse_args(arguments)
    if given.spare != (given.job is None) or (given.job is None) != (given.fence is None):
        parser.error("name a job and its fence, or --spare")
    _die_with_parent(given.parent)
    os.nice(NICE)
    settings = load_settings()
    if settings.database_url is None:
        parser.error("set DATABASE_URL to the database of the jobs")
    logs.configure(process="job")
    if given.ends is not None:
        os.set_inheritable(given.ends, False)
    orders = _Orders()
    signal.signal(signal.SIGTERM, lambda number, frame: orders.stop("drain"))
    if given.job is not None:
        orders.add(Lease(given.job, given.fence))
    if given.control or given.spare:
        threading.Thread(target=orders.listen, name="control", daemon=True).start()
    if given.spare:
        _import_ahead()
    database = Database(settings.database_url, pool_size=1)
    try:
        return _serve(settings, database, orders, given.ends)
    finally:
        database.dispose()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # all is committed; tearing torch down takes longer than some jobs
