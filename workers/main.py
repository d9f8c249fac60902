"""A worker process: `python -m workers.main`. A solo Celery worker; hints wake `workers.runner`."""

import argparse
import os
import signal
import sys
import warnings
from typing import Any, cast

import structlog
from celery import signals

from app import log as logs
from app.catalogue import Database
from app.experiment import Queue
from app.jobs import QUEUES, celery_app
from app.settings import load_settings
from workers.devices import gpu_uuids, visible
from workers.runner import Runner
from workers.tasks import register

log = structlog.get_logger(__name__)


def parse_queues(text: str) -> tuple[Queue, ...]:
    """`gpu,cpu` as queues. Raises ArgumentTypeError for a name that is none."""
    names = tuple(text.split(","))
    unknown = sorted(set(names) - set(QUEUES))
    if unknown:
        raise argparse.ArgumentTypeError(f"no queue {unknown[0]!r}; there are {', '.join(QUEUES)}")
    return tuple(queue for queue in QUEUES if queue in names)


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or Ctrl-C, then give the job back and leave."""
    parser = argparse.ArgumentParser(prog="python -m workers.main", description="Run jobs.")
    parser.add_argument(
        "--queues", type=parse_queues, help="queues to serve, e.g. cpu; what suits the device if left out"
    )
    parser.add_argument("--no-spare", action="store_true", help="hold no child with its imports done: saves memory")
    given = parser.parse_args(arguments)
    settings = load_settings()
    if settings.database_url is None or settings.redis_url is None:
        parser.error("a worker needs DATABASE_URL and REDIS_URL")
    logs.configure(process="worker")
    database = Database(settings.database_url, pool_size=4)
    gpus = visible(gpu_uuids(), os.environ.get("CUDA_VISIBLE_DEVICES"))
    runner = Runner(settings, database, given.queues, gpus, spares=not given.no_spare)
    logs.always(worker=str(runner.id))
    app = celery_app(settings.redis_url)
    register(app, runner.work)

    def drain(**_: object) -> None:
        runner.drain()

    def ready(**_: object) -> None:
        # Celery would start the worker anew; a closed terminal means what SIGTERM means.
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))

    def leave_logging(**_: object) -> None:
        """Celery would raise the level of every logger to its own, and this worker would say nothing of its jobs."""

    signals.setup_logging.connect(leave_logging, weak=False)
    signals.worker_shutting_down.connect(drain, weak=False)
    signals.worker_ready.connect(ready, weak=False)
    try:
        runner.start()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
            worker = cast("Any", app).Worker(
                hostname=f"{runner.id}@cellar",
                pool="solo",
                concurrency=1,
                queues=list(runner.queues),
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
                quiet=True,
                loglevel="WARNING",
            )
            worker.start()
        return int(worker.exitcode or 0)
    finally:
        runner.stop()
        database.dispose()


if __name__ == "__main__":
    sys.exit(main())
