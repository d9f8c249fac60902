"""What every API process runs beside its requests: the publisher and the reconciler, a thread each."""

import threading
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue import Database
from app.jobs.publisher import Publisher
from app.jobs.reconciliation import reconcile

log = structlog.get_logger(__name__)


class JobSettings(Protocol):
    """The settings that jobs go by."""

    @property
    def redis_url(self) -> str | None:
        """The broker."""
        ...

    @property
    def lease_seconds(self) -> float:
        """How long a lease holds without a heartbeat."""
        ...

    @property
    def reconcile_seconds(self) -> float:
        """Between two rounds of the reconciler."""
        ...

    @property
    def max_attempts(self) -> int:
        """Runs of a job that may end without an answer."""
        ...


class BackgroundServices:
    """Publisher and reconciler. Any number of processes may run them: advisory locks let one work at a time."""

    def __init__(self, database: Database, settings: JobSettings) -> None:
        if settings.redis_url is None:
            raise ValueError("the publisher needs a broker: redis_url is not set")
        self._database = database
        self._settings = settings
        self._publisher = Publisher(database, settings.redis_url, alive_seconds=settings.lease_seconds)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._reconcile, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._publisher.start()
        self._thread.start()

    def stop(self) -> None:
        """End within about a second."""
        self._stopping.set()
        self._publisher.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _reconcile(self) -> None:
        while not self._stopping.wait(self._settings.reconcile_seconds):
            try:
                done = reconcile(
                    self._database,
                    max_attempts=self._settings.max_attempts,
                    alive_seconds=self._settings.lease_seconds,
                    grace_seconds=self._settings.reconcile_seconds,
                )
            except SQLAlchemyError as error:
                log.warning("reconciler lost the database", error=str(error))
                continue
            except Exception:  # without this thread lost jobs would stay lost
                log.exception("reconciler failed")
                continue
            if done is not None and (done.expired or done.woken or done.stranded):
                log.info("reconciled", expired=done.expired, woken=done.woken, stranded=done.stranded)
