"""A worker process: `python -m workers.main`.

The main thread runs jobs, one at a time, and lasts as long as the process: their processes end with the thread that
started them, and signals come to it. Beside it, one thread keeps the lease and one hears hints.
"""

import argparse
import os
import signal
import sys
import threading

import structlog

from app import log as logs
from app.catalogue import Database
from app.experiment import Queue
from app.jobs import QUEUES, celery_app
from app.settings import load_settings
from workers.devices import gpu_uuids, visible
from workers.hints import listen, register
from workers.runner import Runner

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
    register(app, runner.hint)
    try:
        runner.start()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: runner.drain())
        threading.Thread(target=listen, args=(app, runner.id, runner.queues), name="hints", daemon=True).start()
        runner.work()
    except Exception:
        log.exception("worker failed")
        return 1
    finally:
        runner.stop()
        database.dispose()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # whatever the thread of hints waits for
