"""Hints: the one Celery task, and the thread that hears of it. What is not heard costs a job seconds, never its run."""

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

import structlog
from celery import Celery, signals

from app.experiment import Queue
from app.jobs import WORK

log = structlog.get_logger(__name__)

RETRY_SECONDS = 5.0  # after Celery gave up; it connects anew by itself as long as it can


def register(app: Celery, hint: Callable[[], None]) -> None:
    """Make `hint` what a message starts."""
    app.task(name=WORK, ignore_result=True, acks_late=False, max_retries=0)(hint)


def listen(app: Celery, worker_id: UUID, queues: Sequence[Queue]) -> None:
    """Hear hints for ever, with a solo Celery worker in this thread, which takes no other message until one returns."""
    signals.setup_logging.connect(_leave_logging)
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    while True:
        try:
            worker = cast("Any", app).Worker(
                hostname=f"{worker_id}@cellar",
                pool="solo",
                concurrency=1,
                queues=list(queues),
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
                quiet=True,
                loglevel="WARNING",
            )
            worker.start()
            log.warning("Celery gave up", exitcode=worker.exitcode)
        except Exception:
            log.exception("Celery failed")
        time.sleep(RETRY_SECONDS)


def _leave_logging(**_: object) -> None:
    """Celery would raise the level of every logger to its own, and this worker would say nothing of its jobs."""
